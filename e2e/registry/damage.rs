//! What breaks on the way: nothing half done, and it works again afterwards.

use std::fs;

use sqledge_ha::registry::Digest;
use sqledge_ha::wasm_host::EMBEDDED;

use super::command::{User, snapshot};
use super::server::Registry;
use super::wire::{Way, Wire};

#[test]
fn a_module_that_was_changed_in_the_registry_is_refused() {
    let (registry, user) = (Registry::plain(), User::unknown());
    let place = user.push(&registry.place("team/policy:v1"));
    let blob = registry.blob(&Digest::of(EMBEDDED).to_string());
    let mut module = fs::read(&blob).unwrap();
    *module.last_mut().unwrap() ^= 1;
    fs::write(&blob, &module).unwrap();
    let ran = user.run(&["policy", "pull", "--plain-http", &place, "-o", "policy.wasm"]);
    assert_eq!(ran.code, 4);
    snapshot("tampered-module", &ran);
    assert!(!user.home().join("policy.wasm").exists());
}

#[test]
fn a_manifest_that_was_changed_in_the_registry_is_refused_by_tag_too() {
    let (registry, user) = (Registry::plain(), User::unknown());
    let (tag, place) = (registry.place("team/policy:v1"), user.push(&registry.place("team/policy:v1")));
    let blob = registry.blob(place.split_once('@').unwrap().1);
    let text = fs::read_to_string(&blob).unwrap();
    fs::write(&blob, text.replace("Apache-2.0", "Apache-2.1")).unwrap();
    for place in [tag, place] {
        let ran = user.run(&["policy", "pull", "--plain-http", &place, "-o", "policy.wasm"]);
        assert!(ran.code == 4 && ran.said.contains("the manifest that came has the digest "), "{ran:?}");
    }
}

#[test]
fn an_upload_that_breaks_off_leaves_no_tag_and_the_next_one_succeeds() {
    let (registry, user) = (Registry::plain(), User::unknown());
    let wire = Wire::to(registry.address, Way::Up, EMBEDDED.len() / 2);
    let push = ["policy", "push", "--plain-http", &format!("{}/team/policy:v1", wire.address)];
    let ran = user.run(&push);
    assert_eq!((ran.code, ran.output.as_str()), (4, ""), "{ran:?}");
    assert!(ran.said.contains("the connection to the registry broke off: "), "{ran:?}");
    assert!(registry.get("/v2/team/policy/manifests/v1").0.starts_with("HTTP/1.1 404"));
    wire.mend();
    let ran = user.run(&push);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(registry.get("/v2/team/policy/manifests/v1").0.starts_with("HTTP/1.1 200"));
}

#[test]
fn a_download_that_breaks_off_leaves_no_file_and_the_next_one_succeeds() {
    let (registry, user) = (Registry::plain(), User::unknown());
    user.push(&registry.place("team/policy:v1"));
    let wire = Wire::to(registry.address, Way::Down, EMBEDDED.len() / 2);
    let pull = ["policy", "pull", "--plain-http", &format!("{}/team/policy:v1", wire.address), "-o", "policy.wasm"];
    let ran = user.run(&pull);
    assert!(ran.code == 4 && ran.said.contains("the connection to the registry broke off: "), "{ran:?}");
    assert_eq!(fs::read_dir(user.home()).unwrap().count(), 0);
    wire.mend();
    assert_eq!(user.run(&pull).code, 0);
    assert_eq!(fs::read(user.home().join("policy.wasm")).unwrap(), EMBEDDED);
}

#[test]
fn a_full_disk_leaves_the_file_that_was_there() {
    let registry = Registry::plain();
    let user = User::unknown().with_file("policy.wasm", "old").with_room(64);
    let place = user.push(&registry.place("team/policy:v1"));
    let ran = user.run(&["policy", "pull", "--plain-http", &place, "-o", "policy.wasm"]);
    assert_eq!(ran.code, 4);
    snapshot("full-disk", &ran);
    assert_eq!(fs::read_to_string(user.home().join("policy.wasm")).unwrap(), "old");
    assert_eq!(fs::read_dir(user.home()).unwrap().count(), 1);
}
