//! Other objects: what is proof of their absence, what becomes of what belongs to them, and who may not look.

use serde_json::json;
use sqledge_ha_policy::cluster::NoCluster;
use sqledge_ha_policy::objects::Objects;
use sqledge_ha_policy::review::validate;
use sqledge_ha_policy::verdict::Verdict;

use super::world::{deployment, right_world, service};
use super::{REPLICAS, SELECTOR, annotation, create, decide, request, with};

#[test]
fn children_of_judged_owners_are_accepted_without_a_word() {
    let owner = json!([{"apiVersion": "apps/v1", "kind": "Deployment", "name": "sql", "uid": "1", "controller": true}]);
    let child = with(
        &deployment(),
        &[("/kind", json!("ReplicaSet")), (REPLICAS, json!(3)), ("/metadata/ownerReferences", owner)],
    );
    assert_eq!(create(&child), Verdict::accept());
    let stray = with(&child, &[("/metadata/ownerReferences/0/controller", json!(false))]);
    assert!(!create(&stray).accepted);
}

#[test]
fn absence_is_proof_only_in_a_closed_world() {
    let one_by_one = decide(&request(&deployment(), None), json!({}), &Objects::default());
    assert!(one_by_one.accepted);
    assert_eq!(annotation(&one_by_one, "warned"), "load-balancer-service");
    // The audit scanner creates what exists.
    let live = with(&deployment(), &[("/metadata/resourceVersion", json!("5"))]);
    let audited = decide(&request(&live, None), json!({}), &Objects::default());
    assert_eq!(annotation(&audited, "refused"), "load-balancer-service");
    let unmended = with(&live, &[(SELECTOR, json!(null))]);
    let others = right_world();
    let audited = decide(&request(&unmended, None), json!({}), &Objects::open(&others));
    assert!(!audited.accepted && audited.mutated_object.is_none(), "a scanner patches nothing: {audited:?}");
}

#[test]
fn without_permission_rules_stay_silent_and_say_so_in_the_audit_log() {
    for object in [deployment(), service()] {
        let object =
            if object["kind"] == "Service" { with(&object, &[("/spec/type", json!("ClusterIP"))]) } else { object };
        let payload = json!({"request": request(&object, None)}).to_string();
        let verdict = validate(payload.as_bytes(), &NoCluster);
        assert!(verdict.accepted && verdict.warnings.is_empty() && verdict.mutated_object.is_none(), "{verdict:?}");
        assert!(annotation(&verdict, "unchecked").contains("there is no cluster to ask"));
    }
}

#[test]
fn a_service_that_nobody_judges_does_not_hide_the_lack() {
    let owner = json!([{"apiVersion": "apps/v1", "kind": "Deployment", "name": "sql", "controller": true}]);
    let owned = with(&service(), &[("/spec/type", json!("NodePort")), ("/metadata/ownerReferences", owner)]);
    let database = deployment();
    let verdict = decide(&request(&database, None), json!({}), &Objects::closed([&database, &owned]));
    assert_eq!(annotation(&verdict, "refused"), "load-balancer-service");
}

#[test]
fn the_last_load_balancer_is_not_taken_away() {
    let (balancer, database) = (service(), deployment());
    let plain = with(&balancer, &[("/spec/type", json!("ClusterIP"))]);
    let world = Objects::open([&balancer, &database]);
    let taken = decide(&request(&plain, Some(&balancer)), json!({}), &world);
    assert_eq!(annotation(&taken, "refused"), "load-balancer-service");
    let other = with(&balancer, &[("/metadata/name", json!("second"))]);
    let world = Objects::open([&balancer, &database, &other]);
    assert_eq!(decide(&request(&plain, Some(&balancer)), json!({}), &world), Verdict::accept());
}
