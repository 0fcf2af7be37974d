//! A small private certificate authority in a folder: one key that signs, and a certificate for
//! each role. Nothing is ever overwritten.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use thiserror::Error;
use time::{Duration, OffsetDateTime};

use super::{Role, authority_file, authority_key_file, certificate_file, key_file};
use crate::clock::UnixNanos;

const AUTHORITY_DAYS: i64 = 3650;
const CERTIFICATE_DAYS: i64 = 730;
/// Clocks of robots lag behind.
const BACKDATED_DAYS: i64 = 1;

const PUBLIC: u32 = 0o644;
const PRIVATE: u32 = 0o600;

#[derive(Debug, Error)]
pub enum AuthorityError {
    #[error("{file} exists and is not overwritten: move it away to make another")]
    Exists { file: PathBuf },
    #[error("{there} is there and {missing} is not: put it back, or choose an empty folder")]
    Half { there: PathBuf, missing: PathBuf },
    #[error("writing {file}: {source}")]
    Write { file: PathBuf, source: io::Error },
    #[error("reading {file}: {source}")]
    Read { file: PathBuf, source: io::Error },
    #[error("{file} is not a certificate authority made by `reins certs`: {source}")]
    Foreign { file: PathBuf, source: rcgen::Error },
    #[error("making a certificate for {name}: {source}")]
    Make { name: String, source: rcgen::Error },
}

/// Signs certificates.
#[derive(Debug)]
pub struct Authority {
    folder: PathBuf,
    issuer: Issuer<'static, KeyPair>,
    now: OffsetDateTime,
}

impl Authority {
    /// The authority in `folder`, made if there is none. `now` is when certificates begin.
    pub fn open(folder: &Path, now: UnixNanos) -> Result<Self, AuthorityError> {
        let (certificate, key) = (authority_file(folder), authority_key_file(folder));
        match (certificate.exists(), key.exists()) {
            (true, true) => {}
            (false, false) => make(folder, at(now))?,
            (true, false) => {
                return Err(AuthorityError::Half { there: certificate, missing: key });
            }
            (false, true) => {
                return Err(AuthorityError::Half { there: key, missing: certificate });
            }
        }
        let read = |file: &Path| {
            fs::read_to_string(file)
                .map_err(|source| AuthorityError::Read { file: file.to_owned(), source })
        };
        let foreign = |file: &Path| {
            let file = file.to_owned();
            move |source| AuthorityError::Foreign { file, source }
        };
        let signer = KeyPair::from_pem(&read(&key)?).map_err(foreign(&key))?;
        let issuer = Issuer::from_ca_cert_pem(&read(&certificate)?, signer)
            .map_err(foreign(&certificate))?;
        Ok(Self { folder: folder.to_owned(), issuer, now: at(now) })
    }

    /// Writes certificate and key of `role`. `hosts` are the names and addresses under which actors
    /// reach the learner; an actor's certificate has none.
    pub fn issue(&self, role: Role, hosts: &[String]) -> Result<(), AuthorityError> {
        let name = role.to_string();
        let failed = |source| AuthorityError::Make { name: name.clone(), source };
        let mut params = named(&name, hosts, self.now, CERTIFICATE_DAYS).map_err(failed)?;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![match role {
            Role::Learner => ExtendedKeyUsagePurpose::ServerAuth,
            Role::Actor(_) => ExtendedKeyUsagePurpose::ClientAuth,
        }];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate().map_err(failed)?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(failed)?;
        let file = certificate_file(&self.folder, role);
        if file.exists() {
            return Err(AuthorityError::Exists { file });
        }
        write_new(&key_file(&self.folder, role), &key.serialize_pem(), PRIVATE)?;
        write_new(&file, &certificate.pem(), PUBLIC)
    }
}

fn make(folder: &Path, now: OffsetDateTime) -> Result<(), AuthorityError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|source| AuthorityError::Write { file: folder.to_owned(), source })?;
    let name = "reins authority";
    let failed = |source| AuthorityError::Make { name: name.into(), source };
    let mut params = named(name, &[], now, AUTHORITY_DAYS).map_err(failed)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let key = KeyPair::generate().map_err(failed)?;
    let certificate = params.self_signed(&key).map_err(failed)?;
    write_new(&authority_key_file(folder), &key.serialize_pem(), PRIVATE)?;
    write_new(&authority_file(folder), &certificate.pem(), PUBLIC)
}

fn named(
    name: &str,
    hosts: &[String],
    now: OffsetDateTime,
    days: i64,
) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(hosts)?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = now - Duration::days(BACKDATED_DAYS);
    params.not_after = now + Duration::days(days);
    Ok(params)
}

fn at(now: UnixNanos) -> OffsetDateTime {
    let seconds = i64::try_from(now.0 / 1_000_000_000).unwrap_or(i64::MAX);
    OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

fn write_new(file: &Path, text: &str, mode: u32) -> Result<(), AuthorityError> {
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(file)
        .and_then(|mut out| out.write_all(text.as_bytes()).and_then(|()| out.sync_all()));
    written.map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => AuthorityError::Exists { file: file.to_owned() },
        _ => AuthorityError::Write { file: file.to_owned(), source },
    })
}
