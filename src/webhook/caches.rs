//! Caches of the objects that the module looks up, kept up to date by watches, so that no look-up waits for the
//! network.
//!
//! | file | contents |
//! |---|---|
//! | `cached_object` | an object as compact text, without `status` and large metadata |
//! | `stub_filter` | what of an object is cached: the fields that rules read, or its name only |
//! | `index` | objects by namespace and name |
//! | `kind_cache` | all objects of a kind, and the state of their watch |
//! | `watch` | the task that updates a cache |
//! | `confirmed` | the caches, and the API server where an object is missing from them |
//!
//! A kind is listed in pages, then watched. Until the list is complete, and if the API server rejects it, look-ups are
//! errors; the module then skips the rules that need them.

mod cached_object;
mod confirmed;
mod index;
mod kind_cache;
mod stub_filter;
mod watch;

use std::borrow::Cow;
use std::sync::Arc;

use kube::Client;
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::Value;
use sqledge_ha_policy::settings::Settings;
use tokio::task::JoinSet;

use self::kind_cache::KindCache;
use self::stub_filter::StubFilter;
use crate::wasm_host::{Get, List, LookupSource, ObjectIter, known_resource};

pub use self::confirmed::ConfirmedCaches;
pub use self::kind_cache::{CacheState, ErrorClass};

/// A kind of objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceKind {
    /// The group and version, for example `apps/v1`.
    pub api_version: String,
    /// The kind, for example `Deployment`.
    pub kind: String,
}

/// The kinds that a module may look up, from its metadata ([`crate::wasm_host::metadata::read`]).
pub fn kinds(metadata: &Value) -> Vec<ResourceKind> {
    let resources = metadata.get("contextAwareResources").and_then(Value::as_array).into_iter().flatten();
    let text = |kind: &Value, key| Some(kind.get(key)?.as_str()?.to_owned());
    resources
        .filter_map(|kind| Some(ResourceKind { api_version: text(kind, "apiVersion")?, kind: text(kind, "kind")? }))
        .collect()
}

/// One cache for each kind. The watches stop when this is dropped.
pub struct Caches {
    kinds: Vec<Arc<KindCache>>,
    _tasks: JoinSet<()>,
}

impl Caches {
    /// Starts to watch kinds in all namespaces, on the current tokio runtime. `settings` are those of the embedded
    /// module: objects that its rules cannot concern are cached by name only, and not listed, the others with the
    /// fields that its rules read. For another module it is `None`, and all objects are complete.
    pub fn start(
        client: &Client,
        kinds: impl IntoIterator<Item = ResourceKind>,
        settings: Option<&Settings>,
    ) -> Arc<Self> {
        let settings = settings.cloned().map(Arc::new);
        let stub_filter = |kind: &ResourceKind| StubFilter::new(kind, Arc::clone(settings.as_ref()?));
        let cache = |kind: ResourceKind| Arc::new(KindCache::new(kind.clone(), stub_filter(&kind)));
        let kinds: Vec<_> = kinds.into_iter().map(cache).collect();
        let mut tasks = JoinSet::new();
        for cache in &kinds {
            let resource = resource(&cache.api_version, &cache.kind);
            tasks.spawn(watch::watch(Arc::clone(cache), client.clone(), resource));
        }
        Arc::new(Caches { kinds, _tasks: tasks })
    }

    /// Whether every kind is synced, or rejected by the API server. Not while the API server is unavailable.
    pub fn is_ready(&self) -> bool {
        self.kinds.iter().all(|cache| cache.is_ready())
    }

    /// The state of each cache, in the order of the kinds.
    pub fn states(&self) -> Vec<CacheState> {
        self.kinds.iter().map(|cache| cache.state()).collect()
    }

    fn cache(&self, api_version: &str, kind: &str) -> Result<&KindCache, String> {
        let found = self.kinds.iter().find(|cache| cache.api_version == api_version && cache.kind == kind);
        found.map(AsRef::as_ref).ok_or_else(|| format!("{api_version}/{kind} is not watched"))
    }
}

impl LookupSource for Caches {
    fn get(&self, query: &Get) -> Result<Option<Cow<'_, Value>>, String> {
        let Get { api_version, kind, name, namespace, .. } = query;
        let namespace = namespace.as_deref().unwrap_or_default();
        Ok(self.cache(api_version, kind)?.get(namespace, name)?.map(Cow::Owned))
    }

    fn list(&self, query: &List) -> Result<ObjectIter<'_>, String> {
        let List { api_version, kind, namespace, label_selector, field_selector, .. } = query;
        if label_selector.is_some() || field_selector.is_some() {
            return Err("selectors are not supported".to_owned());
        }
        let objects = self.cache(api_version, kind)?.list(namespace.as_deref().unwrap_or_default())?;
        Ok(Box::new(objects.map(|object| object.map(Cow::Owned))))
    }

    fn pruned_list(&self, query: &List) -> Option<Result<Vec<Arc<str>>, String>> {
        let List { api_version, kind, namespace, label_selector, field_selector, field_masks } = query;
        let is_pruned_so = known_resource(api_version, kind)?.looked_up_paths().eq(field_masks);
        if !is_pruned_so || label_selector.is_some() || field_selector.is_some() {
            return None;
        }
        self.cache(api_version, kind).ok()?.pruned_texts(namespace.as_deref().unwrap_or_default())
    }
}

/// The resource of a kind. The plural of a kind that the rules do not know is a guess; if it is wrong, the API server
/// answers 404.
fn resource(api_version: &str, kind: &str) -> ApiResource {
    let (group, version) = group_and_version(api_version);
    let kind_and_group = GroupVersionKind::gvk(group, version, kind);
    match known_resource(api_version, kind) {
        Some(resource) => ApiResource::from_gvk_with_plural(&kind_and_group, resource.plural),
        None => ApiResource::from_gvk(&kind_and_group),
    }
}

/// The group and version of `apps/v1`, or of `v1`, whose group is empty.
pub fn group_and_version(api_version: &str) -> (&str, &str) {
    api_version.split_once('/').unwrap_or(("", api_version))
}

#[cfg(test)]
mod tests {
    use sqledge_ha_policy::kubernetes::resources::RESOURCES;

    use super::*;
    use crate::wasm_host::{EMBEDDED, metadata};

    #[test]
    fn the_kinds_of_the_module_have_the_right_plurals() {
        let kinds = kinds(&metadata::read(EMBEDDED).unwrap());
        assert_eq!(kinds.len(), RESOURCES.iter().filter(|row| row.look_up.at_admission()).count());
        for row in RESOURCES {
            let resource = resource(&row.api_version(), row.name);
            assert_eq!((resource.api_version, resource.plural.as_str()), (row.api_version(), row.plural));
        }
        assert_eq!(resource("example.com/v1", "Policy").plural, "policies");
    }

    #[test]
    fn metadata_without_look_ups_has_no_kinds() {
        assert_eq!(kinds(&serde_json::json!({})), []);
        assert_eq!(kinds(&serde_json::json!({"contextAwareResources": [{"kind": "Pod"}, 1]})), []);
    }
}
