//! One request and its answer, over a connection that is kept.

use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use thiserror::Error;
use ureq::Agent;

/// An answer is some hundred numbers.
const ANSWER_BYTES_MAX: u64 = 1 << 20;
/// Of what a server says about its error.
const SAID_CHARS_MAX: usize = 200;

#[derive(Debug, Error)]
pub enum CallError {
    #[error("{route} was not answered: {source}")]
    Unanswered { route: &'static str, source: Box<ureq::Error> },
    #[error("{route} was answered by error {status}{}{said}", if said.is_empty() { "" } else { ": " })]
    Status { route: &'static str, status: u16, said: String },
    #[error("{route} was answered by something else than the contract says: {why}")]
    Strange { route: &'static str, why: String },
}

impl CallError {
    /// The server answers, and this it cannot do.
    pub fn is_lacking(&self) -> bool {
        matches!(self, Self::Status { status: 404 | 405 | 500, .. })
    }
}

#[derive(Debug)]
pub struct Caller {
    agent: Agent,
    url: String,
}

impl Caller {
    pub fn new(url: &str, timeout: Duration) -> Self {
        let config = Agent::config_builder()
            .timeout_global(Some(timeout))
            .http_status_as_error(false)
            .max_redirects(0)
            // A proxy would be on the way to the robot.
            .proxy(None)
            .user_agent("reins")
            .build();
        Self { agent: config.into(), url: url.trim_end_matches('/').to_owned() }
    }

    /// The answer's text.
    pub fn post<B: Serialize>(
        &self,
        route: &'static str,
        body: Option<&B>,
    ) -> Result<String, CallError> {
        let answered = match self.send(route, body) {
            // The server let go of a connection that was kept; to be told twice does no harm.
            Err(ureq::Error::Io(_) | ureq::Error::Protocol(_)) => self.send(route, body),
            answered => answered,
        };
        let unanswered = |source| CallError::Unanswered { route, source: Box::new(source) };
        let mut answer = answered.map_err(unanswered)?;
        let status = answer.status().as_u16();
        let body = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX).lossy_utf8(true);
        let text = body.read_to_string().map_err(unanswered)?;
        match status {
            200..300 => Ok(text),
            _ => Err(CallError::Status { route, status, said: said(&text) }),
        }
    }

    fn send<B: Serialize>(
        &self,
        route: &'static str,
        body: Option<&B>,
    ) -> Result<ureq::http::Response<ureq::Body>, ureq::Error> {
        let request = self.agent.post(format!("{}{route}", self.url));
        match body {
            None => request.send_empty(),
            Some(body) => {
                let body = serde_json::to_vec(body).map_err(|e| ureq::Error::Io(e.into()))?;
                request.content_type("application/json").send(&body[..])
            }
        }
    }
}

/// What a server says of its error: some say it in JSON, some in a line, most with a page.
fn said(text: &str) -> String {
    let text = match serde_json::from_str::<Value>(text) {
        Ok(value) => match value.get("error") {
            Some(Value::String(error)) => error.clone(),
            Some(error) => error.to_string(),
            None => value.to_string(),
        },
        Err(_) if text.contains('<') => String::new(),
        Err(_) => text.trim().to_owned(),
    };
    text.chars().take(SAID_CHARS_MAX).collect()
}

/// As a script on somebody's page would ask.
#[cfg(test)]
pub fn status_from_page(url: &str) -> u16 {
    let config = Agent::config_builder().http_status_as_error(false).proxy(None).build();
    let request = Agent::from(config).post(url).header("origin", "https://page.example");
    request.send_empty().expect("an answer").status().as_u16()
}

#[cfg(test)]
mod tests {
    use super::said;

    #[test]
    fn an_error_is_read_from_json_or_a_line_and_a_page_is_left_out() {
        assert_eq!(said(r#"{"error": "not enabled"}"#), "not enabled");
        assert_eq!(said(r#"{"error": {"code": 9}}"#), r#"{"code":9}"#);
        assert_eq!(said("robot is off\n"), "robot is off");
        assert_eq!(said("<!doctype html><title>500 Internal Server Error</title>"), "");
    }
}
