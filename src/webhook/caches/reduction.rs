//! Which objects are kept by their name only: the embedded module's rules would see no more in them.

use std::sync::Arc;

use sqledge_ha_policy::kind::{Kind, group_of, has_judged_owner};
use sqledge_ha_policy::relevance::is_worth_reading;
use sqledge_ha_policy::settings::Settings;

use super::object::Kept;

/// What is known of those who look up objects of a kind.
pub(super) struct Reduction {
    kind: Kind,
    settings: Arc<Settings>,
}

impl Reduction {
    /// That of a kind, if the rules know it.
    pub(super) fn of(kind: &super::Kind, settings: Arc<Settings>) -> Option<Self> {
        Some(Reduction { kind: Kind::of(group_of(&kind.api_version), &kind.kind)?, settings })
    }

    /// The object as it is, or a stub, which no rule can tell from it.
    pub(super) fn apply(&self, object: Kept) -> Kept {
        let stub = object.stub();
        if is_worth_reading(self.kind, &object.text, has_judged_owner(&stub), &self.settings) {
            return object;
        }
        Kept { text: stub.to_string().into(), is_stub: true, ..object }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn reduced(kind: (&str, &str), image: &str, owner: Value, settings: Value) -> Option<Value> {
        let kind = super::super::Kind { api_version: kind.0.to_owned(), kind: kind.1.to_owned() };
        let settings = Settings::from_value(&settings).unwrap();
        let object = json!({
            "metadata": {"name": "x", "namespace": "db", "resourceVersion": "7", "labels": {"app": "x"},
                "ownerReferences": owner},
            "spec": {"template": {"spec": {"containers": [{"image": image}]}}},
        });
        let reduced = Reduction::of(&kind, Arc::new(settings)).unwrap().apply(serde_json::from_value(object).unwrap());
        assert_eq!(reduced.metadata.resource_version.as_deref(), Some("7"), "the watch goes on from there");
        reduced.is_stub.then(|| serde_json::from_str(&reduced.text).unwrap())
    }

    #[test]
    fn what_runs_no_engine_is_a_stub_and_what_may_is_whole() {
        let deployment = ("apps/v1", "Deployment");
        let stub = json!({"metadata": {"name": "x", "namespace": "db"}});
        assert_eq!(reduced(deployment, "web", Value::Null, json!({})), Some(stub));
        assert_eq!(reduced(deployment, "azure-sql-edge", Value::Null, json!({})), None);
        // An engine that is not governed is worth a look, too: settings may say otherwise of its image.
        assert_eq!(reduced(deployment, "mssql/server", Value::Null, json!({})), None);
        let images = json!({"images": [{"repository": "team/web", "engine": "sql-edge"}]});
        assert_eq!(reduced(deployment, "registry.test/team/web:1", Value::Null, images), None);
        assert_eq!(reduced(("v1", "Service"), "web", Value::Null, json!({})), None);
    }

    #[test]
    fn of_a_replica_set_that_is_owned_its_owner_is_left() {
        let owner =
            |kind: &str| json!([{"apiVersion": "apps/v1", "kind": kind, "name": "y", "uid": "1", "controller": true}]);
        let replica_set = ("apps/v1", "ReplicaSet");
        let stub = reduced(replica_set, "azure-sql-edge", owner("Deployment"), json!({})).unwrap();
        assert_eq!(stub["metadata"]["ownerReferences"], owner("Deployment"));
        assert!(has_judged_owner(&stub));
        assert_eq!(reduced(replica_set, "azure-sql-edge", owner("Unknown"), json!({})), None);
        assert_eq!(reduced(replica_set, "azure-sql-edge", Value::Null, json!({})), None);
        // Deployments are listed whoever owns them.
        assert_eq!(reduced(("apps/v1", "Deployment"), "azure-sql-edge", owner("ReplicaSet"), json!({})), None);
    }

    #[test]
    fn kinds_that_the_rules_do_not_know_are_kept_whole() {
        let unknown = super::super::Kind { api_version: "example.com/v1".to_owned(), kind: "Deployment".to_owned() };
        assert!(Reduction::of(&unknown, Arc::default()).is_none());
    }
}
