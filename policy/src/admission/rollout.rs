//! The review of a Rollout that runs the pods of a Deployment.

use serde_json::Value;

use super::ratchet::{Update, turn_into_warnings};
use super::request::Request;
use super::review::{Outcome, RequestCluster, only_warns, request_namespace};
use super::verdict::Verdict;
use crate::finding::Findings;
use crate::json::cursor::Cursor;
use crate::kubernetes::kind::Kind;
use crate::kubernetes::rollout::{is_of_deployment, referenced_deployment, with_pods_of};
use crate::rules::check::{CheckContext, CheckedObject};
use crate::rules::check_object;
use crate::settings::Settings;
use crate::view::cluster::{Cluster, Lookup};

/// Reviews a Rollout together with the pod template of the Deployment, which is looked up. What is wrong with the
/// template, and with its Service and claims, is reported on the Deployment.
pub(super) fn review(
    request: &Request<'_>,
    rollout: &Value,
    old: Option<&Value>,
    settings: &Settings,
    cluster: &RequestCluster<'_>,
) -> Outcome {
    let namespace = request_namespace(request, rollout);
    let findings_on = |rollout| findings_on(rollout, namespace, settings, cluster);
    let mut findings = match findings_on(rollout) {
        Lookup::Known(findings) => findings,
        Lookup::Unavailable(reason) => return Outcome::unchecked("deployments", reason, Vec::new()),
    };
    let update = old.map(|old| {
        let before = findings_on(old).known().unwrap_or_default();
        Update { kind: Kind::ROLLOUT, object: rollout, old, before }
    });
    turn_into_warnings(&mut findings, update.as_ref(), only_warns(Kind::ROLLOUT, rollout, settings, cluster));
    Outcome::from_verdict(Verdict::from_findings(&findings, None, &[], settings.announce))
}

/// The findings on a Rollout itself. A Deployment that does not exist runs no database.
fn findings_on(rollout: &Value, namespace: &str, settings: &Settings, cluster: &dyn Cluster) -> Lookup<Findings> {
    let name = referenced_deployment(&Cursor::root(rollout));
    let Some((name, resource)) = name.zip(Kind::DEPLOYMENT.resource()) else { return Lookup::Known(Findings::new()) };
    cluster.get(resource, namespace, name).map(|deployment| {
        let rollout = with_pods_of(rollout, deployment.unwrap_or(&Value::Null));
        let Some(object) = CheckedObject::read(&rollout, Kind::ROLLOUT, settings) else { return Findings::new() };
        let mut findings = check_object(&CheckContext::new(object, namespace, settings, cluster));
        findings.retain(|finding| !is_of_deployment(&finding.pointer));
        findings
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::admission::review::validate;
    use crate::testing::{IMAGE, deployment, test};
    use crate::view::Scope;
    use crate::view::cluster::NoCluster;
    use crate::view::index::ObjectIndex;

    fn rollout(strategy: Value) -> Value {
        json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": {"name": "main", "namespace": "db"},
            "spec": {"workloadRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "sql"}, "strategy": strategy}})
    }

    fn request(object: &Value, old: Option<&Value>) -> Vec<u8> {
        let operation = if old.is_some() { "UPDATE" } else { "CREATE" };
        let kind = json!({"group": "argoproj.io", "version": "v1alpha1", "kind": "Rollout"});
        let request = json!({"operation": operation, "namespace": "db", "kind": kind, "object": object,
            "oldObject": old});
        json!({"request": request}).to_string().into_bytes()
    }

    /// The verdict in a cluster with a Deployment of an image.
    fn verdict(request: &[u8], image: &str) -> Verdict {
        let deployment = deployment(&[
            ("/metadata/name", json!("sql")),
            ("/metadata/namespace", json!("db")),
            ("/spec/template/spec/containers/0/image", json!(image)),
            ("/spec/template/spec/containers/0/env", json!([])),
        ]);
        validate(request, &ObjectIndex::new(Scope::Request, [&deployment]))
    }

    #[test]
    fn it_is_checked_with_the_pods_of_its_deployment() {
        let canary = rollout(json!({"canary": {}}));
        let verdict = verdict(&request(&canary, None), IMAGE);
        assert!(!verdict.allowed && verdict.message.unwrap().contains("recreate-strategy"));
        assert_eq!(verdict.mutated_object, None);
        assert_eq!(self::verdict(&request(&canary, None), "web"), Verdict::allow());
    }

    #[test]
    fn an_update_of_one_that_was_already_there_is_warned_about() {
        let (old, new) = (rollout(json!({"canary": {}})), rollout(json!({"canary": {"steps": []}})));
        let verdict = verdict(&request(&new, Some(&old)), IMAGE);
        assert!(verdict.allowed && verdict.warnings.iter().any(|warning| warning.contains("recreate-strategy")));
    }

    #[test]
    fn without_its_deployment_it_is_allowed() {
        let canary = rollout(json!({"canary": {}}));
        let empty = ObjectIndex::new(Scope::Request, []);
        assert_eq!(validate(&request(&canary, None), &empty), Verdict::allow());
        let verdict = validate(&request(&canary, None), &NoCluster);
        assert!(verdict.allowed && verdict.warnings.is_empty());
        assert_eq!(verdict.audit_annotations, [("unchecked", "deployments: there is no cluster".to_owned())]);
    }
}
