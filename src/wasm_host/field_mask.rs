//! Field masks: the parts of objects that a module asks for.

use std::collections::BTreeMap;

use serde_json::Value;

/// The requested fields of an object as a tree of names. A leaf stands for everything below it.
#[derive(Debug, Default)]
pub(super) struct FieldMask(BTreeMap<String, FieldMask>);

impl FieldMask {
    /// Builds the tree from dotted paths such as `spec.containers.image`.
    pub(super) fn new<'p>(paths: impl IntoIterator<Item = &'p str>) -> Self {
        let mut root = FieldMask::default();
        for path in paths {
            let mut node = &mut root;
            for name in path.split('.') {
                node = node.0.entry(name.to_owned()).or_default();
            }
        }
        root
    }

    /// Removes all fields that were not requested. A path continues in every item of an array.
    pub(super) fn prune(&self, value: &mut Value) {
        match value {
            Value::Object(members) => members.retain(|name, value| self.keeps(name, value)),
            Value::Array(items) => items.iter_mut().for_each(|item| self.prune(item)),
            _ => {}
        }
    }

    /// Prunes an object as the policy server prunes list items: without `apiVersion` and `kind`, which the list has; with
    /// `metadata`, except for `managedFields` and the last applied configuration; and with the requested fields.
    pub(super) fn prune_item(&self, object: &mut Value) {
        let Some(members) = object.as_object_mut() else { return };
        members.retain(|name, value| match name.as_str() {
            "apiVersion" | "kind" => false,
            "metadata" => {
                remove_bulk(value);
                true
            }
            _ => self.keeps(name, value),
        });
    }

    /// Whether a member was requested, in whole or in part. Prunes it.
    fn keeps(&self, name: &str, value: &mut Value) -> bool {
        if self.0.is_empty() {
            return true;
        }
        let Some(mask) = self.0.get(name) else { return false };
        mask.prune(value);
        true
    }
}

/// Removes the metadata that the policy server removes from listed objects to save memory.
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
    fn a_mask_keeps_its_paths_in_all_array_items() {
        let object = json!({"spec": {"a": 1, "items": [{"x": {"deep": 1}, "y": 2}, {"x": 3}, 4]}, "status": {}});
        let pruned = |paths: &[&str]| {
            let mut object = object.clone();
            FieldMask::new(paths.iter().copied()).prune(&mut object);
            object
        };
        assert_eq!(pruned(&["spec.items.x"]), json!({"spec": {"items": [{"x": {"deep": 1}}, {"x": 3}, 4]}}));
        assert_eq!(pruned(&[]), object);
    }

    #[test]
    fn a_list_item_has_metadata_and_no_kind() {
        let object = json!({
            "apiVersion": "v1", "kind": "Service", "status": {}, "spec": {"type": "ClusterIP", "clusterIP": "None"},
            "metadata": {"name": "sql", "managedFields": [{}],
                "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}", "team": "db"}},
        });
        let metadata = json!({"name": "sql", "annotations": {"team": "db"}});
        let item = |paths: &[&str]| {
            let mut object = object.clone();
            FieldMask::new(paths.iter().copied()).prune_item(&mut object);
            object
        };
        assert_eq!(item(&["spec.type"]), json!({"metadata": metadata, "spec": {"type": "ClusterIP"}}));
        assert_eq!(item(&[]), json!({"metadata": metadata, "spec": object["spec"], "status": {}}));
    }
}
