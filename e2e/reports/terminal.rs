//! Colors and links: only in the human format, and only if they are wanted.

use std::fs;

use super::{FORMATS, application, run, run_with};
use crate::shared::root;

#[test]
fn colors_follow_the_flag_the_environment_and_the_terminal() {
    let file = "e2e/examples/empty-dir.yaml";
    let colors = |variables: &[(&str, &str)], arguments: &[&str]| {
        let ran = run_with(root(), variables, arguments, "");
        ran.output.contains('\u{1b}') || ran.stderr.contains('\u{1b}')
    };
    assert!(!colors(&[], &["lint", file]), "a pipe has no colors");
    assert!(colors(&[("CLICOLOR_FORCE", "1")], &["lint", file]));
    assert!(!colors(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], &["lint", file]));
    assert!(colors(&[("NO_COLOR", "1")], &["lint", "--color", "always", file]), "the flag takes precedence");
    assert!(colors(&[], &["--color=always", "lint", file]));
    assert!(!colors(&[("CLICOLOR_FORCE", "1")], &["lint", "--color", "never", file]));
    assert!(colors(&[], &["lint", "--color", "always", "--help"]));
    assert!(!colors(&[("CLICOLOR_FORCE", "1")], &["lint", "--color=never", "--help"]));
    assert!(!colors(&[("CLICOLOR_FORCE", "1")], &["lint", "--color=never", "--wrong"]));
    for format in FORMATS.iter().filter(|format| **format != "human") {
        assert!(!colors(&[], &["lint", "--color", "always", "--format", format, file]), "{format}");
    }
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("report.txt");
    let output = format!("human={}", report.display());
    assert!(colors(&[], &["lint", "--color", "always", "--output", &output, file]));
    assert_eq!(fs::read_to_string(report).unwrap(), run(root(), &["lint", file]).output);
}

#[test]
fn rule_ids_are_links_in_terminals_that_support_them() {
    let linted = |variables: &[(&str, &str)], color: &str| {
        run_with(&application(), variables, &["lint", "--color", color], "").output
    };
    let forced = [("FORCE_HYPERLINK", "1")];
    let link = concat!("\u{1b}]8;;https://github.com/sqledge-ha/sqledge-ha/blob/v", env!("CARGO_PKG_VERSION"));
    let with_links = linted(&forced, "always");
    assert!(
        with_links.contains(&format!("{link}/docs/reference/rules.md#load-balancer-service\u{1b}\\")),
        "{with_links}"
    );
    assert!(!linted(&[], "always").contains(link), "link support is unknown");
    assert_eq!(linted(&forced, "never"), linted(&[], "never"));
}
