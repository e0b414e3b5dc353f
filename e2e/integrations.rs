//! Integrations: the pre-commit hooks, the GitHub action, and the examples of CI systems in the documentation.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Parser;
use serde_json::Value;
use sqledge_ha::cli::Cli;
use sqledge_ha::manifest::read;
use tempfile::TempDir;

use crate::shared::{root, skipped, text_of};
use crate::tools::tool;

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
        assert!(page.contains(&format!("- id: {id}")) || page.contains(&format!("`{id}`")), "{id}");
    }
}

#[test]
fn pre_commit_hooks_are_valid() {
    for hook in yaml(".pre-commit-hooks.yaml").as_array().unwrap() {
        assert_valid(&format!("{} a.yaml b.json", hook["entry"].as_str().unwrap()));
        let is_built = hook["id"].as_str().unwrap().ends_with("-from-source");
        assert_eq!(hook["language"], if is_built { "rust" } else { "python" });
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

/// Runs the last step of the action in a directory, as GitHub's runner does. Returns the exit code, the output and the
/// job summary.
fn run_action(folder: &Path, inputs: &[(&str, &str)]) -> (i32, String, String) {
    let mut command = Command::new("bash");
    command.args(["--noprofile", "--norc", "-eo", "pipefail", "-c", &script()]).current_dir(folder);
    command.env("COMMAND", env!("CARGO_BIN_EXE_sqledge-ha")).env("REPORT", folder.join("../report.json"));
    command.env("SUMMARY", root().join("artifacthub/action/summary.jq"));
    for name in ["PATHS", "HELM", "KUSTOMIZE", "RENDER", "EXCLUDE", "CONFIG", "ARGS", "SARIF"] {
        command.env(name, "");
    }
    command.env("FAIL_ON", "error").env("PARTIAL", "true").env("FORMAT", "github");
    command.env("GITHUB_SERVER_URL", "https://example.com").env("GITHUB_REPOSITORY", "owner/name");
    let summary = folder.join("../summary.md");
    fs::write(&summary, "").unwrap();
    command.env("GITHUB_SHA", "0123").env("GITHUB_STEP_SUMMARY", &summary).envs(inputs.iter().copied());
    let output = command.output().unwrap();
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    (output.status.code().unwrap(), text, fs::read_to_string(summary).unwrap())
}

/// A directory to check, in another one.
fn checkout() -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let checkout = folder.path().join("checkout");
    fs::create_dir(&checkout).unwrap();
    let example = |name: &str| text_of(&format!("e2e/examples/{name}"));
    fs::write(checkout.join("a $(touch b).yaml"), example("right.yaml")).unwrap();
    fs::write(checkout.join("-c.yaml"), example("empty-dir.yaml")).unwrap();
    (folder, checkout)
}

#[test]
fn github_action_passes_its_inputs_to_lint() {
    let (_folder, checkout) = checkout();
    let (code, output, _) = run_action(&checkout, &[("PATHS", "a $(touch b).yaml")]);
    assert!(code == 0 && output.contains("\nno findings"), "{output}");
    let (code, output, _) =
        run_action(&checkout, &[("PATHS", "a $(touch b).yaml\n-c.yaml\n"), ("SARIF", "report.sarif")]);
    assert!(code == 1 && output.starts_with("::error file=-c.yaml,"), "{output}");
    assert!(fs::read_to_string(checkout.join("report.sarif")).unwrap().contains("sarif-schema-2.1.0"));
    let (code, output, _) = run_action(&checkout, &[("FORMAT", "json"), ("EXCLUDE", "a *\nb.yaml")]);
    assert!(code == 1 && output.starts_with("{\n  \"version\": 1,") && output.contains("\"files\": 1,"), "{output}");
    let (code, output, _) = run_action(&checkout, &[("EXCLUDE", "-c.yaml")]);
    assert!(code == 0 && output.contains("no findings"), "{output}");
    assert!(!checkout.join("b").exists());

    fs::write(checkout.join("off.yaml"), "policy: {rules: {persistent-data: warn}}\n").unwrap();
    let warned = [("PATHS", "-c.yaml"), ("CONFIG", "off.yaml")];
    let (code, output, _) = run_action(&checkout, &warned);
    assert!(code == 0 && output.starts_with("::warning file=-c.yaml,"), "{output}");
    let (code, ..) = run_action(&checkout, &[warned.as_slice(), &[("FAIL_ON", "warning")]].concat());
    assert_eq!(code, 1);
    let (code, output, _) = run_action(&checkout, &[("PATHS", "-c.yaml"), ("ARGS", " --no-ignores\n--engine *")]);
    assert!(code == 2 && output.contains("invalid value '*' for '--engine"), "{output}");
}

#[test]
fn github_action_renders_charts_and_kustomizations() {
    let (_folder, checkout) = checkout();
    let path = format!("{}:{}", tool("helm").parent().unwrap().display(), env::var("PATH").unwrap());
    let chart = root().join("e2e/charts/warehouse");
    let overlay = root().join("e2e/kustomize/overlay");
    for (input, value) in [("HELM", &chart), ("KUSTOMIZE", &overlay)] {
        let (_, output, _) =
            run_action(&checkout, &[(input, value.to_str().unwrap()), ("PATH", &path), ("FORMAT", "json")]);
        let report: Value = serde_json::from_str(&output).unwrap();
        assert!(report["summary"]["workloads"].as_u64() > Some(0), "{output}");
        assert!(!output.contains("-c.yaml"), "the current directory is checked, too: {output}");
    }
    let copied = Command::new("cp").arg("-r").arg(&chart).arg(&checkout).status().unwrap();
    assert!(copied.success());
    for (render, is_rendered) in [("true", true), ("false", false)] {
        let (_, output, _) = run_action(&checkout, &[("RENDER", render), ("PATH", &path), ("FORMAT", "json")]);
        assert_eq!(output.contains(r#""by": "warehouse""#), is_rendered, "{output}");
        assert!(output.contains("-c.yaml"), "{output}");
    }
}

#[test]
fn github_action_writes_a_job_summary() {
    if Command::new("jq").arg("--version").output().is_err() {
        return skipped("jq is not installed");
    }
    let (_folder, checkout) = checkout();
    let (_, _, summary) = run_action(&checkout, &[("PATHS", "a $(touch b).yaml")]);
    assert_eq!(summary, "## sqledge-ha\n\n0 errors, 0 warnings in 1 file\n");
    fs::create_dir(checkout.join("k s")).unwrap();
    fs::rename(checkout.join("-c.yaml"), checkout.join("k s/_|.yaml")).unwrap();
    fs::write(checkout.join("broken.yaml"), "kind: Deployment\nspec: {image: mcr.microsoft.com/azure-sql-edge\n")
        .unwrap();
    let (code, _, summary) = run_action(&checkout, &[]);
    assert_eq!(code, 4);
    let (start, rest) = summary.split_once("\n### 1 error\n\n| location | rule | finding |\n|---|---|---|\n").unwrap();
    assert!(start.contains("\n**broken.yaml** cannot be read: "), "{summary}");
    let place = "| [k s/\\_\\|.yaml:47](https://example.com/owner/name/blob/0123/k%20s/_%7C.yaml#L47) | [`persistent-data`](https://";
    assert!(rest.starts_with(place), "{summary}");
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
