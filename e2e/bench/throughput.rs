//! The throughput of the webhook, compared with a module that allows everything.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sqledge_ha::wasm_host::EMBEDDED;

use crate::client::Authority;
use crate::kubernetes::{Cluster, web_deployments};
use crate::load::{Load, Target, request, run};
use crate::process::{Server, module};

/// Parallel connections, as of a busy API server.
const CONNECTIONS: usize = 8;
/// How long each server is measured per turn.
const TURN: Duration = Duration::from_millis(500);
const TURNS: usize = 4;

/// A request body and its description.
pub(crate) struct Body {
    pub(crate) what: &'static str,
    pub(crate) text: String,
}

/// Four kinds of requests. Most have no SQL.
pub(crate) fn bodies() -> Vec<Body> {
    let to_mutate: Value = serde_json::from_str(include_str!("../examples/deployment-review.json")).unwrap();
    let mut right = to_mutate.clone();
    let spec = &mut right["request"]["object"]["spec"];
    spec["strategy"] = json!({"type": "Recreate"});
    spec["template"]["spec"]["nodeSelector"] = json!({"kubernetes.io/arch": "amd64"});
    spec["template"]["spec"]["securityContext"]["fsGroup"] = json!(10001);
    let other = to_mutate.to_string().replace("azure-sql-edge", "web").replace("ACCEPT_EULA", "MODE");
    let mut large = to_mutate.clone();
    large["request"]["kind"] = json!({"group": "", "version": "v1", "kind": "ConfigMap"});
    large["request"]["object"] = json!({"data": {"text": "0123456789abcde\n".repeat(65_536)}});
    vec![
        Body { what: "a Deployment without SQL", text: other.replace("mssql", "files") },
        Body { what: "a right SQL Deployment", text: right.to_string() },
        Body { what: "a SQL Deployment, mutated", text: to_mutate.to_string() },
        Body { what: "a ConfigMap of 1 MiB", text: large.to_string() },
    ]
}

/// Prints the table.
pub(crate) fn compare() {
    heading("serve");
    let folder = tempfile::tempdir().unwrap();
    let floor = module(folder.path(), "accept").display().to_string();
    let embedded = folder.path().join("embedded.wasm");
    fs::write(&embedded, EMBEDDED).unwrap();
    let embedded = embedded.display().to_string();
    for (transport, workers) in [("HTTP", 1), ("HTTP", 2), ("TLS", 1), ("TLS", 2)] {
        println!("{transport}, {workers} worker{}", if workers == 1 { "" } else { "s" });
        let workers = format!("--workers={workers}");
        let start = |more: &[&str]| {
            let arguments = [&[workers.as_str()], more].concat();
            if transport == "TLS" { Server::start(&arguments) } else { Server::start_plain(&arguments) }
        };
        let (ours, least) = (start(&[]), start(&["--module", &floor]));
        for body in bodies() {
            row(body.what, &ours, &least, &body);
        }
        // A module from a file gets every request.
        row("the first, no prefilter", &start(&["--module", &embedded]), &least, &bodies()[0]);
    }
}

/// Prints the names of the columns.
pub(crate) fn heading(what: &str) {
    println!("\n{what}: {CONNECTIONS} connections, the load generator on the same processors");
    println!(
        "{:<26} {:>9} {:>8} {:>8} {:>8} {:>8} {:>8}",
        "", "req/s", "of floor", "p50 ms", "p99 ms", "CPU µs", "MiB"
    );
}

/// Deployments without a database in the namespace of a Service.
const NEIGHBOURS: usize = 2000;

/// Prints the table of requests that need look-ups in a cluster.
pub(crate) fn compare_lookups() {
    let cluster = Cluster::api_only();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(cluster.create_all(&web_deployments("default", NEIGHBOURS)));
    let folder = tempfile::tempdir().unwrap();
    let floor = module(folder.path(), "accept").display().to_string();
    let mut review: Value = serde_json::from_str(include_str!("../examples/deployment-review.json")).unwrap();
    let request = &mut review["request"];
    request["namespace"] = json!("default");
    request["kind"] = json!({"group": "", "version": "v1", "kind": "Service"});
    request["object"] = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "api"},
        "spec": {"selector": {"app": "api"}, "ports": [{"port": 80, "targetPort": 8080}]}});
    let body = Body { what: "a Service", text: review.to_string() };
    heading(&format!("serve, {NEIGHBOURS} Deployments without SQL in the namespace"));
    for workers in ["1", "2", "8"] {
        println!("TLS, --workers={workers}");
        let ours = Server::start_in(cluster.kubeconfig(), &["--workers", workers]);
        ours.wait_until_ready();
        row(body.what, &ours, &Server::start(&["--workers", workers, "--module", &floor]), &body);
    }
}

/// Prints the measurements of one kind of requests.
pub(crate) fn row(what: &str, ours: &Server, least: &Server, body: &Body) {
    let requests = [request(&body.text)];
    let (mut load, mut floor) = (Load::default(), Load::default());
    let mut processor = Duration::ZERO;
    for turn in 0..=TURNS {
        let before = ours.processor_time();
        let measured = measure(ours, &requests);
        let spent = ours.processor_time() - before;
        let compared = measure(least, &requests);
        // The first turn is a warm-up.
        if turn > 0 {
            load.add(measured);
            floor.add(compared);
            processor += spent;
        }
    }
    println!(
        "{what:<26} {:>9.0} {:>7.0}% {:>8.2} {:>8.2} {:>8.0} {:>8}",
        load.rate(),
        100.0 * load.rate() / floor.rate(),
        load.percentile(0.5),
        load.percentile(0.99),
        processor.as_secs_f64() * 1e6 / load.latencies.len() as f64,
        ours.memory(),
    );
}

fn measure(server: &Server, requests: &[Vec<u8>]) -> Load {
    let end = Instant::now() + TURN;
    run(&target(server), CONNECTIONS, requests, |_| Instant::now() < end)
}

/// How to connect to a server.
pub(crate) fn target(server: &Server) -> Target {
    let tls = server.speaks_tls().then(|| Authority::client_config(&[&server.authority], "http/1.1"));
    Target { address: server.reviews, tls }
}
