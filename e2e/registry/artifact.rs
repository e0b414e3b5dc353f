//! What is pushed: what others see of it, and that the same comes back.

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
fn what_is_pushed_comes_back_the_same_by_tag_and_by_digest() {
    let (registry, user) = (Registry::plain(), User::unknown());
    let place = registry.place("policies/sqledge-ha:v1");
    let pushed = user.run(&["policy", "push", "--plain-http", &place]);
    snapshot("pushed", &pushed);
    let immutable = pushed.output.trim_end();
    assert!(immutable.starts_with(&registry.place("policies/sqledge-ha@sha256:")), "{immutable}");
    for reference in [place.as_str(), immutable, &format!("registry://{place}")] {
        let pulled = user.run(&["policy", "pull", "--plain-http", reference, "-o", "policy.wasm"]);
        assert_eq!(pulled.code, 0, "{pulled:?}");
        assert_eq!(pulled.output.lines().last(), Some(immutable));
        assert_eq!(fs::read(user.home().join("policy.wasm")).unwrap(), EMBEDDED);
    }
    snapshot("pulled", &user.run(&["policy", "pull", "--plain-http", &place, "--output", "policy.wasm"]));
    let (code, module, said) = user.bytes(&["policy", "pull", "--plain-http", &place, "-o", "-"]);
    assert_eq!((code, module == EMBEDDED, said), (0, true, format!("pulled: {immutable}\n")));
}

#[test]
fn any_client_sees_an_artifact_as_kubewarden_makes_them() {
    let registry = Registry::plain();
    let immutable = User::unknown().push(&registry.place("team/policy:v1"));
    let (head, body) = registry.get("/v2/team/policy/manifests/v1");
    assert!(head.contains("Content-Type: application/vnd.oci.image.manifest.v1+json"), "{head}");
    assert_eq!(immutable, registry.place(&format!("team/policy@{}", Digest::of(&body))));
    let manifest: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(manifest["config"]["mediaType"], "application/vnd.wasm.config.v1+json");
    let layer = json!({"mediaType": "application/vnd.wasm.content.layer.v1+wasm",
        "digest": Digest::of(EMBEDDED).to_string(), "size": EMBEDDED.len()});
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
fn the_library_that_kubewarden_pulls_with_finds_the_module() {
    let registry = Registry::plain();
    let reference: Reference = User::unknown().push(&registry.place("team/policy:v1")).parse().unwrap();
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
fn the_same_module_has_the_same_digest_wherever_and_whenever_it_is_pushed() {
    let (one, other, user) = (Registry::plain(), Registry::plain(), User::unknown());
    let digest = |place: &str| user.push(place).split_once('@').unwrap().1.to_owned();
    let first = digest(&one.place("team/policy:v1"));
    assert_eq!(digest(&one.place("team/policy:v1")), first);
    assert_eq!(digest(&one.place("elsewhere/policy:latest")), first);
    assert_eq!(digest(&other.place("team/policy:v1")), first);
}

#[test]
fn a_module_of_somebody_elses_is_pushed_with_the_revision_that_is_given() {
    let (registry, user) = (Registry::plain(), User::unknown());
    let wasm = wat::parse_str("(module)").unwrap();
    let module = metadata::annotate(&wasm, "annotations: {io.kubewarden.policy.title: other}", &[]).unwrap();
    fs::write(user.home().join("other.wasm"), &module).unwrap();
    let place = registry.place("team/other:v1");
    let annotations = |arguments: &[&str]| {
        let arguments = [&["policy", "push", "--plain-http", &place, "--module", "other.wasm"], arguments].concat();
        assert_eq!(user.run(&arguments).code, 0);
        let manifest: Value = serde_json::from_slice(&registry.get("/v2/team/other/manifests/v1").1).unwrap();
        manifest["annotations"].clone()
    };
    // The commit of this command says nothing about it.
    let own = json!({"io.kubewarden.policy.title": "other"});
    assert_eq!(annotations(&[]), own);
    assert_eq!(annotations(&["--revision", "0123abcd"])["org.opencontainers.image.revision"], "0123abcd");
}

#[test]
fn a_pulled_file_takes_the_place_of_another_as_any_file_would() {
    let (registry, user) = (Registry::plain(), User::unknown());
    let place = user.push(&registry.place("team/policy:v1"));
    let path = user.home().join("policy.wasm");
    fs::write(&path, "old").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    assert_eq!(user.run(&["policy", "pull", "--plain-http", &place, "-o", "policy.wasm"]).code, 0);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
    assert_eq!(fs::read(&path).unwrap(), EMBEDDED);
}

#[test]
fn a_registry_is_trusted_by_the_certificate_of_its_authority() {
    let (registry, user) = (Registry::with_tls(), User::unknown());
    let (place, ca_cert) = (registry.place("team/policy:v1"), registry.ca_cert());
    let trusted = ["--ca-cert", ca_cert.to_str().unwrap()];
    let pushed = user.run(&[&["policy", "push", &place], &trusted[..]].concat());
    assert_eq!(pushed.code, 0, "{pushed:?}");
    let pulled = [&["policy", "pull", pushed.output.trim_end(), "-o", "policy.wasm"], &trusted[..]].concat();
    assert_eq!(user.run(&pulled).code, 0);
    assert_eq!(fs::read(user.home().join("policy.wasm")).unwrap(), EMBEDDED);
}
