//! The objects that a module can ask for: where look-ups are answered from.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;
use sqledge_ha_policy::subject::{DEFAULT_NAMESPACE, namespace_of};

/// A look-up of one object, as the module sends it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Get {
    /// The group and version, e.g. `apps/v1`.
    pub api_version: String,
    /// The kind, e.g. `Deployment`.
    pub kind: String,
    /// The object's name.
    pub name: String,
    /// The object's namespace.
    pub namespace: Option<String>,
    /// Whether an answer that is a few seconds old will not do.
    #[serde(default)]
    pub disable_cache: bool,
    /// The fields that are wanted, as dotted paths; all, if empty. The host prunes; a world need not look.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub field_masks: Vec<String>,
}

/// A look-up of all objects of a kind in a namespace, as the module sends it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct List {
    /// The group and version, e.g. `apps/v1`.
    pub api_version: String,
    /// The kind of the objects, e.g. `Deployment`.
    pub kind: String,
    /// Their namespace.
    pub namespace: String,
    /// A label selector, in the API server's notation.
    pub label_selector: Option<String>,
    /// A field selector, in the API server's notation.
    pub field_selector: Option<String>,
    /// The fields that are wanted, as dotted paths; all, if empty. The host prunes; a world need not look.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub field_masks: Vec<String>,
}

fn null_is_empty<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Objects, one after the other, so that nobody holds all of them at once. An item is an error if it cannot be read.
pub type Objects<'w> = Box<dyn Iterator<Item = Result<Cow<'w, Value>, String>> + 'w>;

/// What exists beside the object under review. A set of objects ([`ObjectSet`]) is one, nothing at all ([`NoWorld`])
/// another; a server's watches can be a third.
///
/// Access was checked before: only kinds in the module's `contextAwareResources` are asked for.
pub trait World: Send + Sync {
    /// One object, whole; `None` if it certainly does not exist.
    ///
    /// # Errors
    /// Why nobody can tell. The module reads only a few words out of it (`is forbidden`, `404`) and passes none on.
    fn get(&self, query: &Get) -> Result<Option<Cow<'_, Value>>, String>;

    /// The objects of a kind in a namespace, whole, in any order. A world that knows what the module looks for may
    /// leave out what it would pass over.
    ///
    /// # Errors
    /// Why nobody can tell, as for [`World::get`].
    fn list(&self, query: &List) -> Result<Objects<'_>, String>;
}

/// A world in which nothing can be looked up.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoWorld;

impl World for NoWorld {
    fn get(&self, _: &Get) -> Result<Option<Cow<'_, Value>>, String> {
        Err("there is no cluster to ask".to_owned())
    }

    fn list(&self, _: &List) -> Result<Objects<'_>, String> {
        Err("there is no cluster to ask".to_owned())
    }
}

/// A set of objects, outside of which nothing exists. An object without a namespace is in `default`.
#[derive(Clone, Debug, Default)]
pub struct ObjectSet(pub Vec<Value>);

fn is_of(object: &Value, api_version: &str, kind: &str, namespace: &str) -> bool {
    let is = |key, expected| object.get(key).and_then(Value::as_str) == Some(expected);
    is("apiVersion", api_version) && is("kind", kind) && namespace_of(object).unwrap_or(DEFAULT_NAMESPACE) == namespace
}

impl World for ObjectSet {
    fn get(&self, query: &Get) -> Result<Option<Cow<'_, Value>>, String> {
        let Get { api_version, kind, name, namespace, .. } = query;
        let namespace = namespace.as_deref().unwrap_or(DEFAULT_NAMESPACE);
        let is_called = |object: &Value| object.pointer("/metadata/name").and_then(Value::as_str) == Some(name);
        let found = self.0.iter().find(|object| is_called(object) && is_of(object, api_version, kind, namespace));
        Ok(found.map(Cow::Borrowed))
    }

    fn list(&self, query: &List) -> Result<Objects<'_>, String> {
        let List { api_version, kind, namespace, label_selector, field_selector, .. } = query.clone();
        if label_selector.is_some() || field_selector.is_some() {
            return Err("a set of objects cannot be searched by selectors".to_owned());
        }
        let found = self.0.iter().filter(move |object| is_of(object, &api_version, &kind, &namespace));
        Ok(Box::new(found.map(|object| Ok(Cow::Borrowed(object)))))
    }
}
