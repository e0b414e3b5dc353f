//! Updates: existing findings are warnings, unchanged objects and deletions are allowed.

use serde_json::{Value, json};
use sqledge_ha_policy::admission::review::validate;
use sqledge_ha_policy::admission::verdict::Verdict;
use sqledge_ha_policy::view::Scope;
use sqledge_ha_policy::view::cluster::NoCluster;
use sqledge_ha_policy::view::index::ObjectIndex;

use super::world::deployment;
use super::{REPLICAS, SELECTOR, annotation, create, decide, request, update, with};

const MOUNT: &str = "/spec/template/spec/containers/0/volumeMounts/0/name";
const ENVIRONMENT: &str = "/spec/template/spec/containers/0/env";

#[test]
fn a_pod_template_is_mutated_only_when_the_request_changes_it() {
    let old = with(&deployment(), &[(SELECTOR, json!(null)), ("/spec/strategy", json!({}))]);
    let untouched = update(&old, &with(&old, &[("/spec/minReadySeconds", json!(5))]));
    let mutated = untouched.mutated_object.expect("the strategy is outside the template");
    assert_eq!(mutated["spec"]["strategy"]["type"], "Recreate");
    assert_eq!(mutated.pointer(SELECTOR), Some(&Value::Null));
    assert!(untouched.warnings.iter().any(|line| line.starts_with("amd64-node-selector: ")));
    let rollout = update(&old, &with(&old, &[("/spec/template/metadata/annotations/restarted", json!("now"))]));
    assert_eq!(
        rollout.mutated_object.unwrap().pointer("/spec/template/spec/nodeSelector/kubernetes.io~1arch"),
        Some(&json!("amd64"))
    );
}

#[test]
fn immutable_fields_are_mutated_on_create_only() {
    let pod = |labels: Value| {
        let template = deployment()["spec"]["template"].clone();
        let spec = with(&template["spec"], &[("/nodeSelector", json!(null))]);
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "sql", "labels": labels}, "spec": spec})
    };
    let off = json!({"rules": {"steady-controller": "off", "load-balancer-service": "off"}});
    let old = pod(json!({"app": "sql"}));
    let created = decide(&request(&old, None), off.clone(), &ObjectIndex::default());
    assert!(created.mutated_object.is_some());
    let new = with(&old, &[("/spec/containers/0/image", json!("mcr.microsoft.com/azure-sql-edge:1.0.6"))]);
    let updated = decide(&request(&new, Some(&old)), off, &ObjectIndex::default());
    assert!(updated.allowed && updated.mutated_object.is_none() && !updated.warnings.is_empty(), "{updated:?}");
}

#[test]
fn an_update_is_rejected_only_for_what_it_changes() {
    let wrong = with(&deployment(), &[(REPLICAS, json!(3)), (SELECTOR, json!({"kubernetes.io/arch": "arm64"}))]);
    let label = with(&wrong, &[("/metadata/labels/team", json!("a")), ("/status/replicas", json!(3))]);
    assert_eq!(update(&wrong, &label), Verdict::allow());
    // An existing finding is a warning; a new one is rejected.
    let other = update(&wrong, &with(&wrong, &[("/spec/minReadySeconds", json!(1))]));
    assert!(other.allowed, "{other:?}");
    assert_eq!(annotation(&other, "warned"), "single-replica,amd64-node-selector");
    let worse = update(&wrong, &with(&wrong, &[("/spec/template/spec/nodeName", json!("n1"))]));
    assert!(!worse.allowed);
    assert_eq!(annotation(&worse, "rejected"), "unpinned-node");
}

#[test]
fn equal_values_in_another_notation_are_no_change() {
    let wrong = with(&deployment(), &[(REPLICAS, json!(3))]);
    let (new, old) = (wrong.to_string(), serde_json::to_string_pretty(&wrong).unwrap());
    let payload = format!(
        r#"{{"request":{{"operation":"UPDATE","kind":{{"group":"apps","version":"v1","kind":"Deployment"}},"object":{new},"oldObject":{old}}}}}"#
    );
    assert_eq!(validate(payload.as_bytes(), &NoCluster), Verdict::allow());
}

#[test]
fn deletions_are_allowed() {
    let wrong = with(&deployment(), &[(REPLICAS, json!(3))]);
    let mut delete = request(&wrong, None);
    delete["operation"] = json!("DELETE");
    (delete["oldObject"], delete["object"]) = (wrong.clone(), Value::Null);
    assert_eq!(decide(&delete, json!({}), &ObjectIndex::default()), Verdict::allow());
    let terminating = with(&wrong, &[("/metadata/deletionTimestamp", json!("2026-01-01T00:00:00Z"))]);
    assert_eq!(
        decide(&request(&terminating, Some(&deployment())), json!({}), &ObjectIndex::default()),
        Verdict::allow()
    );
    assert!(!create(&terminating).allowed, "the API server clears the time at creation");
}

#[test]
fn an_existing_finding_is_matched_by_its_problem_and_not_by_its_position() {
    let volumes = "/spec/template/spec/volumes";
    let host_path = with(&deployment(), &[(volumes, json!([{"name": "data", "hostPath": {"path": "/sql"}}]))]);
    let empty_dir = with(&host_path, &[(volumes, json!([{"name": "data", "emptyDir": {}}]))]);
    assert!(!update(&host_path, &empty_dir).allowed);
    let other_path = with(&host_path, &[(&format!("{volumes}/0/name"), json!("files")), (MOUNT, json!("files"))]);
    assert_eq!(annotation(&update(&host_path, &other_path), "warned"), "persistent-data");
    let more_directories = with(&host_path, &[(ENVIRONMENT, json!([{"name": "MSSQL_LOG_DIR", "value": "/log"}]))]);
    assert!(!update(&host_path, &more_directories).allowed, "one more directory is lost");
    let mut sidecar = host_path.clone();
    let containers = sidecar["spec"]["template"]["spec"]["containers"].as_array_mut().unwrap();
    containers.insert(0, json!({"name": "exporter", "image": "exporter"}));
    assert_eq!(annotation(&update(&host_path, &sidecar), "warned"), "persistent-data");
}

#[test]
fn another_problem_at_the_same_place_is_new() {
    let expression = format!("{}/subPathExpr", MOUNT.trim_end_matches("/name"));
    let variable = |field: &str| json!([{"name": "ACCEPT_EULA", "value": "Y"}, {"name": "OF", "valueFrom": {"fieldRef": {"fieldPath": field}}}]);
    let with = |expanded: &str, field: &str| {
        with(&deployment(), &[(&expression, json!(format!("$({expanded})"))), (ENVIRONMENT, variable(field))])
    };
    let by_pod = with("OF", "metadata.name");
    assert_eq!(annotation(&update(&by_pod, &with("OF", "metadata.uid")), "warned"), "stable-data-path");
    assert!(!update(&by_pod, &with("MISSING", "metadata.name")).allowed, "the pod would not start");
}

#[test]
fn the_number_of_an_autoscaler_may_only_fall() {
    let autoscaler = |most: i64| {
        let target = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": deployment()["metadata"]["name"]});
        json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "scale"},
            "spec": {"scaleTargetRef": target, "maxReplicas": most}})
    };
    let database = deployment();
    let update = |old: i64, new: i64| {
        let world = ObjectIndex::new(Scope::Request, [&database]);
        decide(&request(&autoscaler(new), Some(&autoscaler(old))), json!({}), &world)
    };
    let lower = update(5, 3);
    assert!(lower.allowed && annotation(&lower, "warned") == "no-autoscaling", "{lower:?}");
    assert!(!update(3, 5).allowed && !update(1, 2).allowed);
}

#[test]
fn only_an_object_with_a_resource_version_is_audited() {
    let omission =
        |version: Value| with(&deployment(), &[(SELECTOR, json!(null)), ("/metadata/resourceVersion", version)]);
    for version in [json!(""), json!(null)] {
        let created = create(&omission(version));
        assert!(created.allowed && created.mutated_object.is_some(), "{created:?}");
    }
    let audited = create(&omission(json!("7")));
    assert!(!audited.allowed && audited.mutated_object.is_none(), "{audited:?}");
}

#[test]
fn knative_gets_no_field_that_it_rejects() {
    let template = deployment()["spec"]["template"].clone();
    let service = json!({"apiVersion": "serving.knative.dev/v1", "kind": "Service", "metadata": {"name": "sql"},
        "spec": {"template": template}});
    let service = with(&service, &[(SELECTOR, json!(null)), ("/spec/template/spec/securityContext", json!(null))]);
    let decided =
        decide(&request(&service, None), json!({"rules": {"steady-controller": "warn"}}), &ObjectIndex::default());
    assert!(!decided.allowed && decided.mutated_object.is_none(), "{decided:?}");
    assert_eq!(annotation(&decided, "rejected"), "amd64-node-selector,volume-ownership");
}
