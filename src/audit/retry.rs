//! Requests to an API server that is busy, or whose connection breaks.

use std::time::Duration;

use kube::core::Status;

use crate::cluster_client::describe;

/// How long the API server may take for an answer.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The waits before further attempts.
const WAITS: [Duration; 3] = [Duration::from_millis(500), Duration::from_secs(2), Duration::from_secs(5)];

/// Why a request failed after all attempts.
#[derive(Clone, Debug)]
pub(super) enum RequestError {
    /// The API server rejects it.
    Rejected(Box<Status>),
    /// There is no answer, or one that is not understood.
    NoAnswer(String),
    /// It is not sent again, for another reason.
    Refused(String),
}

impl RequestError {
    /// The HTTP status of the API server's answer, if there is one.
    pub(super) fn code(&self) -> Option<u16> {
        if let RequestError::Rejected(status) = self { Some(status.code) } else { None }
    }

    /// Whether other requests would fail as well: the API server does not answer, is busy, or rejects the credentials.
    pub(super) fn concerns_all_requests(&self) -> bool {
        matches!(self, RequestError::NoAnswer(_)) || matches!(self.code(), Some(401 | 429 | 500..))
    }

    /// The error in a sentence.
    pub(super) fn describe(&self) -> String {
        let status = match self {
            RequestError::NoAnswer(reason) | RequestError::Refused(reason) => return reason.clone(),
            RequestError::Rejected(status) => status,
        };
        match (status.code, forbidden_verb(&status.message)) {
            (401, _) => "the API server rejects the credentials".to_owned(),
            (403, Some(verb)) => format!("forbidden: no permission to {verb} them"),
            (429, _) => "the API server is too busy".to_owned(),
            (code, _) => format!("the API server answers HTTP {code}: {}", status.message),
        }
    }
}

/// The verb in the message of RBAC: `User "…" cannot create resource "reports" in API group …`.
fn forbidden_verb(message: &str) -> Option<&str> {
    message.split_once(" cannot ")?.1.split_once(" resource ").map(|(verb, _)| verb)
}

/// Sends a request, and sends it again if the API server is busy or the connection breaks.
pub(super) async fn retry<T, F>(mut send: impl FnMut() -> F) -> Result<T, RequestError>
where
    F: Future<Output = Result<T, kube::Error>>,
{
    let mut waits = WAITS.into_iter();
    loop {
        let failed = match tokio::time::timeout(TIMEOUT, send()).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => error,
            Err(_) => return Err(RequestError::NoAnswer("the API server did not answer within 60 s".to_owned())),
        };
        let is_worth_a_retry = match &failed {
            kube::Error::Api(status) => status.code == 429 || status.code >= 500,
            kube::Error::HyperError(_) | kube::Error::Service(_) | kube::Error::ReadEvents(_) => true,
            _ => false,
        };
        match waits.next() {
            Some(wait) if is_worth_a_retry => tokio::time::sleep(wait).await,
            _ => {
                return Err(match failed {
                    kube::Error::Api(status) => RequestError::Rejected(status),
                    error => RequestError::NoAnswer(describe(&error)),
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_rbac_forbids_is_told_apart_from_what_a_webhook_denies() {
        let describe = |message: &str| {
            RequestError::Rejected(Box::new(Status::failure(message, "Forbidden").with_code(403))).describe()
        };
        let rbac = "reports.openreports.io is forbidden: User \"me\" cannot create resource \"reports\" in API group \"openreports.io\"";
        assert_eq!(describe(rbac), "forbidden: no permission to create them");
        let denied = "admission webhook \"w\" denied the request";
        assert_eq!(describe(denied), format!("the API server answers HTTP 403: {denied}"));
    }
}
