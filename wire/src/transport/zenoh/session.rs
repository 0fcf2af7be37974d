//! Opens a zenoh session: where, how encrypted, as whom.

use std::{collections::BTreeSet, fmt, path::PathBuf};

use serde_json::{Value, json};
use zenoh::{Session, Wait};

use super::{access, threads};
use crate::{
    clock::UnixNanos,
    identity::{Identity, Password, Role, password_of},
    ids::ActorId,
    transport::LinkError,
};

/// How long the other side may be silent before it counts as gone. A dead process is noticed at
/// once, because its connection closes; this is for a stopped one and for a pulled cable.
const LEASE_MS: u64 = 2000;

/// Where the two sides meet, and how they know each other. The same on both.
#[derive(Clone, Debug)]
pub struct LinkSettings {
    /// In zenoh's words, for example `tcp/127.0.0.1:7447` or `tls/learner.lab:7447`.
    pub endpoint: String,
    /// Name of the run, as it stands in the keys.
    pub run: String,
    /// Folder with the certificates; needed for `tls/`.
    pub certificates: Option<PathBuf>,
    /// File with names and passwords.
    pub users: Option<PathBuf>,
    /// Who may append, where certificates or passwords tell who is who.
    pub actors: BTreeSet<ActorId>,
}

impl LinkSettings {
    /// Without any authentication, for loopback.
    pub fn open(endpoint: impl Into<String>, run: impl Into<String>) -> Self {
        Self {
            endpoint: endpoint.into(),
            run: run.into(),
            certificates: None,
            users: None,
            actors: BTreeSet::new(),
        }
    }
}

/// What this process proves to be, read from the files that the settings name.
#[derive(Debug)]
pub(super) struct Credentials {
    pub role: Role,
    pub identity: Option<Identity>,
    pub password: Option<Password>,
}

impl Credentials {
    pub fn load(settings: &LinkSettings, role: Role, now: UnixNanos) -> Result<Self, LinkError> {
        let load = |folder: &PathBuf| Identity::load(folder, role, now);
        Ok(Self {
            role,
            identity: settings.certificates.as_ref().map(load).transpose()?,
            password: settings.users.as_ref().map(|file| password_of(role, file)).transpose()?,
        })
    }
}

pub(super) fn open(settings: &LinkSettings, own: &Credentials) -> Result<Session, LinkError> {
    let endpoint = &settings.endpoint;
    threads::check(endpoint)?;
    let failed = |e: &dyn fmt::Display| {
        let text = e.to_string();
        let reason = match own.role {
            Role::Learner if text.contains("in use") || text.contains("os error 98") => {
                "the port is in use: stop the other learner or choose another [link] endpoint"
                    .into()
            }
            _ => text.lines().next().unwrap_or_default().to_owned(),
        };
        LinkError::Open { endpoint: endpoint.clone(), reason }
    };
    let mut config = zenoh::Config::default();
    for (key, value) in entries(settings, own) {
        config.insert_json5(key, &value.to_string()).map_err(|e| failed(&e))?;
    }
    zenoh::open(config).wait().map_err(|e| failed(&e))
}

/// Keys of zenoh's configuration and their values.
fn entries(settings: &LinkSettings, own: &Credentials) -> Vec<(&'static str, Value)> {
    let (listen, connect) = match own.role {
        Role::Learner => (vec![&settings.endpoint], vec![]),
        Role::Actor(_) => (vec![], vec![&settings.endpoint]),
    };
    let mut entries = vec![
        ("mode", json!("peer")),
        ("scouting/multicast/enabled", json!(false)),
        ("scouting/gossip/enabled", json!(false)),
        ("listen/endpoints", json!(listen)),
        ("listen/exit_on_failure", json!(true)),
        ("connect/endpoints", json!(connect)),
        // The other side may be started later, and may be restarted: keep trying, quickly.
        ("connect/exit_on_failure", json!(false)),
        (
            "connect/retry",
            json!({ "period_init_ms": 200, "period_max_ms": 1000, "period_increase_factor": 1.5 }),
        ),
        ("transport/link/tx/lease", json!(LEASE_MS)),
    ];
    if let Some(identity) = &own.identity {
        let mut tls = json!({
            "root_ca_certificate": identity.authority,
            "enable_mtls": true,
            "verify_name_on_connect": true,
            "close_link_on_expiration": true,
        });
        let side = match own.role {
            Role::Learner => "listen",
            Role::Actor(_) => "connect",
        };
        tls[format!("{side}_certificate")] = json!(identity.certificate);
        tls[format!("{side}_private_key")] = json!(identity.key);
        entries.push(("transport/link/tls", tls));
    }
    if let (Some(password), Some(users)) = (&own.password, &settings.users) {
        entries.push(("transport/auth/usrpwd/user", json!(own.role.to_string())));
        entries.push(("transport/auth/usrpwd/password", json!(password.expose())));
        if own.role == Role::Learner {
            entries.push(("transport/auth/usrpwd/dictionary_file", json!(users)));
        }
    }
    if let Some(rules) = access::control(settings, own.role) {
        entries.push(("access_control", rules));
    }
    entries
}
