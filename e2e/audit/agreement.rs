//! On the corpus, `audit --from` has the findings of `lint`.

use std::collections::BTreeSet;

use serde_json::Value;
use sqledge_ha_policy::rules::RULES;

use super::parsed;
use crate::corpus::{Case, cases};
use crate::ran::with_input;

/// Flags that `audit` does not have: a cluster is always whole.
const FLAGS_OF_LINT: [&str; 1] = ["--partial"];

/// In these files, `lint` puts objects that name no namespace into that of the others. In a cluster, each object has
/// one.
const WITHOUT_NAMESPACES: [&str; 1] = ["pass/objects-without-a-namespace-are-where-the-others-are.yaml"];

/// Autoscalers of a cluster are reported on themselves, and not on the workload.
const REPORTED_ON_THE_OTHER_SIDE: [&str; 1] = ["no-autoscaling"];

/// The rule, level, kind, name and pointer of a finding.
type Found = [String; 5];

#[test]
fn findings_are_those_of_the_linter() {
    let mut compared = 0;
    for rule in RULES {
        for case in cases(rule.id, "fail").into_iter().chain(cases(rule.id, "pass")) {
            let is_other = case.flags.iter().any(|flag| FLAGS_OF_LINT.contains(&flag.as_str()));
            if is_other || WITHOUT_NAMESPACES.contains(&case.file.as_str()) {
                continue;
            }
            assert_eq!(findings_of_audit(&case), findings_of_lint(&case), "{}/{}", rule.id, case.file);
            compared += 1;
        }
    }
    assert!(compared > 400, "{compared}");
}

fn findings_of_lint(case: &Case) -> BTreeSet<Found> {
    let report = parsed(&case.lint(&["--no-ignores", "--format", "json"]).output);
    report["findings"].as_array().unwrap().iter().map(found).collect()
}

fn findings_of_audit(case: &Case) -> BTreeSet<Found> {
    let mut command = super::command(&["audit", "--no-ignores", "--format", "json", "--from", &case.file]);
    let ran = with_input(command.current_dir(&case.directory).args(&case.flags), "");
    let report = parsed(&ran.output);
    let of_databases =
        report["databases"].as_array().unwrap().iter().flat_map(|database| database["findings"].as_array());
    of_databases.chain([report["findings"].as_array().unwrap()]).flatten().map(found).collect()
}

fn found(finding: &Value) -> Found {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let object = &finding["object"];
    let is_on_another = REPORTED_ON_THE_OTHER_SIDE.contains(&finding["rule"].as_str().unwrap());
    let [kind, name, pointer] = match is_on_another {
        true => [const { String::new() }; 3],
        false => [text(&object["kind"]), text(&object["name"]), without_list(finding["pointer"].as_str().unwrap())],
    };
    [text(&finding["rule"]), text(&finding["level"]), kind, name, pointer]
}

/// A pointer without the position of the object in a List or a Template.
fn without_list(pointer: &str) -> String {
    let mut rest = pointer;
    while let Some((_, item)) =
        ["/items/", "/objects/"].iter().find_map(|list| rest.strip_prefix(list)?.split_once('/'))
    {
        rest = &rest[rest.len() - item.len() - 1..];
    }
    rest.to_owned()
}
