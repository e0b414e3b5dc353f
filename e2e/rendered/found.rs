//! `--render`: every chart and kustomization below the paths.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{BROKEN, Tools, places, write_all};
use crate::ran::{shown, with_input};
use crate::tools::tool;

/// A repository with the chart, a library chart, kustomizations, and the plain manifest of a database.
fn repository() -> TempDir {
    let folder = TempDir::new().unwrap();
    let e2e = Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e");
    for directory in ["charts", "kustomize"] {
        let copied = Command::new("cp").arg("-r").arg(e2e.join(directory)).arg(folder.path()).status().unwrap();
        assert!(copied.success());
    }
    write_all(
        folder.path(),
        &[
            ("charts/common/Chart.yaml", "apiVersion: v2\nname: common\nversion: 1.0.0\ntype: library\n".to_owned()),
            ("plain/database.yaml", include_str!("../examples/two-replicas-rolling.yaml").to_owned()),
            ("part/kustomization.yaml", "kind: Component\nnamePrefix: a-\n".to_owned()),
        ],
    );
    folder
}

#[test]
fn render_checks_charts_and_kustomizations_in_place_of_their_files() {
    let folder = repository();
    let tools = Tools::none().with("helm").with_kubectl();
    insta::assert_snapshot!(shown(&tools.lint_in(folder.path(), &["--render", "--format", "compact"], "")));
}

#[test]
fn render_says_what_it_does_not_render() {
    let folder = repository();
    let charts = "helmCharts: [{name: shop, repo: https://charts.example.com}]\n".to_owned();
    write_all(folder.path(), &[("inflated/kustomization.yaml", charts)]);
    let ran = Tools::none().lint_in(folder.path(), &["--render", "--rule", "single-replica=off"], "");
    let notes: Vec<&str> = ran.output.lines().filter(|line| line.starts_with("note: ")).collect();
    insta::assert_snapshot!(notes.join("\n"));
}

#[test]
fn a_chart_that_is_named_is_rendered_once_with_its_values() {
    let folder = repository();
    let tools = Tools::none().with("helm").with_kubectl();
    let values = "charts/warehouse/two-replicas.yaml";
    let ran = tools.lint_in(
        folder.path(),
        &["--render", "--helm", "charts/warehouse", "-f", values, "charts", "--format", "json"],
        "",
    );
    let report: Value = serde_json::from_str(&ran.output).unwrap();
    let replicas = places(&report).into_iter().filter(|place| place[0] == "single-replica").count();
    assert_eq!((replicas, &report["errors"]), (1, &json!([])), "{report:#}");
    let notes = report["notes"].to_string();
    assert!(!notes.contains("skipped the templates"), "its files are checked as they are rendered: {notes}");
}

#[test]
fn a_kustomization_that_is_named_takes_the_place_of_its_files() {
    let folder = repository();
    let tools = Tools::none().with("helm").with_kubectl();
    let overlay = ["--kustomize", "kustomize/overlay", "--kustomize", "kustomize/overlay-with-origins"];
    let flags = [&["--render", "--format", "json", "kustomize"], overlay.as_slice()].concat();
    let report: Value = serde_json::from_str(&tools.lint_in(folder.path(), &flags, "").output).unwrap();
    let findings = report["findings"].as_array().unwrap();
    assert!(!findings.is_empty());
    assert!(findings.iter().all(|finding| finding["rendered"].is_object()), "{report:#}");
}

#[test]
fn the_file_of_a_kustomization_can_have_no_extension() {
    let folder = repository();
    let overlay = folder.path().join("other");
    fs::create_dir(&overlay).unwrap();
    fs::write(overlay.join("Kustomization"), "resources: [../kustomize/base]\nnameSuffix: -other\n").unwrap();
    let tools = Tools::none().with("helm").with_kubectl();
    let ran = tools.lint_in(folder.path(), &["--render", "--format", "compact"], "");
    assert!(ran.output.contains("(rendered by other)"), "{}", ran.output);
}

#[test]
fn each_chart_has_the_flags_that_follow_it() {
    let folder = repository();
    let tools = Tools::none().with_script("helm", "printf '%s\\n' \"$*\" >&2");
    let flags = ["--helm", "one", "-f", "a.yaml", "--helm", "two", "--set", "b=c", "--release-name", "r", "-n", "x"];
    let ran = tools.lint_in(folder.path(), &flags, "");
    for call in ["template --values=a.yaml --namespace=x -- one", "template --set=b=c --namespace=x -- r two"] {
        assert!(ran.stderr.contains(call), "{}", ran.stderr);
    }
    let ran = tools.lint_in(folder.path(), &["-f", "a.yaml", "--helm", "one", "--helm", "two"], "");
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("write -f after the --helm that it belongs to"), "{}", ran.stderr);
}

#[test]
fn a_place_in_sarif_is_always_a_file() {
    let folder = repository();
    let broken = [
        ("charts/broken/Chart.yaml", "apiVersion: v2\nname: broken\nversion: 1.0.0\n".to_owned()),
        ("charts/broken/templates/a.yaml", "{{ fail \"no\" }}\n".to_owned()),
        ("failing/kustomization.yaml", "resources: [nowhere]\n".to_owned()),
    ];
    write_all(folder.path(), &broken);
    let tools = Tools::none().with("helm").with_kubectl();
    let ran = tools.lint_in(folder.path(), &["--render", "--kustomize", "plain", "--format", "sarif"], "");
    assert_eq!(ran.code, 4);
    let report: Value = serde_json::from_str(&ran.output).unwrap();
    let run = &report["runs"][0];
    let locations = |list: &Value| -> Vec<String> {
        let items = list.as_array().unwrap().iter().flat_map(|item| item["locations"].as_array().unwrap());
        items
            .map(|location| location["physicalLocation"]["artifactLocation"]["uri"].as_str().unwrap().to_owned())
            .collect()
    };
    let mut files = locations(&run["results"]);
    files.extend(locations(&json!(
        run["invocations"][0]["toolExecutionNotifications"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|notification| notification["locations"].is_array())
            .collect::<Vec<_>>()
    )));
    assert!(files.len() > 5, "{files:?}");
    for file in files {
        assert!(folder.path().join(&file).is_file(), "{file}");
    }
    let messages = run["invocations"][0]["toolExecutionNotifications"].to_string();
    assert!(messages.contains("charts/broken") && messages.contains("plain: "), "{messages}");
}

#[test]
fn a_repository_with_a_new_chart_beside_a_database_is_read_in_full() {
    let folder = TempDir::new().unwrap();
    let created = Command::new(tool("helm")).args(["create", "shop"]).current_dir(folder.path()).output().unwrap();
    assert!(created.status.success(), "{created:?}");
    write_all(folder.path(), &[("database.yaml", include_str!("../examples/two-replicas-rolling.yaml").to_owned())]);
    insta::assert_snapshot!("helm_create", shown(&Tools::none().lint_in(folder.path(), &["--format", "github"], "")));
    let tools = Tools::none().with("helm");
    let ran = tools.lint_in(folder.path(), &["--render", "--format", "github"], "");
    insta::assert_snapshot!("helm_create_rendered", shown(&ran));
}

#[test]
fn fix_says_what_to_change_in_charts_and_kustomizations() {
    let folder = repository();
    let tools = Tools::none().with("helm").with_kubectl();
    let before = fs::read_to_string(folder.path().join("charts/warehouse/templates/database.yaml")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_sqledge-ha"));
    command.current_dir(folder.path()).env("PATH", tools.0.path()).args(["fix", "--unsafe", "--diff"]);
    command.args(BROKEN).args(["--kustomize", "kustomize/overlay"]);
    insta::assert_snapshot!(shown(&with_input(&mut command, "")));
    assert_eq!(fs::read_to_string(folder.path().join("charts/warehouse/templates/database.yaml")).unwrap(), before);
}
