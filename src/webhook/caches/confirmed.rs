//! The caches as the module sees them: before an object counts as missing, the API server is asked.
//!
//! A watch is a moment behind. `kubectl apply` creates a claim and the Deployment that mounts it at once, so that the
//! claim can be missing from its cache when the Deployment is checked.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use kube::api::{Api, ListParams};
use kube::{Client, Error};
use serde_json::Value;
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::cached_object::CachedObject;
use super::{Caches, resource};
use crate::wasm_host::{Get, List, LookupSource, ObjectIter};

/// How long the API server may take to answer. A user waits for it, and so does the request's thread.
const CONFIRM_TIMEOUT: Duration = Duration::from_millis(250);

/// The caches, and the API server where an object is missing from them. Look-ups block, so they must not run on a
/// thread of the tokio runtime.
pub struct ConfirmedCaches {
    caches: Arc<Caches>,
    client: Client,
    runtime: Handle,
}

impl ConfirmedCaches {
    /// Asks over `client`, on the current tokio runtime.
    pub fn new(caches: Arc<Caches>, client: Client) -> Self {
        ConfirmedCaches { caches, client, runtime: Handle::current() }
    }

    /// An object that is missing from its cache; `None` if it does not exist. If the API server does not say, it is an
    /// error, so that no rule takes the object for missing.
    async fn ask(&self, query: &Get) -> Result<Option<Value>, String> {
        let Get { api_version, kind, name, namespace, .. } = query;
        let cache = self.caches.cache(api_version, kind)?;
        // Nothing has another name, which could also mean something else in the request.
        if !is_name(name) || !namespace.as_deref().is_none_or(is_name) {
            return Ok(None);
        }
        let resource = resource(api_version, kind);
        let api: Api<CachedObject> = match namespace {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, &resource),
            None => Api::all_with(self.client.clone(), &resource),
        };
        // The account may list and watch, but not get.
        let is_called = ListParams::default().fields(&format!("metadata.name={name}"));
        match timeout(CONFIRM_TIMEOUT, api.list(&is_called)).await {
            Ok(Ok(found)) => found.items.first().map(|object| cache.parse(&object.text)).transpose(),
            // The kind is not installed.
            Ok(Err(Error::Api(status))) if status.code == 404 => Ok(None),
            Ok(Err(Error::Api(status))) => Err(format!("{api_version}/{kind}: {}", status.reason)),
            Ok(Err(_)) => Err("the API server cannot be reached".to_owned()),
            Err(_) => Err("the API server takes too long".to_owned()),
        }
    }
}

/// Whether an object or a namespace can have this name.
fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'))
}

impl LookupSource for ConfirmedCaches {
    fn get(&self, query: &Get) -> Result<Option<Cow<'_, Value>>, String> {
        match self.caches.get(query)? {
            Some(object) => Ok(Some(object)),
            None => Ok(self.runtime.block_on(self.ask(query))?.map(Cow::Owned)),
        }
    }

    fn list(&self, query: &List) -> Result<ObjectIter<'_>, String> {
        self.caches.list(query)
    }

    fn pruned_list(&self, query: &List) -> Option<Result<Vec<Arc<str>>, String>> {
        self.caches.pruned_list(query)
    }
}
