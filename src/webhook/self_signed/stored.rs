//! What the replicas share: the data of the Secret, read leniently, because anybody may have written it.

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

use super::issue::{Authority, AuthorityCertificate};
use super::service::Service;
use crate::webhook::certificate::Pair;

/// The data of a Secret, decoded.
pub(super) type Data = BTreeMap<String, Vec<u8>>;

pub(super) const LEAF: &str = "tls.crt";
pub(super) const LEAF_KEY: &str = "tls.key";
/// All authorities that are trusted: those that sign, signed or will sign.
pub(super) const BUNDLE: &str = "ca.crt";
/// The key of the authority that signs.
pub(super) const SIGNER_KEY: &str = "ca.key";
/// The key of the authority that will sign once everybody trusts it.
pub(super) const NEXT_KEY: &str = "next-ca.key";

/// A leaf that can be presented.
pub(super) struct Leaf {
    pub(super) pair: Pair,
    pub(super) not_after: OffsetDateTime,
    pub(super) chain_pem: String,
    pub(super) key_pem: String,
}

impl Leaf {
    /// Reads a chain and its key.
    pub(super) fn read(chain: &[u8], key: &[u8]) -> Result<Self, String> {
        let pair = Pair::from_pem(chain, key).map_err(|error| error.to_string())?;
        let seconds = pair.not_after().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let not_after = i64::try_from(seconds).ok().and_then(|at| OffsetDateTime::from_unix_timestamp(at).ok());
        let text = |pem: &[u8]| String::from_utf8(pem.to_vec()).map_err(|_| "there is more than PEM".to_owned());
        Ok(Leaf {
            not_after: not_after.ok_or("the certificate has no date of expiry")?,
            chain_pem: text(chain)?,
            key_pem: text(key)?,
            pair,
        })
    }
}

/// Whether a client that trusts `bundle` accepts a chain as the Service's, under each of its names.
///
/// # Errors
/// Why not.
pub(super) fn verify(
    chain: &[CertificateDer<'_>],
    bundle: &[AuthorityCertificate],
    service: &Service,
    now: OffsetDateTime,
) -> Result<(), String> {
    let (leaf, intermediates) = chain.split_first().ok_or("there is no certificate")?;
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(bundle.iter().map(|authority| authority.der.clone()));
    let now = u64::try_from(now.unix_timestamp()).map_err(|_| "the clock is wrong")?;
    let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(now));
    let algorithms = ring::default_provider().signature_verification_algorithms.all;
    let text = |error: rustls::Error| error.to_string();
    let leaf = ParsedCertificate::try_from(leaf).map_err(text)?;
    verify_server_cert_signed_by_trust_anchor(&leaf, &roots, intermediates, now, algorithms).map_err(text)?;
    for name in service.dns_names() {
        let name = ServerName::try_from(name).map_err(|error| error.to_string())?;
        verify_server_name(&leaf, &name).map_err(text)?;
    }
    Ok(())
}

/// What a Secret holds, as far as it can be used.
#[derive(Default)]
pub(super) struct Stored {
    pub(super) leaf: Option<Leaf>,
    pub(super) signer: Option<Authority>,
    pub(super) next: Option<Authority>,
    pub(super) bundle: Vec<AuthorityCertificate>,
    /// What is wrong with the rest.
    pub(super) faults: Vec<String>,
}

impl Stored {
    /// Reads the data of a Secret. Nothing that it can hold is an error; what cannot be used is a fault.
    pub(super) fn read(data: &Data) -> Self {
        let mut stored = Stored::default();
        if data.is_empty() {
            return stored;
        }
        stored.read_bundle(data.get(BUNDLE).map_or(&[][..], Vec::as_slice));
        stored.signer = stored.read_authority(data, SIGNER_KEY);
        stored.next = stored.read_authority(data, NEXT_KEY);
        if ![SIGNER_KEY, NEXT_KEY].iter().any(|name| data.contains_key(*name)) {
            stored.faults.push(format!("{SIGNER_KEY} is missing"));
        }
        let text = |key| data.get(key).map_or(&[][..], Vec::as_slice);
        match Leaf::read(text(LEAF), text(LEAF_KEY)) {
            Ok(leaf) => stored.leaf = Some(leaf),
            Err(fault) => stored.faults.push(format!("{LEAF} and {LEAF_KEY}: {fault}")),
        }
        stored
    }

    fn read_bundle(&mut self, text: &[u8]) {
        for authority in authorities(text) {
            match authority {
                Some(authority) => self.bundle.push(authority),
                None => self.faults.push(format!("{BUNDLE} holds something other than authorities made here")),
            }
        }
    }

    fn read_authority(&mut self, data: &Data, name: &str) -> Option<Authority> {
        let authority = Authority::read(data.get(name)?, &self.bundle);
        authority.map_err(|fault| self.faults.push(format!("{name}: {fault}"))).ok()
    }
}

/// The authorities in a bundle; `None` in the place of something else.
pub(super) fn authorities(text: &[u8]) -> impl Iterator<Item = Option<AuthorityCertificate>> {
    CertificateDer::pem_slice_iter(text)
        .map(|certificate| certificate.ok().as_ref().and_then(AuthorityCertificate::read))
}

/// A bundle as text.
pub(super) fn bundle_pem(bundle: &[AuthorityCertificate]) -> String {
    bundle.iter().map(|authority| pem(&authority.der)).collect()
}

/// A certificate as text.
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
