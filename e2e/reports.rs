//! The reports: their content for a small application, their validity for other programs, and escaping.

mod github;
mod hostile_names;
mod junit;
mod outputs;
mod sarif;
mod terminal;

use std::path::{Path, PathBuf};
use std::process::Command;

use insta::assert_snapshot;
use serde_json::{Value, json};
use sqledge_ha_policy::rules::RULES;

use crate::ran::{Ran, with_input};
use crate::shared::{root, text_of};

const FORMATS: [&str; 5] = ["human", "json", "sarif", "junit", "github"];

/// Runs the command in a directory, with `input` on standard input and only the color settings of `variables`.
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

fn application() -> PathBuf {
    root().join("e2e/reports/application")
}

/// Checks a SARIF report with the published schema, and gives its run.
pub(crate) fn sarif_run(text: &str) -> Value {
    let mut report: Value = serde_json::from_str(text).expect("the report is JSON");
    let schema = text_of("e2e/schemas/sarif-schema-2.1.0.json");
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
        assert_eq!((ran.code, ran.stderr.as_str()), (4, ""), "{format}");
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
fn reports_contain_no_passwords() {
    let manifest = r#"{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "sql"}, "spec": {"replicas": 2, "template": {"spec": {"containers": [{"name": "sql", "image": "azure-sql-edge", "env": [{"name": "MSSQL_SA_PASSWORD", "value": "Tr0ub4dor"}]}]}}}}"#;
    for format in FORMATS {
        let ran = run_with(root(), &[], &["lint", "--format", format, "-"], manifest);
        assert!(ran.code == 1 && !ran.output.contains("Tr0ub4dor"), "{}", ran.output);
    }
}

#[test]
fn links_lead_to_the_repository_or_to_a_copy_of_the_site() {
    let help = |arguments: &[&str]| {
        let ran = run(&application(), &[&["lint", "--format", "sarif"], arguments].concat());
        let rule = sarif_run(&ran.output)["tool"]["driver"]["rules"][0].clone();
        ["/helpUri", "/help/text"].map(|path| rule.pointer(path).unwrap().as_str().unwrap().to_owned())
    };
    let [uri, text] = help(&[]);
    assert!(uri.ends_with("/docs/reference/rules.md#single-replica"), "{uri}");
    assert!(text.ends_with("`sqledge-ha explain single-replica` prints this text.\n"), "{text}");
    let [uri, text] = help(&["--docs-url", "https://docs.example.com/sql/"]);
    assert_eq!(uri, "https://docs.example.com/sql/rules/single-replica.html");
    assert!(text.ends_with(&format!("<{uri}>\n")), "{text}");
    for wrong in ["docs.example.com", "https://", "file:///etc", "https://a b", "https://a\u{7}", "https://a/<b>"] {
        let ran = run(&application(), &["lint", "--docs-url", wrong]);
        assert_eq!(ran.code, 2, "{wrong}");
        assert!(ran.stderr.contains("write an address like"), "{}", ran.stderr);
    }
}
