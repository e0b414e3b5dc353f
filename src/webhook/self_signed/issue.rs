//! Creating CAs and the serving certificates that they sign.

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PublicKeyData,
};
use rustls::pki_types::CertificateDer;
use time::{Duration, OffsetDateTime};
use x509_parser::certificate::X509Certificate;

use super::service::Service;
use super::stored::{ServingCertificate, pem};

/// Certificates are valid from this time before now, because clocks differ.
const BACKDATED: Duration = Duration::hours(1);

/// The start of each CA's common name.
const CA_NAME: &str = "sqledge-ha webhook CA";

/// The certificate of a CA.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CaCertificate {
    pub(super) der: CertificateDer<'static>,
    pub(super) created: OffsetDateTime,
    pub(super) not_after: OffsetDateTime,
    public_key: Vec<u8>,
}

impl CaCertificate {
    /// Reads a certificate; `None` if it is not of a CA that sqledge-ha created.
    pub(super) fn read(der: &CertificateDer<'_>) -> Option<Self> {
        let (_, certificate) = x509_parser::parse_x509_certificate(der).ok()?;
        let validity = certificate.validity();
        // A plain addition panics if the date is out of range.
        let created = validity.not_before.to_datetime().checked_add(BACKDATED)?;
        let not_after = validity.not_after.to_datetime();
        let public_key = certificate.public_key().raw.to_vec();
        is_ours(&certificate).then(|| Self { der: der.clone().into_owned(), created, not_after, public_key })
    }
}

/// Whether sqledge-ha created a CA certificate. A bundle must not contain others: the owners of their keys could answer
/// instead of this webhook.
fn is_ours(certificate: &X509Certificate<'_>) -> bool {
    let has_our_name = |name: &str| name.starts_with(CA_NAME);
    let mut common_names = certificate.subject().iter_common_name().filter_map(|name| name.as_str().ok());
    certificate.is_ca() && common_names.any(has_our_name)
}

/// A CA with its private key.
pub(super) struct CertificateAuthority {
    pub(super) certificate: CaCertificate,
    key: KeyPair,
    pub(super) key_pem: String,
}

impl CertificateAuthority {
    /// Reads a CA's key, and finds its certificate in the bundle.
    ///
    /// # Errors
    /// What is wrong.
    pub(super) fn read(key_pem: &[u8], bundle: &[CaCertificate]) -> Result<Self, &'static str> {
        let key_pem = std::str::from_utf8(key_pem).map_err(|_| "not a private key")?.to_owned();
        let key = KeyPair::from_pem(&key_pem).map_err(|_| "not a private key")?;
        let public_key = key.subject_public_key_info();
        let certificate = bundle.iter().find(|ca| ca.public_key == public_key);
        let certificate = certificate.ok_or("no CA in the bundle has this key")?.clone();
        Ok(CertificateAuthority { certificate, key, key_pem })
    }

    /// Creates a CA with a unique name.
    pub(super) fn new(now: OffsetDateTime, lifetime: Duration) -> Result<Self, rcgen::Error> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        let identity: String = params.key_identifier(&key).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        params.distinguished_name = common_name(&format!("{CA_NAME} {identity}"));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        (params.not_before, params.not_after) = (now - BACKDATED, now + lifetime);
        let certificate = params.self_signed(&key)?;
        let certificate = CaCertificate::read(certificate.der()).ok_or(rcgen::Error::CouldNotParseCertificate)?;
        Ok(CertificateAuthority { certificate, key_pem: key.serialize_pem(), key })
    }

    /// Issues a serving certificate for a Service. It does not outlive the CA.
    pub(super) fn sign(
        &self,
        service: &Service,
        now: OffsetDateTime,
        lifetime: Duration,
    ) -> Result<ServingCertificate, rcgen::Error> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(service.dns_names())?;
        params.distinguished_name = common_name("sqledge-ha webhook");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        params.not_before = now - BACKDATED;
        params.not_after = self.certificate.not_after.min(now + lifetime);
        let issuer = Issuer::from_ca_cert_der(&self.certificate.der, &self.key)?;
        let certificate = params.signed_by(&key, &issuer)?;
        ServingCertificate::read(pem(certificate.der()).as_bytes(), key.serialize_pem().as_bytes())
            .map_err(|_| rcgen::Error::CouldNotParseCertificate)
    }
}

fn common_name(text: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, text);
    name
}
