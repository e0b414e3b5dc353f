//! The data of the Secret that the replicas share. Reading is lenient: others can have changed the Secret.

use std::collections::BTreeMap;
use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::RootCertStore;
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use time::OffsetDateTime;

use super::issue::{CaCertificate, CertificateAuthority};
use super::service::Service;
use crate::webhook::certificate::CertificateAndKey;

/// The data of a Secret, decoded.
pub(super) type Data = BTreeMap<String, Vec<u8>>;

pub(super) const CERTIFICATE: &str = "tls.crt";
pub(super) const CERTIFICATE_KEY: &str = "tls.key";
/// The CA bundle: the CAs that sign, signed before or will sign.
pub(super) const BUNDLE: &str = "ca.crt";
/// The key of the CA that signs.
pub(super) const SIGNER_KEY: &str = "ca.key";
/// The key of the CA that will sign once all clients trust it.
pub(super) const NEXT_KEY: &str = "next-ca.key";

/// A serving certificate with its key.
pub(super) struct ServingCertificate {
    pub(super) pair: CertificateAndKey,
    pub(super) not_after: OffsetDateTime,
    pub(super) chain_pem: String,
    pub(super) key_pem: String,
}

impl ServingCertificate {
    /// Reads a chain and its key.
    pub(super) fn read(chain: &[u8], key: &[u8]) -> Result<Self, String> {
        let pair = CertificateAndKey::from_pem(chain, key).map_err(|error| error.to_string())?;
        let seconds = pair.not_after().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let not_after = i64::try_from(seconds).ok().and_then(|at| OffsetDateTime::from_unix_timestamp(at).ok());
        let text = |pem: &[u8]| String::from_utf8(pem.to_vec()).map_err(|_| "there is text that is not PEM".to_owned());
        Ok(ServingCertificate {
            not_after: not_after.ok_or("the certificate has no expiry date")?,
            chain_pem: text(chain)?,
            key_pem: text(key)?,
            pair,
        })
    }
}

/// Checks that a client that trusts `bundle` accepts a chain for each DNS name of the Service.
///
/// # Errors
/// Why it would not.
pub(super) fn verify(
    chain: &[CertificateDer<'_>],
    bundle: &[CaCertificate],
    service: &Service,
    now: OffsetDateTime,
) -> Result<(), String> {
    let (certificate, intermediates) = chain.split_first().ok_or("no certificate found")?;
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(bundle.iter().map(|ca| ca.der.clone()));
    let now = u64::try_from(now.unix_timestamp()).map_err(|_| "the clock is wrong")?;
    let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(now));
    let algorithms = ring::default_provider().signature_verification_algorithms.all;
    let text = |error: rustls::Error| error.to_string();
    let certificate = ParsedCertificate::try_from(certificate).map_err(text)?;
    verify_server_cert_signed_by_trust_anchor(&certificate, &roots, intermediates, now, algorithms).map_err(text)?;
    for name in service.dns_names() {
        let name = ServerName::try_from(name).map_err(|error| error.to_string())?;
        verify_server_name(&certificate, &name).map_err(text)?;
    }
    Ok(())
}

/// The usable contents of the Secret.
#[derive(Default)]
pub(super) struct SecretContents {
    pub(super) certificate: Option<ServingCertificate>,
    pub(super) signer: Option<CertificateAuthority>,
    pub(super) next: Option<CertificateAuthority>,
    pub(super) bundle: Vec<CaCertificate>,
    /// Why the rest is unusable.
    pub(super) problems: Vec<String>,
}

impl SecretContents {
    /// Reads the data of a Secret. Unusable data is not an error, but one of the `problems`.
    pub(super) fn read(data: &Data) -> Self {
        let mut contents = SecretContents::default();
        if data.is_empty() {
            return contents;
        }
        contents.read_bundle(data.get(BUNDLE).map_or(&[][..], Vec::as_slice));
        contents.signer = contents.read_ca(data, SIGNER_KEY);
        contents.next = contents.read_ca(data, NEXT_KEY);
        if ![SIGNER_KEY, NEXT_KEY].iter().any(|name| data.contains_key(*name)) {
            contents.problems.push(format!("{SIGNER_KEY} is missing"));
        }
        let text = |key| data.get(key).map_or(&[][..], Vec::as_slice);
        match ServingCertificate::read(text(CERTIFICATE), text(CERTIFICATE_KEY)) {
            Ok(serving) => contents.certificate = Some(serving),
            Err(problem) => contents.problems.push(format!("{CERTIFICATE} and {CERTIFICATE_KEY}: {problem}")),
        }
        contents
    }

    fn read_bundle(&mut self, text: &[u8]) {
        for ca in read_bundle(text) {
            match ca {
                Some(ca) => self.bundle.push(ca),
                None => self.problems.push(format!("{BUNDLE} has other certificates than CAs of sqledge-ha")),
            }
        }
    }

    fn read_ca(&mut self, data: &Data, name: &str) -> Option<CertificateAuthority> {
        let ca = CertificateAuthority::read(data.get(name)?, &self.bundle);
        ca.map_err(|problem| self.problems.push(format!("{name}: {problem}"))).ok()
    }
}

/// The CAs in a PEM bundle; `None` for a certificate that is not of a CA that sqledge-ha created.
pub(super) fn read_bundle(text: &[u8]) -> impl Iterator<Item = Option<CaCertificate>> {
    CertificateDer::pem_slice_iter(text).map(|certificate| certificate.ok().as_ref().and_then(CaCertificate::read))
}

/// A CA bundle as PEM.
pub(super) fn bundle_pem(bundle: &[CaCertificate]) -> String {
    bundle.iter().map(|ca| pem(&ca.der)).collect()
}

/// A certificate as PEM.
pub(super) fn pem(certificate: &CertificateDer<'_>) -> String {
    let encoded = STANDARD.encode(certificate);
    let mut rest = encoded.as_str();
    let mut text = "-----BEGIN CERTIFICATE-----\n".to_owned();
    while !rest.is_empty() {
        let (line, after) = rest.split_at_checked(64).unwrap_or((rest, ""));
        text.extend([line, "\n"]);
        rest = after;
    }
    text + "-----END CERTIFICATE-----\n"
}
