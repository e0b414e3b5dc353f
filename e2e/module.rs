//! The embedded module in a waPC host: contents, look-ups, and answers to any input.

mod any_input;
mod contents;
mod look_ups;
mod recorded;
mod recorder;

use std::sync::{Arc, LazyLock};

use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};
use sqledge_ha::wasm_host::{CompiledModule, EMBEDDED, Instance, NoLookups};

static MODULE: LazyLock<CompiledModule> = LazyLock::new(|| CompiledModule::new(EMBEDDED).unwrap());

fn without_lookups() -> Instance {
    MODULE.instance(Arc::new(NoLookups)).unwrap()
}

fn create(object: &Value) -> Box<RawValue> {
    let (group, version) = object["apiVersion"].as_str().unwrap().split_once('/').unwrap_or(("", "v1"));
    let kind = json!({"group": group, "version": version, "kind": object["kind"]});
    to_raw_value(&json!({"uid": "1", "operation": "CREATE", "kind": kind, "namespace": "db", "object": object}))
        .unwrap()
}

fn scale(group: &str, plural: &str) -> Box<RawValue> {
    let kind = json!({"group": "autoscaling", "version": "v1", "kind": "Scale"});
    let resource = json!({"group": group, "version": "v1", "resource": plural});
    let object = json!({"apiVersion": "autoscaling/v1", "kind": "Scale",
        "metadata": {"name": "sql", "namespace": "db"}, "spec": {"replicas": 2}});
    to_raw_value(&json!({"uid": "1", "operation": "UPDATE", "kind": kind, "resource": resource, "subResource": "scale",
        "name": "sql", "namespace": "db", "object": object}))
    .unwrap()
}

fn workload(kind: &str) -> Value {
    let api_version = if kind == "ReplicationController" { "v1" } else { "apps/v1" };
    json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": "sql", "namespace": "db"}, "spec": {
        "replicas": 1, "selector": {"matchLabels": {"app": "sql"}},
        "template": {"metadata": {"labels": {"app": "sql"}}, "spec": {
            "containers": [{"name": "sql", "image": "mcr.microsoft.com/azure-sql-edge",
                "ports": [{"name": "tds", "containerPort": 1433}],
                "env": [{"name": "ACCEPT_EULA", "value": "Y"}],
                "volumeMounts": [{"name": "data", "mountPath": "/var/opt/mssql"}]}],
            "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]}}}})
}

fn service() -> Value {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "sql", "namespace": "db"},
        "spec": {"type": "LoadBalancer", "selector": {"app": "sql"}, "ports": [{"port": 1433}]}})
}

/// Requests that need look-ups.
fn requests_with_lookups() -> Vec<Box<RawValue>> {
    let scaled = [
        ("apps", "deployments"),
        ("apps", "statefulsets"),
        ("apps", "replicasets"),
        ("", "replicationcontrollers"),
        ("apps.openshift.io", "deploymentconfigs"),
    ];
    let scaled = scaled.map(|(group, plural)| scale(group, plural));
    let mut cluster_ip = service();
    cluster_ip["spec"]["type"] = json!("ClusterIP");
    [create(&workload("Deployment")), create(&workload("StatefulSet")), create(&service()), create(&cluster_ip)]
        .into_iter()
        .chain(scaled)
        .collect()
}
