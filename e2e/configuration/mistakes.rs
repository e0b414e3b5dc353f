//! Mistakes in a configuration: each is an error that shows its place, and the schema rejects them, too.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::{folder, snapshot};
use crate::corpus::lint;
use crate::ran::{Ran, with_input};

/// Configurations that are right.
const RIGHT: [&str; 10] = [
    "",
    "# nothing\n",
    "policy:\nexclude:\nignore:\n",
    "{}",
    "policy: {}\nexclude: []\nignore: []\n",
    "policy: {mode: warn, rules: {one-engine: 'off'}, fsGroup: none}\n",
    "exclude: [vendor/, '*.generated.yaml', '!keep.yaml']\n",
    "ignore: [{rules: [one-engine]}, {rules: [one-engine, priority], paths: [a], until: 2028-02-29, reason: a}]\n",
    "ignore: [{rules: [one-engine], objects: [{kind: Pod, namespace: a, name: b}, {name: c}], reason: null, until: ''}]\n",
    "\u{feff}ignore:\r\n- rules:\r\n  - one-engine\r\n  until: 9999-12-31\r\n",
];

/// Configurations that are wrong.
const WRONG: [&str; 31] = [
    "polcy: {mode: warn}\n",
    "policy:\n  failoverSecond: 60\n",
    "policy:\n  failoverSeconds: soon\n",
    "policy:\n  rules:\n    one-engine: warn\n    single-replicas: warn\n",
    "policy:\n  rules: {one-engine: warn, single-replica: wrn}\n",
    "policy:\n  images:\n    - {repository: team/edge, engine: sql-edge}\n    - repository: team/other\n      engine: sqledge\n",
    "policy: warn\n",
    "policy: [mode]\n",
    "- policy\n",
    "policy\n",
    "exclude: vendor\n",
    "exclude:\n  - vendor\n  - 1\n",
    "exclude:\n  - vendor\n  - 'a['\n",
    "ignores: []\n",
    "ignore: {rules: [one-engine]}\n",
    "ignore: [one-engine]\n",
    "ignore:\n  - reason: none\n",
    "ignore:\n  - rules: []\n",
    "ignore:\n  -\n",
    "ignore:\n  - rules: one-engine\n",
    "ignore:\n  - rules: [one-engine, single-replicas]\n",
    "ignore:\n  - rules: [2]\n",
    "ignore:\n  - rule: [one-engine]\n",
    "ignore:\n  - rules: [one-engine]\n    paths: a\n",
    "ignore:\n  - rules: [one-engine]\n    objects: [{}]\n",
    "ignore:\n  - rules: [one-engine]\n    objects:\n      - kind: Pod\n        nmae: sql\n",
    "ignore:\n  - rules: [one-engine]\n    objects: [Pod/sql]\n",
    "ignore:\n  - rules: [one-engine]\n    objects: [{name: 1}]\n",
    "ignore:\n  - rules: [one-engine]\n    reason: [a]\n",
    "ignore:\n  - rules: [one-engine]\n    until: 2027-2-1\n",
    "ignore:\n  - rules: [one-engine]\n    until: 20270301\n",
];

/// Wrong texts that a schema cannot reject, or that are no YAML.
const WRONG_TEXTS: [&str; 7] = [
    "ignore:\n  - rules: [one-engine]\n    until: 2027-02-29\n",
    "ignore:\n  - rules: [one-engine]\n    paths: ['a[']\n",
    "policy: [\n",
    "ignore: []\nignore: []\n",
    "ignore: &a [*a]\n",
    "a: b: c\n",
    "policy: {}\n---\npolicy: {}\n",
];

fn lint_with(config: &str) -> Ran {
    let folder = folder(&[("sqledge-ha.yaml", config), ("sql.yaml", include_str!("../examples/right.yaml"))]);
    lint(folder.path(), &["sql.yaml"])
}

#[test]
fn a_mistake_is_shown_with_its_place() {
    let mut text = String::new();
    for config in WRONG.iter().chain(&WRONG_TEXTS) {
        let ran = lint_with(config);
        assert_eq!((ran.code, ran.output.as_str()), (2, ""), "{config}\n{ran:?}");
        assert!(ran.stderr.contains(" --> sqledge-ha.yaml:"), "{config}\n{}", ran.stderr);
        text.push_str(&format!("{}\n", ran.stderr));
    }
    snapshot("mistakes", &text);
}

#[test]
fn the_schema_agrees_with_the_reader() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sqledge-ha"));
    let ran = with_input(command.arg("config-schema"), "");
    assert_eq!(ran.code, 0, "{ran:?}");
    let schema: Value = serde_json::from_str(&ran.output).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let value = |text: &str| serde_saphyr::from_str::<Option<Value>>(text).unwrap().unwrap_or_default();
    for config in RIGHT {
        let ran = lint_with(config);
        assert_eq!(ran.code, 0, "{config}\n{ran:?}");
        let errors: Vec<String> = validator.iter_errors(&value(config)).map(|error| error.to_string()).collect();
        assert_eq!(errors, [""; 0], "{config}");
    }
    for config in WRONG {
        // Globs are a language of their own.
        assert!(config.contains("a[") || !validator.is_valid(&value(config)), "{config}");
    }
}

#[test]
fn a_configuration_that_cannot_be_read_is_an_error() {
    let error = |make: &dyn Fn(&Path)| {
        let folder = folder(&[("sql.yaml", "")]);
        make(&folder.path().join("sqledge-ha.yaml"));
        let ran = lint(folder.path(), &["sql.yaml"]);
        assert_eq!((ran.code, ran.output.as_str()), (2, ""), "{ran:?}");
        ran.stderr
    };
    let missing = error(&|path| symlink("nowhere", path).unwrap());
    assert_eq!(missing, "error: sqledge-ha.yaml: no such file or directory\n");
    let looping = error(&|path| symlink("sqledge-ha.yaml", path).unwrap());
    assert!(looping.starts_with("error: sqledge-ha.yaml: too many levels of symbolic links"), "{looping}");
    let device = error(&|path| symlink("/dev/zero", path).unwrap());
    assert_eq!(device, "error: sqledge-ha.yaml: this is not a file\n");
    let pipe = error(&|path| assert!(Command::new("mkfifo").arg(path).status().unwrap().success()));
    assert_eq!(pipe, "error: sqledge-ha.yaml: this is not a file\n");
    let large = error(&|path| File::create(path).unwrap().set_len((16 << 20) + 1).unwrap());
    assert_eq!(large, "error: sqledge-ha.yaml: the file is larger than the limit of 16 MiB\n");
    let latin = error(&|path| fs::write(path, b"ignore: [{reason: \"caf\xe9\"}]").unwrap());
    assert_eq!(latin, "error: sqledge-ha.yaml: line 1 is not valid UTF-8\n");
}

#[test]
fn hostile_configurations_are_errors() {
    let bomb: String = (1..12)
        .map(|level| format!("a{level}: &a{level} [{}]\n", vec![format!("*a{}", level - 1); 10].join(",")))
        .collect();
    for config in [
        "[".repeat(100_000),
        format!("{}1{}", "{a: ".repeat(5000), "}".repeat(5000)),
        format!("a0: &a0 [1]\n{bomb}"),
        format!("policy: {{mode: {}}}", "x".repeat(1_000_000)),
        format!("ignore: [{}]", "{rules: [one-engine], until: 2027-02-30},".repeat(50_000)),
        format!("ignore: [{}]", "{rules: [one-engine]},".repeat(20_000) + "1"),
        "\u{1b}[2J: 1\n".to_owned(),
        "\"\\e[2J\\u202e\": 1\n".to_owned(),
        "ignore: [{rules: [\"\\e[2J\"]}]\n".to_owned(),
    ] {
        let start = std::time::Instant::now();
        let ran = lint_with(&config);
        let head: String = config.chars().take(80).collect();
        assert_eq!(
            (ran.code, ran.output.as_str()),
            (2, ""),
            "{head}\n{}",
            ran.stderr.chars().take(500).collect::<String>()
        );
        assert!(ran.stderr.len() < 4000, "{head}: {} bytes", ran.stderr.len());
        assert!(!ran.stderr.contains(['\u{1b}', '\u{202e}']), "{head}\n{}", ran.stderr);
        assert!(start.elapsed().as_secs() < 20, "{head}");
    }
}
