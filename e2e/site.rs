//! The playground and the site in a browser: `make test-browser`, which needs npm and Chromium.

use std::path::PathBuf;
use std::process::Command;

use crate::shared::root;

/// Runs a script beside the packages that it needs, and prints what it says.
fn check(script: &str, arguments: &[PathBuf]) {
    let tools = root().join("target/tools/browser");
    for needed in std::iter::once(&tools).chain(arguments) {
        assert!(needed.exists(), "{} does not exist: run \"make test-browser\"", needed.display());
    }
    let mut node = Command::new("node");
    let status = node.arg(script).args(arguments).current_dir(&tools).status().expect("Node.js runs");
    assert!(status.success(), "{script} failed");
}

#[test]
#[ignore = "needs npm and Chromium: make test-browser"]
fn the_playground_works_in_a_browser() {
    check(
        "playground.mjs",
        &["target/playground/sqledge-ha-playground.html", "e2e/corpus"].map(|path| root().join(path)),
    );
}

#[test]
#[ignore = "needs npm and Chromium: make test-browser"]
fn the_site_works_from_a_folder() {
    check("site.mjs", &[root().join("target/site")]);
}
