//! Who may speak on the link: a role, the certificate that proves it, and the password beside it.
//!
//! Files have fixed names inside one folder, so that the same run file serves every machine:
//! `ca.pem` everywhere, and `learner.pem` with `learner.key`, or `actor-0.pem` with `actor-0.key`,
//! on the machine that has the role. `ca.key` stays with the person who hands out certificates.

use std::{fmt, path::Path, path::PathBuf};

use thiserror::Error;

use crate::ids::ActorId;

pub mod authority;
mod certificate;
mod passwords;

pub use certificate::Identity;
pub use passwords::{Password, password_of};

/// What a process is on the link. Its name is the common name of its certificate and its user name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Learner,
    Actor(ActorId),
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Learner => f.write_str("learner"),
            Self::Actor(actor) => write!(f, "actor-{actor}"),
        }
    }
}

/// The certificate that all others are signed by.
pub fn authority_file(folder: &Path) -> PathBuf {
    folder.join("ca.pem")
}

/// Who has this key can hand out certificates.
pub fn authority_key_file(folder: &Path) -> PathBuf {
    folder.join("ca.key")
}

pub fn certificate_file(folder: &Path, role: Role) -> PathBuf {
    folder.join(format!("{role}.pem"))
}

pub fn key_file(folder: &Path, role: Role) -> PathBuf {
    folder.join(format!("{role}.key"))
}

/// What is wrong with a file that proves a role, and the remedy.
#[derive(Debug, Error)]
pub enum IdentityError {
    #[error("{file} is not there: make it with `reins certs`, or copy it from where that was done")]
    Missing { file: PathBuf },
    #[error("{file} cannot be read: {source}")]
    Unreadable { file: PathBuf, source: std::io::Error },
    #[error("{file} can be read by other users of this machine: chmod 600 {file}")]
    Exposed { file: PathBuf },
    #[error("{file} holds no {wanted} in PEM: make it again with `reins certs`")]
    NotPem { file: PathBuf, wanted: &'static str },
    #[error("{file} {wrong}: make another with `reins certs`, after moving this one away")]
    Certificate { file: PathBuf, wrong: String },
    #[error("{certificate} is not signed by {authority}: take both from one `reins certs` folder")]
    Foreign { certificate: PathBuf, authority: PathBuf },
    #[error("{key} does not belong to {certificate}: copy both from one `reins certs` folder")]
    KeyMismatch { key: PathBuf, certificate: PathBuf },
    #[error("{file} has no line \"{role}:<password>\": add one, the same on both machines")]
    NoPassword { file: PathBuf, role: String },
    #[error("{file} line {line} is not of the form <name>:<password>: mend it")]
    PasswordLine { file: PathBuf, line: usize },
}

/// Reads a file that only its owner may read.
fn read_private(file: &Path) -> Result<Vec<u8>, IdentityError> {
    use std::os::unix::fs::PermissionsExt;
    let bytes = read(file)?;
    let metadata = std::fs::metadata(file)
        .map_err(|source| IdentityError::Unreadable { file: file.to_owned(), source })?;
    if metadata.permissions().mode() & 0o077 != 0 {
        return Err(IdentityError::Exposed { file: file.to_owned() });
    }
    Ok(bytes)
}

fn read(file: &Path) -> Result<Vec<u8>, IdentityError> {
    std::fs::read(file).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => IdentityError::Missing { file: file.to_owned() },
        _ => IdentityError::Unreadable { file: file.to_owned(), source },
    })
}

#[cfg(test)]
mod tests;
