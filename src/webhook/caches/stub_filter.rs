//! What of an object is cached: the fields that the embedded module's rules read, or its name only.

use std::sync::Arc;

use sqledge_ha_policy::admission::prefilter::needs_full_object;
use sqledge_ha_policy::json::field_mask::FieldMask;
use sqledge_ha_policy::json::parse::parse_value;
use sqledge_ha_policy::kubernetes::group_of;
use sqledge_ha_policy::kubernetes::kind::{Kind, has_checked_owner};
use sqledge_ha_policy::settings::Settings;

use super::cached_object::CachedObject;
use crate::wasm_host::prune_item;

/// Replaces objects of a kind by stubs, and prunes the others.
pub(super) struct StubFilter {
    kind: Kind,
    mask: FieldMask,
    settings: Arc<Settings>,
}

impl StubFilter {
    /// The filter for a kind; `None` if the rules do not know the kind.
    pub(super) fn new(kind: &super::ResourceKind, settings: Arc<Settings>) -> Option<Self> {
        let kind = Kind::from_group(group_of(&kind.api_version), &kind.kind)?;
        let mask = FieldMask::new(kind.resource()?.looked_up_paths());
        Some(StubFilter { kind, mask, settings })
    }

    /// Returns the object with the fields that rules read when they look it up, or its stub if no rule can see a
    /// difference.
    pub(super) fn apply(&self, object: CachedObject) -> CachedObject {
        let stub = object.stub();
        if needs_full_object(self.kind, &object.text, has_checked_owner(self.kind, &stub), &self.settings) {
            return self.prune(object);
        }
        CachedObject { text: stub.to_string().into(), is_stub: true, ..object }
    }

    /// Prunes as the host prunes the items of a list, so that it need not for each request.
    fn prune(&self, object: CachedObject) -> CachedObject {
        let Ok(mut value) = parse_value(&object.text, "an object") else { return object };
        prune_item(&self.mask, &mut value);
        CachedObject { text: value.to_string().into(), ..object }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use sqledge_ha_policy::kubernetes::kind::WorkloadKind;
    use sqledge_ha_policy::rules::parse_settings;

    use super::*;

    fn stub_of(kind: (&str, &str), image: &str, owner: Value, settings: Value) -> Option<Value> {
        let kind = super::super::ResourceKind { api_version: kind.0.to_owned(), kind: kind.1.to_owned() };
        let settings = parse_settings(&settings).unwrap();
        let object = json!({
            "metadata": {"name": "x", "namespace": "db", "resourceVersion": "7", "labels": {"app": "x"},
                "ownerReferences": owner},
            "spec": {"template": {"spec": {"containers": [{"image": image}]}}},
        });
        let filtered =
            StubFilter::new(&kind, Arc::new(settings)).unwrap().apply(serde_json::from_value(object).unwrap());
        assert_eq!(filtered.metadata.resource_version.as_deref(), Some("7"), "the watch continues from there");
        filtered.is_stub.then(|| serde_json::from_str(&filtered.text).unwrap())
    }

    #[test]
    fn a_workload_is_a_stub_unless_it_may_run_a_database() {
        let deployment = ("apps/v1", "Deployment");
        let stub = json!({"metadata": {"name": "x", "namespace": "db"}});
        assert_eq!(stub_of(deployment, "web", Value::Null, json!({})), Some(stub));
        assert_eq!(stub_of(deployment, "azure-sql-edge", Value::Null, json!({})), None);
        // Also a product that is not selected: its image can be listed in the settings.
        assert_eq!(stub_of(deployment, "mssql/server", Value::Null, json!({})), None);
        let images = json!({"images": [{"repository": "team/web", "engine": "sql-edge"}]});
        assert_eq!(stub_of(deployment, "registry.test/team/web:1", Value::Null, images), None);
        assert_eq!(stub_of(("v1", "Service"), "web", Value::Null, json!({})), None);
    }

    #[test]
    fn the_stub_of_an_owned_replica_set_has_its_owner() {
        let owner =
            |kind: &str| json!([{"apiVersion": "apps/v1", "kind": kind, "name": "y", "uid": "1", "controller": true}]);
        let replica_set = ("apps/v1", "ReplicaSet");
        let stub = stub_of(replica_set, "azure-sql-edge", owner("Deployment"), json!({})).unwrap();
        assert_eq!(stub["metadata"]["ownerReferences"], owner("Deployment"));
        assert!(has_checked_owner(Kind::Workload(WorkloadKind::ReplicaSet), &stub));
        assert_eq!(stub_of(replica_set, "azure-sql-edge", owner("Unknown"), json!({})), None);
        assert_eq!(stub_of(replica_set, "azure-sql-edge", Value::Null, json!({})), None);
        // Deployments are listed even if they have an owner.
        assert_eq!(stub_of(("apps/v1", "Deployment"), "azure-sql-edge", owner("ReplicaSet"), json!({})), None);
    }

    #[test]
    fn a_database_is_cached_with_the_fields_that_rules_read() {
        let kind = super::super::ResourceKind { api_version: "apps/v1".to_owned(), kind: "Deployment".to_owned() };
        let metadata = json!({"name": "x", "labels": {"app": "x"}, "resourceVersion": "7"});
        let container = json!({"image": "azure-sql-edge", "name": "sql", "tty": true});
        let object = json!({"metadata": metadata, "spec": {"replicas": 1, "paused": true,
            "template": {"metadata": {"labels": {}, "annotations": {}}, "spec": {"containers": [container], "os": {}}}}});
        let filter = StubFilter::new(&kind, Arc::default()).unwrap();
        let pruned = filter.apply(serde_json::from_value(object).unwrap());
        let container = json!({"image": "azure-sql-edge", "name": "sql"});
        let expected = json!({"metadata": metadata, "spec": {"replicas": 1,
            "template": {"metadata": {"labels": {}}, "spec": {"containers": [container], "os": {}}}}});
        assert_eq!(serde_json::from_str::<Value>(&pruned.text).unwrap(), expected);
    }

    #[test]
    fn kinds_without_rules_have_no_filter() {
        let unknown =
            super::super::ResourceKind { api_version: "example.com/v1".to_owned(), kind: "Deployment".to_owned() };
        assert!(StubFilter::new(&unknown, Arc::default()).is_none());
    }
}
