//! The output and exit codes of the commands.

use std::process::Command;

use insta::assert_snapshot;
use sqledge_ha_policy::rules::RULES;

use crate::ran::with_input;

/// Exit code, standard output and standard error of a run in `e2e/`.
fn run(arguments: &[&str], input: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sqledge-ha"));
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/e2e");
    let ran = with_input(command.current_dir(folder).args(arguments), input);
    format!("exit code {}\n{}{}", ran.code, ran.output, ran.stderr)
}

#[test]
fn help_names_every_command_and_exit_code() {
    assert_snapshot!(run(&["--help"], ""));
    assert_snapshot!(run(&["lint", "-h"], ""));
    assert_snapshot!(run(&["webhook", "manifests", "-h"], ""));
    assert_snapshot!(run(&["policy", "manifest", "--help"], ""));
    assert_snapshot!(run(&["policy", "access", "-h"], ""));
    assert_snapshot!(run(&["policy", "-h"], ""));
    assert_snapshot!(run(&["policy", "push", "-h"], ""));
    assert_snapshot!(run(&["policy", "pull", "-h"], ""));
    assert_snapshot!(run(&["policy", "inspect", "-h"], ""));
}

#[test]
fn gitops_settings_follow_from_the_settings_of_the_policy() {
    assert_snapshot!(run(&["webhook", "gitops", "-h"], ""));
    assert_snapshot!(run(&["webhook", "gitops"], ""));
    assert_snapshot!(run(&["webhook", "gitops", "--format", "flux"], ""));
    let settings = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&settings, "failoverSeconds: 60\n").unwrap();
    let path = settings.path().to_str().unwrap();
    assert_snapshot!(run(&["webhook", "gitops", "--settings", path], ""));
    std::fs::write(&settings, "mode: validate\n").unwrap();
    assert!(run(&["webhook", "gitops", "--settings", path], "").ends_with("\nignoreDifferences: []\n"));
}

#[test]
fn completions_and_manuals_contain_every_command() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let text = run(&["completions", shell], "");
        assert!(text.starts_with("exit code 0\n") && text.contains("fail-on") && text.contains("manifests"), "{text}");
    }
    let page = run(&["man"], "");
    assert!(page.contains(".TH sqledge") && page.contains("Exit codes"), "{page}");
    let page = run(&["man", "webhook", "manifests"], "");
    assert!(
        page.contains("failure\\-policy") && page.contains(concat!("sqledge-ha ", env!("CARGO_PKG_VERSION"))),
        "{page}"
    );
    assert_eq!(run(&["man", "lnt"], ""), "exit code 2\nerror: unknown command `lnt`\n");
}

/// Runs the completions in a real bash.
#[test]
fn bash_completes_commands_and_flags() {
    let cases = [
        ("sqledge-ha li", "lint"),
        ("sqledge-ha lint --fo", "--format"),
        ("sqledge-ha policy settings-schema --he", "--help"),
        ("sqledge-ha webhook manifests --failure-p", "--failure-policy"),
    ];
    for (typed, completed) in cases {
        let script = format!(
            "source <({} completions bash)\nread -ra COMP_WORDS <<< '{typed}'\nCOMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))\n\
             _sqledge__ha sqledge-ha \"${{COMP_WORDS[COMP_CWORD]}}\" \"${{COMP_WORDS[COMP_CWORD - 1]}}\"\necho \"${{COMPREPLY[@]}}\"",
            env!("CARGO_BIN_EXE_sqledge-ha")
        );
        let output = Command::new("bash").arg("-c").arg(script).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), format!("{completed}\n"), "{typed}: {output:?}");
    }
}

#[test]
fn the_rules_are_a_reviewed_list() {
    assert_snapshot!(run(&["rules"], ""));
    assert_snapshot!(run(&["rules", "--format", "json"], ""));
}

#[test]
fn every_rule_is_explained() {
    for rule in RULES {
        let text = run(&["explain", rule.id], "");
        assert!(text.starts_with(&format!("exit code 0\n{}: {}", rule.id, rule.summary)), "{text}");
    }
    assert_snapshot!(run(&["explain", "persistent-data"], ""));
    assert_snapshot!(run(&["explain", "persistant-data"], ""));
}

#[test]
fn findings_are_printed_as_json() {
    let manifest = include_str!("examples/claim-beside-the-data.yaml");
    assert_snapshot!(run(&["lint", "--format", "json", "-"], manifest));
}

#[test]
fn fail_on_and_partial_decide_the_exit_code() {
    let warned = "apiVersion: v1\nkind: Service\nmetadata: {name: x}\nspec: {selector: {a: b}}\n";
    let code = |arguments: &[&str], input: &str| run(arguments, input).lines().next().unwrap_or_default().to_owned();
    assert_eq!(code(&["lint", "-"], warned), "exit code 3");
    assert_eq!(code(&["lint", "--partial", "-"], warned), "exit code 0");
    assert_eq!(code(&["lint", "examples/right.yaml"], ""), "exit code 0");
    assert_eq!(code(&["lint", "--fail-on", "warning", "examples/right.yaml"], ""), "exit code 0");
    assert_eq!(code(&["lint", "examples/empty-dir.yaml"], ""), "exit code 1");
}

#[test]
fn a_review_is_answered_with_a_patch() {
    let answer = run(&["review", "examples/deployment-review.json"], "");
    assert!(answer.contains("\"patchType\": \"JSONPatch\""), "{answer}");
    assert_snapshot!(answer);
    assert_snapshot!(run(&["review", "-"], "{\"apiVersion\": \"admission.k8s.io/v1\", \"kind\": \"AdmissionReview\"}"));
    assert_snapshot!(run(&["review", "-"], "not a review"));
    assert_snapshot!(run(&["review", "nowhere.json"], ""));
}

#[test]
fn a_review_is_explained_on_standard_error() {
    let arguments = ["review", "--explain", "examples/deployment-review.json"];
    let explained = run(&arguments, "");
    let answer = run(&[arguments[0], arguments[2]], "");
    assert_snapshot!(explained.strip_prefix(&answer).expect("the answer is the same and comes first"));
    let other = include_str!("examples/deployment-review.json")
        .replace("azure-sql-edge", "postgres")
        .replace("ACCEPT_EULA", "TZ");
    let explained = run(&["review", "--explain"], &other);
    assert!(explained.ends_with("no container of the workload runs a database\n"), "{explained}");
}

#[test]
fn a_review_looks_up_the_objects_of_the_cluster_flag() {
    let answer = run(&["review", "--cluster", "examples/cluster-ip-only.yaml", "examples/deployment-review.json"], "");
    assert!(!answer.contains("unchecked"), "{answer}");
}

#[test]
fn wrong_usage_suggests_the_right_name() {
    for arguments in [
        &["lint", "--rule", "single-replicas=warn"][..],
        &["lint", "--rule", "single-replica"],
        &["lint", "--rule", "single-replica=mutate"],
        &["lint", "--config", "nowhere.yaml"],
        &["lint", "--formt", "json"],
        &["linted"],
        &["policy", "manifest", "--mode", "mutate", "--module", "foo"],
        &["policy", "manifest", "--mode", "mutate", "--module", "registry://foo"],
    ] {
        let text = run(arguments, "");
        assert!(text.starts_with("exit code 2\n"), "{arguments:?}: {text}");
        assert_snapshot!(text);
    }
}

// Narrow and plain terminals.

/// Commands that print text for people.
const TEXTS: [&[&str]; 6] = [
    &["--help"],
    &["lint", "--help"],
    &["rules"],
    &["explain", "load-balancer-service"],
    &["explain", "kernel-compatible"],
    &["lint", "e2e/examples/two-replicas-rolling.yaml", "nowhere.yaml"],
];

/// What a command prints in an environment.
fn text_in(arguments: &[&str], environment: &[(&str, &str)]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sqledge-ha"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments).env_remove("LANG").env_remove("LC_ALL");
    let output = command.envs(environment.iter().copied()).output().unwrap();
    String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
}

/// Whether a line cannot be wrapped: it has no blank after its indentation and marker, or shows code, a table or a
/// source text.
fn is_fixed(line: &str) -> bool {
    let text = line.trim_start().trim_start_matches(|character: char| "=-*0123456789".contains(character)).trim_start();
    text.starts_with(['|', '>', '#']) || line.contains("-->") || line.starts_with("Usage:") || !text.contains(' ')
}

#[test]
fn text_is_wrapped_at_the_width_of_the_terminal() {
    for arguments in TEXTS {
        for width in [40, 60, 100] {
            let text = text_in(arguments, &[("COLUMNS", &width.to_string())]);
            let mut is_code = false;
            for line in text.lines() {
                is_code ^= line.trim_start().starts_with("```");
                let is_short = line.chars().count() <= width;
                assert!(is_short || is_code || is_fixed(line), "{arguments:?}, {width} columns: {line}");
            }
        }
    }
    let narrow = text_in(TEXTS[5], &[("COLUMNS", "40")]);
    assert_eq!(text_in(TEXTS[5], &[("COLUMNS", "1")]), narrow, "40 columns are the minimum");
    insta::assert_snapshot!("forty_columns", narrow);
}

#[test]
fn text_is_ascii_in_a_locale_without_other_characters() {
    let mut replaced = 0;
    for arguments in TEXTS {
        let text = text_in(arguments, &[("LC_ALL", "C")]);
        assert!(text.is_ascii(), "{arguments:?}: {text}");
        replaced += usize::from(text != text_in(arguments, &[("LC_ALL", "C.UTF-8")]));
    }
    assert!(replaced > 0, "no text has other characters");
}
