//! Single requests to the API server.
//!
//! The client's typed calls print an answer that they cannot read, which could be a Secret; here only the fact is told.

use std::time::Duration;

use hyper::header::CONTENT_TYPE;
use hyper::{Method, Request};
use kube::Client;
use serde_json::Value;

pub(super) const JSON: &str = "application/json";
pub(super) const JSON_PATCH: &str = "application/json-patch+json";

const PATIENCE: Duration = Duration::from_secs(15);

/// Why a request was not answered as hoped.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// The API server said no, or could not be reached.
    #[error("{}", described(.0))]
    Kube(#[from] Box<kube::Error>),
    /// The answer took too long.
    #[error("the API server does not answer")]
    Slow,
    /// The answer is not JSON.
    #[error("the API server's answer cannot be read")]
    Unreadable,
}

/// The API server's own words, without the dump of the structure around them.
fn described(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message.clone(),
        kube::Error::Service(source) => chain(source.as_ref()),
        other => other.to_string(),
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", chain(source)),
        None => error.to_string(),
    }
}

impl RequestError {
    /// The status with which the API server answered, if it did.
    pub(super) fn code(&self) -> Option<u16> {
        match self {
            RequestError::Kube(error) => match error.as_ref() {
                kube::Error::Api(status) => Some(status.code),
                _ => None,
            },
            _ => None,
        }
    }
}

/// Sends one request.
pub(super) async fn call(
    client: &Client,
    method: Method,
    path: &str,
    content_type: &'static str,
    body: Option<&Value>,
) -> Result<Value, RequestError> {
    let body = body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
    let request = Request::builder().method(method).uri(path).header(CONTENT_TYPE, content_type).body(body);
    let request = request.map_err(|error| Box::new(kube::Error::HttpError(error)))?;
    let answer = tokio::time::timeout(PATIENCE, client.request_text(request));
    let answer = answer.await.map_err(|_| RequestError::Slow)?.map_err(Box::new)?;
    serde_json::from_str(&answer).map_err(|_| RequestError::Unreadable)
}
