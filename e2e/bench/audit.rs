//! `audit` of a large cluster.

use std::process::Command;
use std::time::Instant;

use serde_json::{Value, json};

use crate::child::Runs;
use crate::kubernetes::{Cluster, web_deployments};

const NAMESPACES: usize = 20;
/// In each namespace.
const WORKLOADS: usize = 500;
const PODS: usize = 2_500;
/// One workload in so many runs SQL Edge.
const ONE_IN: usize = 100;
const NODES: usize = 2_000;

/// Prints time and memory for three sizes of one cluster.
pub(crate) fn measure() {
    let cluster = Cluster::api_only();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let nodes: Vec<Value> = (0..NODES).map(node).collect();
    runtime.block_on(cluster.create_all(&nodes));
    println!("| workloads | pods | nodes | databases | seconds | processor seconds | peak MiB |");
    println!("|---:|---:|---:|---:|---:|---:|---:|");
    let started = Instant::now();
    for number in 0..NAMESPACES {
        fill(&cluster, &runtime, number);
        let filled = number + 1;
        if [NAMESPACES / 4, NAMESPACES / 2, NAMESPACES].contains(&filled) {
            row(&cluster, filled);
        }
    }
    println!("(filled within {:.0} s)", started.elapsed().as_secs_f64());
}

fn row(cluster: &Cluster, namespaces: usize) {
    let command = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sqledge-ha"));
        command.args(["audit", "--no-config", "--format=json", "--kubeconfig", cluster.kubeconfig()]);
        command
    };
    let runs = Runs::new(3, command, &[1]);
    println!(
        "| {} | {} | {NODES} | {} | {:.1} | {:.1} | {:.0} |",
        namespaces * WORKLOADS,
        namespaces * PODS,
        namespaces * WORKLOADS / ONE_IN,
        runs.median(),
        runs.processor(),
        runs.peak()
    );
}

/// Creates the workloads and pods of a namespace.
fn fill(cluster: &Cluster, runtime: &tokio::runtime::Runtime, number: usize) {
    let namespace = format!("team-{number}");
    cluster.must(&["create", "namespace", &namespace], "");
    cluster.must(&["-n", &namespace, "create", "serviceaccount", "default"], "");
    let review: Value = serde_json::from_str(include_str!("../examples/deployment-review.json")).unwrap();
    let mut workloads = web_deployments(&namespace, WORKLOADS);
    for (index, workload) in workloads.iter_mut().enumerate().filter(|(index, _)| index % ONE_IN == 0) {
        let name = format!("sql-{index}");
        *workload = review["request"]["object"].clone();
        workload["metadata"] = json!({"name": name, "namespace": namespace});
        workload["spec"]["selector"] = json!({"matchLabels": {"app": name}});
        workload["spec"]["template"]["metadata"] = json!({"labels": {"app": name}});
    }
    let sets: Vec<Value> = workloads.iter().map(replica_set).collect();
    let pod = |index: usize| {
        let workload = &workloads[index % WORKLOADS];
        let template = &workload["spec"]["template"];
        let owner = format!("{}-5d8f7c", workload["metadata"]["name"].as_str().unwrap());
        let mut spec = template["spec"].clone();
        spec["nodeName"] = json!(format!("node-{}", (number * PODS + index) % NODES));
        spec["automountServiceAccountToken"] = json!(false);
        json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": format!("{owner}-{index}"), "namespace": namespace, "labels": template["metadata"]["labels"],
                "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": owner, "uid": "1",
                    "controller": true}]},
            "spec": spec})
    };
    let pods: Vec<Value> = (0..PODS).map(pod).collect();
    for objects in [&workloads, &sets, &pods] {
        runtime.block_on(cluster.create_all(objects));
    }
}

/// The ReplicaSet that the Deployment controller would create.
fn replica_set(workload: &Value) -> Value {
    let name = workload["metadata"]["name"].as_str().unwrap();
    json!({"apiVersion": "apps/v1", "kind": "ReplicaSet",
        "metadata": {"name": format!("{name}-5d8f7c"), "namespace": workload["metadata"]["namespace"],
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "Deployment", "name": name, "uid": "1",
                "controller": true}]},
        "spec": {"replicas": 5, "selector": workload["spec"]["selector"], "template": workload["spec"]["template"]}})
}

/// A node as large as a kubelet reports it, with the images of other workloads.
fn node(number: usize) -> Value {
    let image = |index: usize| {
        let name = format!("registry.example.com/team/service-{index}");
        json!({"names": [format!("{name}@sha256:{index:064}"), format!("{name}:1.{index}")], "sizeBytes": 104_857_600})
    };
    let images: Vec<Value> = (0..50).map(image).collect();
    let condition = |kind: &str, status: &str| {
        json!({"type": kind, "status": status, "reason": "KubeletReady", "message": "kubelet is posting ready status",
            "lastHeartbeatTime": "2026-01-01T00:00:00Z", "lastTransitionTime": "2026-01-01T00:00:00Z"})
    };
    let zone = format!("zone-{}", number % 3);
    json!({"apiVersion": "v1", "kind": "Node",
        "metadata": {"name": format!("node-{number}"), "labels": {"kubernetes.io/arch": "amd64", "kubernetes.io/os": "linux",
            "kubernetes.io/hostname": format!("node-{number}"), "topology.kubernetes.io/zone": zone}},
        "status": {
            "allocatable": {"cpu": "16", "memory": "64Gi", "pods": "110"},
            "conditions": [condition("Ready", "True"), condition("MemoryPressure", "False"),
                condition("DiskPressure", "False"), condition("PIDPressure", "False")],
            "images": images, "nodeInfo": {"kernelVersion": "5.15.0-1084-azure", "architecture": "amd64",
                "bootID": "1", "containerRuntimeVersion": "containerd://2.0", "kubeProxyVersion": "", "kubeletVersion": "v1.37.2",
                "machineID": "1", "operatingSystem": "linux", "osImage": "Ubuntu 22.04", "systemUUID": "1"}}})
}
