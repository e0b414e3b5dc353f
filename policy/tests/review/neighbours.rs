//! Other objects: owners, missing objects, and look-ups that fail.

use serde_json::json;
use sqledge_ha_policy::admission::review::validate;
use sqledge_ha_policy::admission::verdict::Verdict;
use sqledge_ha_policy::view::Scope;
use sqledge_ha_policy::view::cluster::NoCluster;
use sqledge_ha_policy::view::index::ObjectIndex;

use super::world::{claim, deployment, right_world, service};
use super::{REPLICAS, SELECTOR, annotation, create, decide, request, with};

#[test]
fn children_of_checked_owners_are_allowed_unchecked() {
    let owner = json!([{"apiVersion": "apps/v1", "kind": "Deployment", "name": "sql", "uid": "1", "controller": true}]);
    let child = with(
        &deployment(),
        &[("/kind", json!("ReplicaSet")), (REPLICAS, json!(3)), ("/metadata/ownerReferences", owner)],
    );
    assert_eq!(create(&child), Verdict::allow());
    let stray = with(&child, &[("/metadata/ownerReferences/0/controller", json!(false))]);
    assert!(!create(&stray).allowed);
}

#[test]
fn a_missing_object_is_an_error_only_when_everything_is_in_view() {
    let claim = claim();
    let alone = decide(&request(&deployment(), None), json!({}), &ObjectIndex::new(Scope::Request, [&claim]));
    assert_eq!(alone, Verdict::allow());
    let headless = with(&service(), &[("/spec/type", json!("ClusterIP")), ("/spec/clusterIP", json!("None"))]);
    let world = ObjectIndex::new(Scope::Request, [&claim, &headless]);
    let one_by_one = decide(&request(&deployment(), None), json!({}), &world);
    assert!(one_by_one.allowed);
    assert_eq!(annotation(&one_by_one, "warned"), "load-balancer-service");
    // The audit scanner sends existing objects with CREATE.
    let live = with(&deployment(), &[("/metadata/resourceVersion", json!("5"))]);
    let audited = decide(&request(&live, None), json!({}), &ObjectIndex::default());
    assert_eq!(annotation(&audited, "rejected"), "existing-claim,load-balancer-service");
    let unmutated = with(&live, &[(SELECTOR, json!(null))]);
    let others = right_world();
    let audited = decide(&request(&unmutated, None), json!({}), &ObjectIndex::new(Scope::Request, &others));
    assert!(!audited.allowed && audited.mutated_object.is_none(), "the audit scanner mutates nothing: {audited:?}");
}

#[test]
fn a_failed_look_up_is_recorded_in_the_audit_annotations() {
    for object in [deployment(), service()] {
        let object =
            if object["kind"] == "Service" { with(&object, &[("/spec/type", json!("ClusterIP"))]) } else { object };
        let payload = json!({"request": request(&object, None)}).to_string();
        let verdict = validate(payload.as_bytes(), &NoCluster);
        assert!(verdict.allowed && verdict.warnings.is_empty() && verdict.mutated_object.is_none(), "{verdict:?}");
        assert!(annotation(&verdict, "unchecked").contains("there is no cluster"));
    }
}

#[test]
fn an_update_that_removes_the_last_load_balancer_is_rejected() {
    let (balancer, database) = (service(), deployment());
    let plain = with(&balancer, &[("/spec/type", json!("ClusterIP"))]);
    let world = ObjectIndex::new(Scope::Request, [&balancer, &database]);
    let updated = decide(&request(&plain, Some(&balancer)), json!({}), &world);
    assert_eq!(annotation(&updated, "rejected"), "load-balancer-service");
    let other = with(&balancer, &[("/metadata/name", json!("second"))]);
    let world = ObjectIndex::new(Scope::Request, [&balancer, &database, &other]);
    assert_eq!(decide(&request(&plain, Some(&balancer)), json!({}), &world), Verdict::allow());
}

#[test]
fn an_operator_is_not_fought() {
    let owned_by = |api_version: &str, kind: &str| {
        let owners = json!([{"apiVersion": api_version, "kind": kind, "name": "sql", "uid": "1", "controller": true}]);
        with(&deployment(), &[("/metadata/ownerReferences", owners), (REPLICAS, json!(3)), (SELECTOR, json!(null))])
    };
    let others = right_world();
    let ask =
        |object: &_, settings| decide(&request(object, None), settings, &ObjectIndex::new(Scope::Request, &others));
    let made = owned_by("databases.example.com/v1", "SqlInstance");
    let warned = ask(&made, json!({}));
    assert!(warned.allowed && warned.mutated_object.is_none(), "{warned:?}");
    assert_eq!(annotation(&warned, "warned"), "single-replica,amd64-node-selector");
    assert!(!ask(&made, json!({"operators": "enforce"})).allowed);
    assert!(!ask(&owned_by("apps/v1", "Deployment"), json!({})).allowed, "the Deployment of an operator");
    let audited = ask(&with(&made, &[("/metadata/resourceVersion", json!("5"))]), json!({}));
    assert!(!audited.allowed, "an audit reports it in full");
}

#[test]
fn a_mirror_pod_is_only_warned_about() {
    let owners = json!([{"apiVersion": "v1", "kind": "Node", "name": "a", "uid": "1", "controller": true}]);
    let template = deployment()["spec"]["template"].clone();
    let spec = with(&template["spec"], &[("/nodeSelector", json!({"kubernetes.io/arch": "arm64"}))]);
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "spec": spec,
        "metadata": {"name": "sql-a", "labels": {"app": "sql"}, "ownerReferences": owners}});
    for settings in [json!({}), json!({"operators": "enforce"})] {
        let verdict = decide(&request(&pod, None), settings, &ObjectIndex::default());
        assert!(verdict.allowed && !verdict.warnings.is_empty(), "{verdict:?}");
    }
}
