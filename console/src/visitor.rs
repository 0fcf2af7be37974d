//! Who may look, and who may command. The server listens on loopback, which other programs and other
//! people's web pages can reach through this machine's browser: a page of another site is turned away
//! by its `Origin`, one that has bent its own name to this address by its `Host`, and nobody
//! commands without the token.

use axum::http::{HeaderMap, HeaderName, header};
use rand::{TryRngCore, rngs::OsRng};
use subtle::ConstantTimeEq;

const TOKEN_BYTES: usize = 32;

/// Proves that whoever shows it has read what was printed at the start.
pub struct Token(String);

impl Token {
    pub fn random() -> std::io::Result<Self> {
        let mut bytes = [0; TOKEN_BYTES];
        OsRng.try_fill_bytes(&mut bytes).map_err(std::io::Error::other)?;
        Ok(Self(hex::encode(bytes)))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Takes as long for a token that is nearly right as for any other.
    pub fn is(&self, shown: &str) -> bool {
        self.0.as_bytes().ct_eq(shown.as_bytes()).into()
    }
}

/// Names under which a browser on this machine may know the server. Any port: a tunnel may end at
/// another one than it began.
fn is_loopback(authority: &str) -> bool {
    let (host, port) = authority.rsplit_once(':').unwrap_or((authority, "80"));
    matches!(host, "127.0.0.1" | "localhost") && port.parse::<u16>().is_ok()
}

/// Why a request is turned away, before anything is answered.
pub fn refuse_host(headers: &HeaderMap) -> Option<&'static str> {
    match text(headers, header::HOST) {
        Some(host) if is_loopback(host) => None,
        _ => Some("this page is served to 127.0.0.1 and localhost alone"),
    }
}

/// Why a WebSocket is turned away. Browsers always say where a page came from.
pub fn refuse_origin(headers: &HeaderMap) -> Option<&'static str> {
    let host = text(headers, header::HOST)?;
    match text(headers, header::ORIGIN).and_then(|origin| origin.strip_prefix("http://")) {
        Some(origin) if origin == host => None,
        _ => Some("only the console's own page may connect"),
    }
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(host: &str, origin: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in [(header::HOST, host), (header::ORIGIN, origin)] {
            if !value.is_empty() {
                headers.insert(name, value.parse().unwrap());
            }
        }
        headers
    }

    #[test]
    fn only_names_of_this_machine_are_served() {
        for host in ["127.0.0.1:7373", "localhost:80", "localhost"] {
            assert_eq!(refuse_host(&headers(host, "")), None, "{host}");
        }
        for host in ["", "evil.example:7373", "127.0.0.1.evil.example", "localhost:x", "[::1]:1"] {
            assert!(refuse_host(&headers(host, "")).is_some(), "{host}");
        }
    }

    #[test]
    fn only_the_page_itself_may_connect() {
        let host = "127.0.0.1:7373";
        assert_eq!(refuse_origin(&headers(host, "http://127.0.0.1:7373")), None);
        for origin in ["", "null", "http://127.0.0.1:8080", "https://127.0.0.1:7373", "http://x"] {
            assert!(refuse_origin(&headers(host, origin)).is_some(), "{origin}");
        }
    }

    #[test]
    fn a_token_is_long_and_its_own() {
        let (one, two) = (Token::random().unwrap(), Token::random().unwrap());
        assert_eq!(one.as_str().len(), 2 * TOKEN_BYTES);
        assert!(one.is(one.as_str()));
        for wrong in [two.as_str(), "", &one.as_str()[1..]] {
            assert!(!one.is(wrong));
        }
    }
}
