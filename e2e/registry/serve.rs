//! The webhook with a module from a registry: pulled at start, kept, and never run unless it is what its digest names.

use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;
use sqledge_ha::registry::Digest;
use sqledge_ha::wasm_host::EMBEDDED;
use tempfile::TempDir;

use super::command::{User, snapshot};
use super::scripted::silent;
use super::server::Registry;
use crate::serve::process::{SOON, Server};

const REVIEW: &str = include_str!("../examples/deployment-review.json");

/// A webhook on ports of its own that pulls by plain HTTP.
const SERVE: [&str; 6] = [
    "serve",
    "--insecure-http",
    "--listen=127.0.0.1:0",
    "--health-listen=127.0.0.1:0",
    "--no-cluster",
    "--registry-plain-http",
];

/// A webhook that runs a module of a registry, and has answered once.
fn serve(module: &str, more: &[&str]) -> Server {
    let server = Server::start(&[&["--module", module, "--registry-plain-http"], more].concat());
    let response = server.connect().post("/mutate", REVIEW).unwrap().response();
    assert!(response["allowed"] == true && response["patch"].is_string(), "{response}");
    server
}

/// The line of the log that says where the module is from.
fn origin(server: &Server) -> Value {
    server.wait_for_line(|line| line["message"] == "pulled the module")
}

/// What a webhook of a user has said by the time it listens; then it is stopped.
fn until_it_listens(user: &User, more: &[&str]) -> String {
    let log = user.home().join("log");
    let mut command = user.command(&[&SERVE[..], more].concat());
    let mut child = command.stderr(File::create(&log).unwrap()).spawn().unwrap();
    let started = Instant::now();
    let said = loop {
        let said = fs::read_to_string(&log).unwrap();
        if said.contains("listening for reviews") || started.elapsed() > SOON {
            break said;
        }
        sleep(Duration::from_millis(20));
    };
    let _ = child.kill();
    let _ = child.wait();
    assert!(said.contains("listening for reviews"), "{said}");
    said
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn a_module_is_pulled_once_and_then_needs_no_registry() {
    let (mut registry, cache) = (Registry::plain(), TempDir::new().unwrap());
    let place = User::unknown().push(&registry.place("team/policy:v1"));
    let module = format!("registry://{place}");
    let kept = ["--module-cache", cache.path().to_str().unwrap()];
    let server = serve(&module, &kept);
    assert_eq!(
        (origin(&server)["reference"].as_str(), &origin(&server)["cached"]),
        (Some(&*place), &Value::Bool(false))
    );
    assert!(!server.log().iter().any(|line| line["level"] == "WARN"), "{:?}", server.log());
    drop(server);
    assert_eq!(files(cache.path()).len(), 2);
    registry.stop();
    assert_eq!(origin(&serve(&module, &kept))["cached"], true);
}

#[test]
fn a_tag_is_warned_of_and_asked_for_each_time() {
    let (mut registry, cache) = (Registry::plain(), TempDir::new().unwrap());
    let place = User::unknown().push(&registry.place("team/policy:v1"));
    let module = format!("registry://{}", registry.place("team/policy:v1"));
    let kept = ["--module-cache", cache.path().to_str().unwrap()];
    let server = serve(&module, &kept);
    let warning = server.wait_for_line(|line| line["level"] == "WARN");
    assert_eq!(warning["reference"], Value::from(place), "{warning}");
    registry.stop();
    let arguments = [&SERVE[..], &kept, &["--log-level=error", "--module", &module]].concat();
    let ran = User::unknown().run(&arguments);
    assert_eq!(ran.code, 4);
    snapshot("serve-registry-down", &ran);
}

#[test]
fn what_was_changed_in_the_cache_is_pulled_again() {
    let (registry, cache) = (Registry::plain(), TempDir::new().unwrap());
    let module = format!("registry://{}", User::unknown().push(&registry.place("team/policy:v1")));
    let kept = ["--module-cache", cache.path().to_str().unwrap()];
    drop(serve(&module, &kept));
    for path in files(cache.path()) {
        let mut content = fs::read(&path).unwrap();
        content[10] ^= 1;
        fs::write(&path, content).unwrap();
    }
    let server = serve(&module, &kept);
    assert_eq!(origin(&server)["cached"], false);
    let warnings = server.log().into_iter().filter(|line| line["level"] == "WARN");
    assert_eq!(warnings.count(), 2);
    drop(server);
    // It was put right as well.
    assert_eq!(origin(&serve(&module, &kept))["cached"], true);
}

#[test]
fn a_module_that_was_changed_in_the_registry_is_neither_run_nor_kept() {
    let (registry, cache) = (Registry::plain(), TempDir::new().unwrap());
    let place = User::unknown().push(&registry.place("team/policy:v1"));
    fs::write(registry.blob(&Digest::of(EMBEDDED).to_string()), &EMBEDDED[1..]).unwrap();
    let module = format!("registry://{place}");
    let kept = ["--module-cache", cache.path().to_str().unwrap()];
    let ran = User::unknown().run(&[&SERVE[..], &kept, &["--module", &module]].concat());
    assert!(ran.code == 4 && ran.said.contains("the module that came has the digest "), "{ran:?}");
    assert!(files(cache.path()).is_empty());
}

#[test]
fn without_room_or_leave_to_write_there_is_no_cache_and_the_webhook_starts() {
    let registry = Registry::plain();
    let module = format!("registry://{}", User::unknown().push(&registry.place("team/policy:v1")));
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    for cache in [Path::new("/proc/cache"), &folder.path().join("file")] {
        let server = serve(&module, &["--module-cache", cache.to_str().unwrap()]);
        server.wait_for_line(|line| line["message"] == "what was pulled is not kept for the next start");
    }
}

#[test]
fn a_full_disk_leaves_nothing_half_in_the_cache() {
    let registry = Registry::plain();
    let user = User::unknown().with_room(64);
    let module = format!("registry://{}", user.push(&registry.place("team/policy:v1")));
    let said = until_it_listens(&user, &["--module-cache", "cache", "--module", &module]);
    assert!(said.contains("is not kept"), "{said}");
    // The manifest fits.
    let kept = files(&user.home().join("cache"));
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert!(fs::metadata(&kept[0]).unwrap().len() < 32 << 10);
}

#[test]
fn the_home_is_the_usual_place_to_keep_modules() {
    let registry = Registry::plain();
    let user = User::unknown().with("XDG_CACHE_HOME", "caches");
    let module = format!("registry://{}", user.push(&registry.place("team/policy:v1")));
    until_it_listens(&user, &["--module", &module]);
    let folder = user.home().join("caches/sqledge-ha");
    assert_eq!(files(&folder).len(), 2);
    let mode = fs::metadata(&files(&folder)[0]).unwrap().permissions().mode();
    assert_eq!(mode & 0o111, 0);
}

#[test]
fn what_is_wrong_here_is_told_before_the_module_comes() {
    let (registry, user) = (Registry::plain(), User::unknown());
    let module = format!("registry://{}", user.push(&registry.place("team/policy:v1")));
    registry.pause();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = format!("--listen={}", taken.local_addr().unwrap());
    let said = |flags: &[&str]| {
        let arguments = ["serve", "--health-listen=127.0.0.1:0", "--registry-plain-http", "--module", &module];
        let ran = user.run(&[&arguments, flags].concat());
        assert_eq!(ran.code, 2, "{ran:?}");
        ran.said
    };
    let address = said(&["--insecure-http", "--no-cluster", &listen]);
    let why = format!("cannot listen for reviews on {}: address already in use", taken.local_addr().unwrap());
    assert!(address.contains(&why), "{address}");
    let certificate = said(&["--listen=127.0.0.1:0", "--no-cluster", "--tls-cert=missing", "--tls-key=missing"]);
    assert!(certificate.contains("cannot read missing: there is no such file"), "{certificate}");
    let cluster = said(&["--listen=127.0.0.1:0", "--insecure-http", "--kubeconfig=missing"]);
    assert!(cluster.contains("cannot use the kubeconfig missing"), "{cluster}");
}

#[test]
fn the_module_in_use_and_the_one_before_are_kept() {
    let (mut registry, cache) = (Registry::plain(), TempDir::new().unwrap());
    let (user, place) = (User::unknown(), registry.place("team/policy:v1"));
    let modules = ["1", "2", "3"].map(|revision| {
        let ran = user.run(&["policy", "push", "--plain-http", "--revision", revision, &place]);
        format!("registry://{}", ran.output.trim_end())
    });
    fs::write(cache.path().join("notes"), "").unwrap();
    let kept = ["--module-cache", cache.path().to_str().unwrap()];
    for module in &modules {
        drop(serve(module, &kept));
    }
    // One module, which two manifests name, and what somebody else has put there.
    assert_eq!(files(cache.path()).len(), 4);
    registry.stop();
    for module in &modules[1..] {
        assert_eq!(origin(&serve(module, &kept))["cached"], true);
    }
}

#[test]
fn a_webhook_that_waits_for_its_module_is_alive_and_not_ready() {
    let (registry, cache) = (Registry::plain(), TempDir::new().unwrap());
    let module = format!("registry://{}", User::unknown().push(&registry.place("team/policy:v1")));
    registry.pause();
    let kept = ["--module-cache", cache.path().to_str().unwrap()];
    let server = Server::starting(&[&["--module", &module, "--registry-plain-http"], &kept[..]].concat());
    assert_eq!(server.probe("/livez").0, 200);
    let missing = "the webhook has not started yet: its module is on its way, or what it needs around it\n";
    assert_eq!(server.probe("/readyz"), (503, missing.to_owned()));
    assert!(server.probe("/metrics").1.contains("sqledge_ha_build_info"));
    registry.resume();
    server.wait_until_ready();
    // What is only known now is told as well.
    assert!(server.probe("/metrics").1.contains("sqledge_ha_certificate"));
}

#[test]
fn a_webhook_whose_module_does_not_come_ends_and_says_why() {
    let module = format!("registry://{}/team/policy:v1", silent());
    let arguments = ["--module", &module, "--registry-plain-http", "--registry-timeout=3s"];
    let mut server = Server::starting(&arguments);
    assert_eq!((server.probe("/livez").0, server.probe("/readyz").0), (200, 503));
    assert_eq!(server.wait().code(), Some(4));
    let why = "the registry did not answer within 3s";
    server.wait_for_line(|line| line.as_str().is_some_and(|line| line.starts_with("error: ") && line.ends_with(why)));
}

#[test]
fn a_webhook_that_is_told_to_end_does_not_wait_for_its_module() {
    let module = format!("registry://{}/team/policy:v1", silent());
    let mut server = Server::starting(&["--module", &module, "--registry-plain-http", "--registry-timeout=1h"]);
    // It hears signals from when it answers probes on.
    assert_eq!(server.probe("/livez").0, 200);
    server.terminate();
    assert!(server.wait().success());
    server.wait_for_line(|line| line["message"] == "stopped before it had started");
}
