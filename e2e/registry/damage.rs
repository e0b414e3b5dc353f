//! Damaged content and interrupted connections: nothing is half written, and the next attempt succeeds.

use std::fs;

use sqledge_ha::registry::Digest;
use sqledge_ha::wasm_host::EMBEDDED;

use super::command::{User, snapshot};
use super::proxy::{Direction, Proxy};
use super::server::Registry;

#[test]
fn a_module_that_was_changed_in_the_registry_is_rejected() {
    let (registry, user) = (Registry::plain(), User::unknown());
    let reference = user.push(&registry.reference("team/policy:v1"));
    let blob = registry.blob(&Digest::from_content(EMBEDDED).to_string());
    let mut module = fs::read(&blob).unwrap();
    *module.last_mut().unwrap() ^= 1;
    fs::write(&blob, &module).unwrap();
    let ran = user.run(&["policy", "pull", "--plain-http", &reference, "-o", "policy.wasm"]);
    assert_eq!(ran.code, 4);
    snapshot("tampered-module", &ran);
    assert!(!user.home().join("policy.wasm").exists());
}

#[test]
fn a_manifest_that_was_changed_in_the_registry_is_rejected_by_tag_too() {
    let (registry, user) = (Registry::plain(), User::unknown());
    let (tag, reference) = (registry.reference("team/policy:v1"), user.push(&registry.reference("team/policy:v1")));
    let blob = registry.blob(reference.split_once('@').unwrap().1);
    let text = fs::read_to_string(&blob).unwrap();
    fs::write(&blob, text.replace("Apache-2.0", "Apache-2.1")).unwrap();
    for reference in [tag, reference] {
        let ran = user.run(&["policy", "pull", "--plain-http", &reference, "-o", "policy.wasm"]);
        assert!(ran.code == 4 && ran.stderr.contains("manifest digest mismatch: "), "{ran:?}");
    }
}

#[test]
fn an_interrupted_upload_leaves_no_tag_and_the_next_one_succeeds() {
    let (registry, user) = (Registry::plain(), User::unknown());
    let proxy = Proxy::to(registry.address, Direction::Up, EMBEDDED.len() / 2);
    let push = ["policy", "push", "--plain-http", &format!("{}/team/policy:v1", proxy.address)];
    let ran = user.run(&push);
    assert_eq!((ran.code, ran.output.as_str()), (4, ""), "{ran:?}");
    assert!(ran.stderr.contains("the connection to the registry was interrupted: "), "{ran:?}");
    assert!(registry.get("/v2/team/policy/manifests/v1").0.starts_with("HTTP/1.1 404"));
    proxy.repair();
    let ran = user.run(&push);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(registry.get("/v2/team/policy/manifests/v1").0.starts_with("HTTP/1.1 200"));
}

#[test]
fn an_interrupted_download_leaves_no_file_and_the_next_one_succeeds() {
    let (registry, user) = (Registry::plain(), User::unknown());
    user.push(&registry.reference("team/policy:v1"));
    let proxy = Proxy::to(registry.address, Direction::Down, EMBEDDED.len() / 2);
    let pull = ["policy", "pull", "--plain-http", &format!("{}/team/policy:v1", proxy.address), "-o", "policy.wasm"];
    let ran = user.run(&pull);
    assert!(ran.code == 4 && ran.stderr.contains("the connection to the registry was interrupted: "), "{ran:?}");
    assert_eq!(fs::read_dir(user.home()).unwrap().count(), 0);
    proxy.repair();
    assert_eq!(user.run(&pull).code, 0);
    assert_eq!(fs::read(user.home().join("policy.wasm")).unwrap(), EMBEDDED);
}

#[test]
fn a_full_disk_leaves_the_existing_file() {
    let registry = Registry::plain();
    let user = User::unknown().with_file("policy.wasm", "old").with_file_limit(64);
    let reference = user.push(&registry.reference("team/policy:v1"));
    let ran = user.run(&["policy", "pull", "--plain-http", &reference, "-o", "policy.wasm"]);
    assert_eq!(ran.code, 4);
    snapshot("full-disk", &ran);
    assert_eq!(fs::read_to_string(user.home().join("policy.wasm")).unwrap(), "old");
    assert_eq!(fs::read_dir(user.home()).unwrap().count(), 1);
}
