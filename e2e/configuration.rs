//! The configuration file: where it is found, what it ignores, and mistakes in it.

mod ignore_entries;
mod mistakes;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::corpus::lint;
use crate::fix::{EXAMPLE, fix};
use crate::ran::{snapshots, with_input};
use crate::shared::text_of;

/// A folder with these files. An empty text is the example, and a path that ends with a slash a directory.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        if name.ends_with('/') {
            fs::create_dir_all(path).unwrap();
            continue;
        }
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, if text.is_empty() { EXAMPLE } else { text }).unwrap();
    }
    folder
}

fn snapshot(name: &str, text: &str) {
    snapshots("snapshots/configuration").bind(|| insta::assert_snapshot!(name, text));
}

/// The JSON report of a run.
fn report(directory: &Path, arguments: &[&str]) -> Value {
    let ran = lint(directory, &[&["--format", "json"], arguments].concat());
    serde_json::from_str(&ran.output).unwrap_or_else(|_| panic!("{ran:?}"))
}

/// The notes of a report.
fn notes(report: &Value) -> Vec<&str> {
    report["notes"].as_array().unwrap().iter().map(|note| note.as_str().unwrap()).collect()
}

/// The configuration that a run used, relative to the folder.
fn used(folder: &TempDir, directory: &str, arguments: &[&str]) -> Option<String> {
    let report = report(&folder.path().join(directory), arguments);
    let path = notes(&report).into_iter().find_map(|note| note.strip_prefix("configuration: "))?;
    let absolute = folder.path().join(directory).join(path);
    Some(absolute.strip_prefix(folder.path()).unwrap().to_str().unwrap().to_owned())
}

const CONFIG: &str = "policy: {mode: warn}\n";

#[test]
fn the_nearest_configuration_above_the_first_path_is_used() {
    let folder = folder(&[
        ("sqledge-ha.yaml", CONFIG),
        ("app/sqledge-ha.yaml", CONFIG),
        ("app/k8s/sql.yaml", ""),
        ("other/sql.yaml", ""),
        ("repository/.git/", ""),
        ("repository/k8s/sql.yaml", ""),
        ("worktree/.git", "gitdir: elsewhere"),
        ("worktree/sqledge-ha.yaml", CONFIG),
        ("worktree/k8s/sql.yaml", ""),
        ("directory/sqledge-ha.yaml/", ""),
        ("directory/sql.yaml", ""),
        ("manifests/sqledge-ha.yaml", "apiVersion: v1\nkind: Namespace\nmetadata: {name: sqledge-ha}\n"),
        ("manifests/sql.yaml", ""),
        ("flow/sqledge-ha.yaml", "{apiVersion: v1, kind: Namespace, metadata: {name: a}}\n"),
        ("flow/sql.yaml", ""),
        ("upper/SQLEDGE-HA.yaml", CONFIG),
        ("upper/sql.yaml", ""),
    ]);
    symlink("../app/sqledge-ha.yaml", folder.path().join("flow/link.yaml")).unwrap();
    fs::create_dir(folder.path().join("linked")).unwrap();
    symlink("../app/sqledge-ha.yaml", folder.path().join("linked/sqledge-ha.yaml")).unwrap();
    let cases: [(&str, &[&str], Option<&str>); 20] = [
        ("", &[], Some("sqledge-ha.yaml")),
        ("", &["app"], Some("app/sqledge-ha.yaml")),
        ("", &["app/k8s/sql.yaml"], Some("app/sqledge-ha.yaml")),
        ("", &["app/k8s/../../other"], Some("sqledge-ha.yaml")),
        ("app/k8s", &[], Some("app/sqledge-ha.yaml")),
        ("app/k8s", &["-"], Some("app/sqledge-ha.yaml")),
        ("app/k8s", &["../../other/sql.yaml", "sql.yaml"], Some("sqledge-ha.yaml")),
        ("other", &["sql.yaml", "../app"], Some("sqledge-ha.yaml")),
        ("app", &["missing.yaml"], Some("app/sqledge-ha.yaml")),
        ("app", &["k8s/sql.yaml/below"], Some("app/sqledge-ha.yaml")),
        ("", &["repository"], None),
        ("repository/k8s", &[], None),
        ("", &["worktree/k8s"], Some("worktree/sqledge-ha.yaml")),
        ("directory", &[], Some("sqledge-ha.yaml")),
        ("manifests", &[], Some("sqledge-ha.yaml")),
        ("flow", &[], Some("sqledge-ha.yaml")),
        ("upper", &[], Some("sqledge-ha.yaml")),
        ("linked", &["../linked"], Some("linked/sqledge-ha.yaml")),
        ("app", &["--no-config"], None),
        ("app", &["--config", "sqledge-ha.yaml"], None),
    ];
    for (directory, arguments, expected) in cases {
        assert_eq!(used(&folder, directory, arguments).as_deref(), expected, "{directory} {arguments:?}");
    }
}

#[test]
fn a_chart_or_a_kustomization_is_the_first_path_if_there_is_no_other() {
    let folder =
        folder(&[("charts/sqledge-ha.yaml", CONFIG), ("charts/shop/Chart.yaml", "name: shop"), ("a.yaml", "")]);
    for (arguments, expected) in [
        (&["--helm", "charts/shop"][..], Some("charts/sqledge-ha.yaml")),
        (&["--kustomize", "charts/shop"], Some("charts/sqledge-ha.yaml")),
        (&["--helm", "charts/shop", "a.yaml"], None),
    ] {
        assert_eq!(used(&folder, "", arguments).as_deref(), expected, "{arguments:?}");
    }
}

#[test]
fn the_configuration_that_is_found_applies_to_lint_and_fix() {
    let text = "policy: {rules: {recreate-strategy: off, single-replica: off}}\nexclude: [/other.yaml]\n";
    let folder = folder(&[("sqledge-ha.yaml", text), ("k8s/sql.yaml", ""), ("other.yaml", "")]);
    let ran = lint(&folder.path().join("k8s"), &["sql.yaml"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let all = lint(folder.path(), &["--no-config"]);
    assert!(all.code == 1 && all.output.contains("other.yaml:"), "{all:?}");
    let ran = fix(folder.path(), &["--unsafe"], "");
    assert!(ran.stderr.contains("note: configuration: sqledge-ha.yaml\n"), "{ran:?}");
    assert_eq!(fs::read_to_string(folder.path().join("k8s/sql.yaml")).unwrap(), EXAMPLE);
    let ran = fix(folder.path(), &["--unsafe", "--no-config"], "");
    assert!(!ran.stderr.contains("configuration"), "{ran:?}");
    assert_ne!(fs::read_to_string(folder.path().join("k8s/sql.yaml")).unwrap(), EXAMPLE);
    let both = lint(folder.path(), &["--config", "sqledge-ha.yaml", "--no-config"]);
    assert!(both.code == 2 && both.stderr.contains("cannot be used with"), "{both:?}");
}

#[test]
fn the_webhook_reads_settings_from_a_configuration_of_the_linter() {
    let text = "policy: {mode: validate}\nignore: [{rules: [one-engine]}]\nexclude: [a]\n";
    let folder = folder(&[("sqledge-ha.yaml", text)]);
    let mut command = Command::new(env!("CARGO_BIN_EXE_sqledge-ha"));
    let arguments = ["policy", "manifest", "--mode=mutate", "--settings", "sqledge-ha.yaml"];
    let ran = with_input(command.current_dir(folder.path()).args(arguments), "");
    assert!(ran.code == 0 && ran.output.contains("mode: mutate") && !ran.output.contains("ignore:"), "{ran:?}");
}

#[test]
fn the_configuration_in_the_documentation_is_valid() {
    let page = text_of("docs/lint-in-ci.md");
    let (_, rest) = page.split_once("```yaml\nignore:\n").unwrap();
    let (text, _) = rest.split_once("```").unwrap();
    let folder = folder(&[("sqledge-ha.yaml", &format!("ignore:\n{text}")), ("sql.yaml", "")]);
    assert_eq!(lint(folder.path(), &["sql.yaml"]).code, 1);
}
