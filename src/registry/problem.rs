//! What can go wrong with a registry, for a person: what happened, and what to do about it.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::time::Duration;

use rustls::CertificateError;
use serde::Deserialize;

use super::access::Flags;
use super::credentials;
use super::digest::Digest;
use super::place::Place;
use crate::exit::{ExitStatus, Failure};
use crate::message;

/// Why something did not come from a registry, or did not get there.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// The credentials for the registry cannot be used.
    #[error(transparent)]
    Credentials(#[from] credentials::Unusable),
    /// The system knows no authority that signs certificates, and none was named.
    #[error("no certificates of authorities are installed here")]
    NoAuthorities,
    /// There is no connection.
    #[error("the registry cannot be reached: {0}")]
    Unreachable(String),
    /// Nothing came for too long.
    #[error("the registry did not answer within {}", duration(.0))]
    TimedOut(Duration),
    /// The connection ended before the answer did.
    #[error("the connection to the registry broke off: {0}")]
    Interrupted(String),
    /// What signed the registry's certificate is not trusted.
    #[error("the registry's certificate is signed by an authority that is not known here")]
    UnknownAuthority,
    /// The registry's certificate is wrong in another way.
    #[error("the registry's certificate is not valid: {0}")]
    Certificate(String),
    /// The other side speaks something else than TLS.
    #[error("the registry does not speak TLS")]
    NoTls,
    /// The other side speaks TLS and was not spoken to in it.
    #[error("the registry expects TLS")]
    ExpectsTls,
    /// The registry wants to know who asks.
    #[error("the registry asks for credentials, and there are none for it")]
    NoCredentials,
    /// The registry knows nobody by these credentials.
    #[error("the registry does not accept the credentials from {origin}")]
    WrongCredentials {
        /// Where the credentials are from.
        origin: String,
    },
    /// The registry lets somebody else do this.
    #[error("the registry does not allow this{}", said(.0))]
    Forbidden(Option<String>),
    /// What was asked for does not exist.
    #[error("the registry has nothing of that name{}", said(.0))]
    Missing(Option<String>),
    /// The registry failed, or refused for a reason of its own.
    #[error("the registry answered with status {code}{}", said(.message))]
    Status {
        /// The HTTP status.
        code: u16,
        /// What the registry says about it.
        message: Option<String>,
    },
    /// The registry does not keep to the protocol.
    #[error("the registry answered in a way that is not understood: {0}")]
    Protocol(String),
    /// There is something else than a policy.
    #[error("this is no policy: {0}")]
    NoPolicy(String),
    /// Something is longer than it may be.
    #[error("the {what} is longer than the {limit} bytes that it may have")]
    TooLong {
        /// What is too long.
        what: &'static str,
        /// How long it may be.
        limit: u64,
    },
    /// What came is not what was asked for.
    #[error("the {what} that came has the digest {actual}, and not {expected}")]
    Altered {
        /// What is not the same.
        what: &'static str,
        /// The digest by which it was asked for.
        expected: Digest,
        /// The digest that it has.
        actual: Digest,
    },
    /// The system does not let this process wait for a network.
    #[error("cannot wait for a network: {0}")]
    Runtime(#[from] io::Error),
}

fn duration(time: &Duration) -> String {
    humantime::format_duration(*time).to_string()
}

/// What a registry says, after a colon.
fn said(message: &Option<String>) -> String {
    message.as_ref().map_or_else(String::new, |message| format!(": {message}"))
}

impl Problem {
    /// What to do about it.
    fn help(&self, place: &Place, flags: Flags) -> Option<String> {
        let (registry, repository) = (place.registry(), place.repository());
        let Flags { plain_http, ca_cert, time_out } = flags;
        Some(match self {
            Problem::Credentials(unusable) => return unusable.help(),
            Problem::NoAuthorities => {
                "install ca-certificates, or let SSL_CERT_FILE name a file with certificates".to_owned()
            }
            Problem::TimedOut(_) => format!("{time_out} lets it take longer"),
            Problem::UnknownAuthority => format!("{ca_cert} FILE names the certificate of the authority"),
            Problem::NoTls => format!("{plain_http} if that is meant: nobody keeps secrets on the way then"),
            Problem::ExpectsTls => format!("leave out {plain_http}"),
            Problem::NoCredentials | Problem::WrongCredentials { .. } => {
                format!("docker login {registry}, or podman login {registry}")
            }
            Problem::Forbidden(_) => format!("the account needs rights to {repository}"),
            Problem::Missing(_) => "look at the spelling; some registries also hide what one may not see".to_owned(),
            Problem::Altered { .. } => "it was damaged or changed by somebody, and is not used".to_owned(),
            Problem::Interrupted(_) => "nothing was left half done; try again".to_owned(),
            _ => return None,
        })
    }

    /// What an HTTP client says. `patience` is how long it waited.
    pub(super) fn of_transport(error: &reqwest::Error, patience: Duration) -> Self {
        match cause::<rustls::Error>(error) {
            // Authorities of one's own are often made anew under their old name.
            Some(rustls::Error::InvalidCertificate(
                CertificateError::UnknownIssuer | CertificateError::BadSignature,
            )) => Problem::UnknownAuthority,
            Some(rustls::Error::InvalidCertificate(why)) => Problem::Certificate(why.to_string()),
            Some(rustls::Error::InvalidMessage(_)) => Problem::NoTls,
            Some(other) => Problem::Interrupted(other.to_string()),
            None if error.is_timeout() => Problem::TimedOut(patience),
            None if error.is_connect() => Problem::Unreachable(root(error)),
            None => Problem::Interrupted(root(error)),
        }
    }

    /// What a status and the text that came with it mean. `origin` is where credentials are from.
    pub(super) fn of_status(code: u16, body: &[u8], origin: Option<&str>) -> Self {
        let message = message(body);
        match code {
            // What a registry says to a wrong password might repeat it.
            401 => {
                origin.map_or(Problem::NoCredentials, |origin| Problem::WrongCredentials { origin: origin.to_owned() })
            }
            403 => Problem::Forbidden(message),
            404 => Problem::Missing(message),
            400 if is_told_to_speak_tls(body) => Problem::ExpectsTls,
            _ => Problem::Status { code, message },
        }
    }
}

/// Whether this is what servers say to who speaks plain HTTP where TLS is expected.
fn is_told_to_speak_tls(body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(body);
    text.contains("HTTP request to an HTTPS server") || text.contains("sent to HTTPS port")
}

/// Longest message of a registry that is shown, in characters.
const LONGEST_MESSAGE: usize = 200;

/// The first error in the answer of a registry:
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
    (!message.is_empty()).then(|| message.chars().take(LONGEST_MESSAGE).collect())
}

/// The first of an error's causes that is of a type. What is wrapped as an error of input and output is looked into.
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

/// The innermost of an error's causes: those around it only say that there was a request.
fn root(error: &reqwest::Error) -> String {
    let mut innermost: &dyn StdError = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.downcast_ref().map_or_else(|| innermost.to_string(), message::describe_io_error)
}

/// A problem, told with where it was met and what to do about it.
#[derive(Debug)]
pub struct Error {
    /// What happened.
    pub problem: Problem,
    message: String,
}

impl Error {
    pub(super) fn new(problem: Problem, place: &Place, flags: Flags) -> Self {
        let help = problem.help(place, flags).map(|help| format!("\n = help: {help}"));
        Error { message: format!("{place}: {problem}{}", help.unwrap_or_default()), problem }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&self.problem)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let is_configuration = matches!(error.problem, Problem::Credentials(_) | Problem::NoAuthorities);
        let status = if is_configuration { ExitStatus::Usage } else { ExitStatus::Unreadable };
        Failure { status, message: error.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_told_in_the_registrys_words_unless_they_might_repeat_a_password() {
        let body = br#"{"errors": [{"code": "DENIED", "message": "quota\n exceeded"}]}"#;
        let told = |code, origin| Problem::of_status(code, body, origin).to_string();
        assert_eq!(told(403, None), "the registry does not allow this: quota exceeded");
        assert_eq!(told(404, None), "the registry has nothing of that name: quota exceeded");
        assert_eq!(told(507, None), "the registry answered with status 507: quota exceeded");
        assert_eq!(told(401, Some("auth.json")), "the registry does not accept the credentials from auth.json");
        assert_eq!(told(401, None), "the registry asks for credentials, and there are none for it");
        assert_eq!(Problem::of_status(502, b"<html>", None).to_string(), "the registry answered with status 502");
    }

    #[test]
    fn what_servers_say_to_plain_http_is_understood() {
        for body in
            ["Client sent an HTTP request to an HTTPS server.\n", "The plain HTTP request was sent to HTTPS port"]
        {
            assert!(matches!(Problem::of_status(400, body.as_bytes(), None), Problem::ExpectsTls), "{body}");
        }
    }
}
