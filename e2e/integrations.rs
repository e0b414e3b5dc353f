//! Integrations: the pre-commit hooks, the GitHub action, and the examples of CI systems in the documentation.

use std::fs;
use std::process::Command;

use clap::Parser;
use serde_json::Value;
use sqledge_ha::cli::Cli;
use sqledge_ha::manifest::read;

use crate::shared::{root, skipped, text_of};

fn yaml(path: &str) -> Value {
    let mut documents = read(&text_of(path));
    assert_eq!(documents.len(), 1);
    documents.remove(0).unwrap().value
}

/// Fails if the command does not accept this command line.
fn assert_valid(line: &str) {
    let line = line.split(" #").next().unwrap_or_default().split(" | ").next().unwrap_or_default();
    if let Err(error) = Cli::try_parse_from(line.split_whitespace()) {
        panic!("{line}: {error}");
    }
}

#[test]
fn examples_of_ci_systems_are_valid() {
    let page = text_of("docs/lint-in-ci.md");
    let lines = page.lines().map(|line| line.trim_start_matches([' ', '-', '$']));
    let commands: Vec<&str> = lines.filter(|line| line.starts_with("sqledge-ha ")).collect();
    assert!(commands.len() > 8, "{commands:?}");
    commands.into_iter().for_each(assert_valid);
    for hook in yaml(".pre-commit-hooks.yaml").as_array().unwrap() {
        let id = hook["id"].as_str().unwrap();
        assert!(page.contains(&format!("- id: {id}")), "{id}");
    }
}

#[test]
fn pre_commit_hooks_are_valid() {
    for hook in yaml(".pre-commit-hooks.yaml").as_array().unwrap() {
        assert_valid(&format!("{} a.yaml b.json", hook["entry"].as_str().unwrap()));
        assert_eq!(hook["language"], "rust");
    }
    let manifest = root().join(".pre-commit-hooks.yaml");
    match Command::new("pre-commit").arg("validate-manifest").arg(manifest).output() {
        Ok(output) => assert!(output.status.success(), "{output:?}"),
        Err(_) => skipped("pre-commit is not installed"),
    }
}

/// The script of the action's last step, which runs `lint`.
fn script() -> String {
    let action = yaml("action.yml");
    let steps = action["runs"]["steps"].as_array().unwrap();
    assert_eq!((&action["runs"]["using"], steps.len()), (&Value::from("composite"), 2));
    for step in steps {
        let script = step["run"].as_str().unwrap();
        assert!(!script.contains("${{"), "the script must take inputs from the environment: {script}");
    }
    steps[1]["run"].as_str().unwrap().to_owned()
}

#[test]
fn github_action_passes_its_inputs_to_lint() {
    let folder = tempfile::tempdir().unwrap();
    let example = |name: &str| text_of(&format!("e2e/examples/{name}"));
    fs::write(folder.path().join("a $(touch b).yaml"), example("right.yaml")).unwrap();
    fs::write(folder.path().join("-c.yaml"), example("empty-dir.yaml")).unwrap();
    let lint = |path: &str, format: &str, sarif: &str| {
        let mut command = Command::new("bash");
        // The same flags as GitHub's runner.
        command.args(["--noprofile", "--norc", "-eo", "pipefail", "-c", &script()]).current_dir(folder.path());
        command.env("COMMAND", env!("CARGO_BIN_EXE_sqledge-ha")).env("PATHS", path).env("PARTIAL", "true");
        let output = command.env("FORMAT", format).env("SARIF", sarif).output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, output) = lint("a $(touch b).yaml", "github", "");
    assert!(code == 0 && output.contains("\nno findings"), "{output}");
    let (code, output) = lint("a $(touch b).yaml\n-c.yaml\n", "github", "report.sarif");
    assert!(code == 1 && output.starts_with("::error file=-c.yaml,"), "{output}");
    assert!(fs::read_to_string(folder.path().join("report.sarif")).unwrap().contains("sarif-schema-2.1.0"));
    let (code, output) = lint(".", "json", "");
    assert!(code == 1 && output.starts_with("{\n  \"version\": 1,"), "{output}");
    assert!(!folder.path().join("b").exists());
}

#[test]
fn version_names_the_commit() {
    let output = Command::new(env!("CARGO_BIN_EXE_sqledge-ha")).arg("--version").output().unwrap();
    let version = String::from_utf8(output.stdout).unwrap();
    let rest = version.strip_prefix(&format!("sqledge-ha {}", env!("CARGO_PKG_VERSION"))).unwrap().trim_end();
    if let Some(commit) = rest.strip_prefix(" (").and_then(|rest| rest.strip_suffix(')')) {
        let (hash, day) = commit.split_once(' ').unwrap();
        assert!(hash.len() >= 7 && hash.chars().all(|digit| digit.is_ascii_hexdigit()), "{version}");
        assert!(day.len() == 10 && day.starts_with("20"), "{version}");
    } else {
        assert_eq!(rest, "");
    }
}
