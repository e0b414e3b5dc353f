//! The files that are read: directories, exclusions and path arguments.

use std::ffi::OsString;
use std::fs::{self, File};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::corpus::lint;
use crate::fix::{EXAMPLE, fix};
use crate::ran::{shown, with_input};

/// A folder with a manifest at each path, of which each has findings.
fn folder(paths: &[&str]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for path in paths {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, EXAMPLE).unwrap();
    }
    folder
}

/// The files with findings, in the order of the report.
fn files(directory: &Path, arguments: &[&str]) -> Vec<String> {
    let report = lint(directory, &[&["--format", "json"], arguments].concat());
    let report: Value = serde_json::from_str(&report.output).unwrap_or_else(|_| panic!("{report:?}"));
    let mut files: Vec<String> =
        report["findings"].as_array().unwrap().iter().map(|one| one["file"].as_str().unwrap().to_owned()).collect();
    files.dedup();
    files
}

#[test]
fn each_file_of_several_directories_is_read_once_in_a_fixed_order() {
    let folder = folder(&["a/one.yaml", "a/b/two.YML", "a-c/three.json", "d/readme.md", "d/four.yaml"]);
    symlink("../a/one.yaml", folder.path().join("d/link.yaml")).unwrap();
    symlink("..", folder.path().join("d/up")).unwrap();
    let all = ["a/b/two.YML", "a/one.yaml", "a-c/three.json", "d/four.yaml"];
    assert_eq!(files(folder.path(), &["d", "a-c", "a"]), all);
    assert_eq!(files(folder.path(), &["d/link.yaml", "a/one.yaml", "d", "a", "a-c", "a/b", "d/../a"]), all);
    assert_eq!(files(folder.path(), &["d"]), ["d/four.yaml", "d/link.yaml"]);
    assert_eq!(files(folder.path(), &["d/up/a"]), ["d/up/a/b/two.YML", "d/up/a/one.yaml"], "a link that is named");
}

#[test]
fn directories_are_searched_as_ripgrep_does() {
    let folder = folder(&["a.yaml", ".hidden.yaml", ".github/b.yaml", "out/c.yaml", "notes/d.yaml", "sub/out/e.yaml"]);
    fs::write(folder.path().join(".gitignore"), "out/\n").unwrap();
    fs::write(folder.path().join(".ignore"), "notes\n").unwrap();
    let outside_of_a_repository = ["a.yaml", "out/c.yaml", "sub/out/e.yaml"];
    assert_eq!(files(folder.path(), &[]), outside_of_a_repository);
    fs::create_dir(folder.path().join(".git")).unwrap();
    assert_eq!(files(folder.path(), &[]), ["a.yaml"]);
    assert_eq!(files(&folder.path().join("sub"), &["--partial"]), Vec::<String>::new(), "as above, from below");
    let named = ["out/c.yaml", ".hidden.yaml", ".github"];
    assert_eq!(files(folder.path(), &named), [".github/b.yaml", ".hidden.yaml", "out/c.yaml"]);
}

#[test]
fn globs_exclude_files_below_directories_and_path_arguments() {
    let folder = folder(&["a.yaml", "vendor/b.yaml", "c/vendor/d.yaml", "c/e.gen.yaml"]);
    assert_eq!(files(folder.path(), &["--exclude", "vendor", "--exclude=*.gen.yaml"]), ["a.yaml"]);
    assert_eq!(files(folder.path(), &["--exclude=/vendor"]), ["a.yaml", "c/e.gen.yaml", "c/vendor/d.yaml"]);
    let absolute = folder.path().join("c/vendor/d.yaml");
    let named = ["--exclude=c/vendor", "a.yaml", "c/vendor/d.yaml", absolute.to_str().unwrap(), "c/vendor"];
    assert_eq!(files(folder.path(), &named), ["a.yaml"]);
    assert_eq!(files(&folder.path().join("c"), &["--exclude=vendor", "."]), ["e.gen.yaml"]);
}

#[test]
fn globs_of_the_configuration_are_relative_to_its_directory() {
    let folder = folder(&["a.yaml", "ci/a.yaml", "ci/vendor/b.yaml"]);
    let config = folder.path().join("ci/sqledge-ha.yaml");
    fs::write(&config, "exclude: [/a.yaml, vendor, sqledge-ha.yaml]\npolicy: {engines: [sql-edge]}\n").unwrap();
    assert_eq!(files(folder.path(), &["--config", "ci/sqledge-ha.yaml"]), ["a.yaml"]);
    fs::write(&config, "exclude: ['a[']\n").unwrap();
    insta::assert_snapshot!(shown(&lint(folder.path(), &["--config", "ci/sqledge-ha.yaml"])));
}

#[test]
fn a_run_that_excludes_everything_has_nothing_to_check() {
    let folder = folder(&["a.yaml", "b.yaml", "c/d.yaml"]);
    insta::assert_snapshot!(shown(&lint(folder.path(), &["--exclude", "*.yaml", "--exclude=c/"])));
    insta::assert_snapshot!(shown(&lint(folder.path(), &["--exclude", "*.yaml", "--partial", "a.yaml"])));
    insta::assert_snapshot!(shown(&lint(folder.path(), &["--exclude", "*.yaml", "missing.yaml"])));
    for wrong in ["a[", "", "# a"] {
        insta::assert_snapshot!(shown(&lint(folder.path(), &["--exclude", wrong])));
    }
}

#[test]
fn excluded_files_are_not_fixed() {
    let folder = folder(&["a.yaml", "b.yaml"]);
    fix(folder.path(), &["--exclude=b.yaml", "--unsafe"], "");
    let text = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    assert_ne!(text("a.yaml"), EXAMPLE);
    assert_eq!(text("b.yaml"), EXAMPLE);
    let nothing = fix(folder.path(), &["--exclude=*"], "");
    insta::assert_snapshot!(shown(&nothing));
}

#[test]
fn files_with_invalid_utf_8_names_are_fixed() {
    let folder = TempDir::new().unwrap();
    let path = |byte: u8| folder.path().join(OsString::from_vec(vec![b'k', byte, b'.', b'y', b'm', b'l']));
    for (byte, name) in [(0xf6, "one"), (0xf7, "other")] {
        fs::write(path(byte), of_its_own(name)).unwrap();
    }
    let ran = fix(folder.path(), &["--unsafe"], "");
    assert!(!ran.stderr.contains("not fixed"), "{}", ran.stderr);
    for (byte, name) in [(0xf6, "one-"), (0xf7, "other-")] {
        let text = fs::read_to_string(path(byte)).unwrap();
        assert!(text.contains(name) && text.contains("type: Recreate"), "{text}");
    }
}

/// The example with names and labels of its own.
fn of_its_own(name: &str) -> String {
    ["  name: ", "claimName: ", "app: "]
        .iter()
        .fold(EXAMPLE.to_owned(), |text, key| text.replace(key, &format!("{key}{name}-")))
}

#[test]
fn pipes_in_a_directory_are_skipped() {
    let folder = tempfile::tempdir().unwrap();
    assert!(std::process::Command::new("mkfifo").arg(folder.path().join("a.yaml")).status().unwrap().success());
    symlink("a.yaml", folder.path().join("b.yaml")).unwrap();
    fs::write(folder.path().join("c.yaml"), include_str!("examples/right.yaml")).unwrap();
    let ran = lint(folder.path(), &["."]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.output.contains(", 1 file\n"), "{}", ran.output);
}

#[test]
fn a_path_argument_can_be_a_pipe_or_a_device() {
    let folder = tempfile::tempdir().unwrap();
    for path in ["/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sqledge-ha"));
        let ran = with_input(command.current_dir(folder.path()).args(["lint", path]), EXAMPLE);
        assert!(ran.output.contains(&format!("--> {path}:18:13")), "{ran:?}");
    }
    let pipe = folder.path().join("a.pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let writer = std::thread::spawn(move || fs::write(pipe, EXAMPLE).unwrap());
    let ran = lint(folder.path(), &["a.pipe"]);
    writer.join().unwrap();
    assert!(ran.output.contains("--> a.pipe:18:13"), "{ran:?}");
}

#[test]
fn an_input_above_the_limit_is_an_error() {
    let folder = folder(&["a.yaml"]);
    insta::assert_snapshot!(shown(&lint(folder.path(), &["a.yaml", "/dev/zero"])));
    let mut command = Command::new(env!("CARGO_BIN_EXE_sqledge-ha"));
    command.current_dir(folder.path()).args(["lint", "-"]).stdin(File::open("/dev/zero").unwrap());
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(4));
    assert!(String::from_utf8(output.stdout).unwrap().contains("larger than the limit of 1 GiB"));
    // The size of a file is known before reading.
    File::create(folder.path().join("b.yaml")).unwrap().set_len((1 << 30) + 1).unwrap();
    insta::assert_snapshot!(shown(&fix(folder.path(), &["--unsafe"], "")));
    assert_eq!(lint(folder.path(), &["a.yaml"]).code, 0, "the others are fixed");
}

#[test]
fn a_module_or_a_configuration_above_the_limit_is_an_error() {
    let folder = folder(&["a.yaml"]);
    let module = "error: /dev/zero: the file is larger than the limit of 64 MiB\n";
    let configuration = "/dev/zero: the file is larger than the limit of 16 MiB\n";
    let cases: [(&[&str], i32, &str); 5] = [
        (&["policy", "inspect", "/dev/zero"], 4, module),
        (&["policy", "push", "localhost:1/a/b:v1", "--plain-http", "--module", "/dev/zero"], 4, module),
        (
            &[
                "serve",
                "--insecure-http",
                "--listen=127.0.0.1:0",
                "--health-listen=127.0.0.1:0",
                "--no-cluster",
                "--module=/dev/zero",
            ],
            4,
            module,
        ),
        (&["lint", "--config", "/dev/zero"], 2, configuration),
        (&["policy", "pull", "localhost:1/a/b:v1", "-o", "b", "--ca-cert", "/dev/zero"], 2, configuration),
    ];
    for (arguments, code, told) in cases {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sqledge-ha"));
        let ran = with_input(command.current_dir(folder.path()).args(arguments), "");
        assert!(ran.code == code && ran.stderr.ends_with(told), "{arguments:?}: {ran:?}");
    }
}

#[test]
fn patches_of_a_kustomization_are_not_checked() {
    let folder = folder(&["base/sql.yaml", "prod/patches/replicas.yaml", "prod/image.yaml", "prod/other.yaml"]);
    let kustomization = "resources: [../base]\npatches:\n- path: ./image.yaml\n- path: patches/replicas.yaml\n";
    fs::write(folder.path().join("prod/kustomization.yaml"), kustomization).unwrap();
    assert_eq!(files(folder.path(), &[]), ["base/sql.yaml", "prod/other.yaml"]);
    let named = lint(folder.path(), &["prod/image.yaml", "prod/patches/replicas.yaml"]);
    assert_eq!(named.code, 3, "{named:?}");
    assert!(named.output.contains("skipped 2 Kustomize patches"), "{named:?}");
    assert!(!named.output.contains("found no SQL Edge"), "{named:?}");
    assert_eq!(fix(folder.path(), &["--unsafe"], "").code, 0);
    assert_eq!(fs::read_to_string(folder.path().join("prod/image.yaml")).unwrap(), EXAMPLE);
}
