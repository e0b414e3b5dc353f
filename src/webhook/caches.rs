//! What the module looks up, from watches on the API server: look-ups never wait for the network.
//!
//! | file | holds |
//! |---|---|
//! | `object` | an object as it is kept: compact text, without what no rule reads |
//! | `reduction` | which objects are kept by their name only |
//! | `index` | objects by namespace and name |
//! | `shelf` | all objects of a kind, and how well they are known |
//! | `follow` | the task that keeps a shelf up to date |
//!
//! A kind is first listed in pages, then watched. Until the first list is complete, and wherever the API server refuses
//! it, look-ups are answered with an error, as [`World`] wants it; the module then judges by what it knows.

mod follow;
mod index;
mod object;
mod reduction;
mod shelf;

use std::borrow::Cow;
use std::sync::Arc;

use kube::Client;
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::Value;
use sqledge_ha_policy::settings::Settings;
use tokio::task::JoinSet;

use self::reduction::Reduction;
use self::shelf::Shelf;
use crate::module::{Get, List, Objects, World};

pub use self::shelf::{CacheState, ErrorClass};

/// A kind of objects, as manifests name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kind {
    /// The group and version, e.g. `apps/v1`.
    pub api_version: String,
    /// The kind, e.g. `Deployment`.
    pub kind: String,
}

/// The kinds that a module may look up, according to its metadata ([`crate::module::metadata::read`]).
pub fn kinds(metadata: &Value) -> Vec<Kind> {
    let granted = metadata.get("contextAwareResources").and_then(Value::as_array).into_iter().flatten();
    let text = |kind: &Value, key| Some(kind.get(key)?.as_str()?.to_owned());
    granted
        .filter_map(|kind| Some(Kind { api_version: text(kind, "apiVersion")?, kind: text(kind, "kind")? }))
        .collect()
}

/// A cache for each kind. The watches end when it is dropped.
pub struct Caches {
    shelves: Vec<Arc<Shelf>>,
    _tasks: JoinSet<()>,
}

impl Caches {
    /// Starts to watch kinds in all namespaces, on the tokio runtime that this is called on. `settings` are those of the
    /// embedded module: what cannot matter to it is kept by name only, and not listed. Nobody knows what another
    /// module looks for; without settings every object is kept whole.
    pub fn start(client: &Client, kinds: impl IntoIterator<Item = Kind>, settings: Option<&Settings>) -> Arc<Self> {
        let settings = settings.cloned().map(Arc::new);
        let reduction = |kind: &Kind| Reduction::of(kind, Arc::clone(settings.as_ref()?));
        let shelf = |kind: Kind| Arc::new(Shelf::new(kind.clone(), reduction(&kind)));
        let shelves: Vec<_> = kinds.into_iter().map(shelf).collect();
        let mut tasks = JoinSet::new();
        for shelf in &shelves {
            let resource = resource(&shelf.api_version, &shelf.kind);
            tasks.spawn(follow::follow(Arc::clone(shelf), client.clone(), resource));
        }
        Arc::new(Caches { shelves, _tasks: tasks })
    }

    /// Whether of every kind it is known what there is, or that the API server refuses to tell. It is not while the
    /// API server cannot be reached: how long to wait for that is for the caller to say.
    pub fn settled(&self) -> bool {
        self.shelves.iter().all(|shelf| shelf.settled())
    }

    /// How every cache is doing, in the order of the kinds.
    pub fn states(&self) -> Vec<CacheState> {
        self.shelves.iter().map(|shelf| shelf.state()).collect()
    }

    fn shelf(&self, api_version: &str, kind: &str) -> Result<&Shelf, String> {
        let found = self.shelves.iter().find(|shelf| shelf.api_version == api_version && shelf.kind == kind);
        found.map(AsRef::as_ref).ok_or_else(|| format!("{api_version}/{kind} is not watched"))
    }
}

impl World for Caches {
    fn get(&self, query: &Get) -> Result<Option<Cow<'_, Value>>, String> {
        let Get { api_version, kind, name, namespace, .. } = query;
        let namespace = namespace.as_deref().unwrap_or_default();
        Ok(self.shelf(api_version, kind)?.get(namespace, name)?.map(Cow::Owned))
    }

    fn list(&self, query: &List) -> Result<Objects<'_>, String> {
        let List { api_version, kind, namespace, label_selector, field_selector, .. } = query;
        if label_selector.is_some() || field_selector.is_some() {
            return Err("the caches cannot be searched by selectors".to_owned());
        }
        let objects = self.shelf(api_version, kind)?.list(namespace)?;
        Ok(Box::new(objects.map(|object| object.map(Cow::Owned))))
    }
}

/// Where a kind is found. Its plural is formed as Kubernetes forms it for its own kinds; the API server answers 404 to
/// one that it does not know.
fn resource(api_version: &str, kind: &str) -> ApiResource {
    let (group, version) = group_and_version(api_version);
    ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind))
}

/// The parts of `apps/v1`, or of `v1`, whose group has no name.
pub fn group_and_version(api_version: &str) -> (&str, &str) {
    api_version.split_once('/').unwrap_or(("", api_version))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::module::{EMBEDDED, metadata};

    #[test]
    fn the_kinds_that_the_module_looks_up_are_found_at_their_places() {
        let kinds = kinds(&metadata::read(EMBEDDED).unwrap());
        let places: Vec<_> = kinds
            .iter()
            .map(|kind| {
                let resource = resource(&kind.api_version, &kind.kind);
                format!("{} {}", resource.api_version, resource.plural)
            })
            .collect();
        let expected = [
            "v1 services",
            "v1 replicationcontrollers",
            "apps/v1 deployments",
            "apps/v1 replicasets",
            "apps/v1 statefulsets",
        ];
        assert_eq!(places, expected);
    }

    #[test]
    fn metadata_without_look_ups_ask_for_no_kinds() {
        assert_eq!(kinds(&serde_json::json!({})), []);
        assert_eq!(kinds(&serde_json::json!({"contextAwareResources": [{"kind": "Pod"}, 1]})), []);
    }
}
