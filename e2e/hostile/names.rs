//! Names of objects, files and flags with control sequences.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::{commands, file, right, run};

const COMMANDING: &str = "x\\e]0;owned\\a\\e[31m\\u009b2Jyz\\r\\n";
/// Characters that reverse the direction of text.
const REVERSING: &str = "x\\u202ez\\u2066";

fn called(name: &str) -> String {
    let mut text = right();
    for key in ["name", "claimName"] {
        text = text.replace(&format!("{key}: harbour-sensors\n"), &format!("{key}: \"{name}\"\n"));
    }
    text =
        text.replace("type: LoadBalancer", "type: ClusterIP").replace("mountPath: /var/opt/mssql", "mountPath: /data");
    text.replace(
        "          readinessProbe:",
        &format!("            - name: \"MSSQL_DATA_DIR\"\n              value: \"/{name}\"\n          readinessProbe:"),
    )
}

#[test]
fn control_sequences_in_names_are_escaped() {
    file("escapes.yaml", called(COMMANDING), 1);
    file("raw-escapes.yaml", right().replace("name: tds", "name: \"\u{1b}[31mtds\""), 4);
    file("raw-reversal.yaml", right().replace("replicas: 1", "replicas: 2 # \u{202e}1 :sacilper"), 1);
    file("a-key-with-escapes.yaml", "a: 1\n\"k\\e[31m\\u202e\": 1\n\"k\\e[31m\\u202e\": 2\n", 4);
}

#[test]
fn control_sequences_in_names_are_escaped_in_json() {
    let directory = TempDir::new().unwrap();
    fs::write(directory.path().join("a.yaml"), called(COMMANDING)).unwrap();
    let ran = run(directory.path(), &["--format", "json", "a.yaml"]);
    assert_eq!(ran.output.chars().find(|character| commands(*character) && *character != '\n'), None, "{}", ran.output);
}

/// Runs with colors and checks that all control sequences are colors.
fn only_colors(directory: &Path, arguments: &[OsString]) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sqledge-ha"));
    let command = command.current_dir(directory).env("CLICOLOR_FORCE", "1").arg("lint").args(arguments);
    let output = command.output().unwrap();
    for bytes in [output.stdout, output.stderr] {
        let text = String::from_utf8(bytes).unwrap();
        let parts = text.split('\u{1b}');
        for part in parts.skip(1) {
            let color = part.strip_prefix('[').and_then(|part| part.split_once('m')).map(|(numbers, _)| numbers);
            let is_color = color
                .is_some_and(|numbers| numbers.chars().all(|character| character.is_ascii_digit() || character == ';'));
            assert!(is_color, "{text:?}");
        }
        let other = text.chars().find(|character| commands(*character) && !['\n', '\u{1b}'].contains(character));
        assert_eq!(other, None, "{text:?}");
    }
}

#[test]
fn control_sequences_in_names_are_escaped_in_colored_output() {
    let directory = TempDir::new().unwrap();
    fs::write(directory.path().join("a.yaml"), called(COMMANDING)).unwrap();
    only_colors(directory.path(), &["a.yaml".into()]);
}

#[test]
fn control_sequences_in_file_names_are_escaped() {
    let directory = TempDir::new().unwrap();
    let name = "\u{1b}]0;owned\u{7}.yaml";
    fs::write(directory.path().join(name), right().replace("replicas: 1", "replicas: 2")).unwrap();
    only_colors(directory.path(), &[name.into()]);
}

#[test]
fn control_sequences_in_names_of_missing_files_are_escaped() {
    only_colors(TempDir::new().unwrap().path(), &["\u{1b}]0;missing\u{7}.yaml".into()]);
}

#[test]
fn control_sequences_in_flags_are_escaped() {
    let directory = TempDir::new().unwrap();
    only_colors(directory.path(), &["--config".into(), "\u{1b}]0;missing\u{7}.yaml".into()]);
    only_colors(directory.path(), &["--rule".into(), "\u{1b}]0;owned\u{7}=off".into()]);
}

#[test]
fn bidirectional_characters_in_names_are_escaped() {
    file("reversals.yaml", called(REVERSING), 1);
}
