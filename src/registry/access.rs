//! How a registry is reached.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::Duration;

use oci_client::client::{Certificate, CertificateEncoding, ClientConfig, ClientProtocol};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio::runtime::Builder;

use super::problem::Problem;
use crate::input::{CONFIG_LIMIT, read_limited};

/// The flags of a command that say how a registry is reached, for what is told about them.
#[derive(Clone, Copy, Debug)]
pub struct Flags {
    /// Plain HTTP.
    pub plain_http: &'static str,
    /// The certificates of authorities.
    pub ca_cert: &'static str,
    /// How long to wait.
    pub time_out: &'static str,
}

/// How a registry is reached.
#[derive(Clone, Debug)]
pub struct Access {
    plain_http: bool,
    authorities: Vec<CertificateDer<'static>>,
    time_out: Duration,
    pub(super) flags: Flags,
}

/// A file with certificates cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}: {why}", path.display())]
pub struct UnusableCertificates {
    path: PathBuf,
    why: String,
}

/// How much longer everything together may take than the registry may be silent.
const WHOLE: u32 = 10;

impl Access {
    /// By TLS, trusting the authorities of the system and those in the file `ca_cert`, PEM; or without TLS. The registry
    /// may be silent for `time_out`.
    ///
    /// # Errors
    /// [`UnusableCertificates`] if the file has none or cannot be read.
    pub fn new(
        flags: Flags,
        plain_http: bool,
        ca_cert: Option<&Path>,
        time_out: Duration,
    ) -> Result<Self, UnusableCertificates> {
        let authorities = ca_cert.map(certificates).transpose()?.unwrap_or_default();
        Ok(Access { plain_http, authorities, time_out, flags })
    }

    pub(super) fn scheme(&self) -> &'static str {
        if self.plain_http { "http" } else { "https" }
    }

    pub(super) fn time_out(&self) -> Duration {
        self.time_out
    }

    /// Waits for what is to be done with a registry.
    ///
    /// It blocks: on a tokio runtime only `spawn_blocking` may call it.
    pub(super) fn wait<T>(&self, work: impl Future<Output = Result<T, Problem>>) -> Result<T, Problem> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let whole = self.time_out * WHOLE;
        let done = runtime.block_on(async { tokio::time::timeout(whole, work).await });
        // A name that is still being looked up is not waited for.
        runtime.shutdown_background();
        done.unwrap_or(Err(Problem::TimedOut(whole)))
    }

    /// What asks a registry.
    pub(super) fn http_client(&self) -> Result<reqwest::Client, Problem> {
        use_ring();
        let builder = reqwest::Client::builder()
            .user_agent(AGENT)
            .https_only(!self.plain_http)
            .connect_timeout(self.time_out)
            .read_timeout(self.time_out);
        let builder = if self.plain_http {
            // Nobody is trusted, and what the system trusts is not looked for, because nobody is asked by TLS.
            builder.tls_certs_only([])
        } else {
            let authorities = self.authorities.iter().map(|authority| reqwest::Certificate::from_der(authority));
            builder.tls_certs_merge(authorities.collect::<Result<Vec<_>, _>>().map_err(|_| Problem::NoAuthorities)?)
        };
        builder.build().map_err(|_| Problem::NoAuthorities)
    }

    /// What speaks a registry's protocol.
    pub(super) fn oci_client(&self) -> Result<oci_client::Client, Problem> {
        use_ring();
        // The library makes a client like this one beside ours, and panics if that fails.
        reqwest::Client::builder().build().map_err(|_| Problem::NoAuthorities)?;
        let encoded = |authority: &CertificateDer<'_>| Certificate {
            encoding: CertificateEncoding::Der,
            data: authority.to_vec(),
        };
        let config = ClientConfig {
            protocol: if self.plain_http { ClientProtocol::Http } else { ClientProtocol::Https },
            extra_root_certificates: self.authorities.iter().map(encoded).collect(),
            connect_timeout: Some(self.time_out),
            read_timeout: Some(self.time_out),
            user_agent: AGENT,
            ..ClientConfig::default()
        };
        oci_client::Client::try_from(config).map_err(|_| Problem::NoAuthorities)
    }
}

const AGENT: &str = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));

/// The HTTP client takes the process's cryptography. Whoever came first has chosen the same.
fn use_ring() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, UnusableCertificates> {
    let unusable = |why: String| UnusableCertificates { path: path.to_owned(), why };
    let text = read_limited(CONFIG_LIMIT, path).map_err(|error| unusable(error.to_string()))?;
    let certificates = CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>();
    let certificates = certificates.map_err(|error| unusable(format!("a certificate cannot be read: {error}")))?;
    if certificates.is_empty() {
        return Err(unusable("there is no certificate in it; PEM is expected".to_owned()));
    }
    let mut trusted = RootCertStore::empty();
    for certificate in &certificates {
        trusted.add(certificate.clone()).map_err(|error| unusable(format!("a certificate cannot be used: {error}")))?;
    }
    Ok(certificates)
}
