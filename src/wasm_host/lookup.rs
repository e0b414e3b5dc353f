//! Look-ups of other objects, and where their answers come from.

use std::borrow::Cow;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};
use sqledge_ha_policy::kubernetes::{DEFAULT_NAMESPACE, group_of, namespace_of};
use sqledge_ha_policy::settings::{is_unset, looked_up_kinds};

use crate::admission_review::null_is_empty;

/// A look-up of one object, as the module sends it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Get {
    /// The group and version, for example `apps/v1`.
    pub api_version: String,
    /// The kind, for example `Deployment`.
    pub kind: String,
    /// The object's name.
    pub name: String,
    /// The object's namespace; `None` for a cluster-scoped object.
    pub namespace: Option<String>,
    /// Whether the answer must be current. The policy server caches answers for a few seconds.
    #[serde(default)]
    pub disable_cache: bool,
    /// The requested fields as dotted paths; empty for all. The host prunes: a source can ignore them.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub field_masks: Vec<String>,
}

/// A look-up of all objects of a kind, in a namespace or cluster-scoped, as the module sends it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct List {
    /// The group and version, for example `apps/v1`.
    pub api_version: String,
    /// The kind of the objects, for example `Deployment`.
    pub kind: String,
    /// Their namespace; `None` for cluster-scoped objects.
    pub namespace: Option<String>,
    /// A label selector, in the API server's notation.
    pub label_selector: Option<String>,
    /// A field selector, in the API server's notation.
    pub field_selector: Option<String>,
    /// The requested fields as dotted paths; empty for all. The host prunes: a source can ignore them.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub field_masks: Vec<String>,
}

/// Settings with which the module may look up every kind, unless they name some. Kubewarden's policy server needs
/// names, because it never answers a list that it may not read; this host always answers.
pub fn with_look_ups(settings: &Value) -> Value {
    const KEY: &str = "lookUps";
    let mut settings = if settings.is_null() { json!({}) } else { settings.clone() };
    if let Some(members) = settings.as_object_mut()
        && members.get(KEY).is_none_or(is_unset)
    {
        members.insert(KEY.to_owned(), json!(looked_up_kinds()));
    }
    settings
}

/// Objects one by one, so that they are not all in memory at once. An item is an error if it cannot be parsed.
pub type ObjectIter<'w> = Box<dyn Iterator<Item = Result<Cow<'w, Value>, String>> + 'w>;

/// Answers look-ups: from a set of objects ([`ObjectSet`]), from watches on an API server, or not at all
/// ([`NoLookups`]).
///
/// The host has checked permissions before: the kind is one of the module's `contextAwareResources`.
pub trait LookupSource: Send + Sync {
    /// One unpruned object; `None` if it does not exist.
    ///
    /// # Errors
    /// Why the source does not know. The module looks for `is forbidden` and `code: 404` in it, and does not repeat it.
    fn get(&self, query: &Get) -> Result<Option<Cow<'_, Value>>, String>;

    /// The unpruned objects of a kind in a namespace, in any order. A source that knows the module can omit objects
    /// that the module would ignore.
    ///
    /// # Errors
    /// Why the source does not know, as for [`LookupSource::get`].
    fn list(&self, query: &List) -> Result<ObjectIter<'_>, String>;

    /// The same objects as JSON text, if the source keeps them as the host prunes them: without `apiVersion` and
    /// `kind`, with `metadata` and the requested fields. `None` if it does not.
    fn pruned_list(&self, _: &List) -> Option<Result<Vec<Arc<str>>, String>> {
        None
    }
}

/// Rejects every look-up.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoLookups;

impl LookupSource for NoLookups {
    fn get(&self, _: &Get) -> Result<Option<Cow<'_, Value>>, String> {
        Err("look-ups are not available".to_owned())
    }

    fn list(&self, _: &List) -> Result<ObjectIter<'_>, String> {
        Err("look-ups are not available".to_owned())
    }
}

/// Answers from a complete set of objects. A namespaced object without a namespace is in `default`.
#[derive(Clone, Debug, Default)]
pub struct ObjectSet(pub Vec<Value>);

/// Whether an object is of a kind and namespace. The version does not count, as an API server serves objects in all.
fn is_of(object: &Value, api_version: &str, kind: &str, namespace: Option<&str>) -> bool {
    let text = |key| object.get(key).and_then(Value::as_str).unwrap_or_default();
    let is_there = |namespace| namespace_of(object).unwrap_or(DEFAULT_NAMESPACE) == namespace;
    group_of(text("apiVersion")) == group_of(api_version) && text("kind") == kind && namespace.is_none_or(is_there)
}

impl LookupSource for ObjectSet {
    fn get(&self, query: &Get) -> Result<Option<Cow<'_, Value>>, String> {
        let Get { api_version, kind, name, namespace, .. } = query;
        let is_called = |object: &Value| object.pointer("/metadata/name").and_then(Value::as_str) == Some(name);
        let found =
            self.0.iter().find(|object| is_called(object) && is_of(object, api_version, kind, namespace.as_deref()));
        Ok(found.map(Cow::Borrowed))
    }

    fn list(&self, query: &List) -> Result<ObjectIter<'_>, String> {
        let List { api_version, kind, namespace, label_selector, field_selector, .. } = query.clone();
        if label_selector.is_some() || field_selector.is_some() {
            return Err("selectors are not supported".to_owned());
        }
        let found = self.0.iter().filter(move |object| is_of(object, &api_version, &kind, namespace.as_deref()));
        Ok(Box::new(found.map(|object| Ok(Cow::Borrowed(object)))))
    }
}
