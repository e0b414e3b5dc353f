//! The report as a page, in a browser: `make test-browser`, which needs npm and Chromium.

use std::fs;
use std::process::Command;

use super::run;
use crate::shared::root;

#[test]
#[ignore = "needs npm and Chromium: make test-browser"]
fn the_page_is_valid_accessible_and_loads_nothing() {
    let tools = root().join("target/tools/browser");
    assert!(tools.is_dir(), "{} does not exist: run \"make test-browser\"", tools.display());
    let folder = tempfile::tempdir().unwrap();
    for (name, more) in
        [("shop", vec![]), ("event", vec!["--what-if", "drain/amd64-a"]), ("nothing", vec!["--namespace", "bakery"])]
    {
        let arguments = [&["audit", "--from", "shop", "--format", "html"], more.as_slice()].concat();
        let path = folder.path().join(format!("{name}.html"));
        fs::write(&path, run(&arguments).output).unwrap();
        let mut node = Command::new("node");
        node.arg("check.mjs").arg(&path).current_dir(&tools);
        let output = node.output().expect("Node.js runs");
        let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        assert!(output.status.success(), "{name}: {text}");
    }
}
