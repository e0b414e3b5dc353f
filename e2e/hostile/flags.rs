//! Flags and settings: errors suggest the most similar name, and empty values mean the default.

use std::fs;

use tempfile::TempDir;

use super::{file, right, run, snapshot};

#[test]
fn mistakes_in_flags_suggest_the_most_similar_name() {
    let directory = TempDir::new().unwrap();
    let write = |name: &str, text: &str| fs::write(directory.path().join(name), text).unwrap();
    write("right.yaml", &right());
    write("unknown.yaml", "policy:\n  failoverSecond: 60\n");
    write("unknown-part.yaml", "polcy:\n  mode: validate\n");
    write("unknown-rule.yaml", "policy:\n  rules:\n    single-replicas: warn\n");
    write("wrong-type.yaml", "policy:\n  failoverSeconds: soon\n");
    write("broken.yaml", "policy: [\n");
    write("list.yaml", "- policy\n");
    let flags: [&[&str]; 15] = [
        &["--rule", "single-replicas=off"],
        &["--rule", "single-replica=of"],
        &["--rule", "single-replica"],
        &["--rule", "single-replica=mutate"],
        &["--rule", "=off"],
        &["--engine", "sqledge"],
        &["--format", "yaml"],
        &["--fail-on", "info"],
        &["--partiel"],
        &["--config", "unknown.yaml"],
        &["--config", "unknown-part.yaml"],
        &["--config", "unknown-rule.yaml"],
        &["--config", "wrong-type.yaml"],
        &["--config", "broken.yaml"],
        &["--config", "nowhere.yaml"],
    ];
    let mut text = String::new();
    for flags in flags.into_iter().chain([&["--config", "list.yaml"] as &[&str]]) {
        let ran = run(directory.path(), &[flags, &["right.yaml"]].concat());
        assert_eq!((ran.code, ran.output.as_str()), (2, ""), "{flags:?}");
        text.push_str(&format!(
            "$ sqledge-ha lint {} right.yaml\n{}[exit code {}]\n\n",
            flags.join(" "),
            ran.stderr,
            ran.code
        ));
    }
    snapshot("mistakes-in-flags", &text);
}

#[test]
fn empty_settings_are_the_defaults() {
    let directory = TempDir::new().unwrap();
    fs::write(directory.path().join("right.yaml"), right()).unwrap();
    for text in
        ["", "# nothing\n", "policy:\n", "policy: {}\n", "{}\n", "policy: {rules: {}, engines: [], mode: \"\"}\n"]
    {
        fs::write(directory.path().join("settings.yml"), text).unwrap();
        let ran = run(directory.path(), &["--config", "settings.yml", "right.yaml"]);
        assert_eq!(ran.code, 0, "{text:?} {}{}", ran.output, ran.stderr);
    }
}

#[test]
fn a_run_without_a_selected_database_has_nothing_to_check() {
    file("sql-server-only.yaml", right().replace("azure-sql-edge:1.0.7", "mssql/server:2022-latest"), 3);
    file("no-engine.yaml", right().replace("azure-sql-edge:1.0.7", "web-shop:3").replace("ACCEPT_EULA", "LICENCE"), 3);
}
