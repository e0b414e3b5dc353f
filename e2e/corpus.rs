//! The corpus: manifests with and without findings of each rule, and the reports.
//!
//! `corpus/RULE/pass/*` have no finding of the rule and no error; `corpus/RULE/fail/*` have a finding of the rule and
//! no error of another one. If the file name contains `a-warning`, the finding is a warning, and with `an-error` an
//! error. A first line `# lint: FLAGS` has flags for the command, relative to `corpus/RULE`.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use sqledge_ha::manifest::read;
use sqledge_ha_policy::finding::Action;
use sqledge_ha_policy::json::edit::{Edit, apply};
use sqledge_ha_policy::rules::{RULES, Rule};

use crate::ran::{Ran, snapshots, with_input};

/// Runs `sqledge-ha lint` in `directory` with empty standard input.
pub(crate) fn lint<A: AsRef<std::ffi::OsStr>>(directory: &Path, arguments: &[A]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sqledge-ha"));
    with_input(command.current_dir(directory).arg("lint").args(arguments), "")
}

/// The folder of the corpus.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e/corpus")
}

/// One file of the corpus.
#[derive(Debug)]
pub(crate) struct Case {
    /// The folder of the rule, in which the command runs.
    pub(crate) directory: PathBuf,
    /// The path below it, e.g. `fail/two-replicas-of-a-deployment.yaml`.
    pub(crate) file: String,
    /// The flags in the first line.
    pub(crate) flags: Vec<String>,
}

impl Case {
    /// Runs the command on the file, with `more` flags.
    pub(crate) fn lint(&self, more: &[&str]) -> Ran {
        let flags = self.flags.iter().map(String::as_str).chain(more.iter().copied());
        lint(&self.directory, &flags.chain([self.file.as_str()]).collect::<Vec<_>>())
    }

    /// The report of `text` in place of the file.
    fn report_of(&self, text: &str) -> Value {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sqledge-ha"));
        command.current_dir(&self.directory).arg("lint").args(&self.flags).args(["--format", "json", "-"]);
        serde_json::from_str(&with_input(&mut command, text).output).expect("the report is JSON")
    }

    /// The rules with findings of a level.
    fn found(&self, level: &str) -> BTreeSet<String> {
        let report: Value = serde_json::from_str(&self.lint(&["--format", "json"]).output).expect("the report is JSON");
        let findings = report["findings"].as_array().expect("there is a list of findings").iter();
        let level = findings.filter(|finding| finding["level"] == level);
        level.map(|finding| finding["rule"].as_str().expect("a finding has a rule").to_owned()).collect()
    }

    fn is_warning(&self, rule: &Rule) -> bool {
        !self.file.contains("an-error") && (rule.default_action == Action::Warn || self.file.contains("a-warning"))
    }
}

/// The files of one rule, `verdict` is `pass` or `fail`.
pub(crate) fn cases(rule: &str, verdict: &str) -> Vec<Case> {
    let directory = folder().join(rule);
    let Ok(entries) = fs::read_dir(directory.join(verdict)) else { return Vec::new() };
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().expect("names are UTF-8")).collect();
    names.sort();
    let case = |name: &String| {
        let text = fs::read_to_string(directory.join(verdict).join(name)).expect("the file is UTF-8");
        let flags = text.lines().next().and_then(|line| line.strip_prefix("# lint: ")).unwrap_or_default();
        let flags = flags.split_whitespace().map(str::to_owned).collect();
        Case { directory: directory.clone(), file: format!("{verdict}/{name}"), flags }
    };
    names.iter().map(case).collect()
}

#[test]
fn every_rule_has_passing_and_failing_manifests() {
    for rule in RULES {
        for verdict in ["pass", "fail"] {
            let count = cases(rule.id, verdict).len();
            assert!(count > 0, "e2e/corpus/{}/{verdict} needs a manifest", rule.id);
        }
    }
}

#[test]
fn every_folder_of_the_corpus_belongs_to_a_rule() {
    for entry in fs::read_dir(folder()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(RULES.iter().any(|rule| rule.id == name), "unknown rule `{name}`");
    }
}

#[test]
fn passing_manifests_have_no_findings() {
    for rule in RULES {
        for case in cases(rule.id, "pass") {
            let ran = case.lint(&[]);
            assert_eq!(ran.code, 0, "{}/{}\n{}", rule.id, case.file, ran.output);
            assert!(!case.found("warning").contains(rule.id), "{}/{}\n{}", rule.id, case.file, ran.output);
        }
    }
}

#[test]
fn failing_manifests_have_findings_of_their_rule_only() {
    for rule in RULES {
        for case in cases(rule.id, "fail") {
            let name = format!("{}/{}", rule.id, case.file);
            let own = (!case.is_warning(rule)).then(|| rule.id.to_owned());
            let expected: BTreeSet<String> = own.into_iter().collect();
            assert_eq!(case.found("error"), expected, "{name}");
            assert_eq!(case.lint(&[]).code, i32::from(!expected.is_empty()), "{name}");
            if case.is_warning(rule) {
                assert!(case.found("warning").contains(rule.id), "{name}");
                assert_eq!(case.lint(&["--fail-on", "warning"]).code, 1, "{name}");
            }
        }
    }
}

/// Safe fixes and unsafe ones, on the value: programs that read reports apply them so.
#[test]
fn the_edits_of_a_fix_remove_its_finding() {
    let mut count = 0;
    for case in RULES.iter().flat_map(|rule| cases(rule.id, "fail")) {
        let text = fs::read_to_string(case.directory.join(&case.file)).unwrap();
        let documents: Vec<Value> = read(&text).into_iter().map(|document| document.unwrap().value).collect();
        let report = case.report_of(&text);
        let place = |finding: &Value| ["rule", "object", "pointer"].map(|field| finding[field].clone());
        for finding in report["findings"].as_array().unwrap().iter().filter(|finding| !finding["fix"].is_null()) {
            let mut fixed = documents.clone();
            let document = usize::try_from(finding["document"].as_u64().unwrap()).unwrap();
            let edits: Vec<Edit> = finding["fix"]["edits"].as_array().unwrap().iter().map(edit).collect();
            assert_eq!(apply(&mut fixed[document], &edits), Ok(()), "{}: {finding:#}", case.file);
            let fixed: Vec<String> = fixed.iter().map(Value::to_string).collect();
            let after = case.report_of(&fixed.join("\n---\n"));
            let mut left = after["findings"].as_array().unwrap().iter();
            assert!(!left.any(|other| place(other) == place(finding)), "{}: {finding:#}", case.file);
            count += 1;
        }
    }
    assert!(count > 50, "{count}");
}

/// An edit of a report.
fn edit(edit: &Value) -> Edit {
    let pointer = edit["pointer"].as_str().unwrap().to_owned();
    match edit["op"].as_str().unwrap() {
        "set" => Edit::Set { pointer, value: edit["value"].clone() },
        _ => Edit::Remove { pointer },
    }
}

#[test]
fn reports_match_their_snapshots() {
    for rule in RULES {
        let mut text = String::new();
        for case in cases(rule.id, "fail").iter().chain(&cases(rule.id, "pass")) {
            let ran = case.lint(&[]);
            assert_eq!(ran.stderr, "", "{}", case.file);
            let command =
                case.flags.iter().map(String::as_str).chain([case.file.as_str()]).collect::<Vec<_>>().join(" ");
            writeln!(text, "$ sqledge-ha lint {command}\n{}[exit code {}]\n", ran.output, ran.code).unwrap();
        }
        let mut settings = snapshots("snapshots/corpus");
        settings.set_description(rule.summary);
        settings.bind(|| insta::assert_snapshot!(rule.id, text));
    }
}
