//! Knocks at an endpoint and says what happened, in words that lead to the remedy. Sends nothing
//! but a TLS greeting.

use std::{
    io::{self, Read},
    net::{TcpStream, ToSocketAddrs},
    sync::Arc,
    time::Duration,
};

use rustls::{
    AlertDescription, CertificateError, ClientConnection, Error, Stream, pki_types::ServerName,
};

use crate::identity::Identity;

/// How long the other side may take for each step.
const PATIENCE: Duration = Duration::from_secs(2);
/// In TLS 1.3 the verdict on our certificate comes after the handshake.
const VERDICT: Duration = Duration::from_millis(500);

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing listens, or the way there is blocked.
    Nobody(String),
    /// Something took the connection and says nothing.
    Silence,
    /// TLS failed for this reason.
    Refusal(String),
    /// Whoever is there speaks to us.
    Open,
}

pub(super) fn look(endpoint: &str, identity: Option<&Identity>) -> Found {
    let address = endpoint.split_once('/').map_or(endpoint, |(_, address)| address);
    let stream = match connect(address) {
        Ok(stream) => stream,
        Err(error) => return Found::Nobody(error.to_string()),
    };
    match identity {
        Some(identity) if endpoint.starts_with("tls/") => {
            greet(stream, address, identity).unwrap_or_else(|error| in_words(&error, identity))
        }
        _ => Found::Open,
    }
}

fn connect(address: &str) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn greet(mut stream: TcpStream, address: &str, identity: &Identity) -> io::Result<Found> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let name = ServerName::try_from(host).map_err(io::Error::other)?;
    let config = identity.client_config().map_err(io::Error::other)?;
    let mut tls = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
    while tls.is_handshaking() {
        tls.complete_io(&mut stream)?;
    }
    stream.set_read_timeout(Some(VERDICT))?;
    match Stream::new(&mut tls, &mut stream).read(&mut [0]) {
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(error),
        // Nothing was said against us.
        _ => Ok(Found::Open),
    }
}

fn in_words(error: &io::Error, identity: &Identity) -> Found {
    if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) {
        return Found::Silence;
    }
    let authority = identity.authority.display();
    let own = identity.certificate.display();
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    Found::Refusal(match tls {
        Some(Error::InvalidCertificate(reason)) => match reason {
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                format!("its certificate is not signed by our {authority}")
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "its certificate is for other host names: make the learner's with `reins certs \
                 --learner HOST`, HOST as in link.endpoint"
                    .into()
            }
            other => format!("its certificate cannot be used: {other}"),
        },
        Some(Error::AlertReceived(alert)) => match alert {
            AlertDescription::UnknownCA
            | AlertDescription::DecryptError
            | AlertDescription::BadCertificate => {
                format!("it refused us, because our {own} is not signed by its ca.pem")
            }
            AlertDescription::CertificateExpired => format!("it refused us: {own} has expired"),
            AlertDescription::CertificateRequired => "it refused us without certificate".into(),
            other => format!("it refused us: {other:?}"),
        },
        Some(other) => format!("it speaks no TLS that we understand ({other})"),
        None => format!("it closed the connection ({error})"),
    })
}
