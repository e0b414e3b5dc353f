//! SARIF: the published schema, fixes equal to those of `fix`, stable fingerprints, and URIs.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use sqledge_ha_policy::rules::RULES;

use super::{application, results, run, run_with, sarif_run};
use crate::corpus::cases;
use crate::shared::root;

#[test]
fn sarif_reports_match_the_published_schema() {
    for rule in RULES {
        let folder = root().join("e2e/corpus").join(rule.id).join("fail");
        // Also if the rule is off by default.
        let warn = format!("{}=warn", rule.id);
        let ran = run(&folder, &["lint", "--format", "sarif", "--engine", "all", "--rule", &warn, "--partial", "."]);
        let run = sarif_run(&ran.output);
        assert!(results(&run).iter().any(|result| result["ruleId"] == rule.id), "{}", rule.id);
        for result in results(&run) {
            let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
            assert_eq!(run["tool"]["driver"]["rules"][index]["id"], result["ruleId"]);
        }
    }
    let nothing = sarif_run(&run_with(root(), &[], &["lint", "--format", "sarif", "-"], "").output);
    assert_eq!((results(&nothing).len(), &nothing["invocations"][0]["executionSuccessful"]), (0, &json!(true)));
    let missing = sarif_run(&run(root(), &["lint", "--format", "sarif", "nowhere.yaml"]).output);
    assert_eq!(missing["invocations"][0]["executionSuccessful"], json!(false));
    let path = "/invocations/0/toolExecutionNotifications/0/locations/0/physicalLocation/artifactLocation/uri";
    assert_eq!(missing.pointer(path), Some(&json!("nowhere.yaml")));
}

/// The byte at a line and a column of a text without a byte-order mark.
fn byte_at(text: &str, line: &Value, column: &Value) -> usize {
    let [line, column] = [line, column].map(|number| usize::try_from(number.as_u64().unwrap()).unwrap());
    let start: usize = text.split_inclusive('\n').take(line - 1).map(str::len).sum();
    let rest = &text[start..];
    start + rest.char_indices().nth(column - 1).map_or(rest.len(), |(byte, _)| byte)
}

/// A text with the replacements of a SARIF fix made, which come in its order.
fn replaced(text: &str, fix: &Value) -> String {
    let changes = fix["artifactChanges"].as_array().unwrap();
    assert_eq!(changes.len(), 1);
    let mut whole = text.to_owned();
    for replacement in changes[0]["replacements"].as_array().unwrap().iter().rev() {
        let region = &replacement["deletedRegion"];
        let start = byte_at(text, &region["startLine"], &region["startColumn"]);
        let end = byte_at(text, &region["endLine"], &region["endColumn"]);
        whole.replace_range(start..end, replacement["insertedContent"]["text"].as_str().unwrap_or_default());
    }
    whole
}

#[test]
fn a_fix_in_sarif_equals_the_output_of_fix_for_that_finding() {
    let (mut same, mut left_out) = (0, BTreeSet::new());
    for rule in RULES {
        let off: Vec<String> =
            RULES.iter().filter(|other| other.id != rule.id).map(|other| format!("--rule={}=off", other.id)).collect();
        for case in cases(rule.id, "fail") {
            let text = fs::read_to_string(case.directory.join(&case.file)).unwrap();
            let flags: Vec<&str> = case.flags.iter().chain(&off).map(String::as_str).collect();
            let arguments = |command: &[&'static str]| [command, &flags, &["-"]].concat();
            let report = run_with(&case.directory, &[], &arguments(&["lint", "--format=sarif"]), &text);
            let run = sarif_run(&report.output);
            let [result] = results(&run).as_slice() else { continue };
            let fixed = run_with(&case.directory, &[], &arguments(&["fix", "--unsafe"]), &text).output;
            match result["fixes"].as_array().map(Vec::as_slice) {
                Some([fix]) => {
                    assert_eq!(replaced(&text, fix), fixed, "{}/{}", rule.id, case.file);
                    same += 1;
                }
                _ if fixed == text => {}
                _ => _ = left_out.insert(format!("{}/{}", rule.id, case.file)),
            }
        }
    }
    assert!(same > 60, "{same}");
    assert_eq!(left_out, BTreeSet::new(), "these fixes are applied by fix but missing in SARIF");
}

/// The fingerprints of a manifest's findings, with their rules.
fn fingerprints(file: &str, text: &str) -> Vec<(String, String)> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(file), text).unwrap();
    let run = sarif_run(&run(folder.path(), &["lint", "--format", "sarif", file]).output);
    let fingerprint = |result: &Value| {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (text(&result["ruleId"]), text(&result["partialFingerprints"]["ruleAndObject/v1"]))
    };
    results(&run).iter().map(fingerprint).collect()
}

#[test]
fn fingerprints_are_unique_and_do_not_change_when_lines_move() {
    let text = fs::read_to_string(application().join("sql.yaml")).unwrap();
    let before = fingerprints("sql.yaml", &text);
    assert!(before.len() > 2, "{before:?}");
    let moved = format!(
        "# a comment\n\n{}",
        text.replace("1.0.7", "2.0.0").replace("containerPort: 1433", "containerPort:   1433")
    );
    assert_eq!(fingerprints("sql.yaml", &moved), before);
    for other in
        [fingerprints("other.yaml", &text), fingerprints("sql.yaml", &text.replace("  name: ferry", "  name: boat"))]
    {
        assert!(other.iter().all(|one| !before.contains(one)), "{other:?}");
    }
    let twice = fingerprints("sql.yaml", &format!("{text}---\n{text}"));
    assert_eq!(twice.len(), 2 * before.len());
    assert_eq!(BTreeSet::from_iter(&twice).len(), twice.len());
    assert!(before.iter().all(|one| twice.contains(one)));
    let item = format!("- {}", text.split_once('\n').unwrap().1.trim_end().replace('\n', "\n  "));
    let list = |items: &str| format!("apiVersion: v1\nkind: List\nitems:\n- kind: Secret\n{items}");
    assert_eq!(fingerprints("sql.yaml", &list(&item)), before, "in a List it is the same object");
}

#[test]
fn a_file_outside_of_the_current_directory_has_an_absolute_uri() {
    let uri = |directory: &Path, path: &str| {
        let run = sarif_run(&run(directory, &["lint", "--format", "sarif", path]).output);
        results(&run)[0]["locations"][0]["physicalLocation"]["artifactLocation"].clone()
    };
    let whole = application().join("sql.yaml").canonicalize().unwrap();
    let below = json!({"uri": "sql.yaml", "uriBaseId": "%SRCROOT%"});
    assert_eq!(uri(&application().canonicalize().unwrap(), whole.to_str().unwrap()), below);
    let elsewhere = uri(&root().join("e2e/schemas"), "../reports/application/sql.yaml");
    assert_eq!(elsewhere, json!({"uri": format!("file://{}", whole.display())}));
}
