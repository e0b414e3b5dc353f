//! Certificates as this program makes them: authorities, and leaves that they sign.

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PublicKeyData,
};
use rustls::pki_types::CertificateDer;
use time::{Duration, OffsetDateTime};
use x509_parser::certificate::X509Certificate;

use super::service::Service;
use super::stored::{Leaf, pem};

/// Clocks differ: what is made now has been valid for a while.
const BACKDATED: Duration = Duration::hours(1);

/// How the name of every authority begins.
const AUTHORITY: &str = "sqledge-ha webhook authority";

/// What is read out of an authority's certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AuthorityCertificate {
    pub(super) der: CertificateDer<'static>,
    pub(super) made: OffsetDateTime,
    pub(super) not_after: OffsetDateTime,
    public_key: Vec<u8>,
}

impl AuthorityCertificate {
    /// Reads a certificate; `None` if it is not that of an authority made here.
    pub(super) fn read(der: &CertificateDer<'_>) -> Option<Self> {
        let (_, certificate) = x509_parser::parse_x509_certificate(der).ok()?;
        let validity = certificate.validity();
        // The limits of what a date can be are not worth a panic.
        let made = validity.not_before.to_datetime().checked_add(BACKDATED)?;
        let not_after = validity.not_after.to_datetime();
        let public_key = certificate.public_key().raw.to_vec();
        is_ours(&certificate).then(|| Self { der: der.clone().into_owned(), made, not_after, public_key })
    }
}

/// Whether a certificate is that of an authority made here. Others have no business in a bundle: whoever holds their
/// keys could answer in this webhook's place.
fn is_ours(certificate: &X509Certificate<'_>) -> bool {
    let named_so = |name: &str| name.starts_with(AUTHORITY);
    let mut common_names = certificate.subject().iter_common_name().filter_map(|name| name.as_str().ok());
    certificate.is_ca() && common_names.any(named_so)
}

/// An authority with its key.
pub(super) struct Authority {
    pub(super) certificate: AuthorityCertificate,
    key: KeyPair,
    pub(super) key_pem: String,
}

impl Authority {
    /// Reads an authority's key, and finds its certificate.
    ///
    /// # Errors
    /// What is wrong.
    pub(super) fn read(key_pem: &[u8], bundle: &[AuthorityCertificate]) -> Result<Self, &'static str> {
        let key_pem = std::str::from_utf8(key_pem).map_err(|_| "it is no private key")?.to_owned();
        let key = KeyPair::from_pem(&key_pem).map_err(|_| "it is no private key")?;
        let public_key = key.subject_public_key_info();
        let certificate = bundle.iter().find(|authority| authority.public_key == public_key);
        let certificate = certificate.ok_or("it belongs to no authority that is trusted")?.clone();
        Ok(Authority { certificate, key, key_pem })
    }

    /// Makes an authority. Each has a name of its own, so that nobody takes one for another.
    pub(super) fn new(now: OffsetDateTime, lifetime: Duration) -> Result<Self, rcgen::Error> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        let identity: String = params.key_identifier(&key).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        params.distinguished_name = named(&format!("{AUTHORITY} {identity}"));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        (params.not_before, params.not_after) = (now - BACKDATED, now + lifetime);
        let certificate = params.self_signed(&key)?;
        let certificate =
            AuthorityCertificate::read(certificate.der()).ok_or(rcgen::Error::CouldNotParseCertificate)?;
        Ok(Authority { certificate, key_pem: key.serialize_pem(), key })
    }

    /// Signs a leaf for a Service. It does not outlive the authority.
    pub(super) fn sign(
        &self,
        service: &Service,
        now: OffsetDateTime,
        lifetime: Duration,
    ) -> Result<Leaf, rcgen::Error> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(service.dns_names())?;
        params.distinguished_name = named("sqledge-ha webhook");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        params.not_before = now - BACKDATED;
        params.not_after = self.certificate.not_after.min(now + lifetime);
        let issuer = Issuer::from_ca_cert_der(&self.certificate.der, &self.key)?;
        let certificate = params.signed_by(&key, &issuer)?;
        Leaf::read(pem(certificate.der()).as_bytes(), key.serialize_pem().as_bytes())
            .map_err(|_| rcgen::Error::CouldNotParseCertificate)
    }
}

fn named(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}
