//! Correct examples, and the findings of one rule on them, for the tests of this crate.

/// The attribute for tests that also run as Wasm.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) use core::prelude::v1::test;
use serde_json::{Value, json};
/// The attribute for tests that also run as Wasm.
#[cfg(target_arch = "wasm32")]
pub(crate) use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::finding::{Finding, Findings};
use crate::json::edit::{Edit, apply};
use crate::kubernetes::kind::Kind;
use crate::rules::check::CheckContext;
use crate::rules::{Rule, check_all, parse_settings};
use crate::settings::Settings;
use crate::view::Scope;
use crate::view::index::ObjectIndex;

/// The image of the examples.
pub(crate) const IMAGE: &str = "mcr.microsoft.com/azure-sql-edge:1.0.7";

fn pod_template() -> Value {
    json!({
        "metadata": {"labels": {"app": "sql"}},
        "spec": {
            "nodeSelector": {"kubernetes.io/arch": "amd64"},
            "securityContext": {"fsGroup": 10001},
            "terminationGracePeriodSeconds": 30,
            "containers": [{
                "name": "sql",
                "image": IMAGE,
                "ports": [{"name": "tds", "containerPort": 1433}],
                "env": [{"name": "ACCEPT_EULA", "value": "Y"}],
                "readinessProbe": {"tcpSocket": {"port": 1433}},
                "resources": {"requests": {"memory": "2Gi"}},
                "volumeMounts": [{"name": "data", "mountPath": "/var/opt/mssql"}],
            }],
            "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "sql-data"}}],
        },
    })
}

/// A Deployment without findings, after `changes` (pointer and value).
pub(crate) fn deployment(changes: &[(&str, Value)]) -> Value {
    let right = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "sql"},
        "spec": {
            "replicas": 1, "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": {"app": "sql"}}, "template": pod_template(),
        },
    });
    changed(right, changes)
}

/// A StatefulSet without findings, after `changes`.
pub(crate) fn stateful_set(changes: &[(&str, Value)]) -> Value {
    let mut right = json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "sql"},
        "spec": {
            "replicas": 1, "serviceName": "sql",
            "selector": {"matchLabels": {"app": "sql"}}, "template": pod_template(),
            "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {
                "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "8Gi"}}}}],
        },
    });
    right["spec"]["template"]["spec"]["volumes"] = json!([]);
    changed(right, changes)
}

/// The correct pod template as an object of another kind, after `changes`.
pub(crate) fn other_kind(api_version: &str, kind: &str, changes: &[(&str, Value)]) -> Value {
    let mut object = json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": "sql"}});
    let kind = Kind::from_object(&object).and_then(Kind::workload).expect("the kind runs pods");
    let pointer: String = kind.template_path().iter().map(|key| format!("/{key}")).collect();
    let template = pod_template();
    let parts = ["metadata", "spec"]
        .map(|part| Edit::Set { pointer: format!("{pointer}/{part}"), value: template[part].clone() });
    assert_eq!(apply(&mut object, &parts), Ok(()));
    object["metadata"]["name"] = json!("sql");
    changed(object, changes)
}

/// A PersistentVolumeClaim of the examples, after `changes`.
pub(crate) fn claim(name: &str, changes: &[(&str, Value)]) -> Value {
    let right = json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "8Gi"}}},
    });
    changed(right, changes)
}

/// A LoadBalancer Service of the examples, after `changes`.
pub(crate) fn service(changes: &[(&str, Value)]) -> Value {
    let right = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "sql"},
        "spec": {"type": "LoadBalancer", "selector": {"app": "sql"}, "ports": [{"port": 1433}]},
    });
    changed(right, changes)
}

fn changed(mut object: Value, changes: &[(&str, Value)]) -> Value {
    for (pointer, value) in changes {
        let edit = Edit::Set { pointer: (*pointer).to_owned(), value: value.clone() };
        assert_eq!(apply(&mut object, &[edit]), Ok(()), "{pointer}");
    }
    object
}

/// An index of all that exists.
pub(crate) fn closed<'a>(objects: impl IntoIterator<Item = &'a Value>) -> ObjectIndex<'a> {
    ObjectIndex::new(Scope::Application, objects)
}

/// An index of what exists at a request.
pub(crate) fn open_index<'a>(objects: impl IntoIterator<Item = &'a Value>) -> ObjectIndex<'a> {
    ObjectIndex::new(Scope::Request, objects)
}

/// The findings of one rule on an object alone: `action pointer`, and `+key` for a missing key.
pub(crate) fn ask(rule: &Rule, object: &Value) -> Vec<String> {
    ask_in(rule, object, &ObjectIndex::default(), &Settings::default())
}

/// The same with other objects and settings.
pub(crate) fn ask_in(rule: &Rule, object: &Value, index: &ObjectIndex<'_>, settings: &Settings) -> Vec<String> {
    let show = |finding: Finding| {
        let missing = finding.missing.map_or_else(String::new, |key| format!("+{key}"));
        format!("{} {}{missing}", finding.action.name(), finding.pointer)
    };
    findings_of(rule, object, index, settings).into_iter().map(show).collect()
}

/// The findings of one rule on an object.
pub(crate) fn findings_of(rule: &Rule, object: &Value, index: &ObjectIndex<'_>, settings: &Settings) -> Findings {
    let kind = Kind::from_object(object).expect("the kind is known");
    let Some(context) = CheckContext::read(object, kind, settings, index) else { return Findings::new() };
    check_all(&context).into_iter().filter(|finding| finding.rule == rule.id).collect()
}

/// Settings from JSON.
pub(crate) fn settings(value: Value) -> Settings {
    parse_settings(&value).expect("the settings are valid")
}
