//! What has to follow from the table of resources, where it is written by hand.

use std::collections::BTreeSet;

use serde_json::Value;
use sqledge_ha_policy::kubernetes::kind::Kind;
use sqledge_ha_policy::kubernetes::resources::{RESOURCES, Resource};

use crate::shared::text_of;

fn metadata() -> Value {
    serde_saphyr::from_str(&text_of("policy/metadata.yml")).unwrap()
}

/// The strings in a list of the metadata.
fn texts(list: &Value) -> Vec<&str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// Every `group/version resource operation` of webhook rules.
fn webhook_rules(rules: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for rule in rules.as_array().unwrap() {
        for (group, version) in texts(&rule["apiGroups"])
            .into_iter()
            .flat_map(|group| texts(&rule["apiVersions"]).into_iter().map(move |version| (group, version)))
        {
            for (resource, operation) in texts(&rule["resources"])
                .into_iter()
                .flat_map(|resource| texts(&rule["operations"]).into_iter().map(move |operation| (resource, operation)))
            {
                found.insert(format!("{group}/{version} {resource} {operation}"));
            }
        }
    }
    found
}

#[test]
fn the_metadata_has_a_webhook_rule_for_every_checked_resource() {
    let mut expected = BTreeSet::new();
    for Resource { group, versions, plural, .. } in
        RESOURCES.iter().filter(|row| row.kind.is_checked() && row.kind != Kind::Scale)
    {
        // The API server converts what is written in another version.
        for operation in ["CREATE", "UPDATE"] {
            expected.insert(format!("{group}/{} {plural} {operation}", versions[0]));
        }
    }
    for Resource { group, versions, plural, .. } in RESOURCES.iter().filter(|row| row.is_scalable) {
        expected.extend(versions.iter().map(|version| format!("{group}/{version} {plural}/scale UPDATE")));
    }
    let found = webhook_rules(&metadata()["rules"]);
    let missing: Vec<_> = expected.difference(&found).collect();
    let unknown: Vec<_> = found.difference(&expected).collect();
    assert!(missing.is_empty(), "policy/metadata.yml lacks under `rules`: {missing:#?}");
    assert!(unknown.is_empty(), "the table of resources lacks what is in policy/metadata.yml: {unknown:#?}");
}

#[test]
fn the_metadata_names_every_resource_that_is_looked_up() {
    let named = |api_version: &str, kind: &str| format!("{{apiVersion: {api_version}, kind: {kind}}}");
    let looked_up = RESOURCES.iter().filter(|row| row.look_up.at_admission());
    let expected: BTreeSet<String> = looked_up.map(|row| named(&row.api_version(), row.name)).collect();
    let metadata = metadata();
    let listed = metadata["contextAwareResources"].as_array().unwrap().iter();
    let found: BTreeSet<String> = listed
        .map(|resource| named(resource["apiVersion"].as_str().unwrap(), resource["kind"].as_str().unwrap()))
        .collect();
    let missing: Vec<_> = expected.difference(&found).collect();
    let unused: Vec<_> = found.difference(&expected).collect();
    assert!(missing.is_empty(), "policy/metadata.yml lacks under `contextAwareResources`: {missing:#?}");
    assert!(unused.is_empty(), "no rule looks up what is in policy/metadata.yml: {unused:#?}");
}
