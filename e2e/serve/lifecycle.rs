//! Startup, certificate replacement and shutdown.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use assert_cmd::Command;

use super::client::{Authority, Client};
use super::process::{SOON, Server};
use super::reviews::incomplete_review;

#[test]
fn a_certificate_is_replaced_under_load_without_a_failed_request() {
    let server = Server::start(&[]);
    let next = Authority::new();
    let config = Authority::client_config(&[&server.authority, &next], "http/1.1");
    let (stop, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let mut client = Client::connect_with(server.reviews, Arc::clone(&config)).unwrap();
                    for _ in 0..10 {
                        let answer = client.post("/mutate", &incomplete_review().to_string()).unwrap();
                        assert_eq!(answer.status, 200);
                        answered.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
        swap_as_a_secret_volume_does(&server, &next);
        let started = Instant::now();
        while Client::connect(server.reviews, &next).is_err() {
            assert!(started.elapsed() < SOON, "the new certificate is not presented");
            thread::sleep(Duration::from_millis(50));
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert!(answered.load(Ordering::Relaxed) > 100);
    assert!(Client::connect(server.reviews, &server.authority).is_err());
    // A key without a matching certificate is not loaded.
    Authority::new().write(&server.folder().join("..data"));
    fs::write(server.folder().join("..data/tls.key"), "-----BEGIN").unwrap();
    server.wait_for_line(|line| is_about(line, "WARN", "cannot load the certificate files"));
    Client::connect(server.reviews, &next).unwrap();
}

fn is_about(line: &serde_json::Value, level: &str, text: &str) -> bool {
    line["level"] == level && line["message"].as_str().is_some_and(|message| message.contains(text))
}

#[test]
fn a_certificate_that_is_not_valid_is_an_error_and_the_webhook_is_not_ready() {
    let server = Server::start(&[]);
    server.wait_until_ready();
    Authority::expired().write(server.folder());
    let line = server.wait_for_line(|line| is_about(line, "ERROR", "the serving certificate has expired"));
    assert_eq!(line["not_after"], "2021-01-01T00:00:00Z");
    assert_eq!(server.probe("/readyz"), (503, "the serving certificate has expired\n".to_owned()));
    assert_eq!(server.metric("sqledge_ha_certificate_expiry_timestamp_seconds"), 1_609_459_200.0);
}

/// Sends the alert `unknown_ca`.
pub(super) fn distrust(server: &Server) {
    TcpStream::connect(server.reviews).unwrap().write_all(&[21, 3, 3, 0, 2, 2, 48]).unwrap();
}

#[test]
fn a_client_that_does_not_trust_the_certificate_is_a_warning() {
    let server = Server::start(&[]);
    for _ in 0..3 {
        distrust(&server);
    }
    let line = server.wait_for_line(|line| is_about(line, "WARN", "a client does not trust the certificate"));
    assert_eq!(line["handshakes"], 1);
    server.wait_for_metric("sqledge_ha_connections_rejected_total{reason=\"untrusted\"}", 3.0);
    assert_eq!(server.log().iter().filter(|line| line["level"] == "WARN").count(), 1);
}

#[test]
fn settings_are_loaded_again_when_their_file_changes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("settings.yaml");
    let write = |text: &str| fs::write(&path, text).unwrap();
    write("policy: {mode: warn}\n");
    let server = Server::start(&[&format!("--settings={}", path.display())]);
    let line = server.wait_for_line(|line| line["message"] == "starting");
    assert_eq!((&line["mode"], &line["engines"]), (&"warn".into(), &"sql-edge".into()));
    assert_eq!(line["version"], env!("CARGO_PKG_VERSION"));
    assert!(line["module"].as_str().unwrap().starts_with("sha256:"), "{line}");
    let decide = || {
        let answer = server.connect().post("/mutate", &incomplete_review().to_string()).unwrap().response();
        (answer["allowed"].as_bool().unwrap(), answer["patch"].is_string())
    };
    assert_eq!(decide(), (true, false));
    write("mode: mutate\nimages: [{repository: team/edge, engine: sql-edge}]\n");
    server.wait_for_line(|line| is_about(line, "INFO", "loaded new settings"));
    server.wait_for_line(|line| is_about(line, "WARN", "apply the manifests again"));
    assert_eq!(decide(), (true, true));
    write("mode: monitor\n");
    let line = server.wait_for_line(|line| is_about(line, "ERROR", "keeping the previous ones"));
    assert!(line["error"].as_str().unwrap().contains("unknown mode `monitor`"), "{line}");
    assert_eq!(decide(), (true, true));
    assert_eq!(server.metric("sqledge_ha_settings_failures_total"), 1.0);
    assert_eq!(server.metric("sqledge_ha_settings_replacements_total"), 1.0);
}

/// The files become links into a directory, which is itself a link.
fn swap_as_a_secret_volume_does(server: &Server, next: &Authority) {
    let folder = server.folder();
    fs::create_dir(folder.join("..2026")).unwrap();
    next.write(&folder.join("..2026"));
    std::os::unix::fs::symlink("..2026", folder.join("..data")).unwrap();
    for name in ["tls.crt", "tls.key"] {
        let link = folder.join(format!("new-{name}"));
        std::os::unix::fs::symlink(format!("..data/{name}"), &link).unwrap();
        fs::rename(link, folder.join(name)).unwrap();
    }
}

#[test]
fn shutdown_loses_no_answer_over_http1() {
    let mut server = Server::start(&["--drain=1s", "--grace=10s"]);
    let sent = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut client = server.connect();
                loop {
                    // The webhook announces before that it closes the connection.
                    let answer = client.post("/mutate", &incomplete_review().to_string()).unwrap();
                    assert_eq!(answer.status, 200);
                    sent.fetch_add(1, Ordering::Relaxed);
                    if answer.head.to_ascii_lowercase().contains("connection: close") {
                        break;
                    }
                }
            });
        }
        while sent.load(Ordering::Relaxed) < 100 {
            thread::sleep(Duration::from_millis(5));
        }
        server.terminate();
        let started = Instant::now();
        while server.probe("/readyz").0 == 200 {
            assert!(started.elapsed() < SOON, "it is still ready");
        }
        assert_eq!(server.probe("/livez").0, 200);
    });
    assert!(server.wait().success());
    assert!(server.log().iter().any(|line| line["message"] == "stopped"), "{:?}", server.log());
}

#[test]
fn a_second_signal_stops_immediately() {
    let mut server = Server::start(&["--drain=1h"]);
    server.terminate();
    server.wait_for_line(|line| line["message"].as_str().is_some_and(|message| message.starts_with("shutting down")));
    server.terminate();
    assert!(server.wait().success());
}

#[test]
fn the_grace_period_ends_requests_in_flight() {
    let mut server = Server::start(&["--grace=300ms", "--body-timeout=1h"]);
    let mut client = server.connect();
    client
        .send(b"POST /mutate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{")
        .unwrap();
    server.wait_for_metric("sqledge_ha_requests_in_flight ", 1.0);
    server.terminate();
    assert!(server.wait().success());
    server.wait_for_line(|line| {
        line["message"].as_str().is_some_and(|message| message.starts_with("the grace period is over"))
    });
    client.wait_for_end();
}

/// A cluster at an address where no process listens.
const NOWHERE: &str = "apiVersion: v1\nkind: Config\ncurrent-context: a\n\
    contexts: [{name: a, context: {cluster: a, user: a}}]\nusers: [{name: a, user: {}}]\n\
    clusters: [{name: a, cluster: {server: \"http://127.0.0.1:1\"}}]\n";

#[test]
fn the_webhook_is_not_ready_without_a_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = folder.path().join("kubeconfig");
    fs::write(&kubeconfig, NOWHERE).unwrap();
    let server = Server::start_self_signed(kubeconfig.to_str().unwrap(), &["--service=a.b.svc"]);
    // Until the module and the caches have begun, it only says that it starts.
    let mut answer = server.probe("/readyz");
    for _ in 0..1000 {
        if !answer.1.starts_with("starting") {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
        answer = server.probe("/readyz");
    }
    let (status, problems) = answer;
    assert_eq!(status, 503);
    assert!(problems.contains("no serving certificate"), "{problems}");
    assert!(problems.contains("the caches are not synced"), "{problems}");
    assert_eq!(server.probe("/livez").0, 200);
}

#[test]
fn shutdown_does_not_wait_for_a_credentials_plugin() {
    let folder = tempfile::tempdir().unwrap();
    let [kubeconfig, asked] = ["kubeconfig", "asked"].map(|name| folder.path().join(name));
    // Longer than this test waits for the end of the webhook.
    let script = format!("echo $$ > '{}'; exec sleep 120", asked.display());
    let exec = serde_json::json!({"apiVersion": "client.authentication.k8s.io/v1", "command": "sh",
        "args": ["-c", script], "interactiveMode": "Never"});
    let cluster = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: a\ncontexts: [{{name: a, context: {{cluster: a, user: a}}}}]\n\
         users: [{{name: a, user: {{exec: {exec}}}}}]\n\
         clusters: [{{name: a, cluster: {{server: \"http://127.0.0.1:1\"}}}}]\n"
    );
    fs::write(&kubeconfig, cluster).unwrap();
    let mut server = Server::starting_in(kubeconfig.to_str().unwrap(), &[]);
    let started = Instant::now();
    let plugin = loop {
        let process_id = fs::read_to_string(&asked).unwrap_or_default();
        if process_id.ends_with('\n') {
            break process_id;
        }
        assert!(started.elapsed() < SOON, "the plugin was not started: {:#?}", server.log());
        thread::sleep(Duration::from_millis(10));
    };
    assert_eq!((server.probe("/livez").0, server.probe("/readyz").0), (200, 503));
    server.terminate();
    assert!(server.wait().success());
    server.wait_for_line(|line| line["message"] == "stopped during startup");
    let ended = std::process::Command::new("kill").arg(plugin.trim()).status().unwrap();
    assert!(ended.success());
}

#[test]
fn the_webhook_is_ready_once_the_caches_are_synced() {
    let api = TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = folder.path().join("kubeconfig");
    let cluster = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: a\ncontexts: [{{name: a, context: {{cluster: a, user: a}}}}]\n\
         users: [{{name: a, user: {{}}}}]\nclusters: [{{name: a, cluster: {{server: \"http://{}\"}}}}]\n",
        api.local_addr().unwrap()
    );
    fs::write(&kubeconfig, cluster).unwrap();
    let server = Server::start_in(kubeconfig.to_str().unwrap(), &[]);
    // The API server does not answer yet.
    let (status, problems) = server.probe("/readyz");
    assert_eq!((status, problems.as_str()), (503, "the caches are not synced\n"));
    thread::spawn(move || api.incoming().flatten().for_each(|stream| drop(thread::spawn(|| forbid(stream)))));
    server.wait_until_ready();
}

/// An API server that forbids everything.
fn forbid(stream: TcpStream) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut line = String::new();
    while reader.read_line(&mut line).is_ok_and(|length| length > 0) {
        if line == "\r\n" {
            let status = r#"{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","code":403}"#;
            let head = "HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\nContent-Length: ";
            let _ = write!(&stream, "{head}{}\r\n\r\n{status}", status.len());
        }
        line.clear();
    }
}

fn startup_error(arguments: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    Authority::new().write(folder.path());
    fs::write(folder.path().join("wrong.yaml"), "engines: [sql-egde]\n").unwrap();
    fs::write(folder.path().join("wrong.wasm"), "no module").unwrap();
    let mut command = Command::new(assert_cmd::cargo::cargo_bin("sqledge-ha"));
    command.args(["serve", "--health-listen=127.0.0.1:0"]).args(arguments);
    let output = command.current_dir(folder.path()).timeout(SOON).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn wrong_arguments_are_errors_at_startup() {
    let files = ["--tls-cert=tls.crt", "--tls-key=tls.key", "--no-cluster"];
    let cases: [(&[&str], &str); 15] = [
        (&["--no-cluster"], "<--tls-cert <FILE>|--self-signed|--insecure-http>"),
        (&["--self-signed", "--service=sql"], "invalid Service `sql`; write NAME.NAMESPACE.svc"),
        (&["--no-cluster", "--tls-cert=tls.crt"], "not provided:\n  --tls-key <FILE>"),
        (&["--no-cluster", "--tls-key=tls.key"], "--tls-cert <FILE>"),
        (&["--no-cluster", "--tls-key=tls.key", "--insecure-http"], "'--tls-key <FILE>' cannot be used with"),
        (&["--tls-key=tls.key", "--self-signed", "--service=a.b.svc"], "'--tls-key <FILE>' cannot be used with"),
        (&["--insecure-http", "--no-cluster", "--listen=0.0.0.0:0"], "listen on 127.0.0.1"),
        (&["--tls-cert=missing", "--tls-key=tls.key", "--no-cluster"], "cannot read missing"),
        (&["--tls-cert=tls.crt", "--tls-key=tls.crt", "--no-cluster"], "cannot use tls.crt: no private key"),
        (&[files.as_slice(), &["--settings=wrong.yaml"]].concat(), "did you mean `sql-edge`"),
        (&[files.as_slice(), &["--module=wrong.wasm"]].concat(), "wrong.wasm: not a Wasm module"),
        (&[files.as_slice(), &["--deadline=soon"]].concat(), "--deadline"),
        (
            &[files.as_slice(), &["--deadline=0s"]].concat(),
            "'--deadline <DURATION>': it must be longer than 0, for example 30s",
        ),
        (&[files.as_slice(), &["--head-timeout=0s"]].concat(), "'--head-timeout <DURATION>': it must be longer than 0"),
        (&["--tls-cert=tls.crt", "--tls-key=tls.key"], "--no-cluster"),
    ];
    for (arguments, expected) in cases {
        let message = startup_error(arguments);
        assert!(message.contains(expected), "{arguments:?}: {message}");
    }
}
