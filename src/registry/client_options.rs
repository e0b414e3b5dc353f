//! How to connect to a registry.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::Duration;

use oci_client::client::{Certificate, CertificateEncoding, ClientConfig, ClientProtocol};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio::runtime::Builder;

use super::error::{FlagNames, RegistryError};
use crate::crypto;
use crate::input::{CONFIG_LIMIT, read_limited};

/// How to connect to a registry: with or without TLS, which authorities to trust, and how long to wait.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    plain_http: bool,
    authorities: Vec<CertificateDer<'static>>,
    timeout: Duration,
    pub(super) flags: FlagNames,
}

/// A file of CA certificates cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}: {reason}", path.display())]
pub struct InvalidCertificates {
    path: PathBuf,
    reason: String,
}

/// A whole operation may take this many times the timeout of one response.
const TOTAL_TIMEOUT_FACTOR: u32 = 10;

const USER_AGENT: &str = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));

impl ClientOptions {
    /// With `plain_http` there is no TLS. Otherwise the system's authorities and those in the PEM file `ca_cert` are
    /// trusted. `timeout` limits the wait for each response.
    ///
    /// # Errors
    /// [`InvalidCertificates`] if the file cannot be read or has no valid certificate.
    pub fn new(
        flags: FlagNames,
        plain_http: bool,
        ca_cert: Option<&Path>,
        timeout: Duration,
    ) -> Result<Self, InvalidCertificates> {
        let authorities = ca_cert.map(certificates).transpose()?.unwrap_or_default();
        Ok(ClientOptions { plain_http, authorities, timeout, flags })
    }

    pub(super) fn scheme(&self) -> &'static str {
        if self.plain_http { "http" } else { "https" }
    }

    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Runs an operation to its end or to the total timeout.
    ///
    /// It blocks: on a tokio runtime only `spawn_blocking` may call it.
    pub(super) fn wait<T>(
        &self,
        operation: impl Future<Output = Result<T, RegistryError>>,
    ) -> Result<T, RegistryError> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let total = self.timeout.saturating_mul(TOTAL_TIMEOUT_FACTOR);
        let done = runtime.block_on(async { tokio::time::timeout(total, operation).await });
        // Dropping the runtime would wait for a DNS lookup that is still in progress.
        runtime.shutdown_background();
        done.unwrap_or(Err(RegistryError::TimedOut(total)))
    }

    /// The client for downloads.
    pub(super) fn http_client(&self) -> Result<reqwest::Client, RegistryError> {
        crypto::select_provider();
        let builder = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .https_only(!self.plain_http)
            .connect_timeout(self.timeout)
            .read_timeout(self.timeout);
        let builder = if self.plain_http {
            // Loading the system's authorities fails where none are installed, and plain HTTP needs none.
            builder.tls_certs_only([])
        } else {
            let authorities = self.authorities.iter().map(|authority| reqwest::Certificate::from_der(authority));
            let authorities = authorities.collect::<Result<Vec<_>, _>>();
            builder.tls_certs_merge(authorities.map_err(|_| RegistryError::NoAuthorities)?)
        };
        builder.build().map_err(|_| RegistryError::NoAuthorities)
    }

    /// The client for tokens and uploads.
    pub(super) fn oci_client(&self) -> Result<oci_client::Client, RegistryError> {
        crypto::select_provider();
        // The library also builds a client with default options, and panics if that fails.
        reqwest::Client::builder().build().map_err(|_| RegistryError::NoAuthorities)?;
        let encode = |authority: &CertificateDer<'_>| Certificate {
            encoding: CertificateEncoding::Der,
            data: authority.to_vec(),
        };
        let config = ClientConfig {
            protocol: if self.plain_http { ClientProtocol::Http } else { ClientProtocol::Https },
            extra_root_certificates: self.authorities.iter().map(encode).collect(),
            connect_timeout: Some(self.timeout),
            read_timeout: Some(self.timeout),
            user_agent: USER_AGENT,
            ..ClientConfig::default()
        };
        oci_client::Client::try_from(config).map_err(|_| RegistryError::NoAuthorities)
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, InvalidCertificates> {
    let invalid = |reason: String| InvalidCertificates { path: path.to_owned(), reason };
    let text = read_limited(CONFIG_LIMIT, path).map_err(|error| invalid(error.to_string()))?;
    let certificates = CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>();
    let certificates = certificates.map_err(|error| invalid(format!("cannot parse a certificate: {error}")))?;
    if certificates.is_empty() {
        return Err(invalid("the file contains no PEM certificate".to_owned()));
    }
    let mut store = RootCertStore::empty();
    for certificate in &certificates {
        store.add(certificate.clone()).map_err(|error| invalid(format!("cannot use a certificate: {error}")))?;
    }
    Ok(certificates)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_timeout_does_not_overflow() {
        let flags = FlagNames { plain_http: "", ca_cert: "", timeout: "" };
        let options = ClientOptions::new(flags, true, None, Duration::MAX).unwrap();
        options.wait(async { Ok(()) }).unwrap();
    }
}
