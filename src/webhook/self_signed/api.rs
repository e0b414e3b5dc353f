//! Requests to the API server.
//!
//! kube's typed methods put an answer that they cannot parse into the error, and it could be a Secret. These do not.

use std::time::Duration;

use hyper::header::CONTENT_TYPE;
use hyper::{Method, Request};
use kube::Client;
use kube::core::Status;
use serde_json::Value;

use crate::cluster_client;

pub(super) const JSON: &str = "application/json";
pub(super) const JSON_PATCH: &str = "application/json-patch+json";

const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// The API server rejected it, or could not be reached.
    #[error("{}", cluster_client::describe(.0))]
    Kube(#[from] Box<kube::Error>),
    /// There was no answer in time.
    #[error("timeout while waiting for the API server")]
    Timeout,
    /// The answer is not JSON.
    #[error("the API server's answer is not JSON")]
    NotJson,
}

impl RequestError {
    /// The API server's answer, if it rejected the request.
    fn status(&self) -> Option<&Status> {
        match self {
            RequestError::Kube(error) => match error.as_ref() {
                kube::Error::Api(status) => Some(status),
                _ => None,
            },
            _ => None,
        }
    }

    /// The HTTP status of the API server's answer, if there is one.
    pub(super) fn code(&self) -> Option<u16> {
        self.status().map(|status| status.code)
    }

    /// Whether it is the namespace that does not exist.
    pub(super) fn is_namespace_missing(&self) -> bool {
        self.status().is_some_and(cluster_client::is_namespace_missing)
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
    let answer = tokio::time::timeout(REQUEST_TIMEOUT, client.request_text(request));
    let answer = answer.await.map_err(|_| RequestError::Timeout)?.map_err(Box::new)?;
    serde_json::from_str(&answer).map_err(|_| RequestError::NotJson)
}
