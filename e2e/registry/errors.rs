//! Errors of registries: each is reported with help, and leaves no file.

use std::fs;
use std::net::TcpListener;

use serde_json::json;
use sqledge_ha::registry::Digest;

use super::command::{User, snapshot};
use super::scripted::{Answer, scripted, silent};
use super::server::Registry;
use crate::ran::Ran;

/// A pull that must fail with exit code 4 and leave no file.
fn fail(reference: &str, more: &[&str]) -> Ran {
    let user = User::unknown();
    let ran = user.run(&[&["policy", "pull", reference, "-o", "policy.wasm"], more].concat());
    assert_eq!((ran.code, ran.output.as_str()), (4, ""), "{ran:?}");
    assert_eq!(fs::read_dir(user.home()).unwrap().count(), 0);
    ran
}

#[test]
fn a_missing_tag_repository_or_digest_is_reported() {
    let (registry, user) = (Registry::plain(), User::unknown());
    user.push(&registry.reference("team/policy:v1"));
    snapshot("no-such-tag", &fail(&registry.reference("team/policy:v2"), &["--plain-http"]));
    snapshot("no-such-repository", &fail(&registry.reference("team/other:v1"), &["--plain-http"]));
    let digest = registry.reference(&format!("team/policy@{}", Digest::from_content(b"nothing")));
    snapshot("no-such-digest", &fail(&digest, &["--plain-http"]));
}

#[test]
fn wrong_use_of_tls_is_reported() {
    let (plain, secure) = (Registry::plain(), Registry::with_tls());
    snapshot("unknown-authority", &fail(&secure.reference("team/policy:v1"), &[]));
    snapshot("tls-to-plain", &fail(&plain.reference("team/policy:v1"), &[]));
    snapshot("plain-to-tls", &fail(&secure.reference("team/policy:v1"), &["--plain-http"]));
    let push = ["policy", "push", "--plain-http", &secure.reference("team/policy:v1")];
    snapshot("plain-to-tls-to-push", &User::unknown().run(&push));
    let other = Registry::with_tls();
    let ca_cert = other.ca_cert();
    let ran = fail(&secure.reference("team/policy:v1"), &["--ca-cert", ca_cert.to_str().unwrap()]);
    assert!(ran.stderr.contains("unknown authority"), "{ran:?}");
}

#[test]
fn a_system_without_certificates_is_reported() {
    let registry = Registry::with_tls();
    let user = User::unknown().with("SSL_CERT_FILE", "missing.crt");
    let ran = user.run(&["policy", "pull", &registry.reference("team/policy:v1"), "-o", "policy.wasm"]);
    assert_eq!(ran.code, 2, "{ran:?}");
    snapshot("no-authorities", &ran);
}

#[test]
fn invalid_certificates_are_usage_errors() {
    let text = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let user = User::unknown().with_file("empty.crt", "").with_file("broken.crt", text);
    for name in ["missing.crt", "empty.crt", "broken.crt"] {
        let ran = user.run(&["policy", "pull", "registry.test/policy:v1", "-o", "policy.wasm", "--ca-cert", name]);
        assert_eq!(ran.code, 2, "{ran:?}");
        snapshot(&format!("certificates-{name}"), &ran);
    }
}

#[test]
fn connection_errors_and_timeouts_are_reported() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    snapshot("registry-down", &fail(&format!("{address}/team/policy:v1"), &["--plain-http"]));
    let reference = format!("{}/team/policy:v1", silent());
    snapshot("registry-silent", &fail(&reference, &["--plain-http", "--timeout", "1s"]));
    let ran = fail("registry.invalid/team/policy:v1", &[]);
    assert!(ran.stderr.contains("cannot connect to the registry: "), "{ran:?}");
}

#[test]
fn incomplete_references_are_usage_errors() {
    for (name, reference) in [
        ("no-registry", "team/policy:v1"),
        ("no-tag", "registry.test/team/policy"),
        ("scheme", "https://registry.test/team/policy:v1"),
        ("short-digest", "registry.test/team/policy@sha256:0123"),
    ] {
        let ran = User::unknown().run(&["policy", "pull", reference, "-o", "policy.wasm"]);
        assert_eq!(ran.code, 2, "{ran:?}");
        snapshot(&format!("reference-{name}"), &ran);
    }
    let digest = format!("registry.test/team/policy@{}", Digest::from_content(b""));
    snapshot("push-to-digest", &User::unknown().run(&["policy", "push", &digest]));
}

#[test]
fn other_artifacts_are_not_policies() {
    let registry = Registry::plain();
    let put = |tag: &str, layers: serde_json::Value| {
        let config = Digest::from_content(b"{}").to_string();
        registry.put_blob("team/image", &config, b"{}");
        let media_type = "application/vnd.oci.image.manifest.v1+json";
        let manifest = json!({"schemaVersion": 2, "mediaType": media_type, "layers": layers,
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": config, "size": 2}});
        registry.put_manifest("team/image", tag, media_type, manifest.to_string().as_bytes());
        fail(&registry.reference(&format!("team/image:{tag}")), &["--plain-http"])
    };
    let layer = Digest::from_content(b"{}").to_string();
    let image = json!([{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": layer, "size": 2}]);
    snapshot("an-image", &put("image", image));
    snapshot("no-layer", &put("empty", json!([])));
    let media_type = "application/vnd.oci.image.index.v1+json";
    let index = json!({"schemaVersion": 2, "mediaType": media_type, "manifests": []}).to_string();
    registry.put_manifest("team/image", "index", media_type, index.as_bytes());
    snapshot("an-index", &fail(&registry.reference("team/image:index"), &["--plain-http"]));
}

#[test]
fn files_that_are_not_policies_are_not_pushed() {
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
fn the_message_of_a_registry_is_quoted() {
    let denied = r#"{"errors": [{"code": "DENIED", "message": "the project\nis\u001b[31m locked"}]}"#;
    let failing = |status, body: &'static str| {
        let address = scripted(move |_, request| Answer::new(if request.path == "/v2/" { 200 } else { status }, body));
        fail(&format!("{address}/team/policy:v1"), &["--plain-http"])
    };
    snapshot("forbidden", &failing(403, denied));
    snapshot("broken-registry", &failing(502, "<html>Bad gateway</html>"));
    let address = scripted(move |_, request| Answer::new(if request.path == "/v2/" { 200 } else { 403 }, denied));
    let push = ["policy", "push", "--plain-http", &format!("{address}/team/policy:v1")];
    snapshot("forbidden-to-push", &User::unknown().run(&push));
}

#[test]
fn responses_above_the_limit_are_rejected() {
    let endless = scripted(|_, request| match request.path.as_str() {
        "/v2/" => Answer::new(200, ""),
        _ => Answer::new(200, "{").endless(),
    });
    snapshot("endless-manifest", &fail(&format!("{endless}/team/policy:v1"), &["--plain-http"]));
    let module_of_size = |size: u64| {
        let layer = json!({"mediaType": "application/vnd.wasm.content.layer.v1+wasm", "size": size,
            "digest": Digest::from_content(b"module").to_string()});
        let config = json!({"mediaType": "application/vnd.wasm.config.v1+json", "size": 2,
            "digest": Digest::from_content(b"{}").to_string()});
        let manifest = json!({"schemaVersion": 2, "config": config, "layers": [layer]}).to_string();
        let address = scripted(move |_, request| match request.path.as_str() {
            "/v2/" => Answer::new(200, ""),
            path if path.contains("/manifests/") => Answer::new(200, manifest.as_bytes()),
            _ => Answer::new(200, "module").endless(),
        });
        fail(&format!("{address}/team/policy:v1"), &["--plain-http"])
    };
    snapshot("module-larger-than-announced", &module_of_size(6));
    snapshot("module-too-large", &module_of_size((64 << 20) + 1));
}
