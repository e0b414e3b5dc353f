//! Errors of registries, with help.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::time::Duration;

use rustls::CertificateError;
use serde::Deserialize;

use super::credentials::CredentialsError;
use super::digest::Digest;
use super::reference::ArtifactReference;
use crate::exit::{CommandError, ExitStatus};
use crate::message::describe_root_cause;

/// The names of a command's flags for registries, for messages.
#[derive(Clone, Copy, Debug)]
pub struct FlagNames {
    /// Plain HTTP.
    pub plain_http: &'static str,
    /// CA certificates.
    pub ca_cert: &'static str,
    /// The timeout.
    pub timeout: &'static str,
}

/// An operation on a registry failed.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The credentials for the registry cannot be used.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// The system has no CA certificates, and none were given.
    #[error("no CA certificates are installed")]
    NoAuthorities,
    /// There is no connection.
    #[error("cannot connect to the registry: {0}")]
    Unreachable(String),
    /// A timeout was exceeded.
    #[error("the registry did not respond within {}", duration(.0))]
    TimedOut(Duration),
    /// The connection ended before the response did.
    #[error("the connection to the registry was interrupted: {0}")]
    Interrupted(String),
    /// The registry's certificate is signed by an unknown authority.
    #[error("the registry's certificate is signed by an unknown authority")]
    UnknownAuthority,
    /// The registry's certificate has another error.
    #[error("the registry's certificate is not valid: {0}")]
    Certificate(String),
    /// The server does not use TLS.
    #[error("the registry does not use TLS")]
    NoTls,
    /// The server uses TLS, and the request did not.
    #[error("the registry requires TLS")]
    RequiresTls,
    /// The registry requires a login, and there is none.
    #[error("the registry requires a login, and there is none for it")]
    NoCredentials,
    /// The registry rejected the login.
    #[error("the registry rejected the login from {source_name}")]
    WrongCredentials {
        /// The file or helper that the login is from.
        source_name: String,
    },
    /// The account lacks permissions.
    #[error("the registry denied access{}", after_colon(.0))]
    Forbidden(Option<String>),
    /// The repository, tag or digest does not exist.
    #[error("not found in the registry{}", after_colon(.0))]
    NotFound(Option<String>),
    /// The registry returned another error.
    #[error("the registry responded with status {code}{}", after_colon(.message))]
    Status {
        /// The HTTP status.
        code: u16,
        /// The registry's message.
        message: Option<String>,
    },
    /// A response violates the protocol.
    #[error("unexpected response of the registry: {0}")]
    Protocol(String),
    /// The artifact is not a policy.
    #[error("not a policy: {0}")]
    NotAPolicy(String),
    /// A response is too large.
    #[error("the {subject} exceeds the limit of {limit} bytes")]
    TooLarge {
        /// What is too large.
        subject: &'static str,
        /// The maximum size in bytes.
        limit: u64,
    },
    /// The content does not have the digest by which it was requested.
    #[error("{subject} digest mismatch: got {actual}, expected {expected}")]
    DigestMismatch {
        /// What was requested.
        subject: &'static str,
        /// The requested digest.
        expected: Digest,
        /// The digest of the content.
        actual: Digest,
    },
    /// The system cannot start asynchronous I/O.
    #[error("cannot use the network: {0}")]
    Runtime(#[from] io::Error),
}

fn duration(time: &Duration) -> String {
    humantime::format_duration(*time).to_string()
}

fn after_colon(message: &Option<String>) -> String {
    message.as_ref().map_or_else(String::new, |message| format!(": {message}"))
}

impl RegistryError {
    fn help(&self, reference: &ArtifactReference, flags: FlagNames) -> Option<String> {
        let (registry, repository) = (reference.registry(), reference.repository());
        let FlagNames { plain_http, ca_cert, timeout } = flags;
        Some(match self {
            RegistryError::Credentials(error) => return error.help(),
            RegistryError::NoAuthorities => {
                "install the package ca-certificates, or set SSL_CERT_FILE to a file of certificates".to_owned()
            }
            RegistryError::TimedOut(_) => format!("increase {timeout}"),
            RegistryError::UnknownAuthority => format!("pass the certificate of the authority with {ca_cert} FILE"),
            RegistryError::NoTls => {
                format!("use {plain_http} if the network is trusted; credentials are then sent without encryption")
            }
            RegistryError::RequiresTls => format!("remove {plain_http}"),
            RegistryError::NoCredentials | RegistryError::WrongCredentials { .. } => {
                format!("run docker login {registry} or podman login {registry}")
            }
            RegistryError::Forbidden(_) => format!("the account needs permissions for {repository}"),
            RegistryError::NotFound(_) => {
                "check the spelling; some registries also hide repositories without permissions".to_owned()
            }
            RegistryError::DigestMismatch { .. } => "the content is damaged or was changed; it is not used".to_owned(),
            RegistryError::Interrupted(_) => "try again; no tag or file was changed".to_owned(),
            _ => return None,
        })
    }

    /// From an error of the HTTP client, whose timeout is `timeout`.
    pub(super) fn from_transport(error: &reqwest::Error, timeout: Duration) -> Self {
        match cause::<rustls::Error>(error) {
            // Private authorities are often recreated with the same name, which gives a bad signature.
            Some(rustls::Error::InvalidCertificate(
                CertificateError::UnknownIssuer | CertificateError::BadSignature,
            )) => RegistryError::UnknownAuthority,
            Some(rustls::Error::InvalidCertificate(reason)) => RegistryError::Certificate(reason.to_string()),
            Some(rustls::Error::InvalidMessage(_)) => RegistryError::NoTls,
            Some(other) => RegistryError::Interrupted(other.to_string()),
            None if error.is_timeout() => RegistryError::TimedOut(timeout),
            None if error.is_connect() => RegistryError::Unreachable(describe_root_cause(error)),
            None => RegistryError::Interrupted(describe_root_cause(error)),
        }
    }

    /// From an HTTP status and its body. `source` is the file or helper that the login is from.
    pub(super) fn from_status(code: u16, body: &[u8], source: Option<&str>) -> Self {
        let message = message(body);
        match code {
            // The registry's message may quote the password.
            401 => source.map_or(RegistryError::NoCredentials, |source| RegistryError::WrongCredentials {
                source_name: source.to_owned(),
            }),
            403 => RegistryError::Forbidden(message),
            404 => RegistryError::NotFound(message),
            400 if requires_tls(body) => RegistryError::RequiresTls,
            _ => RegistryError::Status { code, message },
        }
    }
}

/// Whether this is the response of a TLS server (Go's, nginx) to plain HTTP.
fn requires_tls(body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(body);
    text.contains("HTTP request to an HTTPS server") || text.contains("sent to HTTPS port")
}

/// Maximum length of a registry's message that is printed, in characters.
const MAX_MESSAGE: usize = 200;

/// The first message in an error response:
/// <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#error-codes>
fn message(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Envelope {
        errors: Vec<Entry>,
    }
    #[derive(Deserialize)]
    struct Entry {
        message: String,
    }
    let envelope: Envelope = serde_json::from_slice(body).ok()?;
    let message = envelope.errors.into_iter().next()?.message;
    let message: String = message.split_whitespace().collect::<Vec<_>>().join(" ");
    (!message.is_empty()).then(|| message.chars().take(MAX_MESSAGE).collect())
}

/// The first cause with a type, also among the errors inside of I/O errors.
fn cause<'e, T: StdError + 'static>(error: &'e (dyn StdError + 'static)) -> Option<&'e T> {
    let mut next = Some(error);
    while let Some(error) = next {
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        let wrapped = wrapped.map(|wrapped| wrapped as &(dyn StdError + 'static));
        let found = error.downcast_ref::<T>().or_else(|| wrapped.and_then(|wrapped| wrapped.downcast_ref::<T>()));
        if found.is_some() {
            return found;
        }
        next = wrapped.or_else(|| error.source());
    }
    None
}

/// A [`RegistryError`] with the reference and a help text.
#[derive(Debug)]
pub struct Error {
    /// What failed.
    pub error: RegistryError,
    message: String,
}

impl Error {
    pub(super) fn new(error: RegistryError, reference: &ArtifactReference, flags: FlagNames) -> Self {
        let help = error.help(reference, flags).map(|help| format!("\n = help: {help}"));
        Error { message: format!("{reference}: {error}{}", help.unwrap_or_default()), error }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&self.error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl From<Error> for CommandError {
    fn from(error: Error) -> Self {
        let is_configuration = matches!(error.error, RegistryError::Credentials(_) | RegistryError::NoAuthorities);
        let status = if is_configuration { ExitStatus::Usage } else { ExitStatus::Unreadable };
        CommandError { status, message: error.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_of_a_registry_is_quoted_unless_it_may_contain_the_password() {
        let body = br#"{"errors": [{"code": "DENIED", "message": "quota\n exceeded"}]}"#;
        let message = |code, source| RegistryError::from_status(code, body, source).to_string();
        assert_eq!(message(403, None), "the registry denied access: quota exceeded");
        assert_eq!(message(404, None), "not found in the registry: quota exceeded");
        assert_eq!(message(507, None), "the registry responded with status 507: quota exceeded");
        assert_eq!(message(401, Some("auth.json")), "the registry rejected the login from auth.json");
        assert_eq!(message(401, None), "the registry requires a login, and there is none for it");
        assert_eq!(
            RegistryError::from_status(502, b"<html>", None).to_string(),
            "the registry responded with status 502"
        );
    }

    #[test]
    fn responses_of_tls_servers_to_plain_http_are_recognized() {
        for body in
            ["Client sent an HTTP request to an HTTPS server.\n", "The plain HTTP request was sent to HTTPS port"]
        {
            assert!(
                matches!(RegistryError::from_status(400, body.as_bytes(), None), RegistryError::RequiresTls),
                "{body}"
            );
        }
    }
}
