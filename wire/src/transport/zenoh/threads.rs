//! TLS on one thread.
//!
//! zenoh 1.10 reads and writes a TLS connection from two threads at once, which the TLS library
//! does not allow (eclipse-zenoh/zenoh#2557): under load connections break within seconds, and
//! memory may be damaged. With reading handed over to the thread that writes it cannot happen.
//! zenoh takes its threads from the environment only, when it first starts, so whoever starts the
//! process has to say it.

use std::env;

use crate::transport::LinkError;

/// Name and value of the environment variable without which no TLS link is opened.
pub const RUNTIME_VARIABLE: (&str, &str) = ("ZENOH_RUNTIME", "(rx: (handover: tx))");

/// Whether this process was started with [`RUNTIME_VARIABLE`].
pub fn tls_is_sound() -> bool {
    let (name, value) = RUNTIME_VARIABLE;
    env::var(name).is_ok_and(|given| given == value)
}

pub(super) fn check(endpoint: &str) -> Result<(), LinkError> {
    if !endpoint.starts_with("tls/") || tls_is_sound() {
        return Ok(());
    }
    let (name, value) = RUNTIME_VARIABLE;
    let reason = format!("for TLS the process must be started with {name}='{value}'");
    Err(LinkError::Open { endpoint: endpoint.to_owned(), reason })
}
