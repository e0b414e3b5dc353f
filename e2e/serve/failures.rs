//! Modules that fail, and what becomes of the requests.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::process::{Server, module};
use super::reviews::{mendable, with};

fn with_module(name: &str, more: &[&str]) -> Server {
    let folder = tempfile::tempdir().unwrap();
    let path = module(folder.path(), name).display().to_string();
    let workers = if more.contains(&"--workers=1") { [].as_slice() } else { &["--workers=2"] };
    Server::start(&[&["--module", &path], workers, more].concat())
}

fn ask(server: &Server) -> Value {
    server.connect().post("/mutate", &mendable().to_string()).unwrap().response()
}

#[test]
fn a_module_that_accepts_everything_is_asked_about_everything() {
    let server = with_module("accept", &[]);
    assert_eq!(ask(&server), json!({"uid": mendable()["request"]["uid"], "allowed": true}));
}

#[test]
fn a_module_that_runs_for_ever_is_stopped_and_the_request_refused() {
    let server = with_module("loop", &["--deadline=200ms"]);
    let started = Instant::now();
    let response = ask(&server);
    assert!(started.elapsed() >= Duration::from_millis(200));
    assert_eq!((&response["allowed"], &response["status"]["code"]), (&json!(false), &json!(500)));
    assert!(response["status"]["message"].as_str().unwrap().contains("it ran for too long"), "{response}");
    assert_eq!(server.metric("sqledge_ha_module_failures_total{reason=\"timeout\"}"), 1.0);
    let line = server.wait_for_line(|line| line["level"] == "ERROR");
    assert_eq!((&line["reason"], &line["kind"]), (&json!("timeout"), &json!("Deployment")));
    assert!(line["message"].as_str().unwrap().ends_with("its deadline passed"), "{line}");
}

#[test]
fn a_module_that_runs_for_ever_lets_the_request_pass_if_so_wished() {
    let server = with_module("loop", &["--deadline=200ms", "--on-error=allow"]);
    let response = ask(&server);
    assert_eq!((&response["allowed"], &response["patch"]), (&json!(true), &Value::Null));
    assert!(response["warnings"][0].as_str().unwrap().contains("it ran for too long"), "{response}");
}

#[test]
fn one_instance_answers_one_request_after_the_other_until_a_large_one() {
    let server = with_module("remember", &["--workers=1"]);
    let mut client = server.connect();
    let mut ask = |review: &str| client.post("/mutate", review).unwrap().response()["allowed"].clone();
    let small = mendable().to_string();
    let large = with("/object/large", json!("x".repeat(1 << 20)));
    // Settings are checked by an instance of their own.
    assert_eq!([ask(&small), ask(&small), ask(&large)], [json!(false), json!(true), json!(true)]);
    assert_eq!([ask(&small), ask(&small)], [json!(false), json!(true)]);
}

#[test]
fn what_is_patched_although_it_cannot_be_read_is_a_failure_and_not_an_answer_without_a_patch() {
    let server = with_module("mutate", &[]);
    assert!(ask(&server)["patch"].is_string());
    let deep = format!("{}1{}", "[".repeat(150), "]".repeat(150));
    let review = with("/object/deep", json!("deep")).replace("\"deep\":\"deep\"", &format!("\"deep\":{deep}"));
    let response = server.connect().post("/mutate", &review).unwrap().response();
    assert_eq!((&response["allowed"], &response["status"]["code"]), (&json!(false), &json!(500)), "{response}");
    let line = server.wait_for_line(|line| line["level"] == "ERROR");
    assert_eq!(line["reason"], "answer");
    assert!(line["message"].as_str().unwrap().contains("recursion limit exceeded"), "{line}");
}

#[test]
fn a_module_that_traps_is_replaced_and_the_request_passes_with_a_warning_if_so_wished() {
    let server = with_module("trap", &["--on-error=allow", "--workers=1"]);
    for _ in 0..3 {
        // An instance that has trapped before would accept, and say nothing.
        let response = ask(&server);
        assert_eq!((&response["allowed"], &response["patch"]), (&json!(true), &Value::Null));
        assert!(response["warnings"][0].as_str().unwrap().contains("not checked"), "{response}");
    }
    assert_eq!(server.metric("sqledge_ha_module_failures_total{reason=\"trap\"}"), 3.0);
    let line = server.wait_for_line(|line| line["level"] == "ERROR");
    let names = ["path", "namespace", "name", "reason"].map(|key| line[key].as_str().unwrap());
    assert_eq!(names, ["/mutate", "orchard", "orchard-press", "trap"]);
    let message = line["message"].as_str().unwrap();
    assert!(message.ends_with("failed in `validate`: wasm trap: wasm `unreachable` instruction executed"), "{message}");
}

#[test]
fn a_module_that_grows_is_held_to_its_memory() {
    let server = with_module("grow", &["--module-memory=32"]);
    for _ in 0..8 {
        assert_eq!(ask(&server)["allowed"], false);
    }
    assert_eq!(server.metric("sqledge_ha_module_failures_total{reason=\"trap\"}"), 8.0);
    assert!(server.memory() < 128, "{} MiB", server.memory());
}

#[test]
fn a_busy_module_keeps_nobody_waiting_for_long_and_probes_are_answered() {
    let server = with_module("loop", &["--deadline=500ms", "--max-in-flight=8"]);
    let started = Instant::now();
    thread::scope(|scope| {
        let asked: Vec<_> = (0..16)
            .map(|_| scope.spawn(|| server.connect().post("/mutate", &mendable().to_string()).unwrap().status))
            .collect();
        assert_eq!(server.probe("/livez").0, 200);
        let statuses: Vec<u16> = asked.into_iter().map(|asked| asked.join().unwrap()).collect();
        assert!(statuses.contains(&429) && statuses.contains(&200), "{statuses:?}");
    });
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
}

#[test]
fn no_request_waits_for_an_api_server_that_is_dead() {
    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = folder.path().join("config");
    let config = json!({"apiVersion": "v1", "kind": "Config", "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}], "users": [],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": ""}}]});
    std::fs::write(&kubeconfig, config.to_string()).unwrap();
    let server = Server::start_in(kubeconfig.to_str().unwrap(), &[]);
    let mut client = server.connect();
    // The first call of an instance takes longer.
    client.post("/mutate", &mendable().to_string()).unwrap();
    let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "sql"},
        "spec": {"selector": {"app": "sql"}, "ports": [{"port": 1433}]}});
    let mut review: Value = serde_json::from_str(&with("/object", service)).unwrap();
    review["request"]["kind"] = json!({"group": "", "version": "v1", "kind": "Service"});
    for (review, unseen) in [(review, "workloads"), (mendable(), "services")] {
        let started = Instant::now();
        let response = client.post("/mutate", &review.to_string()).unwrap().response();
        assert!(started.elapsed() < Duration::from_millis(500), "{:?}", started.elapsed());
        assert_eq!(response["allowed"], true);
        let unchecked = response["auditAnnotations"]["unchecked"].as_str().unwrap();
        assert!(unchecked.starts_with(unseen), "{response}");
    }
    assert_eq!(server.probe("/readyz").0, 503);
}
