//! Missing paths, link loops, files that cannot be opened, and names that are not UTF-8.

use std::ffi::OsString;
use std::fs::{self, File};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;

use tempfile::TempDir;

use super::{right, run, shown, snapshot};
use crate::corpus::lint;

#[test]
fn missing_and_empty_paths() {
    let directory = TempDir::new().unwrap();
    let empty = directory.path().join("empty");
    fs::create_dir(&empty).unwrap();
    fs::write(empty.join("readme.txt"), right()).unwrap();
    fs::write(directory.path().join("right.yaml"), right()).unwrap();
    for (name, paths, code) in [
        ("a-directory-without-manifests", vec!["empty"], 3),
        ("a-missing-path", vec!["nowhere.yaml"], 4),
        ("a-missing-path-beside-a-right-one", vec!["right.yaml", "nowhere.yaml"], 4),
        ("an-empty-directory-beside-a-right-file", vec!["right.yaml", "empty"], 0),
    ] {
        let ran = run(directory.path(), &paths);
        assert_eq!(ran.code, code, "{}", ran.output);
        snapshot(name, &shown(directory.path(), &ran));
    }
}

#[test]
fn a_file_is_read_once_even_with_several_paths() {
    let directory = TempDir::new().unwrap();
    fs::write(directory.path().join("right.yaml"), right()).unwrap();
    for paths in [vec!["right.yaml", "right.yaml"], vec![".", "./right.yaml"], vec!["right.yaml", "."]] {
        let ran = run(directory.path(), &paths);
        assert!(ran.output.ends_with("\nno findings in 1 workload, 3 objects, 1 file\n"), "{paths:?}: {}", ran.output);
    }
}

#[test]
fn link_loops_end() {
    let directory = TempDir::new().unwrap();
    let inner = directory.path().join("manifests");
    fs::create_dir(&inner).unwrap();
    fs::write(inner.join("right.yaml"), right()).unwrap();
    symlink(&inner, inner.join("again")).unwrap();
    symlink("self.yaml", inner.join("self.yaml")).unwrap();
    symlink("nothing-here.yaml", inner.join("dangling.yaml")).unwrap();
    let ran = run(directory.path(), &["manifests"]);
    snapshot("links", &shown(directory.path(), &ran));
    assert_eq!(ran.code, run(directory.path(), &["."]).code);
    assert_eq!(run(directory.path(), &["manifests/self.yaml"]).code, 4);
}

#[test]
fn files_that_cannot_be_opened_are_errors() {
    let directory = TempDir::new().unwrap();
    let _socket = UnixListener::bind(directory.path().join("socket.yaml")).unwrap();
    let ran = run(directory.path(), &["socket.yaml"]);
    assert_eq!(ran.code, 4, "{}", ran.output);
    snapshot("a-socket", &shown(directory.path(), &ran));
    let locked = directory.path().join("locked.yaml");
    fs::write(&locked, right()).unwrap();
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o000)).unwrap();
    // Root can read every file.
    if File::open(&locked).is_err() {
        let ran = run(directory.path(), &["locked.yaml"]);
        assert_eq!((ran.code, ran.output.contains("permission denied")), (4, true), "{}", ran.output);
    }
}

#[test]
fn a_path_need_not_be_utf_8() {
    let directory = TempDir::new().unwrap();
    let name = OsString::from_vec(b"k\xf6nig.yaml".to_vec());
    fs::write(directory.path().join(&name), right().replace("replicas: 1", "replicas: 2")).unwrap();
    for format in ["human", "json"] {
        let ran = lint(directory.path(), &[OsString::from("--format"), format.into(), name.clone()]);
        assert_eq!(ran.code, 1, "{}", ran.output);
        assert!(ran.output.contains("k\u{fffd}nig.yaml"), "{}", ran.output);
    }
    assert_eq!(run(directory.path(), &["."]).code, 1);
}
