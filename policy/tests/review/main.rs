//! When objects are checked, and what findings lead to: one test for each principle.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected should fail on the spot"
)]

mod changes;
mod neighbours;
mod scaling;
mod words;
#[allow(dead_code, reason = "each test binary uses its own part of the world")]
#[path = "../world/mod.rs"]
mod world;

use serde_json::{Value, json};
use sqledge_ha_policy::admission::review::validate;
use sqledge_ha_policy::admission::verdict::Verdict;
use sqledge_ha_policy::json::edit::{Edit, apply};
use sqledge_ha_policy::view::Scope;
use sqledge_ha_policy::view::index::ObjectIndex;

use world::{claim, deployment, right_world, service, stateful_set};

/// A request about `object`; `old` makes it an UPDATE.
fn request(object: &Value, old: Option<&Value>) -> Value {
    let (group, version) = match object["apiVersion"].as_str().unwrap().split_once('/') {
        Some((group, version)) => (group, version),
        None => ("", object["apiVersion"].as_str().unwrap()),
    };
    json!({
        "uid": "1", "operation": if old.is_some() { "UPDATE" } else { "CREATE" }, "namespace": "default",
        "kind": {"group": group, "version": version, "kind": object["kind"]},
        "name": object["metadata"]["name"], "object": object, "oldObject": old,
    })
}

fn decide(request: &Value, settings: Value, world: &ObjectIndex<'_>) -> Verdict {
    validate(json!({"request": request, "settings": settings}).to_string().as_bytes(), world)
}

fn create(object: &Value) -> Verdict {
    let others = right_world();
    decide(&request(object, None), json!({}), &ObjectIndex::new(Scope::Request, &others))
}

fn update(old: &Value, new: &Value) -> Verdict {
    let others = right_world();
    decide(&request(new, Some(old)), json!({}), &ObjectIndex::new(Scope::Request, &others))
}

fn with(object: &Value, changes: &[(&str, Value)]) -> Value {
    let mut object = object.clone();
    for (pointer, value) in changes {
        let edit = Edit::Set { pointer: (*pointer).to_owned(), value: value.clone() };
        apply(&mut object, &[edit]).expect("the change fits the object");
    }
    object
}

const SELECTOR: &str = "/spec/template/spec/nodeSelector";

const REPLICAS: &str = "/spec/replicas";

fn annotation<'v>(verdict: &'v Verdict, key: &str) -> &'v str {
    verdict.audit_annotations.iter().find(|(known, _)| *known == key).map_or("", |(_, value)| value)
}

#[test]
fn a_correct_object_is_allowed_without_a_warning() {
    for object in [deployment(), stateful_set(), service()] {
        assert_eq!(create(&object), Verdict::allow(), "{object}");
    }
}

#[test]
fn omissions_are_mutated_contradictions_rejected_and_advice_is_a_warning() {
    let omission = create(&with(&deployment(), &[(SELECTOR, json!(null))]));
    assert!(omission.allowed);
    assert_eq!(
        omission.mutated_object.as_ref().unwrap().pointer(SELECTOR),
        Some(&json!({"kubernetes.io/arch": "amd64"}))
    );
    assert_eq!(annotation(&omission, "mutated"), "amd64-node-selector");
    let contradiction = create(&with(&deployment(), &[(SELECTOR, json!({"kubernetes.io/arch": "arm64"}))]));
    assert_eq!((contradiction.allowed, contradiction.code), (false, Some(403)));
    assert!(contradiction.mutated_object.is_none());
    assert_eq!(annotation(&contradiction, "rejected"), "amd64-node-selector");
    let advice = create(&with(&deployment(), &[(REPLICAS, json!(0))]));
    assert!(advice.allowed && advice.mutated_object.is_none());
    assert!(advice.warnings[0].starts_with("single-replica: "), "{advice:?}");
}

#[test]
fn a_mutation_is_announced_unless_the_settings_say_otherwise() {
    let object = with(&deployment(), &[(SELECTOR, json!(null))]);
    let others = right_world();
    let ask = |settings: Value| {
        decide(&request(&object, None), settings, &ObjectIndex::new(Scope::Request, &others)).warnings
    };
    assert_eq!(
        ask(json!({})),
        ["amd64-node-selector: set spec.template.spec.nodeSelector[\"kubernetes.io/arch\"] to amd64"]
    );
    assert_eq!(ask(json!({"announce": false})), [""; 0]);
    let strategy = create(&with(&deployment(), &[("/spec/strategy", json!(null))]));
    let line = "recreate-strategy: set spec.strategy.type to Recreate; put it in the manifest (sqledge-ha fix)";
    assert_eq!(strategy.warnings, [line]);
}

#[test]
fn warn_mode_has_no_effect_unless_a_rule_says_otherwise() {
    let object = with(&deployment(), &[(SELECTOR, json!(null)), (REPLICAS, json!(3))]);
    let others = right_world();
    let ask = |settings: Value| decide(&request(&object, None), settings, &ObjectIndex::new(Scope::Request, &others));
    let warned = ask(json!({"mode": "warn"}));
    assert!(warned.allowed && warned.mutated_object.is_none(), "{warned:?}");
    assert_eq!(annotation(&warned, "warned"), "single-replica,amd64-node-selector");
    assert_eq!(annotation(&warned, "would-reject"), "single-replica");
    assert_eq!(annotation(&warned, "would-mutate"), "amd64-node-selector");
    let one_enforced = ask(json!({"mode": "warn", "rules": {"single-replica": "reject"}}));
    assert_eq!(annotation(&one_enforced, "rejected"), "single-replica");
    assert_eq!(annotation(&one_enforced, "would-reject"), "");
    assert_eq!(annotation(&one_enforced, "would-mutate"), "amd64-node-selector");
}

#[test]
fn warn_mode_counts_only_what_would_have_an_effect() {
    let old = with(&deployment(), &[(REPLICAS, json!(3))]);
    let new = with(&old, &[("/spec/minReadySeconds", json!(5))]);
    let others = right_world();
    let ask = |old| decide(&request(&new, old), json!({"mode": "warn"}), &ObjectIndex::new(Scope::Request, &others));
    assert_eq!(annotation(&ask(None), "would-reject"), "single-replica");
    // The finding stood before, so that it is a warning in every mode.
    let updated = ask(Some(&old));
    assert_eq!((annotation(&updated, "warned"), annotation(&updated, "would-reject")), ("single-replica", ""));
    let advice = with(&deployment(), &[(REPLICAS, json!(0))]);
    let verdict = decide(&request(&advice, None), json!({"mode": "warn"}), &ObjectIndex::new(Scope::Request, &others));
    assert_eq!((annotation(&verdict, "warned"), annotation(&verdict, "would-reject")), ("single-replica", ""));
}

#[test]
fn settings_override_the_action_of_each_rule() {
    let object = with(&deployment(), &[(SELECTOR, json!(null))]);
    let others = right_world();
    let with_action = |action: &str| {
        let settings = json!({"rules": {"amd64-node-selector": action}});
        decide(&request(&object, None), settings, &ObjectIndex::new(Scope::Request, &others))
    };
    assert!(with_action("mutate").mutated_object.is_some());
    assert!(!with_action("reject").allowed);
    assert_eq!(annotation(&with_action("warn"), "warned"), "amd64-node-selector");
    assert_eq!(with_action("off"), Verdict::allow());
}

#[test]
fn validate_mode_rejects_an_object_that_needs_a_mutation() {
    let object = with(&deployment(), &[(SELECTOR, json!(null))]);
    let others = right_world();
    let verdict =
        decide(&request(&object, None), json!({"mode": "validate"}), &ObjectIndex::new(Scope::Request, &others));
    assert!(!verdict.allowed && verdict.mutated_object.is_none());
}

#[test]
fn every_kind_that_runs_pods_is_checked_and_no_other() {
    let template =
        with(&deployment()["spec"]["template"], &[("/spec/nodeSelector", json!({"kubernetes.io/arch": "arm64"}))]);
    let plain = json!({"template": template});
    let cases = [
        ("apps/v1", "Deployment", plain.clone(), false),
        ("apps/v1beta1", "Deployment", plain.clone(), false),
        ("extensions/v1beta1", "Deployment", plain.clone(), false),
        ("apps/v1", "StatefulSet", plain.clone(), false),
        ("apps/v1", "DaemonSet", plain.clone(), false),
        ("apps/v1", "ReplicaSet", plain.clone(), false),
        ("v1", "ReplicationController", plain.clone(), false),
        ("v1", "Pod", template["spec"].clone(), false),
        ("batch/v1", "Job", plain.clone(), false),
        ("batch/v1", "CronJob", json!({"jobTemplate": {"spec": plain}}), false),
        ("argoproj.io/v1alpha1", "Rollout", plain.clone(), false),
        ("apps.openshift.io/v1", "DeploymentConfig", plain.clone(), false),
        ("serving.knative.dev/v1", "Service", plain.clone(), false),
        ("example.com/v1", "Deployment", plain.clone(), true),
        ("v1", "ConfigMap", plain, true),
    ];
    for (api_version, kind, spec, accepted) in cases {
        let object = json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": "x"}, "spec": spec});
        assert_eq!(create(&object).allowed, accepted, "{api_version} {kind}");
    }
    let alone = json!({"apiVersion": "v1", "kind": "PodTemplate", "metadata": {"name": "x"}, "template": template});
    assert!(!create(&alone).allowed);
}

#[test]
fn an_annotation_exempts_only_where_the_settings_allow_it() {
    let annotated = with(
        &deployment(),
        &[(REPLICAS, json!(3)), ("/metadata/annotations/sqledge-ha~1ignore", json!("single-replica, graceful-stop"))],
    );
    let others = right_world();
    let decide_with =
        |settings: Value| decide(&request(&annotated, None), settings, &ObjectIndex::new(Scope::Request, &others));
    assert!(!decide_with(json!({})).allowed);
    assert_eq!(decide_with(json!({"exemptions": true})), Verdict::allow());
}

#[test]
fn an_exemption_covers_a_relation_from_both_sides() {
    let ignore =
        |object: &Value, rules: &str| with(object, &[("/metadata/annotations/sqledge-ha~1ignore", json!(rules))]);
    let decide_beside = |object: &Value, other: Value, settings: Value| {
        decide(&request(object, None), settings, &ObjectIndex::new(Scope::Request, &[claim(), other]))
    };
    let cluster_ip = with(&service(), &[("/spec/type", json!("ClusterIP"))]);
    let wrong_port = with(&service(), &[("/spec/ports/0/targetPort", json!(5))]);
    for (rule, wrong) in [("load-balancer-service", &cluster_ip), ("reachable-service", &wrong_port)] {
        let settings = |exemptions: bool| json!({"exemptions": exemptions, "exposure": "internal"});
        for (database, service) in [(ignore(&deployment(), rule), wrong.clone()), (deployment(), ignore(wrong, rule))] {
            assert_eq!(decide_beside(&service, database.clone(), settings(true)), Verdict::allow(), "{rule}");
            assert_ne!(decide_beside(&service, database.clone(), settings(false)), Verdict::allow(), "{rule}");
            assert_eq!(decide_beside(&database, service, settings(true)), Verdict::allow(), "{rule}");
        }
    }
}

#[test]
fn an_unknown_rule_in_an_exemption_is_a_warning() {
    let annotated = |rules: &str| with(&deployment(), &[("/metadata/annotations/sqledge-ha~1ignore", json!(rules))]);
    let warnings = |rules: &str, settings: Value| {
        decide(&request(&annotated(rules), None), settings, &ObjectIndex::new(Scope::Request, &right_world())).warnings
    };
    let expected = "sqledge-ha/ignore: unknown rule `graceful-stops`; did you mean `graceful-stop`?";
    assert_eq!(warnings("graceful-stops,one-engine", json!({"exemptions": true})), [expected]);
    assert_eq!(warnings("x", json!({"exemptions": true})), ["sqledge-ha/ignore: unknown rule `x`"]);
    assert!(warnings("x", json!({})).is_empty());
}

#[test]
fn engines_and_images_come_from_the_settings() {
    let image = |image: &str| {
        with(
            &deployment(),
            &[
                (REPLICAS, json!(3)),
                ("/spec/template/spec/containers/0/image", json!(image)),
                ("/spec/template/spec/containers/0/env", json!([])),
            ],
        )
    };
    let accepted =
        |image: &Value, settings: Value| decide(&request(image, None), settings, &ObjectIndex::default()).allowed;
    let server = image("mcr.microsoft.com/mssql/server:2022-latest");
    assert!(accepted(&server, json!({})));
    assert!(!accepted(&server, json!({"engines": ["sql-server"]})));
    let own = image("registry.example.com/team/edge:3");
    assert!(accepted(&own, json!({})));
    assert!(!accepted(&own, json!({"images": [{"repository": "team/edge", "engine": "sql-edge"}]})));
}
