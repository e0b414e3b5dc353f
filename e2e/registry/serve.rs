//! The webhook with a module from a registry: pulled at start, cached, and run only if its digest matches.

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

/// The arguments of a webhook on free ports that pulls over plain HTTP.
const SERVE: [&str; 6] = [
    "serve",
    "--insecure-http",
    "--listen=127.0.0.1:0",
    "--health-listen=127.0.0.1:0",
    "--no-cluster",
    "--registry-plain-http",
];

/// A webhook that runs a module from a registry and has answered one request.
fn serve(module: &str, more: &[&str]) -> Server {
    let server = Server::start(&[&["--module", module, "--registry-plain-http"], more].concat());
    let response = server.connect().post("/mutate", REVIEW).unwrap().response();
    assert!(response["allowed"] == true && response["patch"].is_string(), "{response}");
    server
}

/// The log line of the loaded module.
fn origin(server: &Server) -> Value {
    server.wait_for_line(|line| line["message"] == "pulled the module")
}

/// The log of a webhook until it listens. The webhook is then stopped.
fn log_until_it_listens(user: &User, more: &[&str]) -> String {
    let path = user.home().join("log");
    let mut command = user.command(&[&SERVE[..], more].concat());
    let mut child = command.stderr(File::create(&path).unwrap()).spawn().unwrap();
    let started = Instant::now();
    let log = loop {
        let log = fs::read_to_string(&path).unwrap();
        if log.contains("listening for reviews") || started.elapsed() > SOON {
            break log;
        }
        sleep(Duration::from_millis(20));
    };
    let _ = child.kill();
    let _ = child.wait();
    assert!(log.contains("listening for reviews"), "{log}");
    log
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn a_restart_with_a_digest_reference_needs_no_registry() {
    let (mut registry, cache) = (Registry::plain(), TempDir::new().unwrap());
    let reference = User::unknown().push(&registry.reference("team/policy:v1"));
    let module = format!("registry://{reference}");
    let cached = ["--module-cache", cache.path().to_str().unwrap()];
    let server = serve(&module, &cached);
    assert_eq!(
        (origin(&server)["reference"].as_str(), &origin(&server)["cached"]),
        (Some(&*reference), &Value::Bool(false))
    );
    assert!(!server.log().iter().any(|line| line["level"] == "WARN"), "{:?}", server.log());
    drop(server);
    assert_eq!(files(cache.path()).len(), 2);
    registry.stop();
    assert_eq!(origin(&serve(&module, &cached))["cached"], true);
}

#[test]
fn a_tag_gives_a_warning_and_is_requested_at_every_start() {
    let (mut registry, cache) = (Registry::plain(), TempDir::new().unwrap());
    let reference = User::unknown().push(&registry.reference("team/policy:v1"));
    let module = format!("registry://{}", registry.reference("team/policy:v1"));
    let cached = ["--module-cache", cache.path().to_str().unwrap()];
    let server = serve(&module, &cached);
    let warning = server.wait_for_line(|line| line["level"] == "WARN");
    assert_eq!(warning["reference"], Value::from(reference), "{warning}");
    registry.stop();
    let arguments = [&SERVE[..], &cached, &["--log-level=error", "--module", &module]].concat();
    let ran = User::unknown().run(&arguments);
    assert_eq!(ran.code, 4);
    snapshot("serve-registry-down", &ran);
}

#[test]
fn a_changed_cache_is_pulled_again() {
    let (registry, cache) = (Registry::plain(), TempDir::new().unwrap());
    let module = format!("registry://{}", User::unknown().push(&registry.reference("team/policy:v1")));
    let cached = ["--module-cache", cache.path().to_str().unwrap()];
    drop(serve(&module, &cached));
    for path in files(cache.path()) {
        let mut content = fs::read(&path).unwrap();
        content[10] ^= 1;
        fs::write(&path, content).unwrap();
    }
    let server = serve(&module, &cached);
    assert_eq!(origin(&server)["cached"], false);
    let warnings = server.log().into_iter().filter(|line| line["level"] == "WARN");
    assert_eq!(warnings.count(), 2);
    drop(server);
    // The cache was repaired.
    assert_eq!(origin(&serve(&module, &cached))["cached"], true);
}

#[test]
fn a_module_that_was_changed_in_the_registry_is_neither_run_nor_cached() {
    let (registry, cache) = (Registry::plain(), TempDir::new().unwrap());
    let reference = User::unknown().push(&registry.reference("team/policy:v1"));
    fs::write(registry.blob(&Digest::from_content(EMBEDDED).to_string()), &EMBEDDED[1..]).unwrap();
    let module = format!("registry://{reference}");
    let cached = ["--module-cache", cache.path().to_str().unwrap()];
    let ran = User::unknown().run(&[&SERVE[..], &cached, &["--module", &module]].concat());
    assert!(ran.code == 4 && ran.stderr.contains("module digest mismatch: "), "{ran:?}");
    assert!(files(cache.path()).is_empty());
}

#[test]
fn the_webhook_starts_without_a_writable_cache() {
    let registry = Registry::plain();
    let module = format!("registry://{}", User::unknown().push(&registry.reference("team/policy:v1")));
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    for cache in [Path::new("/proc/cache"), &folder.path().join("file")] {
        let server = serve(&module, &["--module-cache", cache.to_str().unwrap()]);
        server.wait_for_line(|line| line["message"] == "cannot cache a pulled file; the next start pulls it again");
    }
}

#[test]
fn a_full_disk_leaves_no_partial_file_in_the_cache() {
    let registry = Registry::plain();
    let user = User::unknown().with_file_limit(256);
    let module = format!("registry://{}", user.push(&registry.reference("team/policy:v1")));
    let log = log_until_it_listens(&user, &["--module-cache", "cache", "--module", &module]);
    assert!(log.contains("cannot cache a pulled file"), "{log}");
    // The manifest fits.
    let kept = files(&user.home().join("cache"));
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert!(fs::metadata(&kept[0]).unwrap().len() < 32 << 10);
}

#[test]
fn the_default_cache_is_in_the_home_directory() {
    let registry = Registry::plain();
    let user = User::unknown().with("XDG_CACHE_HOME", "caches");
    let module = format!("registry://{}", user.push(&registry.reference("team/policy:v1")));
    log_until_it_listens(&user, &["--module", &module]);
    let folder = user.home().join("caches/sqledge-ha");
    assert_eq!(files(&folder).len(), 2);
    let mode = fs::metadata(&files(&folder)[0]).unwrap().permissions().mode();
    assert_eq!(mode & 0o111, 0);
}

#[test]
fn local_errors_are_reported_before_the_module_is_pulled() {
    let (registry, user) = (Registry::plain(), User::unknown());
    let module = format!("registry://{}", user.push(&registry.reference("team/policy:v1")));
    registry.pause();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = format!("--listen={}", taken.local_addr().unwrap());
    let error = |flags: &[&str]| {
        let arguments = ["serve", "--health-listen=127.0.0.1:0", "--registry-plain-http", "--module", &module];
        let ran = user.run(&[&arguments, flags].concat());
        assert_eq!(ran.code, 2, "{ran:?}");
        ran.stderr
    };
    let address = error(&["--insecure-http", "--no-cluster", &listen]);
    let expected = format!("cannot listen for reviews on {}: address already in use", taken.local_addr().unwrap());
    assert!(address.contains(&expected), "{address}");
    let certificate = error(&["--listen=127.0.0.1:0", "--no-cluster", "--tls-cert=missing", "--tls-key=missing"]);
    assert!(certificate.contains("cannot read missing: no such file"), "{certificate}");
    let cluster = error(&["--listen=127.0.0.1:0", "--insecure-http", "--kubeconfig=missing"]);
    assert!(cluster.contains("cannot use the kubeconfig missing"), "{cluster}");
}

#[test]
fn only_the_module_in_use_stays_in_the_cache() {
    let (registry, cache) = (Registry::plain(), TempDir::new().unwrap());
    let (user, tag) = (User::unknown(), registry.reference("team/policy:v1"));
    let modules = ["1", "2"].map(|revision| {
        let ran = user.run(&["policy", "push", "--plain-http", "--revision", revision, &tag]);
        format!("registry://{}", ran.output.trim_end())
    });
    fs::write(cache.path().join("notes"), "").unwrap();
    let cached = ["--module-cache", cache.path().to_str().unwrap()];
    for module in &modules {
        drop(serve(module, &cached));
        // The manifest, the module, and the unrelated file.
        assert_eq!(files(cache.path()).len(), 3);
    }
    assert_eq!(origin(&serve(&modules[1], &cached))["cached"], true);
}

#[test]
fn a_webhook_that_waits_for_its_module_is_live_but_not_ready() {
    let (registry, cache) = (Registry::plain(), TempDir::new().unwrap());
    let module = format!("registry://{}", User::unknown().push(&registry.reference("team/policy:v1")));
    registry.pause();
    let cached = ["--module-cache", cache.path().to_str().unwrap()];
    let server = Server::starting(&[&["--module", &module, "--registry-plain-http"], &cached[..]].concat());
    assert_eq!(server.probe("/livez").0, 200);
    let missing = "starting: waiting for the module, the certificate or the cluster\n";
    assert_eq!(server.probe("/readyz"), (503, missing.to_owned()));
    assert!(server.probe("/metrics").1.contains("sqledge_ha_build_info"));
    registry.resume();
    server.wait_until_ready();
    assert!(server.probe("/metrics").1.contains("sqledge_ha_certificate"));
}

#[test]
fn a_webhook_exits_with_an_error_if_the_registry_does_not_respond() {
    let module = format!("registry://{}/team/policy:v1", silent());
    let arguments = ["--module", &module, "--registry-plain-http", "--registry-timeout=3s"];
    let mut server = Server::starting(&arguments);
    assert_eq!((server.probe("/livez").0, server.probe("/readyz").0), (200, 503));
    assert_eq!(server.wait().code(), Some(4));
    let expected = "the registry did not respond within 3s";
    server.wait_for_line(|line| {
        line.as_str().is_some_and(|line| line.starts_with("error: ") && line.ends_with(expected))
    });
}

#[test]
fn sigterm_stops_a_webhook_that_waits_for_its_module() {
    let module = format!("registry://{}/team/policy:v1", silent());
    let mut server = Server::starting(&["--module", &module, "--registry-plain-http", "--registry-timeout=1h"]);
    // It handles signals from the time when it answers probes.
    assert_eq!(server.probe("/livez").0, 200);
    server.terminate();
    assert!(server.wait().success());
    server.wait_for_line(|line| line["message"] == "stopped during startup");
}
