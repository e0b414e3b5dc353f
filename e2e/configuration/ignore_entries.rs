//! Ignore entries: which findings they hide, for how long, and notes on unused ones.

use std::fs;

use serde_json::Value;

use super::{folder, notes, report, snapshot};
use crate::corpus::lint;
use crate::fix::{EXAMPLE, fix};
use crate::ran::{shown, with_input};

/// The files in which `recreate-strategy` is reported, under an ignore entry with these keys besides its rule.
fn reported(keys: &str, arguments: &[&str]) -> Vec<String> {
    let config = format!("ignore: [{{rules: [recreate-strategy]{keys}}}]\n");
    let folder = folder(&[("sqledge-ha.yaml", &config), ("a/sql.yaml", ""), ("b/sql.yaml", "")]);
    let report = report(folder.path(), arguments);
    let findings = report["findings"].as_array().unwrap().iter();
    let of_rule = findings.filter(|finding| finding["rule"] == "recreate-strategy");
    of_rule.map(|finding| finding["file"].as_str().unwrap().to_owned()).collect()
}

const RETIRED: &str = "Microsoft retired SQL Edge on 2025-09-30; see `sqledge-ha explain retired-engine`";

#[test]
fn entries_apply_to_paths_and_objects() {
    let (both, a, b): (&[&str], &[&str], &[&str]) = (&["a/sql.yaml", "b/sql.yaml"], &["a/sql.yaml"], &["b/sql.yaml"]);
    for (keys, expected) in [
        ("", &[][..]),
        (", paths: [a/]", b),
        (", paths: [a/sql.yaml]", b),
        (", paths: ['*.yaml']", &[]),
        (", paths: ['*.yaml', '!/a/sql.yaml']", a),
        (", paths: [/sql.yaml]", both),
        (", paths: []", &[]),
        (", objects: [{kind: Deployment}]", &[]),
        (", objects: [{kind: StatefulSet}]", both),
        (", objects: [{kind: StatefulSet}, {name: till-sales}]", &[]),
        (", objects: [{kind: deployment}]", both),
        (", objects: [{kind: Deployment, name: till}]", both),
        (", objects: [{namespace: default}]", &[]),
        (", objects: [{namespace: shop}]", both),
        (", objects: [{kind: Deployment, namespace: default, name: till-sales}], paths: [b]", a),
        (", until: 9999-12-31, reason: later", &[]),
        (", until: 2020-01-31, reason: later", both),
        (", until: '', reason: ''", &[]),
    ] {
        assert_eq!(reported(keys, &[]), expected, "{keys}");
    }
    assert_eq!(reported(", objects: [{namespace: shop}]", &["-n", "shop"]), [""; 0]);
    assert_eq!(reported("", &["--no-ignores"]), both);
    assert_eq!(reported(", paths: [a]", &["a/../b", "./a"]), ["a/../b/sql.yaml"]);
}

#[test]
fn entries_with_paths_apply_to_templates_and_not_to_standard_input() {
    let config = "ignore: [{rules: [recreate-strategy], paths: [/shop/templates/]}]\n";
    let folder = folder(&[("sqledge-ha.yaml", config)]);
    let reported = |text: &str| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_sqledge-ha"));
        let ran = with_input(command.current_dir(folder.path()).args(["lint", "-"]), text);
        ran.output.contains("[recreate-strategy]")
    };
    assert!(reported(EXAMPLE));
    let document = |name: &str| EXAMPLE.replace("---\n", &format!("---\n# Source: shop/templates/{name}\n"));
    assert!(!reported(&document("sql.yaml")));
    assert!(reported(&document("sql.yaml").replace("shop/", "store/")));
}

/// An expired comment and an expired entry with reasons.
fn expired() -> tempfile::TempDir {
    let config = "\
ignore:
  - rules: [recreate-strategy]
    objects: [{kind: Deployment, name: till-sales}]
    until: 2020-02-29
    reason: the cluster has one node
";
    let comment = "  replicas: 2 # sqledge-ha: ignore[single-replica] until: 2019-12-31, a test of both versions\n";
    folder(&[("sqledge-ha.yaml", config), ("sql.yaml", &EXAMPLE.replace("  replicas: 2\n", comment))])
}

#[test]
fn expired_entries_and_comments_are_findings_again_and_say_so() {
    let folder = expired();
    let ran = lint(folder.path(), &["sql.yaml"]);
    snapshot("expired", &shown(&ran));
    let entry = "the ignore entry at sqledge-ha.yaml:2:5 expired on 2020-02-29: the cluster has one node";
    let comment = "the ignore comment expired on 2019-12-31: a test of both versions";
    for format in ["json", "sarif", "junit", "github"] {
        let text = lint(folder.path(), &["sql.yaml", "--format", format]).output;
        assert!(text.contains(entry) && text.contains(comment), "{text}");
    }
    let report = report(folder.path(), &["sql.yaml"]);
    assert_eq!(report["summary"]["ignored"], 0);
    assert_eq!(notes(&report), ["configuration: sqledge-ha.yaml", RETIRED], "they are not unused");
}

#[test]
fn fix_leaves_what_is_ignored_and_fixes_what_has_expired() {
    let folder = expired();
    let path = folder.path().join("sql.yaml");
    let before = fs::read_to_string(&path).unwrap();
    let config = folder.path().join("sqledge-ha.yaml");
    let valid = fs::read_to_string(&config).unwrap().replace("2020-02-29", "9999-12-31");
    let text = before.replace("2019-12-31", "9999-12-31");
    fs::write(&path, &text).unwrap();
    fs::write(folder.path().join("valid.yaml"), valid).unwrap();
    let ran = fix(folder.path(), &["--unsafe", "--config", "valid.yaml", "sql.yaml"], "");
    assert_eq!((ran.code, fs::read_to_string(&path).unwrap()), (0, text), "{ran:?}");
    fs::write(&path, &before).unwrap();
    let ran = fix(folder.path(), &["--unsafe", "sql.yaml"], "");
    let after = fs::read_to_string(&path).unwrap();
    assert!(after.contains("  replicas: 1 #") && after.contains("type: Recreate"), "{ran:?}\n{after}");
}

#[test]
fn unused_entries_are_noted_if_all_paths_were_checked() {
    let config = "\
ignore:
  - rules: [recreate-strategy]
  - {rules: [single-replica], paths: [c/]}
  - rules: [graceful-stop]
    until: 2020-01-01
  - rules: [priority]
";
    let folder = folder(&[("sqledge-ha.yaml", config), ("a/sql.yaml", ""), ("b/sql.yaml", ""), ("up/", "")]);
    let noted = |directory: &str, arguments: &[&str]| -> Vec<String> {
        let report = report(&folder.path().join(directory), arguments);
        let unused = |note: &&str| note.contains("unused");
        notes(&report).into_iter().filter(unused).map(str::to_owned).collect()
    };
    let expected = ["2 unused ignore entries: sqledge-ha.yaml:3:5, sqledge-ha.yaml:4:5"];
    assert_eq!(noted("", &[]), expected, "a rule that is off is not noted");
    assert_eq!(noted("", &["a", "."]), expected);
    for arguments in [&["a"][..], &["a", "b"], &["--partial"], &["--exclude=b"], &["--no-ignores"], &["--no-config"]] {
        assert_eq!(noted("", arguments), [""; 0], "{arguments:?}");
    }
    assert_eq!(noted("a", &["--config", "../sqledge-ha.yaml", ".."]).len(), 1);
    let ran = fix(folder.path(), &["--check"], "");
    assert!(ran.stderr.contains(&format!("note: {}\n", expected[0])), "{ran:?}");
}

#[test]
fn mistakes_in_comments_are_noted() {
    let text = EXAMPLE
        .replace("  replicas: 2\n", "  replicas: 2 # sqledge-ha: ignore[single-replica] until: 2027-02-29\n")
        .replace("spec:\n  replicas", "spec: # sqledge-ha: ignore[recreate-strategy] until 2027-03-01\n  replicas")
        .replace("      containers:\n", "      #sqledge-ha:ignore[pinned-image]\n      containers:\n");
    let folder = folder(&[("sql.yaml", &text)]);
    let report = report(folder.path(), &[]);
    assert_eq!(
        notes(&report),
        [
            "sql.yaml:17:7: the ignore comment hides nothing: `until` has no effect; write `until: DATE`",
            "sql.yaml:18:15: the ignore comment hides nothing: there is no date `2027-02-29`",
            "sql.yaml:32:7: this is not an ignore comment; write `# sqledge-ha: ignore[RULE]`",
            RETIRED,
        ]
    );
    let rules: Vec<&Value> = report["findings"].as_array().unwrap().iter().map(|finding| &finding["rule"]).collect();
    assert_eq!(rules, ["recreate-strategy", "single-replica"]);
}
