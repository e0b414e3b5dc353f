//! Reports in a cluster, on an API server with scripted answers: what is asked for, and what happens if it fails.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use sqledge_ha::audit::report::namespaces::ReportApi;

use super::cluster::{permission, permissions};
use super::stand_in::{Answer, Received, SECRET, StandIn, deployment, deployments};
use super::{audit, parsed};
use crate::install::printed;
use crate::shared::objects;

/// An API server that has one API for reports, and in it the reports of these namespaces.
fn with_reports(api: ReportApi, namespaces: &'static [&'static str]) -> StandIn {
    StandIn::answering(move |request| answer_reports(request, api, namespaces))
}

fn answer_reports(request: &Received, api: ReportApi, namespaces: &[&str]) -> Option<Answer> {
    let path = request.path.as_str();
    let version = format!("/apis/{}", api.api_version());
    if path.starts_with("/apis/apps/v1/deployments") {
        return Some(deployments(&["sql"], ""));
    }
    if path == version {
        let resource =
            json!({"name": api.plural, "singularName": "", "namespaced": true, "kind": api.kind, "verbs": ["list"]});
        return Some(Answer::json(
            &json!({"kind": "APIResourceList", "groupVersion": api.api_version(), "resources": [resource]}),
        ));
    }
    if ReportApi::ALL.iter().any(|other| path == format!("/apis/{}", other.api_version())) {
        return Some(Answer::error(404, "not found", &json!({})));
    }
    let is_report = path.starts_with(&format!("{version}/"));
    (is_report && request.method == "GET").then(|| list_of_reports(namespaces)).or_else(|| {
        let body = if request.body.is_empty() {
            json!({"kind": "Status", "status": "Success"})
        } else {
            parsed(&request.body)
        };
        is_report.then(|| Answer::json(&body))
    })
}

fn list_of_reports(namespaces: &[&str]) -> Answer {
    let item = |namespace: &&str| {
        json!({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata",
            "metadata": {"name": "sqledge-ha", "namespace": namespace, "resourceVersion": "7"}})
    };
    let items: Vec<Value> = namespaces.iter().map(item).collect();
    Answer::json(
        &json!({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadataList", "metadata": {}, "items": items}),
    )
}

#[test]
fn every_permission_in_the_manifests_is_used() {
    let manifests = objects(&printed(&["audit", "manifests"]));
    let role = manifests.iter().find(|object| object["kind"] == "ClusterRole").unwrap();
    let mut used = BTreeSet::new();
    for api in [ReportApi::ALL[0], ReportApi::ALL[1]] {
        // A report to create; then one to update and one to remove.
        for existing in [&[][..], &["gone", "shop"]] {
            let server = with_reports(api, existing);
            let ran = audit(&server.kubeconfig(), &["--write-reports", "--exit-zero"]);
            assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{}", ran.output);
            used.extend(server.received().iter().filter_map(permission));
        }
    }
    assert_eq!(permissions(&role["rules"]), used);
}

#[test]
fn a_conflict_is_resolved_with_the_newest_version() {
    let updates = AtomicUsize::new(0);
    let server = StandIn::answering(move |request| {
        let is_first = request.method == "PUT" && updates.fetch_add(1, Ordering::Relaxed) == 0;
        let conflict = || Answer::error(409, "the object has been modified", &json!({}));
        is_first.then(conflict).or_else(|| answer_reports(request, ReportApi::ALL[0], &["shop"]))
    });
    let ran = audit(&server.kubeconfig(), &["--write-reports", "--exit-zero"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{}", ran.output);
    assert_eq!(server.received().iter().filter(|request| request.method == "PUT").count(), 2);
    // Something that always writes at the same time.
    let server = StandIn::answering(|request| match request.method.as_str() {
        "PUT" => Some(Answer::error(409, "the object has been modified", &json!({}))),
        _ => answer_reports(request, ReportApi::ALL[0], &["shop"]),
    });
    let ran = audit(&server.kubeconfig(), &["--write-reports", "--exit-zero"]);
    let reason = "the API server answers HTTP 409: the object has been modified";
    let expected = format!("error: --write-reports: cannot write reports.openreports.io in namespace shop: {reason}\n");
    assert_eq!((ran.code, ran.stderr), (4, expected));
}

/// Databases in several namespaces.
fn shops() -> Answer {
    let items: Vec<Value> = ["a", "b", "c", "d", "e"]
        .map(|namespace| {
            let mut item = deployment("sql");
            item["metadata"]["namespace"] = json!(namespace);
            item
        })
        .to_vec();
    Answer::json(&json!({"kind": "DeploymentList", "apiVersion": "apps/v1", "metadata": {}, "items": items}))
}

#[test]
fn an_api_server_that_stops_in_the_middle_is_not_asked_for_every_namespace() {
    let server = StandIn::answering(|request| match request.path.as_str() {
        path if path.starts_with("/apis/apps/v1/deployments") => Some(shops()),
        path if path.contains("/namespaces/b/reports") => Some(Answer::json(&json!({"kind": "Report"})).cut()),
        _ => answer_reports(request, ReportApi::ALL[0], &["gone"]),
    });
    let ran = audit(&server.kubeconfig(), &["--write-reports", "--exit-zero"]);
    let reason = "the connection was closed in the middle of the answer";
    let expected = format!(
        "error: --write-reports: cannot write reports.openreports.io in namespaces b, c, d and 1 more: {reason}\n"
    );
    assert_eq!((ran.code, ran.stderr.as_str()), (4, expected.as_str()));
    assert!(
        ran.output.contains("note: reports in the cluster (reports.openreports.io): 1 written\n"),
        "{}",
        ran.output
    );
    let writes: Vec<Received> = server.received().into_iter().filter(|request| request.method != "GET").collect();
    // The first one, and four attempts.
    assert_eq!(writes.len(), 5, "{writes:#?}");
    assert!(!ran.output.contains(SECRET) && !ran.stderr.contains(SECRET));
}

#[test]
fn a_namespace_that_is_being_deleted_needs_no_report() {
    let terminating = json!({"causes": [{"reason": "NamespaceTerminating", "message": "…"}]});
    let server = StandIn::answering(move |request| {
        if request.method != "POST" {
            return answer_reports(request, ReportApi::ALL[0], &[]);
        }
        let body = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 403, "reason": "Forbidden",
            "message": "because it is being terminated", "details": terminating});
        Some(Answer::text(403, &body.to_string()))
    });
    let ran = audit(&server.kubeconfig(), &["--write-reports", "--exit-zero"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{}", ran.output);
    assert!(ran.output.contains(": 0 written\n"), "{}", ran.output);
}
