//! JUnit: names are unique in a suite, and a file without workloads is not a passed test.

use std::collections::BTreeSet;
use std::fs;

use super::{application, run, run_with};
use crate::shared::root;

#[test]
fn junit_names_are_unique_in_a_suite() {
    let text = fs::read_to_string(application().join("sql.yaml")).unwrap();
    let ran = run_with(root(), &[], &["lint", "--format", "junit", "-"], &format!("{text}---\n{text}"));
    let report = quick_junit::Report::deserialize_from_str(&ran.output).unwrap();
    let names: Vec<&str> = report.test_suites[0].test_cases.iter().map(|case| case.name.as_str()).collect();
    assert_eq!(BTreeSet::from_iter(&names).len(), names.len(), "{names:?}");
    assert!(names.iter().any(|name| name.ends_with("(2)")), "{names:?}");
    let right = run(&root().join("e2e/examples"), &["lint", "--format", "junit", "right.yaml"]);
    let report = quick_junit::Report::deserialize_from_str(&right.output).unwrap();
    assert_eq!((report.tests, report.failures, report.errors), (1, 0, 0));
    let nothing = run(&root().join("e2e"), &["lint", "--format", "junit", "schemas"]);
    let report = quick_junit::Report::deserialize_from_str(&nothing.output).unwrap();
    let case = &report.test_suites[0].test_cases[0];
    assert!(
        matches!(case.status, quick_junit::TestCaseStatus::Skipped { .. }),
        "a file without workloads is not passed"
    );
    assert_eq!((nothing.code, report.tests), (3, 1));
}
