//! An object in the cache: compact JSON text, without `status` and large metadata.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use kube::Resource;
use kube::api::{ApiResource, DynamicObject, ObjectMeta};
use kube::core::DynamicResourceScope;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::{Map, Value, json};
use sqledge_ha_policy::view::pruning::remove_large_metadata;

/// An object from the API server, without `apiVersion`, `kind`, `status`, `managedFields` and the last applied
/// configuration.
#[derive(Clone)]
pub(super) struct CachedObject {
    /// Name, namespace, owners and resource version.
    pub(super) metadata: ObjectMeta,
    /// The object as JSON.
    pub(super) text: Arc<str>,
    /// Whether only name, namespace and owners are left.
    pub(super) is_stub: bool,
}

impl CachedObject {
    /// The stub of the object.
    pub(super) fn stub(&self) -> Value {
        json!({"metadata": ObjectMeta { resource_version: None, ..self.metadata.clone() }})
    }
}

impl fmt::Debug for CachedObject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("CachedObject").field(&self.metadata.name).finish()
    }
}

impl<'de> Deserialize<'de> for CachedObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(CachedObjectVisitor)
    }
}

struct CachedObjectVisitor;

impl<'de> Visitor<'de> for CachedObjectVisitor {
    type Value = CachedObject;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<CachedObject, A::Error> {
        let mut object = Map::new();
        while let Some(key) = members.next_key::<Cow<'de, str>>()? {
            if matches!(key.as_ref(), "apiVersion" | "kind" | "status") {
                members.next_value::<IgnoredAny>()?;
            } else {
                object.insert(key.into_owned(), members.next_value()?);
            }
        }
        let metadata = object.get_mut("metadata").map(take_metadata).unwrap_or_default();
        Ok(CachedObject { metadata, text: Value::Object(object).to_string().into(), is_stub: false })
    }
}

/// Prunes the metadata, and returns a copy of the names.
fn take_metadata(metadata: &mut Value) -> ObjectMeta {
    remove_large_metadata(metadata);
    let text = |key| metadata.get(key).and_then(Value::as_str).map(str::to_owned);
    ObjectMeta {
        name: text("name"),
        namespace: text("namespace"),
        resource_version: text("resourceVersion"),
        owner_references: metadata.get("ownerReferences").and_then(|owners| Vec::deserialize(owners).ok()),
        ..ObjectMeta::default()
    }
}

impl Resource for CachedObject {
    type DynamicType = ApiResource;
    type Scope = DynamicResourceScope;

    fn kind(resource: &ApiResource) -> Cow<'_, str> {
        DynamicObject::kind(resource)
    }

    fn group(resource: &ApiResource) -> Cow<'_, str> {
        DynamicObject::group(resource)
    }

    fn version(resource: &ApiResource) -> Cow<'_, str> {
        DynamicObject::version(resource)
    }

    fn plural(resource: &ApiResource) -> Cow<'_, str> {
        DynamicObject::plural(resource)
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_cached_without_status_and_large_metadata() {
        let object = json!({
            "apiVersion": "v1", "kind": "Service", "status": {"loadBalancer": {}}, "spec": {"type": "ClusterIP"},
            "metadata": {"name": "sql", "namespace": "db", "resourceVersion": "7", "managedFields": [{"manager": "x"}],
                "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}", "team": "db"}},
        });
        let kept: CachedObject = serde_json::from_value(object).unwrap();
        let expected = json!({"spec": {"type": "ClusterIP"},
            "metadata": {"name": "sql", "namespace": "db", "resourceVersion": "7", "annotations": {"team": "db"}}});
        assert_eq!(serde_json::from_str::<Value>(&kept.text).unwrap(), expected);
        assert_eq!(kept.metadata.name.as_deref(), Some("sql"));
        assert_eq!(kept.metadata.namespace.as_deref(), Some("db"));
        assert_eq!(kept.metadata.resource_version.as_deref(), Some("7"));
    }

    #[test]
    fn an_object_without_metadata_can_be_read() {
        let kept: CachedObject = serde_json::from_str(r#"{"metadata": null, "spec": {}}"#).unwrap();
        assert_eq!((kept.metadata.name, &*kept.text), (None, r#"{"metadata":null,"spec":{}}"#));
        assert!(serde_json::from_str::<CachedObject>("[]").is_err());
    }
}
