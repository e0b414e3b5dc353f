//! What the tests of this crate share: right examples, and a way to ask one rule about them.

/// The attribute for tests that also run as Wasm.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) use core::prelude::v1::test;
use serde_json::{Value, json};
/// The attribute for tests that also run as Wasm.
#[cfg(target_arch = "wasm32")]
pub(crate) use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::finding::{Edit, Findings, apply};
use crate::kind::Kind;
use crate::objects::Objects;
use crate::rules::Rule;
use crate::settings::Settings;
use crate::subject::Subject;

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
                "volumeMounts": [{"name": "data", "mountPath": "/var/opt/mssql"}],
            }],
            "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "sql-data"}}],
        },
    })
}

/// A Deployment with which nothing is wrong, after `changes` (pointer and value).
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

/// A StatefulSet with which nothing is wrong, after `changes`.
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

/// The right pod template as an object of another kind, after `changes`.
pub(crate) fn other_kind(api_version: &str, kind: &str, changes: &[(&str, Value)]) -> Value {
    let mut object = json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": "sql"}});
    let route = Kind::of_object(&object).and_then(Kind::pod_template).expect("the kind runs pods");
    let pointer: String = route.iter().map(|key| format!("/{key}")).collect();
    let template = pod_template();
    let parts = ["metadata", "spec"]
        .map(|part| Edit::Set { pointer: format!("{pointer}/{part}"), value: template[part].clone() });
    assert_eq!(apply(&mut object, &parts), Ok(()));
    object["metadata"]["name"] = json!("sql");
    changed(object, changes)
}

/// A load balancer in front of the examples, after `changes`.
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

/// What one rule says of an object alone in an open world: `action pointer`, and `+key` for a missing key.
pub(crate) fn ask(rule: &Rule, object: &Value) -> Vec<String> {
    ask_in(rule, object, &Objects::default(), &Settings::default())
}

/// What one rule says of an object in a world.
pub(crate) fn ask_in(rule: &Rule, object: &Value, world: &Objects<'_>, settings: &Settings) -> Vec<String> {
    let show = |finding: crate::finding::Finding| {
        let missing = finding.missing.map_or_else(String::new, |key| format!("+{key}"));
        format!("{} {}{missing}", finding.action.name(), finding.pointer)
    };
    findings_of(rule, object, world, settings).into_iter().map(show).collect()
}

/// The findings of one rule on an object in a world.
pub(crate) fn findings_of(rule: &Rule, object: &Value, world: &Objects<'_>, settings: &Settings) -> Findings {
    let kind = Kind::of_object(object).expect("the kind is known");
    let Some(subject) = Subject::read(object, kind, settings, world) else { return Findings::new() };
    crate::rules::judge(&subject).into_iter().filter(|finding| finding.rule == rule.id).collect()
}

/// Settings from JSON.
pub(crate) fn settings(value: Value) -> Settings {
    Settings::from_value(&value).expect("the settings are right")
}
