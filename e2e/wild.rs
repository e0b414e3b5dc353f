//! The findings in published manifests, each checked alone.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;
use sqledge_ha::linter::{Level, LintResult};
use sqledge_ha_policy::engine::{SQL_EDGE, SQL_SERVER};
use sqledge_ha_policy::settings::Settings;
use sqledge_ha_policy::view::Scope;

use crate::shared::{folder, lint_file};

const EXPECTED_RULES: [&str; 6] = [
    "single-replica",
    "recreate-strategy",
    "persistent-data",
    "amd64-node-selector",
    "volume-ownership",
    "load-balancer-service",
];

fn lint_alone(path: &Path, scope: Scope) -> LintResult {
    let settings = Settings { engines: vec![&SQL_EDGE, &SQL_SERVER], ..Settings::default() };
    lint_file(path, &settings, scope)
}

/// The number of findings of each of the six rules.
fn reported(result: &LintResult) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for located in &result.findings {
        if EXPECTED_RULES.contains(&located.finding.rule) {
            *counts.entry(located.finding.rule).or_default() += 1;
        }
    }
    counts
}

#[test]
fn six_rules_find_what_reviewers_found_in_published_manifests() {
    let Some(wild) = folder("wild") else { return };
    let expected: Value = serde_json::from_str(&fs::read_to_string(wild.join("verdicts.json")).unwrap()).unwrap();
    let files = expected["files"].as_array().unwrap();
    assert_eq!(files.len(), 40);
    for file in files {
        let name = file["file"].as_str().unwrap();
        let result = lint_alone(&wild.join(name), Scope::Application);
        let wanted = file["findings"].as_object().unwrap().iter();
        let wanted: BTreeMap<&str, usize> =
            wanted.map(|(rule, objects)| (rule.as_str(), objects.as_array().unwrap().len())).collect();
        assert_eq!(reported(&result), wanted, "{name}");
        assert_eq!(result.workloads, file["workloads"].as_array().unwrap().len(), "{name}");
        assert!(result.errors.is_empty(), "{name}: {:?}", result.errors);
    }
}

#[test]
fn findings_name_the_workload() {
    let Some(wild) = folder("wild") else { return };
    let expected: Value = serde_json::from_str(&fs::read_to_string(wild.join("verdicts.json")).unwrap()).unwrap();
    for file in expected["files"].as_array().unwrap() {
        let result = lint_alone(&wild.join(file["file"].as_str().unwrap()), Scope::Application);
        for located in result.findings.iter().filter(|located| EXPECTED_RULES.contains(&located.finding.rule)) {
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
fn two_errors_in_the_sample_of_microsoft() {
    let Some(reference) = folder("reference") else { return };
    let path = reference.join("reference-azure-sql-edge-deployment-service.yaml");
    // Its claim is in another sample.
    for (scope, of_claim) in [(Scope::Application, vec!["existing-claim"]), (Scope::Part, Vec::new())] {
        let result = lint_alone(&path, scope);
        let errors = result.findings.iter().filter(|located| located.level() == Level::Error);
        let rules: Vec<&str> = errors.map(|located| located.finding.rule).collect();
        assert_eq!(rules, [vec!["recreate-strategy", "amd64-node-selector"], of_claim].concat());
    }
}
