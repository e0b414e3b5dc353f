//! Reports in files: several at once, never over an input, and never incomplete.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use super::{FORMATS, application, run, sarif_run};
use crate::shared::root;

#[test]
fn a_report_does_not_overwrite_an_input() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = include_str!("../examples/right.yaml");
    fs::write(folder.path().join("a.yaml"), manifest).unwrap();
    symlink("a.yaml", folder.path().join("link.sarif")).unwrap();
    // The same for unreadable files and files without objects.
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
        assert!(ran.code == 2 && ran.stderr.contains("the report would overwrite an input"), "{output}: {ran:?}");
        assert_eq!(fs::read_to_string(folder.path().join("a.yaml")).unwrap(), manifest);
    }
    for (name, text) in others {
        assert_eq!(fs::read(folder.path().join(name)).unwrap(), text);
        fs::remove_file(folder.path().join(name)).unwrap();
    }
    // A previous report is among the inputs.
    for _ in 0..2 {
        assert_eq!(run(folder.path(), &["lint", "--output", "json=report.json"]).code, 0);
    }
}

#[test]
fn several_reports_are_written_at_once() {
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
    assert_eq!((ran.code, ran.stderr.as_str()), (4, ""), "the unreadable manifest decides");
    for format in FORMATS {
        let printed = run(&application(), &["lint", "--format", format]).output;
        assert_eq!(fs::read_to_string(path(format)).unwrap(), printed, "{format}");
    }
    assert_eq!(ran.output, fs::read_to_string(path("github")).unwrap());
    let mode = |name: &str| fs::metadata(path(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("json"), 0o640, "a replaced file keeps its mode");
    assert_eq!(mode("sarif") & 0o600, 0o600);
    assert!(path("junit").is_symlink(), "a link stays a link");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 6, "nothing is left behind");
}

#[test]
fn an_unwritable_report_is_an_error_and_the_others_are_written() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("directory")).unwrap();
    symlink("nowhere/report", folder.path().join("link")).unwrap();
    let right = root().join("e2e/examples/right.yaml");
    for target in ["missing/report.json", "directory", "link", "/dev/null", ".."] {
        let output = format!("json={target}");
        let arguments = ["lint", "--output", &output, "--output", "sarif=there", right.to_str().unwrap()];
        let ran = run(folder.path(), &arguments);
        assert_eq!(ran.code, 4, "{target}");
        assert!(ran.stderr.starts_with(&format!("error: --output: cannot write {target}: ")), "{}", ran.stderr);
        assert!(ran.output.contains("no findings"), "{}", ran.output);
        sarif_run(&fs::read_to_string(folder.path().join("there")).unwrap());
        fs::remove_file(folder.path().join("there")).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "nothing is left behind");
    }
    let missing = run(folder.path(), &["lint", "--output", "json=missing/r", right.to_str().unwrap()]);
    assert_eq!(missing.stderr, "error: --output: cannot write missing/r: directory `missing` does not exist\n");
}

#[test]
fn invalid_output_flags_are_wrong_usage() {
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
        assert_eq!((ran.code, ran.output.as_str()), (2, ""), "{outputs:?}: {}", ran.stderr);
        assert!(ran.stderr.contains("--output"), "{}", ran.stderr);
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    let stderr = run(folder.path(), &["lint", "--output", "yaml=report"]).stderr;
    assert!(
        stderr.contains("unknown format `yaml`; valid formats: human, compact, json, sarif, junit, github"),
        "{stderr}"
    );
}
