//! Where actor and learner meet, and how they know each other.

use std::{net::IpAddr, path::PathBuf};

use serde::{Deserialize, Serialize};

use crate::load::Fault;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkConfig {
    /// zenoh's notation: `tcp/<host>:<port>`, or `tls/<host>:<port>` with certificates.
    pub endpoint: String,
    /// Allows an endpoint that other machines can reach without certificates.
    pub insecure: bool,
    /// Folder with certificates, as `reins certs` makes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificates: Option<PathBuf>,
    /// File with a line `name:password` for each role. Passwords stand nowhere else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub users: Option<PathBuf>,
    /// Who may append when certificates or passwords are used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actors: Option<Vec<u16>>,
}

impl LinkConfig {
    /// The actors that may append: actor 0 unless the file says otherwise.
    pub fn actors(&self) -> &[u16] {
        self.actors.as_deref().unwrap_or(&[0])
    }

    /// Whether other machines can reach the endpoint.
    pub fn is_open(&self) -> bool {
        split(&self.endpoint).is_some_and(|(_, host)| !is_loopback(host))
    }

    /// Without certificates anybody in between can read along and alter what is sent.
    pub fn is_encrypted(&self) -> bool {
        self.endpoint.starts_with("tls/")
    }

    pub(super) fn faults(&self) -> Vec<Fault> {
        let endpoint = |wrong: &str, remedy: &str| Fault::new("link.endpoint", wrong, remedy);
        let Some((protocol, _)) = split(&self.endpoint) else {
            return vec![endpoint(
                "is not of the form tcp/<address>:<port> or tls/<host>:<port>",
                "Write for example \"tcp/127.0.0.1:7447\"",
            )];
        };
        let mut faults = Vec::new();
        match (protocol, &self.certificates) {
            ("tls", None) => faults.push(endpoint(
                "needs certificates",
                "Make them with `reins certs DIR` and set link.certificates = \"DIR\"",
            )),
            ("tcp", Some(_)) => faults.push(endpoint(
                "makes no use of link.certificates",
                "Write tls/ instead of tcp/, or leave link.certificates out",
            )),
            ("tcp", None) if self.is_open() && !self.insecure => faults.push(endpoint(
                "can be reached from other machines, without certificates",
                "Use 127.0.0.1, or make certificates with `reins certs` and write tls/, or set \
                 link.insecure = true if everybody on the network may send steps",
            )),
            _ => {}
        }
        if self.actors().is_empty() {
            faults.push(Fault::new(
                "link.actors",
                "lets nobody in",
                "Name the actors, [0] for a single one",
            ));
        }
        faults
    }
}

/// Protocol and host of `tcp/<host>:<port>`.
fn split(endpoint: &str) -> Option<(&str, &str)> {
    let (protocol, address) = endpoint.split_once('/')?;
    let (host, port) = address.rsplit_once(':')?;
    port.parse::<u16>().ok().filter(|port| *port != 0)?;
    let host = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':');
    let fits = matches!(protocol, "tcp" | "tls") && !host.is_empty() && host.chars().all(legal);
    fits.then_some((protocol, host))
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
