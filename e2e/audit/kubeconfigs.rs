//! Kubeconfigs that cannot be used: one sentence, exit code 2, and nothing of their text.

use std::fs;
use std::path::Path;

use super::{audit, command, run};
use crate::ran::{Ran, with_input};

const SECRET: &str = "s3cr3t-t0ken";

/// A kubeconfig with a part replaced.
fn kubeconfig(part: &str, replacement: &str) -> String {
    let text = format!(
        "apiVersion: v1\nkind: Config\n\
         clusters: [{{name: edge, cluster: {{server: 'https://127.0.0.1:1'}}}}]\n\
         users: [{{name: admin, user: {{token: {SECRET}}}}}]\n\
         contexts: [{{name: shop, context: {{cluster: edge, user: admin}}}}]\n\
         current-context: shop\n"
    );
    assert!(text.contains(part), "{part}");
    text.replace(part, replacement)
}

/// The message without `error: cannot use the kubeconfig PATH: ` and without the path of the directory.
fn message(ran: &Ran, folder: &Path) -> String {
    assert_eq!((ran.code, ran.output.as_str()), (2, ""), "{}", ran.stderr);
    assert!(!ran.stderr.contains(SECRET), "{}", ran.stderr);
    let line = ran.stderr.strip_suffix('\n').filter(|line| !line.contains('\n')).expect(&ran.stderr);
    let line = line.strip_prefix("error: ").expect(line).replace(&format!("{}/", folder.display()), "");
    line.strip_prefix("cannot use the kubeconfig config: ").map_or(line.clone(), str::to_owned)
}

#[test]
fn each_mistake_is_one_sentence() {
    let token = format!("token: {SECRET}");
    let server = "server: 'https://127.0.0.1:1'";
    let with = |field: &str| kubeconfig(server, &format!("{server}, {field}"));
    let user = |fields: &str| kubeconfig(&token, fields);
    let exec = |command: &str| {
        user(&format!(
            "exec: {{apiVersion: client.authentication.k8s.io/v1, command: {command}, interactiveMode: Never}}"
        ))
    };
    let prepare = "cannot prepare the connection to the API server: ";
    let cases = [
        (String::new(), "it has no contexts"),
        ("a: [\n".to_owned(), "line 1, column 4: this is not the YAML of a kubeconfig"),
        (SECRET.to_owned(), "line 1, column 1: this is not the YAML of a kubeconfig"),
        (kubeconfig("[{name: edge", "5\nx: [{name: edge"), "line 3, column 11: this is not the YAML of a kubeconfig"),
        ("apiVersion: v1\nkind: Pod\nmetadata: {name: sql}\n".to_owned(), "it has no contexts"),
        (kubeconfig("current-context: shop\n", ""), "it has no current context; name one with --context: `shop`"),
        (
            kubeconfig("current-context: shop", "current-context: till"),
            "it has no context `till`; its contexts are: `shop`",
        ),
        (kubeconfig("cluster: edge", "cluster: core"), "its context names the cluster `core`, which is not in it"),
        (kubeconfig(server, "insecure-skip-tls-verify: true"), "its cluster has no `server`"),
        (kubeconfig(server, "server: not a URL"), "the `server` of its cluster is not a URL"),
        (with("proxy-url: not a URL"), "the address of the proxy is not a URL"),
        (
            with("certificate-authority: missing.crt"),
            "cannot read `certificate-authority` missing.crt: no such file or directory",
        ),
        (with("certificate-authority-data: '!'"), "`certificate-authority-data` is not valid Base64"),
        (
            user("client-certificate: missing.crt"),
            "cannot read `client-certificate` missing.crt: no such file or directory",
        ),
        (
            user("tokenFile: missing"),
            &format!("{prepare}cannot read the token file missing: no such file or directory"),
        ),
        (
            exec("/nowhere/login"),
            &format!("{prepare}cannot run `/nowhere/login`, which makes the credentials: no such file or directory"),
        ),
        (exec("'false'"), &format!("{prepare}`false`, which makes the credentials, failed: exit status: 1")),
        (
            exec(&format!("echo, args: [{SECRET}]")),
            &format!("{prepare}`echo`, which makes the credentials, does not print an ExecCredential"),
        ),
        (
            user("auth-provider: {name: gcp}"),
            &format!("{prepare}the kubeconfig has `auth-provider`, which Kubernetes no longer supports: use `exec`"),
        ),
    ];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config");
    for (text, expected) in cases {
        fs::write(&path, &text).unwrap();
        let certificate_and_key = text.contains("client-certificate");
        let shown = message(&audit(&path, &[]), folder.path());
        let shown = if certificate_and_key { shown.trim_start_matches(prepare).to_owned() } else { shown };
        assert_eq!(shown, expected, "{text}");
    }
}

#[test]
fn files_that_are_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config");
    assert_eq!(message(&audit(&path, &[]), folder.path()), "no such file or directory");
    for bytes in [&[0xff, 0xfe, 0][..], &[0xfe, 0xff, 0x20], &[0x80, 0x81]] {
        fs::write(&path, bytes).unwrap();
        assert_eq!(message(&audit(&path, &[]), folder.path()), "it is not a text file");
    }
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert_eq!(message(&audit(&path, &[]), folder.path()), "is a directory");
}

#[test]
fn the_default_files_are_those_of_kubectl() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    fs::write(path("config"), kubeconfig("shop", "shop")).unwrap();
    fs::write(path("other"), kubeconfig("shop", "till")).unwrap();
    let audit = |variable: &str, more: &[&str]| {
        let mut command = command(&[&["audit"], more].concat());
        with_input(command.env("KUBECONFIG", variable).env("HOME", folder.path()), "")
    };
    let missing = message(&audit("", &[]), folder.path());
    assert_eq!(missing, "there is no kubeconfig: .kube/config does not exist; name a file with --kubeconfig");
    let missing = message(&audit(&path("missing"), &[]), folder.path());
    assert_eq!(missing, "there is no kubeconfig: missing does not exist; name a file with --kubeconfig");
    // A missing file in the list is skipped, and all others are merged.
    let list = [path("missing"), path("config"), path("other")].join(":");
    let unknown = message(&audit(&list, &["--context", "bakery"]), folder.path());
    assert!(
        unknown.ends_with("config, other: it has no context `bakery`; its contexts are: `shop`, `till`"),
        "{unknown}"
    );
    for context in ["shop", "till"] {
        let ran = audit(&list, &["--context", context]);
        assert_eq!((ran.code, ran.output.as_str()), (4, ""), "{}", ran.stderr);
        assert_eq!(ran.stderr, "error: https://127.0.0.1:1: cannot reach the API server: connection refused\n");
    }
}

#[test]
fn files_and_a_cluster_exclude_each_other() {
    let ran = run(&["audit", "--from", "shop", "--context", "edge"]);
    assert!(ran.code == 2 && ran.stderr.contains("cannot be used with"), "{}", ran.stderr);
}
