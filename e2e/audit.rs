//! `sqledge-ha audit`: its reports, and what it does if the cluster cannot be read.

mod agreement;
mod browser;
mod cluster;
mod gateway;
mod kubeconfigs;
mod plugin;
mod published;
mod publishing;
mod recover;
mod stand_in;
mod unreadable;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use insta::assert_snapshot;
use serde_json::{Value, json};
use sqledge_ha::audit::forecast::{Failure, Outcome};
use sqledge_ha::audit::timers::Timer;

use crate::ran::{Ran, snapshots, with_input};
use crate::reports::sarif_run;
use crate::shared::{objects, root, text_of};

/// The command, in the directory `e2e/audit`, with no kubeconfig of the user.
fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sqledge-ha"));
    command.current_dir(root().join("e2e/audit")).args(arguments);
    command.env("HOME", "/nowhere").env_remove("KUBECONFIG").env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE");
    command
}

fn run(arguments: &[&str]) -> Ran {
    with_input(&mut command(arguments), "")
}

/// Audits with a kubeconfig.
fn audit(kubeconfig: &Path, more: &[&str]) -> Ran {
    run(&[&["audit", "--kubeconfig", kubeconfig.to_str().unwrap()], more].concat())
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn a_shop_for_people() {
    snapshots("snapshots/audit").bind(|| {
        for (name, more) in [
            ("shop", vec![]),
            ("shop, in detail", vec!["--details"]),
            ("shop, if a node is drained", vec!["--what-if", "drain/amd64-a"]),
            ("shop, if a zone fails", vec!["--what-if", "zone/z2", "--timer", "attach=5s..1m"]),
        ] {
            let ran = run(&[&["audit", "--from", "shop"], more.as_slice()].concat());
            assert_eq!((ran.code, ran.stderr.as_str()), (1, ""), "{name}");
            assert_snapshot!(name, ran.output);
        }
    });
}

#[test]
fn a_shop_for_programs() {
    snapshots("snapshots/audit").bind(|| {
        for format in ["json", "junit", "html"] {
            let ran = run(&["audit", "--from", "shop", "--format", format]);
            assert_eq!((ran.code, ran.stderr.as_str()), (1, ""), "{format}");
            assert_snapshot!(format!("shop.{format}"), ran.output);
        }
        let ran = run(&["audit", "--from", "shop", "--format", "sarif"]);
        let mut run = sarif_run(&ran.output);
        run["tool"]["driver"]["rules"].as_array_mut().unwrap().truncate(1);
        assert_snapshot!("shop.sarif", format!("{run:#}"));
    });
}

#[test]
fn junit_names_are_unique_and_failed_tests_are_risks_or_errors() {
    let ran = run(&["audit", "--from", "shop", "--format", "junit"]);
    let report = quick_junit::Report::deserialize_from_str(&ran.output).unwrap();
    assert_eq!(report.test_suites.len(), 4);
    for suite in &report.test_suites {
        let names: BTreeSet<&str> = suite.test_cases.iter().map(|case| case.name.as_str()).collect();
        assert_eq!(names.len(), suite.test_cases.len(), "{}", suite.name.as_str());
    }
    let json = parsed(&run(&["audit", "--from", "shop", "--format", "json"]).output);
    let risks = json["databases"].as_array().unwrap().iter().flat_map(|database| {
        let risky = ["waits", "never-starts", "two-servers", "loses-data"].map(Value::from);
        let forecasts = database["forecasts"].as_array().unwrap();
        forecasts.iter().filter(move |forecast| risky.contains(&forecast["outcome"]))
    });
    let errors = json["summary"]["errors"].as_u64().unwrap();
    assert_eq!(report.failures as u64, risks.count() as u64 + errors);
}

#[test]
fn reports_are_also_written_to_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let outputs = [format!("html={}", path("audit.html")), format!("json={}", path("audit.json"))];
    let ran = run(&["audit", "--from", "shop", "--output", &outputs[0], "--output", &outputs[1]]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    let text = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    assert_eq!(text("audit.html"), run(&["audit", "--from", "shop", "--format", "html"]).output);
    assert_eq!(parsed(&text("audit.json"))["summary"]["databases"], 4);
    let nowhere = run(&["audit", "--from", "shop", "--output", "html=/nowhere/audit.html"]);
    assert_eq!(nowhere.code, 4);
    assert!(nowhere.stderr.starts_with("error: --output: cannot write /nowhere/audit.html: "), "{}", nowhere.stderr);
}

#[test]
fn the_exit_code_of_an_event_depends_on_the_forecasts() {
    let code = |more: &[&str]| run(&[&["audit", "--from", "shop"], more].concat()).code;
    // No database is on this node, whatever the findings are.
    assert_eq!(code(&["--what-if", "node/amd64-c"]), 0);
    assert_eq!(code(&["--what-if", "node/amd64-b"]), 1);
    assert_eq!(code(&["--what-if", "node/amd64-b", "--exit-zero"]), 0);
    assert_eq!(code(&["--exit-zero"]), 0);
    let unknown = run(&["audit", "--from", "shop", "--what-if", "zone/moon"]);
    assert_eq!((unknown.code, unknown.output.as_str()), (2, ""));
    assert_eq!(unknown.stderr, "error: --what-if: the cluster has no node or zone `moon`\n");
}

#[test]
fn nothing_is_checked_without_a_database() {
    for format in ["human", "json", "sarif", "junit", "html", "prometheus"] {
        let ran = run(&["audit", "--from", "shop/nodes.yaml", "--format", format]);
        assert_eq!((ran.code, ran.stderr.as_str()), (3, ""), "{format}: {}", ran.output);
    }
    let ran = run(&["audit", "--from", "shop/nodes.yaml"]);
    assert_eq!(ran.output, "nothing checked: no database in 4 nodes, 4 objects\n");
}

#[test]
fn pods_are_found_without_their_replica_sets() {
    let folder = root().join("e2e/audit/shop");
    let texts = std::fs::read_dir(folder).unwrap().map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap());
    let all: Vec<Value> = texts.flat_map(|text| objects(&text)).collect();
    let states = |is_left_out: fn(&Value) -> bool| {
        let items: Vec<&Value> = all.iter().filter(|object| !is_left_out(object)).collect();
        let list = json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string();
        let report = parsed(&with_input(&mut command(&["audit", "--from", "-", "--format", "json"]), &list).output);
        let databases = report["databases"].as_array().unwrap().iter();
        databases.map(|database| database["state"].as_str().unwrap().to_owned()).collect::<BTreeSet<String>>()
    };
    assert_eq!(states(|object| object["kind"] == "ReplicaSet"), BTreeSet::from(["running".to_owned()]));
    assert_eq!(states(|object| object["kind"] == "Pod"), BTreeSet::from(["no-pod".to_owned()]));
}

#[test]
fn an_event_says_how_many_databases_it_leaves_out() {
    let ran = run(&["audit", "--from", "shop/nodes.yaml", "--from", "shop/sql.yaml", "--what-if", "node/amd64-c"]);
    assert!(ran.output.contains("\n0 of 1 database affected ("), "{}", ran.output);
    let text = text_of("e2e/audit/shop/stock.yaml").replace("kind: Pod\n", "kind: PodTemplate\n");
    let nodes = text_of("e2e/audit/shop/nodes.yaml");
    let mut command = command(&["audit", "--from", "-", "--what-if", "node/amd64-b"]);
    let ran = with_input(&mut command, &format!("{nodes}---\n{text}"));
    assert!(ran.output.contains("\n0 of 1 database affected, 1 without a pod ("), "{}{}", ran.output, ran.stderr);
}

#[test]
fn texts_of_the_cluster_are_escaped() {
    let hostile = "<script>alert('1')<br>\"&\u{1b}[31m\u{202e}";
    let labels = json!({"app": "sql"});
    let spec = json!({"containers": [{"name": "sql", "image": format!("mcr.microsoft.com/azure-sql-edge:{hostile}")}]});
    let message = json!([{"type": "PodScheduled", "status": "False", "message": hostile}]);
    let objects = json!({"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "sql", "namespace": "shop"},
            "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": spec}}},
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "sql-0", "namespace": "shop", "labels": labels,
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "sql", "controller": true}]},
            "spec": spec, "status": {"phase": "Pending", "conditions": message}}]});
    for format in ["human", "json", "sarif", "junit", "html", "prometheus"] {
        let ran = with_input(&mut command(&["audit", "--from", "-", "--format", format]), &objects.to_string());
        assert_eq!((ran.code, ran.stderr.as_str()), (1, ""), "{format}");
        let has_text = !matches!(format, "sarif" | "junit" | "prometheus");
        assert!(ran.output.contains("alert(") || !has_text, "{format}");
        assert!(!ran.output.contains(['\u{1b}', '\u{202e}']), "{format}: {}", ran.output);
        assert!(!matches!(format, "html" | "junit") || !ran.output.contains("<script"), "{format}: {}", ran.output);
    }
}

/// What `audit --from shop` prints.
pub(crate) fn printed(more: &[&str]) -> String {
    run(&[&["audit", "--from", "shop"], more].concat()).output
}

#[test]
fn json_of_the_documentation_has_the_fields_of_the_report() {
    let page = text_of("docs/reference/audit.md");
    let block = page.split("```json\n").nth(1).unwrap().split("```").next().unwrap();
    let mut report = parsed(&run(&["audit", "--from", "shop", "--format", "json"]).output);
    report["unread"] = json!([{"resource": "nodes", "namespace": null, "reason": "…"}]);
    let mut of_report = fields(&report, "");
    // Of forecasts, also the empty values that have fields in others.
    let all = of_report.clone();
    of_report.retain(|path| !all.iter().any(|other| other.starts_with(&format!("{path}/"))));
    assert_eq!(fields(&parsed(block), ""), of_report);
}

/// The paths of all fields, without the positions in lists.
fn fields(value: &Value, path: &str) -> BTreeSet<String> {
    match value {
        Value::Object(members) => {
            let inner = members.iter().flat_map(|(name, value)| fields(value, &format!("{path}/{name}")));
            inner.filter(|path| !path.contains("/related/")).collect()
        }
        Value::Array(items) if !items.is_empty() => items.iter().flat_map(|item| fields(item, path)).collect(),
        _ => BTreeSet::from([path.to_owned()]),
    }
}

#[test]
fn reference_has_every_failure_outcome_and_step() {
    let page = text_of("docs/reference/audit.md");
    let names = Failure::ALL.map(Failure::name).into_iter().chain(Outcome::WORST_FIRST.map(Outcome::name));
    let (tables, _) = page.split_once("## JSON").unwrap();
    let rows: Vec<&str> = tables.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    assert_eq!(rows, names.chain(Timer::ALL.map(Timer::name)).collect::<Vec<_>>());
}
