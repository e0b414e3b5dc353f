//! `policy inspect`.

use std::fs;

use serde_json::{Value, json};
use sqledge_ha::registry::Digest;
use sqledge_ha::wasm_host::{EMBEDDED, metadata};

use super::command::{User, snapshot};
use super::server::Registry;

/// The report as JSON.
fn report(user: &User, arguments: &[&str]) -> Value {
    let ran = user.run(&[&["policy", "inspect", "--format", "json"], arguments].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
    serde_json::from_str(&ran.output).unwrap()
}

#[test]
fn the_embedded_module_is_described_with_its_rules_and_settings() {
    let user = User::unknown();
    let mut ran = user.run(&["policy", "inspect"]);
    // They differ between builds.
    ran.output = ran
        .output
        .lines()
        .filter(|line| !line.starts_with("revision") && !line.starts_with("built with"))
        .map(|line| format!("{line}\n"))
        .collect();
    snapshot("inspected", &ran);
    let report = report(&user, &[]);
    assert_eq!((&report["version"], &report["from"]), (&json!(1), &json!("embedded")));
    assert_eq!((&report["digest"], &report["size"]), (&json!(Digest::from_content(EMBEDDED)), &json!(EMBEDDED.len())));
    assert_eq!((&report["isEmbedded"], &report["signatures"]), (&json!(true), &Value::Null));
    assert!(report["compiler"].as_str().unwrap().starts_with("rustc "), "{report:#}");
    assert_eq!(report["metadata"]["rules"], metadata::read(EMBEDDED).unwrap()["rules"]);
    assert_eq!(
        report["rules"][0],
        json!({"id": "single-replica", "defaultAction": "reject",
        "summary": sqledge_ha_policy::rules::RULES[0].summary})
    );
}

#[test]
fn other_modules_are_described_by_their_metadata() {
    let user = User::unknown();
    let wasm =
        wat::parse_str(r#"(module (import "env" "clock" (func)) (@producers (processed-by "clang" "20")))"#).unwrap();
    let description = "rules: []\nmutating: false\nannotations: {io.kubewarden.policy.title: \"o\\e[31mther\"}";
    fs::write(user.home().join("other.wasm"), metadata::annotate(&wasm, description, &[]).unwrap()).unwrap();
    snapshot("inspected-file", &user.run(&["policy", "inspect", "other.wasm"]));
    fs::write(user.home().join("other.wasm"), &wasm).unwrap();
    snapshot("inspected-bare", &user.run(&["policy", "inspect", "other.wasm"]));
    snapshot("inspected-missing", &user.run(&["policy", "inspect", "missing.wasm"]));
}

#[test]
fn a_policy_in_a_registry_is_described_with_its_signatures() {
    let (registry, user) = (Registry::plain(), User::unknown());
    let reference = registry.reference("team/policy:v1");
    let digest_reference = user.push(&reference);
    let inspect = ["--plain-http", reference.as_str()];
    let described = report(&user, &inspect);
    assert_eq!((&described["from"], &described["isEmbedded"]), (&json!(digest_reference), &json!(true)));
    assert_eq!(described["signatures"], json!({"state": "absent"}));

    let hex = digest_reference.rsplit(':').next().unwrap().to_owned();
    sign(&registry, &format!("sha256-{hex}.sig"));
    let described = report(&user, &inspect);
    assert_eq!(described["signatures"]["found"], json!([format!("tag sha256-{hex}.sig")]));

    let digest = sign(&registry, "bundle");
    let kind = "application/vnd.dev.sigstore.bundle.v0.3+json";
    let entry =
        json!({"mediaType": MANIFEST, "digest": digest.to_string(), "size": SIGNATURE.len(), "artifactType": kind});
    let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]}).to_string();
    registry.put_manifest("team/policy", &format!("sha256-{hex}"), INDEX, index.as_bytes());
    let described = report(&user, &inspect);
    assert_eq!(described["signatures"]["found"], json!([format!("tag sha256-{hex}.sig"), format!("{kind} {digest}")]));
    let mut ran = user.run(&["policy", "inspect", "--plain-http", &digest_reference]);
    ran.output = ran
        .output
        .lines()
        .skip_while(|line| !line.starts_with("signatures"))
        .take(7)
        .map(|line| format!("{line}\n"))
        .collect();
    snapshot("inspected-signed", &ran);
}

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const SIGNATURE: &str = r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.empty.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},"layers":[]}"#;

/// Pushes a manifest that stands for a signature.
fn sign(registry: &Registry, tag: &str) -> Digest {
    registry.put_blob("team/policy", &Digest::from_content(b"{}").to_string(), b"{}");
    registry.put_manifest("team/policy", tag, MANIFEST, SIGNATURE.as_bytes());
    Digest::from_content(SIGNATURE.as_bytes())
}
