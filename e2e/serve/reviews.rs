//! The answers to reviews.

use std::sync::{Arc, Mutex, Weak};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::process::Server;

/// A review of a Deployment that lacks only fields that a mutation can add.
pub(crate) fn incomplete_review() -> Value {
    serde_json::from_str(include_str!("../examples/deployment-review.json")).unwrap()
}

/// The review with one value in the request replaced.
pub(crate) fn with(pointer: &str, value: Value) -> String {
    let mut review = incomplete_review();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    review["request"].pointer_mut(parent).unwrap()[key] = value;
    review.to_string()
}

/// One webhook for all tests, which stops after the last of them.
fn server() -> Arc<Server> {
    static SERVER: Mutex<Weak<Server>> = Mutex::new(Weak::new());
    let mut server = SERVER.lock().unwrap();
    server.upgrade().unwrap_or_else(|| {
        let started = Arc::new(Server::start(&["--log-level=debug"]));
        *server = Arc::downgrade(&started);
        started
    })
}

fn answer(path: &str, review: &str) -> Value {
    server().connect().post(path, review).unwrap().response()
}

fn patch(response: &Value) -> Value {
    assert_eq!(response["patchType"], "JSONPatch");
    serde_json::from_slice(&BASE64_STANDARD.decode(response["patch"].as_str().unwrap()).unwrap()).unwrap()
}

#[test]
fn a_deployment_is_mutated_by_a_minimal_patch() {
    let response = answer("/mutate", &incomplete_review().to_string());
    assert_eq!((&response["allowed"], &response["uid"]), (&json!(true), &incomplete_review()["request"]["uid"]));
    assert_eq!(
        patch(&response),
        json!([
            {"op": "replace", "path": "/spec/strategy/type", "value": "Recreate"},
            {"op": "remove", "path": "/spec/strategy/rollingUpdate"},
            {"op": "add", "path": "/spec/template/spec/nodeSelector", "value": {"kubernetes.io/arch": "amd64"}},
            {"op": "add", "path": "/spec/template/spec/securityContext/fsGroup", "value": 10001},
            {"op": "add", "path": "/spec/template/spec/securityContext/fsGroupChangePolicy", "value": "OnRootMismatch"},
        ])
    );
    let mutated = &response["auditAnnotations"]["mutated"];
    assert_eq!(mutated, "recreate-strategy,amd64-node-selector,volume-ownership");
}

#[test]
fn a_mutated_object_is_allowed_by_both_stages_and_not_patched_again() {
    let mut review = incomplete_review();
    let operations: json_patch::Patch = serde_json::from_value(patch(&answer("/mutate", &review.to_string()))).unwrap();
    json_patch::patch(&mut review["request"]["object"], &operations).unwrap();
    for path in ["/mutate", "/validate"] {
        let response = answer(path, &review.to_string());
        assert_eq!((&response["allowed"], &response["patch"]), (&json!(true), &Value::Null), "{path}: {response}");
    }
}

#[test]
fn the_validating_stage_rejects_instead_of_mutating() {
    let response = answer("/validate", &incomplete_review().to_string());
    assert_eq!((&response["allowed"], &response["patch"]), (&json!(false), &Value::Null));
    assert_eq!(response["status"]["code"], 403);
    assert!(
        response["status"]["message"].as_str().unwrap().contains("recreate-strategy: an update can start a second")
    );
}

#[test]
fn a_contradiction_is_rejected_by_both_stages_and_logged_without_contents() {
    let server = server();
    let review = with("/object/spec/replicas", json!(3)).replace("orchard-press", "orchard-rejected");
    for path in ["/mutate", "/validate"] {
        let response = answer(path, &review);
        assert_eq!(response["allowed"], false, "{path}");
        assert!(response["status"]["message"].as_str().unwrap().contains("single-replica"), "{path}: {response}");
    }
    let line = server.wait_for_line(|line| line["name"] == "orchard-rejected" && line["path"] == "/validate");
    assert_eq!((&line["level"], &line["message"]), (&json!("INFO"), &json!("rejected")));
    assert_eq!((&line["kind"], &line["operation"]), (&json!("Deployment"), &json!("CREATE")));
    assert!(line["rules"].as_str().unwrap().contains("rejected: single-replica"), "{line}");
    assert!(line["microseconds"].is_u64() && line.get("sub_resource").is_none(), "{line}");
    let log = format!("{:?}", server.log());
    assert!(!log.contains("azure-sql-edge") && !log.contains("/var/opt/mssql"), "{log}");
}

#[test]
fn answers_have_warnings_and_audit_annotations() {
    let response = answer("/mutate", &with("/object/spec/replicas", json!(0)));
    assert_eq!(response["allowed"], true);
    let warnings = response["warnings"].as_array().unwrap();
    assert!(warnings.iter().any(|line| line.as_str().unwrap().starts_with("single-replica:")), "{response}");
    assert!(response["auditAnnotations"]["warned"].as_str().unwrap().contains("single-replica"), "{response}");
    assert!(response["auditAnnotations"]["unchecked"].as_str().unwrap().contains("services"), "{response}");
}

#[test]
fn only_create_and_update_are_checked() {
    let object = incomplete_review()["request"]["object"].clone();
    let update = |old: Value| {
        let mut review = incomplete_review();
        review["request"]["operation"] = json!("UPDATE");
        review["request"]["oldObject"] = old;
        answer("/mutate", &review.to_string())
    };
    assert_eq!(update(object.clone())["patch"], Value::Null);
    let mut old = object.clone();
    old["spec"]["template"]["spec"]["containers"][0]["image"] = json!("azure-sql-edge:1.0.6");
    assert!(patch(&update(old)).as_array().unwrap().len() >= 4);
    let mut review = incomplete_review();
    for operation in ["DELETE", "CONNECT"] {
        review["request"]["operation"] = json!(operation);
        review["request"]["object"] = Value::Null;
        review["request"]["oldObject"] = object.clone();
        for path in ["/mutate", "/validate"] {
            let expected = json!({"uid": review["request"]["uid"], "allowed": true});
            assert_eq!(answer(path, &review.to_string()), expected, "{operation} {path}");
        }
    }
}

#[test]
fn a_dry_run_has_the_same_answer() {
    assert_eq!(answer("/mutate", &with("/dryRun", json!(true))), answer("/mutate", &incomplete_review().to_string()));
}

#[test]
fn a_scale_request_is_allowed_with_a_warning_if_its_parent_cannot_be_read() {
    let scale = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
        "uid": "7", "operation": "UPDATE", "name": "sql", "namespace": "db", "subResource": "scale",
        "kind": {"group": "autoscaling", "version": "v1", "kind": "Scale"},
        "resource": {"group": "apps", "version": "v1", "resource": "deployments"},
        "object": {"apiVersion": "autoscaling/v1", "kind": "Scale", "spec": {"replicas": 2}}}});
    let response = answer("/validate", &scale.to_string());
    assert_eq!(response["allowed"], true);
    assert!(response["warnings"][0].as_str().unwrap().starts_with("single-replica was not checked"), "{response}");
}

#[test]
fn other_kinds_are_allowed_without_warnings() {
    let config = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "sql"}});
    let review = with("/object", config).replace("\"Deployment\"", "\"ConfigMap\"");
    let expected = json!({"uid": incomplete_review()["request"]["uid"], "allowed": true});
    assert_eq!(answer("/mutate", &review), expected);
}

#[test]
fn decisions_are_logged_at_level_debug() {
    for (level, expected) in [("debug", 1), ("info", 0)] {
        let mut server = Server::start(&[&format!("--log-level={level}")]);
        server.connect().post("/mutate", &incomplete_review().to_string()).unwrap();
        server.terminate();
        server.wait();
        server.wait_for_line(|line| line["message"] == "stopped");
        let uid = &incomplete_review()["request"]["uid"];
        let lines: Vec<_> =
            server.log().into_iter().filter(|line| line.to_string().contains(uid.as_str().unwrap())).collect();
        assert_eq!(lines.len(), expected, "{lines:?}");
        assert!(lines.iter().all(|line| (&line["level"], &line["message"]) == (&json!("DEBUG"), &json!("mutated"))));
    }
}

#[test]
fn metrics_count_decisions() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    client.post("/mutate", &incomplete_review().to_string()).unwrap();
    client.post("/mutate", &with("/object/spec/replicas", json!(3))).unwrap();
    client
        .post("/validate", &incomplete_review().to_string().replace("azure-sql-edge", "web").replace("mssql", "web"))
        .unwrap();
    client.post("/mutate", "{}").unwrap();
    let labels = |path, decision| {
        format!(
            "sqledge_ha_requests_total{{path=\"{path}\",operation=\"CREATE\",group=\"apps\",decision=\"{decision}\"}}"
        )
    };
    assert_eq!(server.metric(&labels("/mutate", "mutated")), 1.0);
    assert_eq!(server.metric(&labels("/mutate", "rejected")), 1.0);
    assert_eq!(server.metric("sqledge_ha_http_errors_total{reason=\"400\"}"), 1.0);
    assert_eq!(server.metric("sqledge_ha_rule_hits_total{rule=\"single-replica\",action=\"rejected\"}"), 1.0);
    assert_eq!(server.metric("sqledge_ha_rule_hits_total{rule=\"recreate-strategy\",action=\"mutated\"}"), 1.0);
    assert_eq!(server.metric("sqledge_ha_module_failures_total{reason=\"trap\"}"), 0.0);
    assert_eq!(server.metric("sqledge_ha_connections"), 1.0);
    let (_, text) = server.probe("/metrics");
    assert!(text.contains("sqledge_ha_request_duration_seconds_bucket{le=\"0.0005\""), "{text}");
    assert!(text.contains("sqledge_ha_certificate_expiry_timestamp_seconds"), "{text}");
    assert!(text.ends_with("# EOF\n"));
}

#[test]
fn warn_mode_counts_and_logs_what_would_have_happened() {
    let folder = tempfile::tempdir().unwrap();
    let settings = folder.path().join("settings.yaml");
    std::fs::write(&settings, "mode: warn\n").unwrap();
    let server = Server::start(&[&format!("--settings={}", settings.display())]);
    let answer = |path: &str| {
        let response = server.connect().post(path, &with("/object/spec/replicas", json!(3))).unwrap().response();
        assert_eq!((&response["allowed"], &response["patch"]), (&json!(true), &Value::Null), "{response}");
        assert_eq!(response["auditAnnotations"]["would-reject"], "single-replica");
    };
    answer("/mutate");
    let hits = |rule, action| format!("sqledge_ha_rule_hits_total{{rule=\"{rule}\",action=\"{action}\"}}");
    assert_eq!(server.metric(&hits("single-replica", "would_reject")), 1.0);
    assert_eq!(server.metric(&hits("recreate-strategy", "would_mutate")), 1.0);
    let line = server.wait_for_line(|line| line["message"] == "warned");
    let rules = line["rules"].as_str().unwrap();
    assert!(line["level"] == "INFO" && rules.contains("would_reject: single-replica; warned: "), "{line}");
    // A mutation that the mode prevents is logged like a mutation, at level debug.
    server.connect().post("/mutate", &incomplete_review().to_string()).unwrap();
    assert_eq!(server.log().iter().filter(|line| line["message"] == "warned").count(), 1);
    answer("/validate");
}

#[test]
fn the_warning_stage_has_no_effect_also_if_the_settings_choose_one() {
    let folder = tempfile::tempdir().unwrap();
    let settings = folder.path().join("settings.yaml");
    std::fs::write(&settings, "rules: {single-replica: reject, recreate-strategy: mutate}\n").unwrap();
    let server = Server::start(&[&format!("--settings={}", settings.display())]);
    let ask = |review: &str| server.connect().post("/warn", review).unwrap().response();
    let rejected = ask(&with("/object/spec/replicas", json!(3)));
    assert_eq!((&rejected["allowed"], &rejected["status"]), (&json!(true), &Value::Null), "{rejected}");
    assert_eq!(rejected["auditAnnotations"]["would-reject"], "single-replica");
    let warnings = rejected["warnings"].as_array().unwrap();
    assert!(warnings.iter().any(|line| line.as_str().unwrap().starts_with("single-replica: ")), "{rejected}");
    assert!(warnings.iter().all(|line| line.as_str().unwrap().chars().count() <= 120), "{rejected}");
    let mutated = ask(&incomplete_review().to_string());
    assert_eq!((&mutated["allowed"], &mutated["patch"]), (&json!(true), &Value::Null), "{mutated}");
    let would_mutate = mutated["auditAnnotations"]["would-mutate"].as_str().unwrap();
    assert_eq!(would_mutate, "amd64-node-selector,volume-ownership,recreate-strategy");
    let hits = |action| format!("sqledge_ha_rule_hits_total{{rule=\"recreate-strategy\",action=\"{action}\"}}");
    assert_eq!((server.metric(&hits("would_mutate")), server.metric(&hits("mutated"))), (1.0, 0.0));
}

#[test]
fn probes_have_their_own_port() {
    let server = server();
    assert_eq!(server.probe("/livez"), (200, "ok\n".to_owned()));
    assert_eq!(server.probe("/readyz"), (200, "ok\n".to_owned()));
    assert_eq!(server.probe("/mutate").0, 404);
}
