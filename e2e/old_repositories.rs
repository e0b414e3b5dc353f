//! What helps to begin in a repository with many findings: baselines, short reports, exit codes, charts.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::corpus::lint;
use crate::fix::{EXAMPLE, fix};
use crate::ran::{Ran, with_input};

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn shown(ran: &Ran) -> String {
    format!("exit code {}\n{}{}", ran.code, ran.output, ran.stderr)
}

const BASELINE: [&str; 2] = ["--baseline", "baseline.json"];

fn write_baseline(folder: &Path) -> Ran {
    lint(folder, &[&BASELINE[..], &["--write-baseline"]].concat())
}

#[test]
fn a_baseline_hides_what_was_there_and_nothing_new() {
    let folder = folder(&[("a.yaml", EXAMPLE)]);
    let first = write_baseline(folder.path());
    insta::assert_snapshot!(shown(&first));
    let written: Value = serde_json::from_slice(&fs::read(folder.path().join("baseline.json")).unwrap()).unwrap();
    let findings = written["findings"].as_array().unwrap();
    assert!(findings.iter().all(|finding| finding["file"] == "a.yaml"), "{written}");

    // Moved lines, another directory, and another order of files.
    let moved = format!("# One.\n# Two.\n{}", EXAMPLE.replace("replicas: 1", "replicas:   1"));
    fs::write(folder.path().join("a.yaml"), &moved).unwrap();
    assert_eq!(lint(folder.path(), &BASELINE).code, 0);
    fs::create_dir(folder.path().join("below")).unwrap();
    let from_below = lint(&folder.path().join("below"), &["--baseline", "../baseline.json", ".."]);
    assert_eq!(from_below.code, 0, "{}", from_below.output);

    // A new finding, of a rule that has others.
    fs::write(folder.path().join("b.yaml"), EXAMPLE.replace("till-sales", "other-sales")).unwrap();
    let new = lint(folder.path(), &BASELINE);
    assert!(new.code == 1 && new.output.contains("b.yaml") && !new.output.contains("--> a.yaml"), "{}", new.output);

    // A finding that is gone can be removed.
    fs::remove_file(folder.path().join("b.yaml")).unwrap();
    fs::write(folder.path().join("a.yaml"), moved.replace("kind: Deployment", "kind: StatefulSet")).unwrap();
    let fixed = lint(folder.path(), &BASELINE);
    assert!(fixed.output.contains("were not found: --write-baseline removes them"), "{}", fixed.output);
}

#[test]
fn a_baseline_that_cannot_be_used_is_an_error() {
    let folder = folder(&[
        ("a.yaml", EXAMPLE),
        ("text.json", "no JSON"),
        ("list.json", "[]"),
        ("later.json", &json!({"version": 2, "findings": []}).to_string()),
        ("broken/c.yaml", "kind: Deployment\nspec: {image: azure-sql-edge"),
    ]);
    for file in ["missing.json", "text.json", "list.json", "later.json", "."] {
        insta::assert_snapshot!(shown(&lint(folder.path(), &["--baseline", file, "a.yaml"])));
    }
    assert_eq!(lint(folder.path(), &["--write-baseline"]).code, 2);
    let overwriting = lint(folder.path(), &["--baseline", "a.yaml", "--write-baseline", "a.yaml"]);
    assert!(overwriting.code == 2 && overwriting.stderr.contains("a.yaml: not a baseline"), "{}", overwriting.stderr);
    assert_eq!(fs::read_to_string(folder.path().join("a.yaml")).unwrap(), EXAMPLE);
    // It would be incomplete.
    let unread = write_baseline(folder.path());
    assert!(unread.code == 4 && !folder.path().join("baseline.json").exists(), "{}", unread.output);
}

#[test]
fn short_reports_and_exit_codes() {
    let folder = folder(&[("a.yaml", EXAMPLE), ("b.yaml", "kind: Deployment\nspec: {image: azure-sql-edge")]);
    insta::assert_snapshot!(shown(&lint(folder.path(), &["--format", "compact", "a.yaml", "b.yaml"])));
    insta::assert_snapshot!(shown(&lint(folder.path(), &["--quiet", "a.yaml"])));
    assert_eq!(lint(folder.path(), &["--exit-zero", "a.yaml"]).code, 0);
    assert_eq!(lint(folder.path(), &["--exit-zero", "b.yaml"]).code, 4, "what cannot be read is no finding");
    assert_eq!(lint(folder.path(), &["--exit-zero", "--fail-on=warning", "a.yaml"]).code, 2);
    fs::write(folder.path().join("c.yaml"), "kind: ConfigMap\n").unwrap();
    insta::assert_snapshot!(lint(folder.path(), &["--format", "junit", "c.yaml"]).output);
}

#[test]
fn a_quiet_report_that_cannot_be_written_is_an_error() {
    let folder = folder(&[("a.yaml", EXAMPLE)]);
    let mut command = Command::new("sh");
    let script = concat!("exec ", env!("CARGO_BIN_EXE_sqledge-ha"), " lint --quiet a.yaml >/dev/full");
    let ran = with_input(command.current_dir(folder.path()).args(["-c", script]), "");
    assert!(ran.code == 4 && ran.stderr.contains("cannot write the output"), "{ran:?}");
}

#[test]
fn fix_names_what_it_fixed() {
    let folder = folder(&[("a.yaml", EXAMPLE)]);
    insta::assert_snapshot!(shown(&fix(folder.path(), &["--check"], "")));
    insta::assert_snapshot!(shown(&fix::<&str>(folder.path(), &[], "")));
}

#[test]
fn templates_of_a_chart_are_one_note() {
    const TEMPLATE: &str = "{{- if .Values.on }}\nkind: Deployment\nimage: azure-sql-edge\n{{- end }}\n";
    let files = [
        ("shop/Chart.yaml", "name: shop\n"),
        ("shop/templates/a.yaml", TEMPLATE),
        ("shop/templates/sql/b.yaml", TEMPLATE),
        ("sql.yaml", EXAMPLE),
    ];
    let folder = folder(&files);
    insta::assert_snapshot!(shown(&lint(folder.path(), &["--format", "compact"])));
    let report = lint::<&str>(folder.path(), &[]);
    assert_eq!(report.output.matches("templates of the chart").count(), 1, "{}", report.output);
    insta::assert_snapshot!(shown(&lint(folder.path(), &["shop"])));
    // Without the chart, they are what they are.
    fs::remove_file(folder.path().join("shop/Chart.yaml")).unwrap();
    assert_eq!(lint::<&str>(folder.path(), &[]).code, 4);
}
