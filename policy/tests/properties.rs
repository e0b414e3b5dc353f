//! What holds for every object: a review does not crash, and a mutation loses nothing and is final.

#![cfg(not(target_arch = "wasm32"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected should fail on the spot"
)]

#[allow(dead_code, reason = "each test binary uses its own part of the world")]
mod world;

use proptest::prelude::*;
use serde_json::{Value, json};
use sqledge_ha_policy::admission::review::validate;
use sqledge_ha_policy::admission::verdict::MAX_WARNING;
use sqledge_ha_policy::finding::{Action, Finding};
use sqledge_ha_policy::kubernetes::kind::Kind;
use sqledge_ha_policy::rules::check::CheckContext;
use sqledge_ha_policy::rules::{apply_mutations, check_all, parse_settings};
use sqledge_ha_policy::settings::Settings;
use sqledge_ha_policy::view::Scope;
use sqledge_ha_policy::view::cluster::NoCluster;
use sqledge_ha_policy::view::index::ObjectIndex;

use world::generate::objects;
use world::right_world;

fn findings(object: &Value, settings: &Settings) -> Vec<Finding> {
    let others = right_world();
    let world = ObjectIndex::new(Scope::Application, others.iter().chain([object]));
    let kind = Kind::from_object(object).expect("generated objects are of known kinds");
    CheckContext::read(object, kind, settings, &world).map(|context| check_all(&context)).unwrap_or_default()
}

fn enforcing() -> Settings {
    parse_settings(&json!({"failoverSeconds": 60, "rules": {"writable-data": "mutate"}}))
        .expect("the settings are right")
}

/// Every place of an object with its scalar, or its empty collection.
fn leaves(value: &Value, pointer: &str, found: &mut Vec<(String, Value)>) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (key, value) in members {
                leaves(value, &format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1")), found);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (index, item) in items.iter().enumerate() {
                leaves(item, &format!("{pointer}/{index}"), found);
            }
        }
        _ => found.push((pointer.to_owned(), value.clone())),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, ..ProptestConfig::default() })]

    #[test]
    fn a_mutated_object_needs_no_mutation(object in objects()) {
        for settings in [Settings::default(), enforcing()] {
            let Some(after) = apply_mutations(object.clone(), &findings(&object, &settings)) else { continue };
            let left: Vec<Finding> = findings(&after, &settings).into_iter().filter(|left| left.action == Action::Mutate).collect();
            prop_assert!(left.is_empty(), "{left:?}");
        }
    }

    #[test]
    fn a_mutation_changes_only_what_its_edits_name(object in objects()) {
        let settings = enforcing();
        let findings = findings(&object, &settings);
        let Some(after) = apply_mutations(object.clone(), &findings) else { return Ok(()) };
        let mutations = findings.iter().filter(|finding| finding.action == Action::Mutate);
        let named: Vec<&str> = mutations.filter_map(Finding::safe_edits).flatten().map(|edit| edit.pointer()).collect();
        let mut before = Vec::new();
        leaves(&object, "", &mut before);
        for (pointer, value) in before {
            // An empty or null parent of an edited place is filled, not lost.
            let is_named = named.iter().any(|edit| pointer.starts_with(edit) || edit.starts_with(&pointer));
            prop_assert!(is_named || after.pointer(&pointer) == Some(&value), "{pointer}");
        }
    }

    #[test]
    fn a_mutated_object_is_allowed_as_it_is(object in objects()) {
        let request = |object: &Value| {
            let (group, version) = object["apiVersion"].as_str().unwrap().split_once('/').unwrap_or(("", "v1"));
            let kind = json!({"group": group, "version": version, "kind": object["kind"]});
            json!({"request": {"operation": "CREATE", "kind": kind, "object": object}}).to_string()
        };
        let others = right_world();
        let world = ObjectIndex::new(Scope::Request, &others);
        let verdict = validate(request(&object).as_bytes(), &world);
        if let Some(after) = &verdict.mutated_object {
            let again = validate(request(after).as_bytes(), &world);
            prop_assert!(again.allowed && again.mutated_object.is_none(), "{again:?}");
        }
        prop_assert!(verdict.warnings.iter().all(|line| line.chars().count() <= MAX_WARNING));
        prop_assert_eq!(verdict.allowed, verdict.message.is_none());
    }

    #[test]
    fn any_bytes_have_an_answer(payload in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert_eq!(validate(&payload, &NoCluster).code, Some(500));
    }

    #[test]
    fn a_truncated_request_has_an_answer(object in objects(), cut in 0.0..1.0) {
        let payload = json!({"request": {"operation": "CREATE", "kind": {"group": "apps", "kind": "Deployment"}, "object": object}}).to_string();
        let end = (payload.len() as f64 * cut) as usize;
        let verdict = validate(&payload.as_bytes()[..end.min(payload.len() - 1)], &NoCluster);
        prop_assert_eq!(verdict.code, Some(500));
    }
}
