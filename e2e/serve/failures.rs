//! Modules that fail, and the answers to the requests.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::client::Answer;
use super::process::{Server, module};
use super::reviews::{incomplete_review, with};

fn with_module(name: &str, more: &[&str]) -> Server {
    let folder = tempfile::tempdir().unwrap();
    let path = module(folder.path(), name).display().to_string();
    let workers = if more.contains(&"--workers=1") { [].as_slice() } else { &["--workers=2"] };
    Server::start(&[&["--module", &path], workers, more].concat())
}

fn ask(server: &Server, path: &str) -> Answer {
    server.connect().post(path, &incomplete_review().to_string()).unwrap()
}

fn answer(server: &Server) -> Value {
    ask(server, "/mutate").response()
}

/// A check that failed: the failure policy of the webhook decides about the request.
fn assert_failed(answer: &Answer, cause: &str) {
    let message = format!("sqledge-ha: the check failed: {cause}; see the webhook log\n");
    assert_eq!((answer.status, &answer.body), (500, &message));
}

#[test]
fn another_module_checks_all_requests() {
    let server = with_module("accept", &[]);
    assert_eq!(answer(&server), json!({"uid": incomplete_review()["request"]["uid"], "allowed": true}));
}

#[test]
fn a_module_that_does_not_end_is_stopped() {
    let server = with_module("loop", &["--deadline=200ms"]);
    for path in ["/mutate", "/validate"] {
        let started = Instant::now();
        assert_failed(&ask(&server, path), "the module ran for too long");
        assert!(started.elapsed() >= Duration::from_millis(200));
    }
    assert_eq!(server.metric("sqledge_ha_module_failures_total{reason=\"timeout\"}"), 2.0);
    assert_eq!(server.metric("sqledge_ha_http_errors_total{reason=\"500\"}"), 2.0);
    let warned = ask(&server, "/warn").response();
    assert_eq!(warned["allowed"], true, "{warned}");
    assert!(warned["warnings"][0].as_str().unwrap().contains("the module ran for too long"), "{warned}");
    let line = server.wait_for_line(|line| line["level"] == "ERROR");
    assert_eq!((&line["reason"], &line["kind"]), (&json!("timeout"), &json!("Deployment")));
    assert!(line["message"].as_str().unwrap().ends_with("its deadline passed"), "{line}");
}

#[test]
fn an_instance_is_used_again_until_a_large_request() {
    let server = with_module("remember", &["--workers=1"]);
    let mut client = server.connect();
    let mut ask = |review: &str| client.post("/mutate", review).unwrap().response()["allowed"].clone();
    let small = incomplete_review().to_string();
    let large = with("/object/large", json!("x".repeat(1 << 20)));
    // Another instance checks the settings.
    assert_eq!([ask(&small), ask(&small), ask(&large)], [json!(false), json!(true), json!(true)]);
    assert_eq!([ask(&small), ask(&small)], [json!(false), json!(true)]);
}

#[test]
fn a_mutation_of_an_object_that_cannot_be_parsed_is_a_failure() {
    let server = with_module("mutate", &[]);
    assert!(answer(&server)["patch"].is_string());
    let deep = format!("{}1{}", "[".repeat(150), "]".repeat(150));
    let review = with("/object/deep", json!("deep")).replace("\"deep\":\"deep\"", &format!("\"deep\":{deep}"));
    assert_failed(&server.connect().post("/mutate", &review).unwrap(), "the module failed");
    let line = server.wait_for_line(|line| line["level"] == "ERROR");
    assert_eq!(line["reason"], "answer");
    assert!(line["message"].as_str().unwrap().contains("recursion limit exceeded"), "{line}");
}

#[test]
fn an_instance_that_traps_is_replaced() {
    let server = with_module("trap", &["--workers=1"]);
    for _ in 0..3 {
        // An instance that has trapped before would allow the request.
        assert_failed(&ask(&server, "/mutate"), "the module failed");
    }
    assert_eq!(server.metric("sqledge_ha_module_failures_total{reason=\"trap\"}"), 3.0);
    let line = server.wait_for_line(|line| line["level"] == "ERROR");
    let names = ["path", "namespace", "name", "reason"].map(|key| line[key].as_str().unwrap());
    assert_eq!(names, ["/mutate", "orchard", "orchard-press", "trap"]);
    let message = line["message"].as_str().unwrap();
    assert!(message.ends_with("failed in `validate`: wasm trap: wasm `unreachable` instruction executed"), "{message}");
}

#[test]
fn the_memory_of_a_module_is_limited() {
    let server = with_module("grow", &["--module-memory=32"]);
    for _ in 0..8 {
        assert_failed(&ask(&server, "/mutate"), "the module failed");
    }
    assert_eq!(server.metric("sqledge_ha_module_failures_total{reason=\"trap\"}"), 8.0);
    assert!(server.memory() < 128, "{} MiB", server.memory());
}

#[test]
fn requests_beyond_the_limit_are_rejected_while_the_module_is_busy() {
    let server = with_module("loop", &["--deadline=500ms", "--max-in-flight=8"]);
    let started = Instant::now();
    thread::scope(|scope| {
        let asked: Vec<_> = (0..16)
            .map(|_| scope.spawn(|| server.connect().post("/mutate", &incomplete_review().to_string()).unwrap().status))
            .collect();
        assert_eq!(server.probe("/livez").0, 200);
        let statuses: Vec<u16> = asked.into_iter().map(|asked| asked.join().unwrap()).collect();
        assert!(statuses.contains(&429) && statuses.contains(&500), "{statuses:?}");
    });
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
}

#[test]
fn look_ups_do_not_wait_for_an_unavailable_api_server() {
    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = folder.path().join("config");
    let config = json!({"apiVersion": "v1", "kind": "Config", "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}], "users": [],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": ""}}]});
    std::fs::write(&kubeconfig, config.to_string()).unwrap();
    let server = Server::start_in(kubeconfig.to_str().unwrap(), &[]);
    let mut client = server.connect();
    // The first call of an instance takes longer.
    client.post("/mutate", &incomplete_review().to_string()).unwrap();
    let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "sql"},
        "spec": {"selector": {"app": "sql"}, "ports": [{"port": 1433}]}});
    let mut review: Value = serde_json::from_str(&with("/object", service)).unwrap();
    review["request"]["kind"] = json!({"group": "", "version": "v1", "kind": "Service"});
    for (review, unchecked_kind) in [(review, "workloads"), (incomplete_review(), "services")] {
        let started = Instant::now();
        let response = client.post("/mutate", &review.to_string()).unwrap().response();
        assert!(started.elapsed() < Duration::from_millis(500), "{:?}", started.elapsed());
        assert_eq!(response["allowed"], true);
        let unchecked = response["auditAnnotations"]["unchecked"].as_str().unwrap();
        assert!(unchecked.contains(unchecked_kind), "{response}");
    }
    assert_eq!(server.probe("/readyz").0, 503);
}
