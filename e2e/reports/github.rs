//! Annotations for GitHub, which shows no more than some of them.

use std::fs;

use super::{application, run_with};
use crate::shared::root;

#[test]
fn github_is_told_what_only_the_log_shows() {
    let text = fs::read_to_string(application().join("sql.yaml")).unwrap();
    let many = [text.as_str(); 7].join("---\n");
    let ran = run_with(root(), &[], &["lint", "--format", "github", "-"], &many);
    let errors = ran.output.lines().filter(|line| line.starts_with("::error ")).count();
    assert!(errors > 11, "{}", ran.output);
    let last = ran.output.lines().last().unwrap();
    assert_eq!(last, format!("{} annotations are in this log only: GitHub shows 10 of each level", errors - 10));
}
