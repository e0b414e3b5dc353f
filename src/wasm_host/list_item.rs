//! Objects as the policy server lists them: without large metadata, and with the requested fields.

use serde_json::Value;
use sqledge_ha_policy::json::field_mask::FieldMask;
use sqledge_ha_policy::view::pruning::remove_large_metadata;

/// Prunes an object as the policy server prunes list items: without `apiVersion` and `kind`, which the list has; with
/// `metadata`, except for `managedFields` and the last applied configuration; and with the requested fields.
pub(crate) fn prune_item(mask: &FieldMask, object: &mut Value) {
    let Some(members) = object.as_object_mut() else { return };
    members.retain(|name, value| match name.as_str() {
        "apiVersion" | "kind" => false,
        "metadata" => {
            remove_large_metadata(value);
            true
        }
        _ => mask.keeps(name, value),
    });
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

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
            prune_item(&FieldMask::new(paths.iter().copied()), &mut object);
            object
        };
        assert_eq!(item(&["spec.type"]), json!({"metadata": metadata, "spec": {"type": "ClusterIP"}}));
        assert_eq!(item(&[]), json!({"metadata": metadata, "spec": object["spec"], "status": {}}));
    }
}
