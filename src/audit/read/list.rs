//! One list of an API server: pages and errors.

use std::collections::BTreeSet;
use std::time::Duration;

use hyper::Request;
use k8s_openapi::apimachinery::pkg::version::Info;
use kube::Client;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::ClusterReadError;
use crate::audit::resources::ListedResource;
use crate::audit::retry::{RequestError, retry};
use crate::cluster_client::describe;

/// The number of objects in a page. At most one page of unpruned objects is in memory for each list.
const PAGE_SIZE: usize = 200;

/// How long it may take for its first answer.
const FIRST_TIMEOUT: Duration = Duration::from_secs(20);

/// Why a list could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ListError {
    /// The API server does not know the resource.
    #[error("the API server does not serve it")]
    NotServed,
    /// The account may not list it.
    #[error("forbidden: no permission to list it")]
    Forbidden,
    /// The version of the list is too old; it continues with this token.
    #[error("the API server no longer has the version of the list")]
    Gone(Option<String>),
    /// Something else.
    #[error("{0}")]
    Other(String),
}

/// A page of a list.
#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    metadata: PageMetadata,
    #[serde(default)]
    items: Option<Vec<Value>>,
}

#[derive(Default, Deserialize)]
struct PageMetadata {
    #[serde(rename = "continue")]
    next: Option<String>,
}

/// The version of the API server.
///
/// # Errors
/// [`ClusterReadError`] if it cannot be reached, or rejects the credentials.
pub(super) async fn first_answer(client: &Client) -> Result<Info, ClusterReadError> {
    let failed = |reason: String| Err(ClusterReadError(reason));
    match tokio::time::timeout(FIRST_TIMEOUT, client.apiserver_version()).await {
        Err(_) => failed("the API server did not answer within 20 s".to_owned()),
        Ok(Ok(version)) => Ok(version),
        Ok(Err(kube::Error::Api(status))) if status.code == 403 => Ok(Info::default()),
        Ok(Err(kube::Error::Api(status))) if status.code == 401 => {
            failed("the API server rejects the credentials: they are wrong or have expired".to_owned())
        }
        Ok(Err(error)) => failed(format!("cannot reach the API server: {}", describe(&error))),
    }
}

/// The names of the API groups that the API server serves; `None` if it does not tell.
pub(super) async fn groups(client: &Client) -> Option<BTreeSet<String>> {
    let answer = tokio::time::timeout(FIRST_TIMEOUT, client.list_api_groups()).await.ok()?.ok()?;
    Some(answer.groups.into_iter().map(|group| group.name).collect())
}

/// Lists a resource, in a namespace or everywhere, and gives each object to `take`. Returns their number.
pub(super) async fn list(
    client: &Client,
    resource: &ListedResource,
    namespace: Option<&str>,
    take: &mut (dyn FnMut(Value) + Send),
) -> Result<usize, ListError> {
    let mut outcome = Err(ListError::NotServed);
    for version in &resource.versions {
        outcome = list_version(client, resource, version, namespace, take).await;
        if outcome != Err(ListError::NotServed) {
            break;
        }
    }
    outcome
}

async fn list_version(
    client: &Client,
    resource: &ListedResource,
    version: &str,
    namespace: Option<&str>,
    take: &mut (dyn FnMut(Value) + Send),
) -> Result<usize, ListError> {
    let path = resource.path(version, namespace);
    let (mut next, mut count) = (None::<String>, 0);
    loop {
        let token = next.as_deref().map(|token| format!("&continue={}", utf8_percent_encode(token, NON_ALPHANUMERIC)));
        let page: Page = match ask(client, &format!("{path}?limit={PAGE_SIZE}{}", token.unwrap_or_default())).await {
            Ok(page) => page,
            // With this token the API server continues at the same object in its present state.
            Err(ListError::Gone(Some(token))) if next.as_ref() != Some(&token) => {
                next = Some(token);
                continue;
            }
            Err(error) => return Err(error),
        };
        for item in page.items.into_iter().flatten() {
            if let Some(object) = resource.complete(version, item) {
                count += 1;
                take(object);
            }
        }
        next = page.metadata.next.filter(|token| !token.is_empty());
        if next.is_none() {
            return Ok(count);
        }
    }
}

/// One object; `None` if it does not exist.
pub(super) async fn get(
    client: &Client,
    resource: &ListedResource,
    namespace: &str,
    name: &str,
) -> Result<Option<Value>, ListError> {
    let version = resource.versions.first().copied().unwrap_or("v1");
    let name = utf8_percent_encode(name, NON_ALPHANUMERIC);
    match ask::<Value>(client, &format!("{}/{name}", resource.path(version, Some(namespace)))).await {
        Ok(object) => Ok(resource.complete(version, object)),
        Err(ListError::NotServed) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Asks, and asks again if the API server is busy or the connection breaks.
async fn ask<T: DeserializeOwned>(client: &Client, path: &str) -> Result<T, ListError> {
    retry(|| once(client, path)).await.map_err(|error| reason(&error))
}

async fn once<T: DeserializeOwned>(client: &Client, path: &str) -> Result<T, kube::Error> {
    let request = Request::get(path).body(Vec::new()).map_err(kube::Error::HttpError)?;
    client.request(request).await
}

fn reason(error: &RequestError) -> ListError {
    match error {
        RequestError::Rejected(status) if status.code == 403 => ListError::Forbidden,
        RequestError::Rejected(status) if status.code == 404 => ListError::NotServed,
        RequestError::Rejected(status) if status.code == 410 => {
            ListError::Gone(status.metadata.as_ref().and_then(|metadata| metadata.continue_.clone()))
        }
        other => ListError::Other(other.describe()),
    }
}
