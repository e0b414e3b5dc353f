//! Annotations for GitHub, which shows only some of them.

use std::fs;

use super::{application, run_with};
use crate::shared::root;

#[test]
fn the_last_line_counts_annotations_that_github_does_not_show() {
    let text = fs::read_to_string(application().join("sql.yaml")).unwrap();
    let many = [text.as_str(); 7].join("---\n");
    let ran = run_with(root(), &[], &["lint", "--format", "github", "-"], &many);
    let errors = ran.output.lines().filter(|line| line.starts_with("::error ")).count();
    assert!(errors > 11, "{}", ran.output);
    let last = ran.output.lines().last().unwrap();
    assert_eq!(last, format!("{} annotations are only in this log: GitHub shows 10 of each level", errors - 10));
}
