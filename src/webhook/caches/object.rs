//! An object as it is kept: compact JSON text, without what no rule reads.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use kube::Resource;
use kube::api::{ApiResource, DynamicObject, ObjectMeta};
use kube::core::DynamicResourceScope;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::{Map, Value, json};

/// One object from the API server. `apiVersion` and `kind`, which are the same for all that are kept together, are not
/// in the text; neither are the status, the managed fields and what `kubectl apply` remembers.
#[derive(Clone)]
pub(super) struct Kept {
    /// Name, namespace, owners and version of the resource.
    pub(super) metadata: ObjectMeta,
    /// The object.
    pub(super) text: Arc<str>,
    /// Whether no more of it is left than its name and its owners.
    pub(super) is_stub: bool,
}

impl Kept {
    /// What is left of it as a stub.
    pub(super) fn stub(&self) -> Value {
        json!({"metadata": ObjectMeta { resource_version: None, ..self.metadata.clone() }})
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Kept").field(&self.metadata.name).finish()
    }
}

impl<'de> Deserialize<'de> for Kept {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(KeptVisitor)
    }
}

struct KeptVisitor;

impl<'de> Visitor<'de> for KeptVisitor {
    type Value = Kept;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Kept, A::Error> {
        let mut object = Map::new();
        while let Some(key) = members.next_key::<Cow<'de, str>>()? {
            if matches!(key.as_ref(), "apiVersion" | "kind" | "status") {
                members.next_value::<IgnoredAny>()?;
            } else {
                object.insert(key.into_owned(), members.next_value()?);
            }
        }
        let metadata = object.get_mut("metadata").map(take_metadata).unwrap_or_default();
        Ok(Kept { metadata, text: Value::Object(object).to_string().into(), is_stub: false })
    }
}

/// Prunes the metadata, and copies what identifies the object.
fn take_metadata(metadata: &mut Value) -> ObjectMeta {
    if let Some(metadata) = metadata.as_object_mut() {
        metadata.remove("managedFields");
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
        }
    }
    let text = |key| metadata.get(key).and_then(Value::as_str).map(str::to_owned);
    ObjectMeta {
        name: text("name"),
        namespace: text("namespace"),
        resource_version: text("resourceVersion"),
        owner_references: metadata.get("ownerReferences").and_then(|owners| Vec::deserialize(owners).ok()),
        ..ObjectMeta::default()
    }
}

impl Resource for Kept {
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
    fn an_object_is_kept_without_its_bulk() {
        let object = json!({
            "apiVersion": "v1", "kind": "Service", "status": {"loadBalancer": {}}, "spec": {"type": "ClusterIP"},
            "metadata": {"name": "sql", "namespace": "db", "resourceVersion": "7", "managedFields": [{"manager": "x"}],
                "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}", "team": "db"}},
        });
        let kept: Kept = serde_json::from_value(object).unwrap();
        let expected = json!({"spec": {"type": "ClusterIP"},
            "metadata": {"name": "sql", "namespace": "db", "resourceVersion": "7", "annotations": {"team": "db"}}});
        assert_eq!(serde_json::from_str::<Value>(&kept.text).unwrap(), expected);
        assert_eq!(kept.metadata.name.as_deref(), Some("sql"));
        assert_eq!(kept.metadata.namespace.as_deref(), Some("db"));
        assert_eq!(kept.metadata.resource_version.as_deref(), Some("7"));
    }

    #[test]
    fn an_object_without_metadata_is_read_all_the_same() {
        let kept: Kept = serde_json::from_str(r#"{"metadata": null, "spec": {}}"#).unwrap();
        assert_eq!((kept.metadata.name, &*kept.text), (None, r#"{"metadata":null,"spec":{}}"#));
        assert!(serde_json::from_str::<Kept>("[]").is_err());
    }
}
