//! Field masks: how a module asks for parts of objects only.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// The fields of an object that are wanted: a tree of names. A leaf wants everything below it.
#[derive(Debug, Default)]
pub(super) struct Mask(BTreeMap<String, Mask>);

impl Mask {
    /// The tree of dotted paths, e.g. `spec.containers.image`.
    pub(super) fn new<'p>(paths: impl IntoIterator<Item = &'p str>) -> Self {
        let mut root = Mask::default();
        for path in paths {
            let mut node = &mut root;
            for name in path.split('.') {
                node = node.0.entry(name.to_owned()).or_default();
            }
        }
        root
    }

    /// A copy of what is wanted of `value`. Arrays are transparent: a path goes through every item.
    pub(super) fn copy(&self, value: &Value) -> Value {
        match value {
            _ if self.0.is_empty() => value.clone(),
            Value::Object(members) => Value::Object(self.copy_members(members.iter())),
            Value::Array(items) => items.iter().map(|item| self.copy(item)).collect(),
            _ => value.clone(),
        }
    }

    /// A copy of an object as it stands in a list of the policy server: without `apiVersion` and `kind`, which the list
    /// tells, with the whole of `metadata` but for its bulk, and of the rest what is wanted.
    pub(super) fn copy_item(&self, object: &Value) -> Value {
        let members = object.as_object().into_iter().flatten();
        let (metadata, rest): (Vec<_>, Vec<_>) = members.partition(|(name, _)| *name == "metadata");
        let rest = rest.into_iter().filter(|(name, _)| !matches!(name.as_str(), "apiVersion" | "kind"));
        let mut item = self.copy_members(rest);
        for (name, metadata) in metadata {
            let mut metadata = metadata.clone();
            remove_bulk(&mut metadata);
            item.insert(name.clone(), metadata);
        }
        Value::Object(item)
    }

    fn copy_members<'m>(&self, members: impl Iterator<Item = (&'m String, &'m Value)>) -> Map<String, Value> {
        let everything = Mask::default();
        let wanted = |name: &String| if self.0.is_empty() { Some(&everything) } else { self.0.get(name) };
        members.filter_map(|(name, value)| Some((name.clone(), wanted(name)?.copy(value)))).collect()
    }
}

/// What the policy server takes out of listed objects to save memory.
fn remove_bulk(metadata: &mut Value) {
    if let Some(metadata) = metadata.as_object_mut() {
        metadata.remove("managedFields");
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_mask_keeps_its_paths_through_arrays_and_everything_below_them() {
        let object = json!({"spec": {"a": 1, "items": [{"x": {"deep": 1}, "y": 2}, {"x": 3}, 4]}, "status": {}});
        let copy = Mask::new(["spec.items.x"]).copy(&object);
        assert_eq!(copy, json!({"spec": {"items": [{"x": {"deep": 1}}, {"x": 3}, 4]}}));
        assert_eq!(Mask::new([]).copy(&object), object);
    }

    #[test]
    fn an_item_of_a_list_keeps_its_metadata_without_bulk_and_lacks_its_kind() {
        let object = json!({
            "apiVersion": "v1", "kind": "Service", "status": {}, "spec": {"type": "ClusterIP", "clusterIP": "None"},
            "metadata": {"name": "sql", "managedFields": [{}],
                "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}", "team": "db"}},
        });
        let metadata = json!({"name": "sql", "annotations": {"team": "db"}});
        let item = Mask::new(["spec.type"]).copy_item(&object);
        assert_eq!(item, json!({"metadata": metadata, "spec": {"type": "ClusterIP"}}));
        let whole = Mask::new([]).copy_item(&object);
        assert_eq!(whole, json!({"metadata": metadata, "spec": object["spec"], "status": {}}));
    }
}
