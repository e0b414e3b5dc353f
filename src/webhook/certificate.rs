//! The serving certificate, which can be replaced at any time.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{InconsistentKeys, ServerConfig};

/// Why a certificate chain and a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The chain is not PEM.
    #[error("the certificate is not PEM")]
    ChainNotPem,
    /// The chain has no certificate.
    #[error("no certificate found")]
    NoCertificate,
    /// The first certificate is not an X.509 certificate.
    #[error("the certificate cannot be parsed")]
    Certificate,
    /// There is no private key in PEM.
    #[error("no private key in PEM found")]
    KeyNotPem,
    /// The type of the key is not supported, or the key is damaged.
    #[error("the private key cannot be used")]
    Key,
    /// The key belongs to another certificate.
    #[error("the private key does not match the certificate")]
    Mismatch,
}

/// A certificate chain and the matching key of its first certificate.
#[derive(Clone)]
pub struct CertificateAndKey {
    certified: Arc<CertifiedKey>,
    validity: Validity,
}

/// When a certificate is valid.
#[derive(Clone, Copy, Debug)]
struct Validity {
    not_before: SystemTime,
    not_after: SystemTime,
}

impl Validity {
    fn problem(&self, now: SystemTime) -> Option<&'static str> {
        if now < self.not_before {
            Some("the serving certificate is not valid yet")
        } else if now > self.not_after {
            Some("the serving certificate has expired")
        } else {
            None
        }
    }
}

impl CertificateAndKey {
    /// Reads a chain, which starts with the server's certificate, and its key. Dates and names are not checked.
    ///
    /// # Errors
    /// [`Error`], which has no part of the key.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, Error> {
        let chain: Vec<_> =
            CertificateDer::pem_slice_iter(chain).collect::<Result<_, _>>().map_err(|_| Error::ChainNotPem)?;
        let validity = validity(chain.first().ok_or(Error::NoCertificate)?).ok_or(Error::Certificate)?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| Error::KeyNotPem)?;
        let certified = CertifiedKey::from_der(chain, key, &ring::default_provider()).map_err(|error| match error {
            rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => Error::Mismatch,
            _ => Error::Key,
        })?;
        Ok(CertificateAndKey { certified: Arc::new(certified), validity })
    }

    /// The chain, which starts with the server's certificate.
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.certified.cert
    }

    /// When the server's certificate expires.
    pub fn not_after(&self) -> SystemTime {
        self.validity.not_after
    }
}

impl fmt::Debug for CertificateAndKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("CertificateAndKey").field("validity", &self.validity).finish_non_exhaustive()
    }
}

fn validity(certificate: &CertificateDer<'_>) -> Option<Validity> {
    let (_, certificate) = x509_parser::parse_x509_certificate(certificate).ok()?;
    let time = |time: x509_parser::time::ASN1Time| {
        SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(u64::try_from(time.timestamp()).unwrap_or_default()))
    };
    let validity = certificate.validity();
    Some(Validity { not_before: time(validity.not_before)?, not_after: time(validity.not_after)? })
}

/// The serving certificate of the TLS listener. While there is none, TLS handshakes fail.
#[derive(Debug, Default)]
pub struct Certificate {
    current: RwLock<Option<CertificateAndKey>>,
    replacements: AtomicU64,
    failures: AtomicU64,
}

impl Certificate {
    /// No certificate yet.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Uses another certificate from the next handshake on. Logs an error if no client will accept it.
    pub fn replace(&self, pair: CertificateAndKey) {
        log_problem(&pair.validity);
        let before = self.current.write().unwrap_or_else(PoisonError::into_inner).replace(pair);
        if before.is_some() {
            self.replacements.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The current certificate.
    pub fn current(&self) -> Option<CertificateAndKey> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Why clients do not accept the current certificate, if they do not.
    pub fn problem(&self) -> Option<&'static str> {
        match self.current() {
            Some(pair) => pair.validity.problem(SystemTime::now()),
            None => Some("no serving certificate"),
        }
    }

    /// Logs an error each day while the current certificate is not valid.
    pub async fn check_daily(self: Arc<Self>) {
        loop {
            tokio::time::sleep(DAY).await;
            if let Some(pair) = self.current() {
                log_problem(&pair.validity);
            }
        }
    }

    /// When the current certificate expires.
    pub fn not_after(&self) -> Option<SystemTime> {
        self.current().map(|pair| pair.not_after())
    }

    /// How often the certificate was replaced.
    pub fn replacements(&self) -> u64 {
        self.replacements.load(Ordering::Relaxed)
    }

    /// How often reading, renewing or publishing a certificate failed.
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    pub(super) fn count_failure(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn log_problem(validity: &Validity) {
    if let Some(problem) = validity.problem(SystemTime::now()) {
        let (not_before, not_after) = (date(validity.not_before), date(validity.not_after));
        tracing::error!(%not_before, %not_after, "{problem}; the API server rejects it");
    }
}

/// A time as in the log: RFC 3339, in UTC.
pub(super) fn date(time: SystemTime) -> impl fmt::Display {
    humantime::format_rfc3339_seconds(time)
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // There is one certificate, whatever server name the client sends.
        Some(self.current()?.certified)
    }
}

/// The TLS configuration of the listener: TLS 1.2 and 1.3, HTTP/2 and HTTP/1.1, session resumption.
///
/// # Errors
/// [`rustls::Error`] if the system has no random numbers for the keys of session tickets.
pub fn server_config(certificate: Arc<Certificate>) -> Result<Arc<ServerConfig>, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&TLS13, &TLS12])?
        .with_no_client_auth()
        .with_cert_resolver(certificate);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.ticketer = ring::Ticketer::new()?;
    Ok(Arc::new(config))
}

#[cfg(test)]
pub(super) mod tests {
    use rcgen::{CertificateParams, KeyPair};
    use rustls::pki_types::ServerName;
    use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConnection, SupportedProtocolVersion};

    use super::*;

    /// A self-signed certificate for a name, and its key.
    pub(crate) fn self_signed(name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new([name.to_owned()]).unwrap().self_signed(&key).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    fn load(certificate: &Certificate, (chain, key): &(String, String)) {
        certificate.replace(CertificateAndKey::from_pem(chain.as_bytes(), key.as_bytes()).unwrap());
    }

    fn client_config(trusted: &str, version: &'static SupportedProtocolVersion) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(trusted.as_bytes()).unwrap()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let config = config.with_protocol_versions(&[version]).unwrap();
        let mut config = config.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec()];
        Arc::new(config)
    }

    /// Runs a TLS handshake in memory.
    fn handshake(server: &Arc<ServerConfig>, client: &Arc<ClientConfig>) -> Result<ClientConnection, rustls::Error> {
        let name = ServerName::try_from("sql.db.svc").unwrap();
        let mut client = ClientConnection::new(Arc::clone(client), name).unwrap();
        let mut server = ServerConnection::new(Arc::clone(server)).unwrap();
        for _ in 0..8 {
            let mut wire = Vec::new();
            while client.wants_write() {
                client.write_tls(&mut wire).unwrap();
            }
            server.read_tls(&mut wire.as_slice()).unwrap();
            server.process_new_packets()?;
            let mut wire = Vec::new();
            while server.wants_write() {
                server.write_tls(&mut wire).unwrap();
            }
            client.read_tls(&mut wire.as_slice()).unwrap();
            client.process_new_packets()?;
        }
        assert!(!client.is_handshaking());
        Ok(client)
    }

    #[test]
    fn a_client_gets_the_current_certificate_and_http_2() {
        let (first, second) = (self_signed("sql.db.svc"), self_signed("sql.db.svc"));
        let certificate = Certificate::new();
        let server = server_config(Arc::clone(&certificate)).unwrap();
        assert!(handshake(&server, &client_config(&first.0, &TLS13)).is_err());
        for version in [&TLS12, &TLS13] {
            load(&certificate, &first);
            let client = handshake(&server, &client_config(&first.0, version)).unwrap();
            assert_eq!(client.alpn_protocol(), Some(&b"h2"[..]));
            load(&certificate, &second);
            assert!(handshake(&server, &client_config(&first.0, version)).is_err());
            handshake(&server, &client_config(&second.0, version)).unwrap();
        }
        assert_eq!(certificate.replacements(), 3);
    }

    #[test]
    fn a_client_can_resume_its_session() {
        let pem = self_signed("sql.db.svc");
        let certificate = Certificate::new();
        load(&certificate, &pem);
        let server = server_config(certificate).unwrap();
        for version in [&TLS12, &TLS13] {
            let client = client_config(&pem.0, version);
            let kinds = [0, 1].map(|_| handshake(&server, &client).unwrap().handshake_kind());
            assert_eq!(kinds, [Some(rustls::HandshakeKind::Full), Some(rustls::HandshakeKind::Resumed)]);
        }
    }

    #[test]
    fn a_chain_and_a_key_that_do_not_match_are_rejected() {
        let (chain, key) = self_signed("sql.db.svc");
        let other = self_signed("sql.db.svc").1;
        let text = |chain: &str, key: &str| {
            CertificateAndKey::from_pem(chain.as_bytes(), key.as_bytes()).unwrap_err().to_string()
        };
        assert_eq!(text(&chain, &other), "the private key does not match the certificate");
        assert_eq!(text("", &key), "no certificate found");
        assert_eq!(text(chain.split_at(100).0, &key), "the certificate is not PEM");
        assert_eq!(text(&chain, ""), "no private key in PEM found");
        assert_eq!(text(&chain, &chain), "no private key in PEM found");
        let not_der = |label| format!("-----BEGIN {label}-----\nAAAA\n-----END {label}-----\n");
        assert_eq!(text(&not_der("CERTIFICATE"), &key), "the certificate cannot be parsed");
        assert_eq!(text(&chain, &not_der("PRIVATE KEY")), "the private key cannot be used");
    }

    #[test]
    fn a_certificate_has_a_problem_outside_of_its_validity() {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(["sql".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2021, 1, 1);
        let chain = params.self_signed(&key).unwrap().pem();
        let pair = CertificateAndKey::from_pem(chain.as_bytes(), key.serialize_pem().as_bytes()).unwrap();
        let at = |year: u64| SystemTime::UNIX_EPOCH + DAY * u32::try_from((year - 1970) * 365 + 100).unwrap();
        assert_eq!(pair.validity.problem(at(2019)), Some("the serving certificate is not valid yet"));
        assert_eq!(pair.validity.problem(at(2020)), None);
        assert_eq!(pair.validity.problem(at(2021)), Some("the serving certificate has expired"));
        assert_eq!(date(pair.not_after()).to_string(), "2021-01-01T00:00:00Z");
        let certificate = Certificate::new();
        assert_eq!(certificate.problem(), Some("no serving certificate"));
        certificate.replace(pair);
        assert_eq!(certificate.problem(), Some("the serving certificate has expired"));
    }

    #[test]
    fn debug_output_has_no_key() {
        let (chain, key) = self_signed("sql.db.svc");
        let certificate = Certificate::new();
        load(&certificate, &(chain, key));
        assert!(format!("{certificate:?}").contains("CertificateAndKey { validity: "));
        assert!(!format!("{certificate:?}").contains("key"));
    }
}
