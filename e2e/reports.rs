//! The reports: what each says of one small application, that other programs can read them, and that nothing in a
//! manifest or in its name breaks them.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use insta::assert_snapshot;
use serde_json::{Value, json};
use sqledge_ha_policy::rules::RULES;

use crate::corpus::{Ran, cases, with_input};

const FORMATS: [&str; 5] = ["human", "json", "sarif", "junit", "github"];

/// Runs the command in a directory, with `input` on standard input and no say about colours but that of `variables`.
fn run_with(directory: &Path, variables: &[(&str, &str)], arguments: &[&str], input: &str) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sqledge-ha"));
    command.current_dir(directory).args(arguments);
    for variable in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"] {
        command.env_remove(variable);
    }
    with_input(command.envs(variables.iter().copied()), input)
}

fn run(directory: &Path, arguments: &[&str]) -> Ran {
    run_with(directory, &[], arguments, "")
}

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn application() -> PathBuf {
    here().join("e2e/reports/application")
}

/// Checks a SARIF report with the published schema, and gives its run.
fn sarif_run(text: &str) -> Value {
    let mut report: Value = serde_json::from_str(text).expect("the report is JSON");
    let schema = fs::read_to_string(here().join("e2e/schemas/sarif-schema-2.1.0.json")).unwrap();
    let validator = jsonschema::validator_for(&serde_json::from_str(&schema).unwrap()).unwrap();
    let errors: Vec<String> =
        validator.iter_errors(&report).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert_eq!(errors, [""; 0], "{text}");
    report["runs"][0].take()
}

fn results(run: &Value) -> &Vec<Value> {
    run["results"].as_array().unwrap()
}

#[test]
fn one_application_in_every_format() {
    for format in FORMATS {
        let ran = run(&application(), &["lint", "--format", format]);
        assert_eq!((ran.code, ran.said.as_str()), (4, ""), "{format}");
        let text = match format {
            "sarif" => {
                let mut run = sarif_run(&ran.output);
                let rules = run["tool"]["driver"]["rules"].as_array_mut().unwrap();
                assert!(rules.iter().map(|rule| &rule["id"]).eq(RULES.iter().map(|rule| rule.id)));
                // Their documentation is that of `explain`, which has snapshots of its own.
                rules.truncate(1);
                rules[0]["help"] = json!("…");
                format!("{run:#}")
            }
            _ => ran.output,
        };
        assert_snapshot!(format!("application.{format}"), text);
    }
}

#[test]
fn every_sarif_report_fits_the_published_schema() {
    for rule in RULES {
        let folder = here().join("e2e/corpus").join(rule.id);
        let ran = run(&folder, &["lint", "--format", "sarif", "--engine", "all", "--partial", "."]);
        let run = sarif_run(&ran.output);
        assert!(results(&run).iter().any(|result| result["ruleId"] == rule.id), "{}", rule.id);
        for result in results(&run) {
            let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
            assert_eq!(run["tool"]["driver"]["rules"][index]["id"], result["ruleId"]);
        }
    }
    let nothing = sarif_run(&run_with(here(), &[], &["lint", "--format", "sarif", "-"], "").output);
    assert_eq!((results(&nothing).len(), &nothing["invocations"][0]["executionSuccessful"]), (0, &json!(true)));
    let missing = sarif_run(&run(here(), &["lint", "--format", "sarif", "nowhere.yaml"]).output);
    assert_eq!(missing["invocations"][0]["executionSuccessful"], json!(false));
    let path = "/invocations/0/toolExecutionNotifications/0/locations/0/physicalLocation/artifactLocation/uri";
    assert_eq!(missing.pointer(path), Some(&json!("nowhere.yaml")));
}

/// The byte at a line and a column of a text without a byte-order mark.
fn byte_at(text: &str, line: &Value, column: &Value) -> usize {
    let [line, column] = [line, column].map(|number| usize::try_from(number.as_u64().unwrap()).unwrap());
    let start: usize = text.split_inclusive('\n').take(line - 1).map(str::len).sum();
    let rest = &text[start..];
    start + rest.char_indices().nth(column - 1).map_or(rest.len(), |(byte, _)| byte)
}

/// A text with the replacements of a SARIF fix made, which come in its order.
fn replaced(text: &str, fix: &Value) -> String {
    let changes = fix["artifactChanges"].as_array().unwrap();
    assert_eq!(changes.len(), 1);
    let mut whole = text.to_owned();
    for replacement in changes[0]["replacements"].as_array().unwrap().iter().rev() {
        let region = &replacement["deletedRegion"];
        let start = byte_at(text, &region["startLine"], &region["startColumn"]);
        let end = byte_at(text, &region["endLine"], &region["endColumn"]);
        whole.replace_range(start..end, replacement["insertedContent"]["text"].as_str().unwrap_or_default());
    }
    whole
}

#[test]
fn a_fix_in_sarif_is_what_fix_writes_for_that_finding_alone() {
    let (mut same, mut left_out) = (0, BTreeSet::new());
    for rule in RULES {
        let off: Vec<String> =
            RULES.iter().filter(|other| other.id != rule.id).map(|other| format!("--rule={}=off", other.id)).collect();
        for case in cases(rule.id, "fail") {
            let text = fs::read_to_string(case.directory.join(&case.file)).unwrap();
            let flags: Vec<&str> = case.flags.iter().chain(&off).map(String::as_str).collect();
            let arguments = |command: &[&'static str]| [command, &flags, &["-"]].concat();
            let report = run_with(&case.directory, &[], &arguments(&["lint", "--format=sarif"]), &text);
            let run = sarif_run(&report.output);
            let [result] = results(&run).as_slice() else { continue };
            let fixed = run_with(&case.directory, &[], &arguments(&["fix", "--unsafe"]), &text).output;
            match result["fixes"].as_array().map(Vec::as_slice) {
                Some([fix]) => {
                    assert_eq!(replaced(&text, fix), fixed, "{}/{}", rule.id, case.file);
                    same += 1;
                }
                _ if fixed == text => {}
                _ => _ = left_out.insert(format!("{}/{}", rule.id, case.file)),
            }
        }
    }
    assert!(same > 60, "{same}");
    assert_eq!(left_out, BTreeSet::new(), "these fixes are made, and not shown");
}

#[test]
fn no_password_gets_into_a_report() {
    let manifest = r#"{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "sql"}, "spec": {"replicas": 2, "template": {"spec": {"containers": [{"name": "sql", "image": "azure-sql-edge", "env": [{"name": "MSSQL_SA_PASSWORD", "value": "Tr0ub4dor"}]}]}}}}"#;
    for format in FORMATS {
        let ran = run_with(here(), &[], &["lint", "--format", format, "-"], manifest);
        assert!(ran.code == 1 && !ran.output.contains("Tr0ub4dor"), "{}", ran.output);
    }
}

/// The fingerprints of a manifest's findings, with their rules.
fn fingerprints(file: &str, text: &str) -> Vec<(String, String)> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(file), text).unwrap();
    let run = sarif_run(&run(folder.path(), &["lint", "--format", "sarif", file]).output);
    let fingerprint = |result: &Value| {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (text(&result["ruleId"]), text(&result["partialFingerprints"]["ruleAndObject/v1"]))
    };
    results(&run).iter().map(fingerprint).collect()
}

#[test]
fn fingerprints_stay_while_lines_move_and_are_unique() {
    let text = fs::read_to_string(application().join("sql.yaml")).unwrap();
    let before = fingerprints("sql.yaml", &text);
    assert!(before.len() > 2, "{before:?}");
    let moved = format!(
        "# a comment\n\n{}",
        text.replace("1.0.7", "2.0.0").replace("containerPort: 1433", "containerPort:   1433")
    );
    assert_eq!(fingerprints("sql.yaml", &moved), before);
    for other in
        [fingerprints("other.yaml", &text), fingerprints("sql.yaml", &text.replace("  name: ferry", "  name: boat"))]
    {
        assert!(other.iter().all(|one| !before.contains(one)), "{other:?}");
    }
    let twice = fingerprints("sql.yaml", &format!("{text}---\n{text}"));
    assert_eq!(twice.len(), 2 * before.len());
    assert_eq!(BTreeSet::from_iter(&twice).len(), twice.len());
    assert!(before.iter().all(|one| twice.contains(one)));
    let item = format!("- {}", text.split_once('\n').unwrap().1.trim_end().replace('\n', "\n  "));
    let list = |items: &str| format!("apiVersion: v1\nkind: List\nitems:\n- kind: Secret\n{items}");
    assert_eq!(fingerprints("sql.yaml", &list(&item)), before, "in a List it is the same object");
}

/// Manifests whose names, and the names in which, say something to a terminal or to a format.
fn hostile_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let text = fs::read_to_string(application().join("sql.yaml")).unwrap();
    let names = ["a\n::error::b%0A.yaml", "c:d,e=f%41&<'\"]]>é 🦀.yaml", "\u{1b}[2J\u{202e}.yaml", "-g#h?.yaml"];
    let objects = [
        r#""x\n::error file=y::z""#,
        r#""<b>&]]>%0A{0}[l](http://example.org)""#,
        r#""\e[2J\u202E\x9B""#,
        r#""%41,:""#,
    ];
    for (name, object) in names.into_iter().zip(objects) {
        let text = text.replacen("  name: ferry-tickets", &format!("  name: {object}"), 1);
        fs::write(folder.path().join(name), text).unwrap();
    }
    fs::write(folder.path().join("broken\n::warning::.yaml"), "kind: [\n").unwrap();
    folder
}

#[test]
fn hostile_names_break_no_report() {
    let folder = hostile_folder();
    for format in FORMATS {
        let ran = run(folder.path(), &["lint", "--format", format, "--fail-on", "warning", "."]);
        assert_eq!(ran.code, 4, "{format}: {}", ran.said);
        let misleads = |character: char| character != '\n' && sqledge_ha_policy::finding::may_mislead(character);
        assert!(!ran.output.contains(misleads), "{format}: {:?}", ran.output);
        match format {
            "json" => {
                let report: Value = serde_json::from_str(&ran.output).unwrap();
                assert_eq!(report["errors"].as_array().unwrap().len(), 1);
            }
            "sarif" => {
                let run = sarif_run(&ran.output);
                let uris: BTreeSet<&str> = results(&run)
                    .iter()
                    .filter_map(|result| result.pointer("/locations/0/physicalLocation/artifactLocation/uri")?.as_str())
                    .collect();
                assert!(uris.contains("c%3Ad,e=f%2541&%3C'%22%5D%5D%3E%C3%A9%20%F0%9F%A6%80.yaml"), "{uris:?}");
                assert!(uris.contains("-g%23h%3F.yaml"), "{uris:?}");
            }
            "junit" => {
                let report = quick_junit::Report::deserialize_from_str(&ran.output).unwrap();
                assert_eq!((report.errors, report.test_suites.len()), (1, 5));
            }
            "github" => {
                let (commands, last) = ran.output.trim_end().rsplit_once('\n').unwrap();
                let (commands, last) = match last.contains("in this log only") {
                    true => commands.rsplit_once('\n').unwrap(),
                    false => (commands, last),
                };
                assert!(last.starts_with(|first: char| first.is_ascii_digit()), "{last}");
                for line in commands.lines() {
                    assert!(line.starts_with("::error file=") || line.starts_with("::warning file="), "{line}");
                }
                assert!(ran.output.contains("file=c%3Ad%2Ce=f%2541&<'\"]]>é 🦀.yaml,line="), "{}", ran.output);
            }
            _ => {}
        }
    }
}

#[test]
fn junit_names_are_unique_in_a_suite() {
    let text = fs::read_to_string(application().join("sql.yaml")).unwrap();
    let ran = run_with(here(), &[], &["lint", "--format", "junit", "-"], &format!("{text}---\n{text}"));
    let report = quick_junit::Report::deserialize_from_str(&ran.output).unwrap();
    let names: Vec<&str> = report.test_suites[0].test_cases.iter().map(|case| case.name.as_str()).collect();
    assert_eq!(BTreeSet::from_iter(&names).len(), names.len(), "{names:?}");
    assert!(names.iter().any(|name| name.ends_with("(2)")), "{names:?}");
    let right = run(&here().join("e2e/examples"), &["lint", "--format", "junit", "right.yaml"]);
    let report = quick_junit::Report::deserialize_from_str(&right.output).unwrap();
    assert_eq!((report.tests, report.failures, report.errors), (1, 0, 0));
    let nothing = run(&here().join("e2e"), &["lint", "--format", "junit", "schemas"]);
    let report = quick_junit::Report::deserialize_from_str(&nothing.output).unwrap();
    assert_eq!((nothing.code, report.tests), (3, 0), "what was not judged has not passed");
}

#[test]
fn github_is_told_what_only_the_log_shows() {
    let text = fs::read_to_string(application().join("sql.yaml")).unwrap();
    let many = [text.as_str(); 7].join("---\n");
    let ran = run_with(here(), &[], &["lint", "--format", "github", "-"], &many);
    let errors = ran.output.lines().filter(|line| line.starts_with("::error ")).count();
    assert!(errors > 11, "{}", ran.output);
    let last = ran.output.lines().last().unwrap();
    assert_eq!(last, format!("{} annotations are in this log only: GitHub shows 10 of each level", errors - 10));
}

#[test]
fn colours_are_for_people_who_want_them() {
    let file = "e2e/examples/empty-dir.yaml";
    let colours = |variables: &[(&str, &str)], arguments: &[&str]| {
        let ran = run_with(here(), variables, arguments, "");
        ran.output.contains('\u{1b}') || ran.said.contains('\u{1b}')
    };
    assert!(!colours(&[], &["lint", file]), "a pipe has none");
    assert!(colours(&[("CLICOLOR_FORCE", "1")], &["lint", file]));
    assert!(!colours(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], &["lint", file]));
    assert!(colours(&[("NO_COLOR", "1")], &["lint", "--color", "always", file]), "the flag is nearer");
    assert!(colours(&[], &["--color=always", "lint", file]));
    assert!(!colours(&[("CLICOLOR_FORCE", "1")], &["lint", "--color", "never", file]));
    assert!(colours(&[], &["lint", "--color", "always", "--help"]));
    assert!(!colours(&[("CLICOLOR_FORCE", "1")], &["lint", "--color=never", "--help"]));
    assert!(!colours(&[("CLICOLOR_FORCE", "1")], &["lint", "--color=never", "--wrong"]));
    for format in FORMATS.iter().filter(|format| **format != "human") {
        assert!(!colours(&[], &["lint", "--color", "always", "--format", format, file]), "{format}");
    }
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("report.txt");
    let output = format!("human={}", report.display());
    assert!(colours(&[], &["lint", "--color", "always", "--output", &output, file]));
    assert_eq!(fs::read_to_string(report).unwrap(), run(here(), &["lint", file]).output);
}

#[test]
fn a_rule_leads_to_its_page_where_terminals_follow_links() {
    let linted = |variables: &[(&str, &str)], color: &str| {
        run_with(&application(), variables, &["lint", "--color", color], "").output
    };
    let forced = [("FORCE_HYPERLINK", "1")];
    let link = concat!("\u{1b}]8;;https://github.com/sqledge-ha/sqledge-ha/blob/v", env!("CARGO_PKG_VERSION"));
    let with_links = linted(&forced, "always");
    assert!(with_links.contains(&format!("{link}/policy/RULES.md#load-balancer-service\u{1b}\\")), "{with_links}");
    assert!(!linted(&[], "always").contains(link), "nobody has said that links are followed");
    assert_eq!(linted(&forced, "never"), linted(&[], "never"));
    assert!(fs::read_to_string(here().join("policy/RULES.md")).unwrap().contains("\n## load-balancer-service\n"));
}

#[test]
fn no_report_takes_the_place_of_a_manifest() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = include_str!("examples/right.yaml");
    fs::write(folder.path().join("a.yaml"), manifest).unwrap();
    symlink("a.yaml", folder.path().join("link.sarif")).unwrap();
    // What cannot be read is not lost either, nor what holds no object.
    let others: [(&str, &[u8]); 4] = [
        ("broken.yaml", b"kind: Pod\na: ["),
        ("latin.json", b"\"\xe9\""),
        ("values.yaml", b"a: 1\n"),
        ("half.json", b"{\"kind\": "),
    ];
    others.iter().for_each(|(name, text)| fs::write(folder.path().join(name), text).unwrap());
    for output in [
        "json=a.yaml",
        "sarif=link.sarif",
        "json=broken.yaml",
        "json=latin.json",
        "json=values.yaml",
        "sarif=half.json",
    ] {
        let ran = run(folder.path(), &["lint", "--output", output, "."]);
        assert!(ran.code == 2 && ran.said.contains("the report would replace what is checked"), "{output}: {ran:?}");
        assert_eq!(fs::read_to_string(folder.path().join("a.yaml")).unwrap(), manifest);
    }
    for (name, text) in others {
        assert_eq!(fs::read(folder.path().join(name)).unwrap(), text);
        fs::remove_file(folder.path().join(name)).unwrap();
    }
    // A report of before lies among the manifests.
    for _ in 0..2 {
        assert_eq!(run(folder.path(), &["lint", "--output", "json=report.json"]).code, 0);
    }
}

#[test]
fn reports_go_to_several_files_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("json"), "the report of yesterday").unwrap();
    fs::set_permissions(path("json"), fs::Permissions::from_mode(0o640)).unwrap();
    fs::write(path("elsewhere"), "").unwrap();
    symlink("elsewhere", path("junit")).unwrap();
    let outputs: Vec<String> =
        FORMATS.iter().map(|format| format!("--output={format}={}", path(format).display())).collect();
    let mut arguments = vec!["lint", "--format", "github"];
    arguments.extend(outputs.iter().map(String::as_str));
    let ran = run(&application(), &arguments);
    assert_eq!((ran.code, ran.said.as_str()), (4, ""), "the broken manifest decides");
    for format in FORMATS {
        let printed = run(&application(), &["lint", "--format", format]).output;
        assert_eq!(fs::read_to_string(path(format)).unwrap(), printed, "{format}");
    }
    assert_eq!(ran.output, fs::read_to_string(path("github")).unwrap());
    let mode = |name: &str| fs::metadata(path(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("json"), 0o640, "a file that was there keeps its mode");
    assert_eq!(mode("sarif") & 0o600, 0o600);
    assert!(path("junit").is_symlink(), "a link stays one");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 6, "nothing is left behind");
}

#[test]
fn a_report_that_cannot_be_written_is_told_and_the_others_are_written() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("directory")).unwrap();
    symlink("nowhere/report", folder.path().join("link")).unwrap();
    let right = here().join("e2e/examples/right.yaml");
    for target in ["missing/report.json", "directory", "link", "/dev/null", ".."] {
        let output = format!("json={target}");
        let arguments = ["lint", "--output", &output, "--output", "sarif=there", right.to_str().unwrap()];
        let ran = run(folder.path(), &arguments);
        assert_eq!(ran.code, 4, "{target}");
        assert!(ran.said.starts_with(&format!("error: --output: {target}: not written: ")), "{}", ran.said);
        assert!(ran.output.contains("nothing is wrong"), "{}", ran.output);
        sarif_run(&fs::read_to_string(folder.path().join("there")).unwrap());
        fs::remove_file(folder.path().join("there")).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "nothing is left behind");
    }
    let missing = run(folder.path(), &["lint", "--output", "json=missing/r", right.to_str().unwrap()]);
    assert_eq!(
        missing.said,
        "error: --output: missing/r: not written: there is no directory `missing`; make it first\n"
    );
}

#[test]
fn wrong_outputs_are_wrong_usage() {
    let folder = tempfile::tempdir().unwrap();
    for outputs in [
        &["yaml=report"][..],
        &["json"],
        &["json="],
        &["json=-"],
        &["json=report", "sarif=./report"],
        &["json=missing/report", "sarif=missing/report"],
    ] {
        let mut arguments = vec!["lint"];
        arguments.extend(outputs.iter().flat_map(|output| ["--output", output]));
        let ran = run(folder.path(), &arguments);
        assert_eq!((ran.code, ran.output.as_str()), (2, ""), "{outputs:?}: {}", ran.said);
        assert!(ran.said.contains("--output"), "{}", ran.said);
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    let said = run(folder.path(), &["lint", "--output", "yaml=report"]).said;
    assert!(said.contains("there is no format `yaml`, only human, json, sarif, junit, github"), "{said}");
}

#[test]
fn a_place_outside_of_the_current_directory_is_called_by_its_whole_path() {
    let uri = |directory: &Path, path: &str| {
        let run = sarif_run(&run(directory, &["lint", "--format", "sarif", path]).output);
        results(&run)[0]["locations"][0]["physicalLocation"]["artifactLocation"].clone()
    };
    let whole = application().join("sql.yaml").canonicalize().unwrap();
    let below = json!({"uri": "sql.yaml", "uriBaseId": "%SRCROOT%"});
    assert_eq!(uri(&application().canonicalize().unwrap(), whole.to_str().unwrap()), below);
    let elsewhere = uri(&here().join("e2e/schemas"), "../reports/application/sql.yaml");
    assert_eq!(elsewhere, json!({"uri": format!("file://{}", whole.display())}));
}
