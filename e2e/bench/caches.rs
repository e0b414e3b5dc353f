//! The webhook with the objects of a large cluster in its caches.

use std::time::Instant;

use serde_json::{Value, json};

use crate::kubernetes::{Cluster, web_deployments};
use crate::process::{Server, module};
use crate::throughput::{Body, heading, row};

const NAMESPACES: usize = 50;
/// In each namespace. One workload in a hundred runs SQL.
const WORKLOADS: usize = 400;
const SERVICES: usize = 100;
const OBJECTS: usize = NAMESPACES * (WORKLOADS + SERVICES);

/// Prints how long the caches take to fill, their memory, and the table of requests with look-ups.
pub(crate) fn measure() {
    let cluster = Cluster::api_only();
    let empty = start(&cluster).0.memory();
    fill(&cluster);
    let (server, seconds) = start(&cluster);
    let (workloads, services) = (NAMESPACES * WORKLOADS, NAMESPACES * SERVICES);
    println!("serve with {workloads} workloads and {services} Services in {NAMESPACES} namespaces in its caches");
    let memory = server.memory();
    let each = (memory - empty) as f64 * 10_000.0 / OBJECTS as f64;
    println!(
        "synced after {seconds:.1} s; {memory} MiB, {empty} MiB without objects: {each:.1} MiB for 10,000 objects"
    );
    heading("serve over TLS, --workers=2");
    let folder = tempfile::tempdir().unwrap();
    let floor = module(folder.path(), "accept").display().to_string();
    let floor = Server::start(&["--workers=2", "--module", &floor]);
    for body in bodies() {
        row(body.what, &server, &floor, &body);
    }
}

/// Starts the webhook, and measures the seconds until its caches are complete.
fn start(cluster: &Cluster) -> (Server, f64) {
    let started = Instant::now();
    let server = Server::start_in(cluster.kubeconfig(), &["--workers=2"]);
    server.wait_until_ready();
    (server, started.elapsed().as_secs_f64())
}

/// Creates the objects.
fn fill(cluster: &Cluster) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let review: Value = serde_json::from_str(include_str!("../examples/deployment-review.json")).unwrap();
    let database = &review["request"]["object"];
    for number in 0..NAMESPACES {
        let namespace = format!("team-{number}");
        cluster.must(&["create", "namespace", &namespace], "");
        let mut workloads = web_deployments(&namespace, WORKLOADS);
        for (number, workload) in workloads.iter_mut().enumerate().filter(|(number, _)| number % 100 == 0) {
            let name = format!("sql-{number}");
            *workload = database.clone();
            workload["metadata"] = json!({"name": name, "namespace": namespace});
            workload["spec"]["selector"] = json!({"matchLabels": {"app": name}});
            workload["spec"]["template"]["metadata"] = json!({"labels": {"app": name}});
        }
        let service = |number: usize| {
            let name = if number.is_multiple_of(100) { format!("sql-{number}") } else { format!("web-{number}") };
            json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": namespace},
                "spec": {"selector": {"app": name}, "ports": [{"port": 1433}]}})
        };
        let services: Vec<Value> = (0..SERVICES).map(service).collect();
        let claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "metadata": {"name": "orchard-press", "namespace": namespace},
            "spec": {"accessModes": ["ReadWriteOncePod"], "resources": {"requests": {"storage": "8Gi"}}}});
        runtime.block_on(cluster.create_all(&[claim]));
        runtime.block_on(cluster.create_all(&workloads));
        runtime.block_on(cluster.create_all(&services));
    }
}

/// A Deployment and Services in one of the namespaces.
fn bodies() -> [Body; 3] {
    let mut review: Value = serde_json::from_str(include_str!("../examples/deployment-review.json")).unwrap();
    let request = &mut review["request"];
    request["namespace"] = json!("team-7");
    request["object"]["metadata"]["namespace"] = json!("team-7");
    let deployment = review.to_string();
    let mut service = |name: &str| {
        let request = &mut review["request"];
        request["kind"] = json!({"group": "", "version": "v1", "kind": "Service"});
        request["object"] = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "new"},
            "spec": {"selector": {"app": name}, "ports": [{"port": 1433}]}});
        review.to_string()
    };
    [
        Body { what: "a SQL Deployment, mutated", text: deployment },
        Body { what: "a Service of nothing", text: service("nothing") },
        Body { what: "a Service of a database", text: service("sql-100") },
    ]
}
