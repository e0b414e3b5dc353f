//! Passwords near findings and errors are not shown.

use std::fs;

use sqledge_ha_policy::rules::RULES;

use super::{SECRET, file, right};
use crate::corpus::cases;

#[test]
fn secrets_of_the_corpus_are_not_shown() {
    let mut secrets = 0;
    for rule in RULES {
        for case in cases(rule.id, "fail").iter().chain(&cases(rule.id, "pass")) {
            secrets += usize::from(fs::read_to_string(case.directory.join(&case.file)).unwrap().contains(SECRET));
            for format in ["human", "json"] {
                let ran = case.lint(&["--format", format]);
                assert!(!ran.output.contains(SECRET) && !ran.stderr.contains(SECRET), "{}: {}", case.file, ran.output);
            }
        }
    }
    assert!(secrets > 0, "no manifest of the corpus holds a secret");
}

/// The example with a literal password, and `mistake` made of it.
fn with_password(mistake: impl Fn(&str) -> String) -> String {
    let text = right();
    let (before, rest) = text.split_once("              valueFrom:").unwrap();
    let (_, after) = rest.split_once("key: password\n").unwrap();
    mistake(&format!("{before}              value: {SECRET}the-harbour-1\n{after}"))
}

#[test]
fn a_secret_near_a_finding_is_not_shown() {
    file(
        "secret-beside-mistakes.yaml",
        with_password(|text| {
            text.replace("replicas: 1", "replicas: 2").replace("mountPath: /var/opt/mssql", "mountPath: /data")
        }),
        1,
    );
}

#[test]
fn a_secret_on_the_line_of_a_finding_is_not_shown() {
    let pod = format!(
        "{{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{{\"name\":\"till\"}},\"spec\":{{\"containers\":[{{\"name\":\"db\",\
        \"image\":\"azure-sql-edge\",\"env\":[{{\"name\":\"MSSQL_SA_PASSWORD\",\"value\":\"{SECRET}the-till-1\"}}]}}]}}}}"
    );
    file("secret-in-one-line.json", pod, 1);
}

#[test]
fn a_secret_that_causes_a_syntax_error_is_not_shown() {
    file("secret-with-a-colon.yaml", with_password(|text| text.replace("the-harbour-1", "the: harbour: 1")), 4);
    file("secret-in-open-quotes.yaml", with_password(|text| text.replace(SECRET, &format!("\"{SECRET}"))), 4);
}

#[test]
fn a_secret_with_a_duplicate_key_is_not_shown() {
    file(
        "secret-twice.yaml",
        with_password(|text| {
            let line = format!("              value: {SECRET}the-harbour-1\n");
            text.replace(&line, &line.repeat(2))
        }),
        4,
    );
}

#[test]
fn a_secret_as_a_directory_is_not_shown() {
    file(
        "secret-as-a-directory.yaml",
        with_password(|text| {
            let moved = format!(
                "value: {SECRET}the-harbour-1\n            - name: MSSQL_DATA_DIR\n              value: $(MSSQL_SA_PASSWORD)\n"
            );
            text.replace(&format!("value: {SECRET}the-harbour-1\n"), &moved)
        }),
        1,
    );
}
