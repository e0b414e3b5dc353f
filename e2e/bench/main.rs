//! What the product costs. Prints figures and fails on nothing: `make bench`, `make soak`.
//!
//! Times are the median of several rounds on the machine at hand; compare them with the same run of another version,
//! not with another machine's.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::panic,
    reason = "a benchmark prints, and stops at the unexpected"
)]

#[allow(dead_code, reason = "the tests use the rest")]
#[path = "../serve/client.rs"]
mod client;
#[allow(dead_code, reason = "the tests use the rest")]
#[path = "../kubernetes.rs"]
mod kubernetes;
mod load;
#[allow(dead_code, reason = "the tests use the rest")]
#[path = "../serve/process.rs"]
mod process;
mod soak;
mod throughput;

use std::hint::black_box;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::value::to_raw_value;
use serde_json::{Value, json};
use sqledge_ha::input::find;
use sqledge_ha::linter::lint;
use sqledge_ha::module::{EMBEDDED, Host, Instance, NoWorld};
use sqledge_ha_policy::settings::Settings;

fn main() {
    if std::env::args().any(|argument| argument == "soak") {
        return soak::soak();
    }
    calls();
    for files in [1, 100, 10_000] {
        corpus(files);
    }
    throughput::compare();
    throughput::look_around();
}

fn calls() {
    println!("module: {} bytes, annotated", EMBEDDED.len());
    let started = Instant::now();
    let host = Host::new(EMBEDDED).unwrap();
    println!("compiling it: {:.0} ms", started.elapsed().as_secs_f64() * 1e3);
    let instance = host.instance(Arc::new(NoWorld)).unwrap();
    let review: Value = serde_json::from_str(include_str!("../examples/deployment-review.json")).unwrap();
    let request = review["request"].clone();
    call("a Deployment that is judged by every rule and mended", &instance, &request);
    let mut web = request.clone();
    web["object"]["spec"]["template"]["spec"]["containers"][0]["image"] = json!("registry.example.com/shop/web:3");
    web["object"]["spec"]["template"]["spec"]["containers"][0]["env"] = json!([]);
    let text = web.to_string().replace("mssql", "files");
    call("the same without the engine", &instance, &serde_json::from_str(&text).unwrap());
    let mut other = request;
    other["kind"] = json!({"group": "", "version": "v1", "kind": "ConfigMap"});
    call("an object of another kind", &instance, &other);
}

/// The median of several rounds, each of enough runs to be measured.
fn median(mut run: impl FnMut(), runs: u32) -> Duration {
    let mut rounds: Vec<Duration> = (0..7)
        .map(|_| {
            let started = Instant::now();
            (0..runs).for_each(|_| run());
            started.elapsed() / runs
        })
        .collect();
    rounds.sort();
    rounds[rounds.len() / 2]
}

fn call(what: &str, instance: &Instance, request: &Value) {
    let (request, settings) = (to_raw_value(request).unwrap(), json!({}));
    let answer = instance.validate(&request, &settings).unwrap();
    let took = median(|| drop(black_box(instance.validate(&request, &settings))), 2000);
    let outcome = match (&answer.mutated_object, answer.accepted) {
        (Some(_), _) => "mended",
        (None, true) => "accepted",
        (None, false) => "refused",
    };
    println!(
        "{what}: {:.1} µs a call on a reused instance ({} bytes, {outcome})",
        took.as_secs_f64() * 1e6,
        request.get().len()
    );
}

/// Lints the examples, copied into as many files, each under names of its own.
fn corpus(files: usize) {
    let folder = tempfile::tempdir().unwrap();
    let examples = [
        include_str!("../examples/right.yaml"),
        include_str!("../examples/claim-beside-the-data.yaml"),
        include_str!("../examples/two-replicas-rolling.yaml"),
        include_str!("../examples/empty-dir.yaml"),
        include_str!("../examples/cluster-ip-only.yaml"),
    ];
    let mut documents = 0;
    for (index, example) in examples.iter().cycle().take(files).enumerate() {
        documents += example.matches("\n---").count() + 1;
        let text = example.replace("app: ", &format!("app: n{index}-"));
        std::fs::write(folder.path().join(format!("{index}.yaml")), text).unwrap();
    }
    let paths: Vec<PathBuf> = vec![folder.path().to_owned()];
    let run = || {
        let (sources, missing) = find(&paths);
        black_box(lint(&sources, missing, &Settings::default(), false));
    };
    let took = median(run, 1).as_secs_f64();
    println!(
        "lint {files} files, {documents} documents, without printing: {:.1} ms, {:.0} documents/s",
        took * 1e3,
        documents as f64 / took
    );
}
