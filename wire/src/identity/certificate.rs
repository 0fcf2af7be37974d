//! Reads the certificate and key of a role and checks them as the other side will, so that a
//! mistake is named before anything is opened.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use rustls::{
    CertificateError, ClientConfig, RootCertStore,
    client::verify_server_cert_signed_by_trust_anchor,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, UnixTime, pem::PemObject},
    server::{ParsedCertificate, WebPkiClientVerifier},
    sign::CertifiedKey,
    version::TLS13,
};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::{IdentityError, Role, authority_file, certificate_file, key_file, read, read_private};
use crate::clock::UnixNanos;

/// The proof of a role, checked.
pub struct Identity {
    pub authority: PathBuf,
    pub certificate: PathBuf,
    pub key: PathBuf,
    roots: Arc<RootCertStore>,
    chain: Vec<CertificateDer<'static>>,
    private: PrivateKeyDer<'static>,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "identity of {}", self.certificate.display())
    }
}

impl Identity {
    /// Takes the files of `role` from `folder`, as they are valid at `now`.
    pub fn load(folder: &Path, role: Role, now: UnixNanos) -> Result<Self, IdentityError> {
        let authority = authority_file(folder);
        let certificate = certificate_file(folder, role);
        let key = key_file(folder, role);

        let mut roots = RootCertStore::empty();
        for anchor in certificates(&authority)? {
            roots.add(anchor).map_err(|e| bad_certificate(&authority, e))?;
        }
        let chain = certificates(&certificate)?;
        let private = PrivateKeyDer::from_pem_slice(&read_private(&key)?)
            .map_err(|_| IdentityError::NotPem { file: key.clone(), wanted: "private key" })?;
        let identity = Self { authority, certificate, key, roots: Arc::new(roots), chain, private };
        identity.check_name(role)?;
        identity.check_signature(role, now)?;
        identity.check_key()?;
        Ok(identity)
    }

    /// How this identity would greet a learner over TLS.
    pub fn client_config(&self) -> Result<ClientConfig, rustls::Error> {
        ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13])?
            .with_root_certificates(self.roots.clone())
            .with_client_auth_cert(self.chain.clone(), self.private.clone_key())
    }

    fn check_name(&self, role: Role) -> Result<(), IdentityError> {
        let (_, parsed) = X509Certificate::from_der(&self.chain[0])
            .map_err(|e| bad_certificate(&self.certificate, e))?;
        let mut names = parsed.subject().iter_common_name();
        let name = names.next().and_then(|name| name.as_str().ok()).unwrap_or_default();
        if name == role.to_string() {
            return Ok(());
        }
        Err(bad_certificate(&self.certificate, format!("is of \"{name}\", not of \"{role}\"")))
    }

    fn check_signature(&self, role: Role, now: UnixNanos) -> Result<(), IdentityError> {
        let now = UnixTime::since_unix_epoch(Duration::from_nanos(now.0));
        let (own, between) = (&self.chain[0], &self.chain[1..]);
        let verdict = match role {
            Role::Learner => ParsedCertificate::try_from(own).and_then(|own| {
                let known = provider().signature_verification_algorithms.all;
                verify_server_cert_signed_by_trust_anchor(&own, &self.roots, between, now, known)
            }),
            Role::Actor(_) => {
                WebPkiClientVerifier::builder_with_provider(self.roots.clone(), provider())
                    .build()
                    .map_err(|e| bad_certificate(&self.authority, e))?
                    .verify_client_cert(own, between, now)
                    .map(drop)
            }
        };
        verdict.map_err(|error| match error {
            rustls::Error::InvalidCertificate(
                CertificateError::UnknownIssuer | CertificateError::BadSignature,
            ) => IdentityError::Foreign {
                certificate: self.certificate.clone(),
                authority: self.authority.clone(),
            },
            rustls::Error::InvalidCertificate(reason) => {
                bad_certificate(&self.certificate, in_words(&reason))
            }
            other => bad_certificate(&self.certificate, other),
        })
    }

    fn check_key(&self) -> Result<(), IdentityError> {
        let signing = ring::sign::any_supported_type(&self.private)
            .map_err(|_| IdentityError::NotPem { file: self.key.clone(), wanted: "usable key" })?;
        CertifiedKey::new(self.chain.clone(), signing).keys_match().map_err(|_| {
            IdentityError::KeyMismatch {
                key: self.key.clone(),
                certificate: self.certificate.clone(),
            }
        })
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// At least one.
fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, IdentityError> {
    let not_pem = || IdentityError::NotPem { file: file.to_owned(), wanted: "certificate" };
    let bytes = read(file)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    found.ok().filter(|found| !found.is_empty()).ok_or_else(not_pem)
}

fn bad_certificate(file: &Path, wrong: impl fmt::Display) -> IdentityError {
    IdentityError::Certificate { file: file.to_owned(), wrong: wrong.to_string() }
}

fn in_words(reason: &CertificateError) -> String {
    match reason {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "has expired (or this machine's clock is wrong)".into()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "is not valid yet (is this machine's clock right?)".into()
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "was made for another role".into()
        }
        other => format!("cannot be used: {other}"),
    }
}
