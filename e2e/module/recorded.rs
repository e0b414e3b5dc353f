//! What a real API server sends: it is answered, and passes in silence where it is nobody's database.

use std::fs;
use std::path::Path;

use serde_json::value::to_raw_value;
use serde_json::{Value, json};

use super::recorder::{Recorder, review_in};
use super::{service, workload};
use crate::shared::folder;

/// The AdmissionRequests of reviews that an API server sent, by the names of their files; none where they are absent.
fn recorded_requests() -> Vec<(String, Value)> {
    let Some(folder) = folder("reference/reviews") else { return Vec::new() };
    let read = |path: &Path| -> Value { serde_json::from_slice(&fs::read(path).unwrap()).unwrap() };
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let requests = entries.filter(|path| path.extension().is_some_and(|name| name == "json"));
    requests.map(|path| (path.file_name().unwrap().display().to_string(), read(&path)["request"].take())).collect()
}

fn passes_in_silence(request: &Value) -> bool {
    let (response, calls) = review_in(Recorder::of(vec![workload("Deployment")]), &to_raw_value(request).unwrap());
    let silent = serde_json::from_value(json!({"accepted": true})).unwrap();
    response == silent && calls.is_empty()
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
fn what_controllers_send_passes_in_silence() {
    for (name, request) in recorded_requests() {
        let user = request["userInfo"]["username"].as_str().unwrap();
        if user.starts_with("system:") {
            assert!(passes_in_silence(&request), "{name}");
        }
    }
}

#[test]
fn what_does_not_run_the_engine_passes_in_silence() {
    for (name, request) in recorded_requests() {
        let text = request.to_string();
        let text = text.replace("azure-sql-edge", "web").replace("mssql", "www").replace("ACCEPT_EULA", "LANGUAGE");
        let request: Value = serde_json::from_str(&text).unwrap();
        // Services and scale requests do not show what they lead to.
        if !matches!(request["kind"]["kind"].as_str(), Some("Service" | "Scale")) {
            assert!(passes_in_silence(&request), "{name}");
        }
    }
}
