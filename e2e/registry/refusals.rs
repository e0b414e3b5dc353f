//! What a registry refuses, or is not: each told in words, with what to do, and nothing left behind.

use std::fs;
use std::net::TcpListener;

use serde_json::json;
use sqledge_ha::registry::Digest;

use super::command::{User, snapshot};
use super::scripted::{Answer, scripted, silent};
use super::server::Registry;
use crate::ran::Ran;

/// Pulls by plain HTTP, which has to fail and leave no file.
fn refused(place: &str, more: &[&str]) -> Ran {
    let user = User::unknown();
    let ran = user.run(&[&["policy", "pull", place, "-o", "policy.wasm"], more].concat());
    assert_eq!((ran.code, ran.output.as_str()), (4, ""), "{ran:?}");
    assert_eq!(fs::read_dir(user.home()).unwrap().count(), 0);
    ran
}

#[test]
fn what_does_not_exist_is_told() {
    let (registry, user) = (Registry::plain(), User::unknown());
    user.push(&registry.place("team/policy:v1"));
    snapshot("no-such-tag", &refused(&registry.place("team/policy:v2"), &["--plain-http"]));
    snapshot("no-such-repository", &refused(&registry.place("team/other:v1"), &["--plain-http"]));
    let digest = registry.place(&format!("team/policy@{}", Digest::of(b"nothing")));
    snapshot("no-such-digest", &refused(&digest, &["--plain-http"]));
}

#[test]
fn who_speaks_what_is_told() {
    let (plain, secure) = (Registry::plain(), Registry::with_tls());
    snapshot("unknown-authority", &refused(&secure.place("team/policy:v1"), &[]));
    snapshot("tls-to-plain", &refused(&plain.place("team/policy:v1"), &[]));
    snapshot("plain-to-tls", &refused(&secure.place("team/policy:v1"), &["--plain-http"]));
    let push = ["policy", "push", "--plain-http", &secure.place("team/policy:v1")];
    snapshot("plain-to-tls-to-push", &User::unknown().run(&push));
    let other = Registry::with_tls();
    let ca_cert = other.ca_cert();
    let ran = refused(&secure.place("team/policy:v1"), &["--ca-cert", ca_cert.to_str().unwrap()]);
    assert!(ran.said.contains("authority that is not known"), "{ran:?}");
}

#[test]
fn a_system_that_trusts_nobody_is_told_so() {
    let registry = Registry::with_tls();
    let user = User::unknown().with("SSL_CERT_FILE", "missing.crt");
    let ran = user.run(&["policy", "pull", &registry.place("team/policy:v1"), "-o", "policy.wasm"]);
    assert_eq!(ran.code, 2, "{ran:?}");
    snapshot("no-authorities", &ran);
}

#[test]
fn certificates_that_cannot_be_used_are_wrong_usage() {
    let text = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let user = User::unknown().with_file("empty.crt", "").with_file("broken.crt", text);
    for name in ["missing.crt", "empty.crt", "broken.crt"] {
        let ran = user.run(&["policy", "pull", "registry.test/policy:v1", "-o", "policy.wasm", "--ca-cert", name]);
        assert_eq!(ran.code, 2, "{ran:?}");
        snapshot(&format!("certificates-{name}"), &ran);
    }
}

#[test]
fn nobody_there_and_nobody_answering_are_told_apart() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    snapshot("registry-down", &refused(&format!("{address}/team/policy:v1"), &["--plain-http"]));
    let place = format!("{}/team/policy:v1", silent());
    snapshot("registry-silent", &refused(&place, &["--plain-http", "--time-out", "1s"]));
    let ran = refused("registry.invalid/team/policy:v1", &[]);
    assert!(ran.said.contains("the registry cannot be reached: "), "{ran:?}");
}

#[test]
fn references_that_leave_something_to_guess_are_wrong_usage() {
    for (name, place) in [
        ("no-registry", "team/policy:v1"),
        ("no-tag", "registry.test/team/policy"),
        ("scheme", "https://registry.test/team/policy:v1"),
        ("short-digest", "registry.test/team/policy@sha256:0123"),
    ] {
        let ran = User::unknown().run(&["policy", "pull", place, "-o", "policy.wasm"]);
        assert_eq!(ran.code, 2, "{ran:?}");
        snapshot(&format!("reference-{name}"), &ran);
    }
    let digest = format!("registry.test/team/policy@{}", Digest::of(b""));
    snapshot("push-to-a-digest", &User::unknown().run(&["policy", "push", &digest]));
}

#[test]
fn what_is_no_policy_is_named() {
    let registry = Registry::plain();
    let put = |tag: &str, layers: serde_json::Value| {
        let config = Digest::of(b"{}").to_string();
        registry.put_blob("team/image", &config, b"{}");
        let media_type = "application/vnd.oci.image.manifest.v1+json";
        let manifest = json!({"schemaVersion": 2, "mediaType": media_type, "layers": layers,
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": config, "size": 2}});
        registry.put_manifest("team/image", tag, media_type, manifest.to_string().as_bytes());
        refused(&registry.place(&format!("team/image:{tag}")), &["--plain-http"])
    };
    let layer = Digest::of(b"{}").to_string();
    let image = json!([{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": layer, "size": 2}]);
    snapshot("an-image", &put("image", image));
    snapshot("no-layer", &put("empty", json!([])));
    let media_type = "application/vnd.oci.image.index.v1+json";
    let index = json!({"schemaVersion": 2, "mediaType": media_type, "manifests": []}).to_string();
    registry.put_manifest("team/image", "index", media_type, index.as_bytes());
    snapshot("an-index", &refused(&registry.place("team/image:index"), &["--plain-http"]));
}

#[test]
fn files_that_are_no_policy_are_not_pushed() {
    let wasm = wat::parse_str("(module)").unwrap();
    let user = User::unknown().with_file("script.wasm", "#!/bin/sh\n");
    fs::write(user.home().join("bare.wasm"), wasm).unwrap();
    for name in ["missing.wasm", "script.wasm", "bare.wasm"] {
        let ran = user.run(&["policy", "push", "registry.invalid/policy:v1", "--module", name]);
        assert_eq!(ran.code, 4, "{ran:?}");
        snapshot(&format!("push-of-{name}"), &ran);
    }
}

#[test]
fn a_registry_that_refuses_is_quoted() {
    let denied = r#"{"errors": [{"code": "DENIED", "message": "the project\nis\u001b[31m locked"}]}"#;
    let refusing = |status, body: &'static str| {
        let address = scripted(move |_, asked| Answer::new(if asked.path == "/v2/" { 200 } else { status }, body));
        refused(&format!("{address}/team/policy:v1"), &["--plain-http"])
    };
    snapshot("forbidden", &refusing(403, denied));
    snapshot("broken-registry", &refusing(502, "<html>Bad gateway</html>"));
    let address = scripted(move |_, asked| Answer::new(if asked.path == "/v2/" { 200 } else { 403 }, denied));
    let push = ["policy", "push", "--plain-http", &format!("{address}/team/policy:v1")];
    snapshot("forbidden-to-push", &User::unknown().run(&push));
}

#[test]
fn nothing_is_taken_that_is_longer_than_it_may_be() {
    let endless = scripted(|_, asked| match asked.path.as_str() {
        "/v2/" => Answer::new(200, ""),
        _ => Answer::new(200, "{").endless(),
    });
    snapshot("endless-manifest", &refused(&format!("{endless}/team/policy:v1"), &["--plain-http"]));
    let with_a_module_of = |size: u64| {
        let layer = json!({"mediaType": "application/vnd.wasm.content.layer.v1+wasm", "size": size,
            "digest": Digest::of(b"module").to_string()});
        let config = json!({"mediaType": "application/vnd.wasm.config.v1+json", "size": 2,
            "digest": Digest::of(b"{}").to_string()});
        let manifest = json!({"schemaVersion": 2, "config": config, "layers": [layer]}).to_string();
        let address = scripted(move |_, asked| match asked.path.as_str() {
            "/v2/" => Answer::new(200, ""),
            path if path.contains("/manifests/") => Answer::new(200, manifest.as_bytes()),
            _ => Answer::new(200, "module").endless(),
        });
        refused(&format!("{address}/team/policy:v1"), &["--plain-http"])
    };
    snapshot("module-longer-than-said", &with_a_module_of(6));
    snapshot("module-too-long", &with_a_module_of((64 << 20) + 1));
}
