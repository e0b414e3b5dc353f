//! The certificate that the webhook presents, replaced while it is served.

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

/// Why a chain and a key cannot be presented.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The certificates cannot be read as PEM.
    #[error("the certificate is not PEM")]
    ChainNotPem,
    /// There is PEM, or nothing at all, but no certificate in it.
    #[error("there is no certificate")]
    NoCertificate,
    /// The first certificate is no X.509 certificate.
    #[error("the certificate cannot be read")]
    Certificate,
    /// The key cannot be read as PEM, or is none.
    #[error("there is no private key in PEM")]
    KeyNotPem,
    /// The key is of a kind that cannot be used, or damaged.
    #[error("the private key cannot be used")]
    Key,
    /// The key is another certificate's.
    #[error("the private key does not belong to the certificate")]
    Mismatch,
}

/// A certificate chain with the key of its first certificate, checked to belong together.
#[derive(Clone)]
pub struct Pair {
    certified: Arc<CertifiedKey>,
    not_after: SystemTime,
}

impl Pair {
    /// Reads a chain, the server's own certificate first, and its key. Neither dates nor names are looked at.
    ///
    /// # Errors
    /// [`Error`], which never tells anything of the key.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, Error> {
        let chain: Vec<_> =
            CertificateDer::pem_slice_iter(chain).collect::<Result<_, _>>().map_err(|_| Error::ChainNotPem)?;
        let not_after = not_after(chain.first().ok_or(Error::NoCertificate)?).ok_or(Error::Certificate)?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| Error::KeyNotPem)?;
        let certified = CertifiedKey::from_der(chain, key, &ring::default_provider()).map_err(|error| match error {
            rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => Error::Mismatch,
            _ => Error::Key,
        })?;
        Ok(Pair { certified: Arc::new(certified), not_after })
    }

    /// The chain, the server's own certificate first.
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.certified.cert
    }

    /// When the server's own certificate ceases to be valid.
    pub fn not_after(&self) -> SystemTime {
        self.not_after
    }
}

impl fmt::Debug for Pair {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Pair").field("not_after", &self.not_after).finish_non_exhaustive()
    }
}

fn not_after(certificate: &CertificateDer<'_>) -> Option<SystemTime> {
    let (_, certificate) = x509_parser::parse_x509_certificate(certificate).ok()?;
    let seconds = u64::try_from(certificate.validity().not_after.timestamp()).unwrap_or_default();
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

/// The holder of what the TLS listener presents. Until something is put in, hand-shakes fail.
#[derive(Debug, Default)]
pub struct Certificate {
    // Held for as long as it takes to copy a pointer.
    current: RwLock<Option<Pair>>,
    replacements: AtomicU64,
    failures: AtomicU64,
}

impl Certificate {
    /// A holder with nothing in it.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Presents another certificate from the next hand-shake on.
    pub fn replace(&self, pair: Pair) {
        let before = self.current.write().unwrap_or_else(PoisonError::into_inner).replace(pair);
        if before.is_some() {
            self.replacements.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What is presented.
    pub fn current(&self) -> Option<Pair> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether there is something to present.
    pub fn is_loaded(&self) -> bool {
        self.not_after().is_some()
    }

    /// When what is presented ceases to be valid.
    pub fn not_after(&self) -> Option<SystemTime> {
        self.current().map(|pair| pair.not_after)
    }

    /// How often one certificate was followed by another.
    pub fn replacements(&self) -> u64 {
        self.replacements.load(Ordering::Relaxed)
    }

    /// How often a certificate should have been read, renewed or published, and could not.
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    pub(super) fn count_failure(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // The API server asks for the name of the Service; people who look ask for anything. All get the one there is.
        Some(self.current()?.certified)
    }
}

/// The TLS side of the listener: TLS 1.2 and 1.3, HTTP/2 and 1.1, sessions that can be resumed.
///
/// # Errors
/// [`rustls::Error`] if the machine has no randomness for the keys of session tickets.
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

    /// A certificate for a name, signed by itself, and its key.
    pub(crate) fn signed_by_itself(name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new([name.to_owned()]).unwrap().self_signed(&key).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    fn load(certificate: &Certificate, (chain, key): &(String, String)) {
        certificate.replace(Pair::from_pem(chain.as_bytes(), key.as_bytes()).unwrap());
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

    /// Shakes hands through memory.
    fn shake_hands(server: &Arc<ServerConfig>, client: &Arc<ClientConfig>) -> Result<ClientConnection, rustls::Error> {
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
    fn a_client_gets_the_certificate_of_the_moment_and_http_2() {
        let (first, second) = (signed_by_itself("sql.db.svc"), signed_by_itself("sql.db.svc"));
        let certificate = Certificate::new();
        let server = server_config(Arc::clone(&certificate)).unwrap();
        assert!(shake_hands(&server, &client_config(&first.0, &TLS13)).is_err());
        for version in [&TLS12, &TLS13] {
            load(&certificate, &first);
            let client = shake_hands(&server, &client_config(&first.0, version)).unwrap();
            assert_eq!(client.alpn_protocol(), Some(&b"h2"[..]));
            load(&certificate, &second);
            assert!(shake_hands(&server, &client_config(&first.0, version)).is_err());
            shake_hands(&server, &client_config(&second.0, version)).unwrap();
        }
        assert_eq!(certificate.replacements(), 3);
    }

    #[test]
    fn a_client_that_comes_again_resumes_its_session() {
        let pair = signed_by_itself("sql.db.svc");
        let certificate = Certificate::new();
        load(&certificate, &pair);
        let server = server_config(certificate).unwrap();
        for version in [&TLS12, &TLS13] {
            let client = client_config(&pair.0, version);
            let kinds = [0, 1].map(|_| shake_hands(&server, &client).unwrap().handshake_kind());
            assert_eq!(kinds, [Some(rustls::HandshakeKind::Full), Some(rustls::HandshakeKind::Resumed)]);
        }
    }

    #[test]
    fn what_does_not_fit_together_is_refused() {
        let (chain, key) = signed_by_itself("sql.db.svc");
        let other = signed_by_itself("sql.db.svc").1;
        let text = |chain: &str, key: &str| Pair::from_pem(chain.as_bytes(), key.as_bytes()).unwrap_err().to_string();
        assert_eq!(text(&chain, &other), "the private key does not belong to the certificate");
        assert_eq!(text("", &key), "there is no certificate");
        assert_eq!(text(chain.split_at(100).0, &key), "the certificate is not PEM");
        assert_eq!(text(&chain, ""), "there is no private key in PEM");
        assert_eq!(text(&chain, &chain), "there is no private key in PEM");
        let shapeless = |label| format!("-----BEGIN {label}-----\nAAAA\n-----END {label}-----\n");
        assert_eq!(text(&shapeless("CERTIFICATE"), &key), "the certificate cannot be read");
        assert_eq!(text(&chain, &shapeless("PRIVATE KEY")), "the private key cannot be used");
    }

    #[test]
    fn a_key_is_never_part_of_what_is_printed() {
        let (chain, key) = signed_by_itself("sql.db.svc");
        let certificate = Certificate::new();
        load(&certificate, &(chain, key));
        assert!(format!("{certificate:?}").contains("Pair { not_after: "));
        assert!(!format!("{certificate:?}").contains("key"));
    }
}
