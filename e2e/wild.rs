//! Real manifests, read alone: what must be found in each, neither more nor less.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;
use sqledge_ha::cli::Level;
use sqledge_ha::linter::Outcome;
use sqledge_ha_policy::engine::Engine;
use sqledge_ha_policy::settings::Settings;

use crate::shared::{folder, lint_file};

const EXPECTED_RULES: [&str; 6] = [
    "single-replica",
    "recreate-strategy",
    "persistent-data",
    "amd64-node-selector",
    "volume-ownership",
    "load-balancer-service",
];

fn lint_alone(path: &Path, partial: bool) -> Outcome {
    let settings = Settings { engines: vec![Engine::SqlEdge, Engine::SqlServer], ..Settings::default() };
    lint_file(path, &settings, partial)
}

/// How often each of the six rules reports something.
fn reported(outcome: &Outcome) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for located in &outcome.findings {
        if EXPECTED_RULES.contains(&located.finding.rule) {
            *counts.entry(located.finding.rule).or_default() += 1;
        }
    }
    counts
}

#[test]
fn six_rules_find_in_every_wild_manifest_what_a_person_found() {
    let Some(wild) = folder("wild") else { return };
    let expected: Value = serde_json::from_str(&fs::read_to_string(wild.join("expected.json")).unwrap()).unwrap();
    let files = expected["files"].as_array().unwrap();
    assert_eq!(files.len(), 40);
    for file in files {
        let name = file["file"].as_str().unwrap();
        let outcome = lint_alone(&wild.join(name), false);
        let wanted = file["findings"].as_object().unwrap().iter();
        let wanted: BTreeMap<&str, usize> =
            wanted.map(|(rule, objects)| (rule.as_str(), objects.as_array().unwrap().len())).collect();
        assert_eq!(reported(&outcome), wanted, "{name}");
        assert_eq!(outcome.workloads, file["workloads"].as_array().unwrap().len(), "{name}");
        assert!(outcome.unread.is_empty(), "{name}: {:?}", outcome.unread);
    }
}

#[test]
fn what_is_found_names_the_workload_that_lacks_it() {
    let Some(wild) = folder("wild") else { return };
    let expected: Value = serde_json::from_str(&fs::read_to_string(wild.join("expected.json")).unwrap()).unwrap();
    for file in expected["files"].as_array().unwrap() {
        let outcome = lint_alone(&wild.join(file["file"].as_str().unwrap()), false);
        for located in outcome.findings.iter().filter(|located| EXPECTED_RULES.contains(&located.finding.rule)) {
            for workload in file["findings"][located.finding.rule].as_array().unwrap() {
                let (kind, name) = workload.as_str().unwrap().split_once('/').unwrap();
                let object = &located.object;
                let stands_on_it = object.kind.as_deref() == Some(kind) && object.name.as_deref() == Some(name);
                let speaks_of_it = located.finding.message.contains(&format!("{kind} `{name}`"));
                assert!(stands_on_it || speaks_of_it, "{workload}: {located:?}");
            }
        }
    }
}

#[test]
fn microsofts_own_sample_lacks_two_things() {
    let Some(reference) = folder("reference") else { return };
    let path = reference.join("reference-azure-sql-edge-deployment-service.yaml");
    for partial in [false, true] {
        let outcome = lint_alone(&path, partial);
        let errors = outcome.findings.iter().filter(|located| located.level() == Level::Error);
        let rules: Vec<&str> = errors.map(|located| located.finding.rule).collect();
        assert_eq!(rules, ["recreate-strategy", "amd64-node-selector"]);
    }
}
