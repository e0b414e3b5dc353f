//! Pushed artifacts: their content, and that a pull returns the same module.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use oci_client::Reference;
use oci_client::client::{ClientConfig, ClientProtocol};
use oci_client::manifest::WASM_LAYER_MEDIA_TYPE;
use oci_client::secrets::RegistryAuth;
use serde_json::{Value, json};
use sqledge_ha::registry::Digest;
use sqledge_ha::wasm_host::{EMBEDDED, metadata};

use super::command::{User, snapshot};
use super::server::Registry;

#[test]
fn a_pushed_module_can_be_pulled_by_tag_and_by_digest() {
    let (registry, user) = (Registry::plain(), User::unknown());
    let reference = registry.reference("policies/sqledge-ha:v1");
    let pushed = user.run(&["policy", "push", "--plain-http", &reference]);
    snapshot("pushed", &pushed);
    let digest_reference = pushed.output.trim_end();
    assert!(digest_reference.starts_with(&registry.reference("policies/sqledge-ha@sha256:")), "{digest_reference}");
    for reference in [reference.as_str(), digest_reference, &format!("registry://{reference}")] {
        let pulled = user.run(&["policy", "pull", "--plain-http", reference, "-o", "policy.wasm"]);
        assert_eq!(pulled.code, 0, "{pulled:?}");
        assert_eq!(pulled.output.lines().last(), Some(digest_reference));
        assert_eq!(fs::read(user.home().join("policy.wasm")).unwrap(), EMBEDDED);
    }
    snapshot("pulled", &user.run(&["policy", "pull", "--plain-http", &reference, "--output", "policy.wasm"]));
    let (code, module, stderr) = user.bytes(&["policy", "pull", "--plain-http", &reference, "-o", "-"]);
    assert_eq!((code, module == EMBEDDED, stderr), (0, true, format!("pulled: {digest_reference}\n")));
}

#[test]
fn the_artifact_has_kubewardens_format() {
    let registry = Registry::plain();
    let digest_reference = User::unknown().push(&registry.reference("team/policy:v1"));
    let (head, body) = registry.get("/v2/team/policy/manifests/v1");
    assert!(head.contains("Content-Type: application/vnd.oci.image.manifest.v1+json"), "{head}");
    assert_eq!(digest_reference, registry.reference(&format!("team/policy@{}", Digest::from_content(&body))));
    let manifest: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(manifest["config"]["mediaType"], "application/vnd.wasm.config.v1+json");
    let layer = json!({"mediaType": "application/vnd.wasm.content.layer.v1+wasm",
        "digest": Digest::from_content(EMBEDDED).to_string(), "size": EMBEDDED.len()});
    assert_eq!(manifest["layers"], json!([layer]));
    let (_, config) =
        registry.get(&format!("/v2/team/policy/blobs/{}", manifest["config"]["digest"].as_str().unwrap()));
    assert_eq!(config, b"{}");

    let own = metadata::read(EMBEDDED).unwrap();
    let annotations = manifest["annotations"].as_object().unwrap();
    for (name, value) in own["annotations"].as_object().unwrap() {
        let is_one_line = value.as_str().unwrap().lines().count() <= 1;
        assert_eq!(annotations.get(name), is_one_line.then_some(value), "{name}");
    }
    assert_eq!(annotations["org.opencontainers.image.source"], own["annotations"]["io.kubewarden.policy.source"]);
    assert_eq!(annotations["org.opencontainers.image.licenses"], "Apache-2.0");
}

#[test]
fn kubewardens_library_pulls_the_module() {
    let registry = Registry::plain();
    let reference: Reference = User::unknown().push(&registry.reference("team/policy:v1")).parse().unwrap();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let config = ClientConfig { protocol: ClientProtocol::Http, ..ClientConfig::default() };
    let client = oci_client::Client::try_from(config).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let pulled = client.pull(&reference, &RegistryAuth::Anonymous, vec![WASM_LAYER_MEDIA_TYPE]);
    let image = runtime.block_on(pulled).unwrap();
    assert_eq!(image.digest.as_deref(), reference.digest());
    assert!(image.layers.len() == 1 && image.layers[0].data == EMBEDDED);
}

#[test]
fn the_same_module_has_the_same_digest_in_every_registry() {
    let (one, other, user) = (Registry::plain(), Registry::plain(), User::unknown());
    let digest = |reference: &str| user.push(reference).split_once('@').unwrap().1.to_owned();
    let first = digest(&one.reference("team/policy:v1"));
    assert_eq!(digest(&one.reference("team/policy:v1")), first);
    assert_eq!(digest(&one.reference("elsewhere/policy:latest")), first);
    assert_eq!(digest(&other.reference("team/policy:v1")), first);
}

#[test]
fn another_module_is_pushed_with_the_given_revision() {
    let (registry, user) = (Registry::plain(), User::unknown());
    let wasm = wat::parse_str("(module)").unwrap();
    let module = metadata::annotate(&wasm, "annotations: {io.kubewarden.policy.title: other}", &[]).unwrap();
    fs::write(user.home().join("other.wasm"), &module).unwrap();
    let reference = registry.reference("team/other:v1");
    let annotations = |arguments: &[&str]| {
        let arguments = [&["policy", "push", "--plain-http", &reference, "--module", "other.wasm"], arguments].concat();
        assert_eq!(user.run(&arguments).code, 0);
        let manifest: Value = serde_json::from_slice(&registry.get("/v2/team/other/manifests/v1").1).unwrap();
        manifest["annotations"].clone()
    };
    let own = json!({"io.kubewarden.policy.title": "other"});
    assert_eq!(annotations(&[]), own);
    assert_eq!(annotations(&["--revision", "0123abcd"])["org.opencontainers.image.revision"], "0123abcd");
}

#[test]
fn a_pulled_file_replaces_another_and_keeps_its_mode() {
    let (registry, user) = (Registry::plain(), User::unknown());
    let reference = user.push(&registry.reference("team/policy:v1"));
    let path = user.home().join("policy.wasm");
    fs::write(&path, "old").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    assert_eq!(user.run(&["policy", "pull", "--plain-http", &reference, "-o", "policy.wasm"]).code, 0);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
    assert_eq!(fs::read(&path).unwrap(), EMBEDDED);
}

#[test]
fn a_private_authority_can_be_trusted() {
    let (registry, user) = (Registry::with_tls(), User::unknown());
    let (reference, ca_cert) = (registry.reference("team/policy:v1"), registry.ca_cert());
    let trusted = ["--ca-cert", ca_cert.to_str().unwrap()];
    let pushed = user.run(&[&["policy", "push", &reference], &trusted[..]].concat());
    assert_eq!(pushed.code, 0, "{pushed:?}");
    let pulled = [&["policy", "pull", pushed.output.trim_end(), "-o", "policy.wasm"], &trusted[..]].concat();
    assert_eq!(user.run(&pulled).code, 0);
    assert_eq!(fs::read(user.home().join("policy.wasm")).unwrap(), EMBEDDED);
}
