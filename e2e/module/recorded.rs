//! Recorded requests of a real API server: all are answered, and those without a database are allowed without look-ups.

use std::fs;
use std::path::Path;

use serde_json::value::to_raw_value;
use serde_json::{Value, json};

use super::recorder::{Recorder, review_in};
use super::{service, workload};
use crate::shared::folder;

/// Recorded AdmissionRequests by file name; empty if the recordings are not available.
fn recorded_requests() -> Vec<(String, Value)> {
    let Some(folder) = folder("reference/reviews") else { return Vec::new() };
    let read = |path: &Path| -> Value { serde_json::from_slice(&fs::read(path).unwrap()).unwrap() };
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let requests = entries.filter(|path| path.extension().is_some_and(|name| name == "json"));
    requests.map(|path| (path.file_name().unwrap().display().to_string(), read(&path)["request"].take())).collect()
}

fn is_allowed_without_look_ups(request: &Value) -> bool {
    let (response, calls) = review_in(Recorder::of(vec![workload("Deployment")]), &to_raw_value(request).unwrap());
    let allowed = serde_json::from_value(json!({"accepted": true})).unwrap();
    response == allowed && calls.is_empty()
}

#[test]
fn every_recorded_request_is_answered() {
    for (name, request) in recorded_requests() {
        let (response, _) =
            review_in(Recorder::of(vec![workload("Deployment"), service()]), &to_raw_value(&request).unwrap());
        assert_ne!(response.code, Some(500), "{name}: {response:?}");
        assert!(response.accepted || response.mutated_object.is_none(), "{name}: {response:?}");
    }
}

#[test]
fn requests_of_controllers_are_allowed() {
    for (name, request) in recorded_requests() {
        let user = request["userInfo"]["username"].as_str().unwrap();
        if user.starts_with("system:") {
            assert!(is_allowed_without_look_ups(&request), "{name}");
        }
    }
}

#[test]
fn workloads_without_a_database_are_allowed() {
    for (name, request) in recorded_requests() {
        let text = request.to_string();
        let text = text.replace("azure-sql-edge", "web").replace("mssql", "www").replace("ACCEPT_EULA", "LANGUAGE");
        let request: Value = serde_json::from_str(&text).unwrap();
        // These always need look-ups.
        let kind = request["kind"]["kind"].as_str();
        if !matches!(kind, Some("Service" | "Scale" | "HorizontalPodAutoscaler" | "PodDisruptionBudget")) {
            assert!(is_allowed_without_look_ups(&request), "{name}");
        }
    }
}
