//! Files that change while `fix` runs or cannot be written, and the attributes that a fixed file keeps.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::{PROGRAM, content, fixed, folder, names, shown, snapshot};
use crate::fix::{EXAMPLE, fix};
use crate::ran::{Ran, with_input};

/// A user without privileges.
const NOBODY: u32 = 65534;

/// A folder with one manifest that can be fixed.
fn folder_with_a_manifest() -> TempDir {
    folder(&[("sql.yaml", EXAMPLE.as_bytes())])
}

/// Fixes a folder, and runs `change` after its file was read and before it is written.
fn while_it_runs(folder: &TempDir, change: impl FnOnce(&Path)) -> Ran {
    let pipe = folder.path().join("waits.pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let mut command = Command::new(PROGRAM);
    command.current_dir(folder.path()).args(["fix", "--unsafe", "sql.yaml", "waits.pipe"]);
    // A single thread reads the files in order: the pipe after the file.
    command.env("RAYON_NUM_THREADS", "1").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let process = command.spawn().unwrap();
    // Opening blocks until the other end reads.
    let writer = File::options().write(true).open(&pipe).unwrap();
    change(&folder.path().join("sql.yaml"));
    drop(writer);
    let output = process.wait_with_output().unwrap();
    fs::remove_file(pipe).unwrap();
    output.into()
}

#[test]
fn files_that_changed_since_they_were_read_are_not_overwritten() {
    let folder = folder_with_a_manifest();
    let edited = EXAMPLE.replace("16Gi", "32Gi");
    let ran = while_it_runs(&folder, |path| fs::write(path, &edited).unwrap());
    assert_eq!((ran.code, ran.output.as_str()), (4, ""), "{ran:?}");
    snapshot("changed", &shown(&ran));
    assert_eq!(content(&folder, "sql.yaml"), edited.as_bytes());
    assert_eq!(fix(folder.path(), &["--unsafe"], "").code, 0);
    assert_eq!(content(&folder, "sql.yaml"), fixed(&edited).as_bytes());
}

#[test]
fn files_that_were_removed_or_replaced_by_a_link_are_not_created() {
    let folder = folder_with_a_manifest();
    let ran = while_it_runs(&folder, |path| fs::remove_file(path).unwrap());
    snapshot("gone", &shown(&ran));
    assert!(names(&folder).is_empty(), "{ran:?}");

    let (folder, outside) = (folder_with_a_manifest(), folder_with_a_manifest());
    let ran = while_it_runs(&folder, |path| {
        fs::remove_file(path).unwrap();
        symlink(outside.path().join("sql.yaml"), path).unwrap();
    });
    snapshot("elsewhere", &shown(&ran));
    assert_eq!(content(&outside, "sql.yaml"), EXAMPLE.as_bytes());
}

#[test]
fn files_that_were_rewritten_with_the_same_content_are_fixed() {
    let folder = folder_with_a_manifest();
    let ran = while_it_runs(&folder, |path| fs::write(path, EXAMPLE).unwrap());
    assert_eq!((ran.code, content(&folder, "sql.yaml")), (0, fixed(EXAMPLE).into_bytes()), "{ran:?}");
}

#[test]
fn named_links_to_files_outside_are_not_followed() {
    let (folder, outside) = (folder(&[]), folder_with_a_manifest());
    symlink(outside.path().join("sql.yaml"), folder.path().join("link.yaml")).unwrap();
    let mut text = String::new();
    for path in ["link.yaml", "."] {
        let ran = fix(folder.path(), &["--unsafe", path], "");
        assert_eq!(ran.code, 4, "{ran:?}");
        text.push_str(&format!("$ sqledge-ha fix --unsafe {path}\n{}\n", shown(&ran)));
    }
    snapshot("a-link-that-leads-elsewhere", &text);
    assert_eq!(content(&outside, "sql.yaml"), EXAMPLE.as_bytes());
    assert_eq!(fix(folder.path(), &["--unsafe", "--check"], "").code, 1);
}

/// Runs `fix --unsafe` with a limit for the size of files, which has the same effect as a full disk.
fn on_a_full_disk(folder: &TempDir, kibibytes: u32) -> Ran {
    let script = format!("trap '' XFSZ; ulimit -f {kibibytes}; exec {PROGRAM} fix --unsafe");
    with_input(Command::new("bash").current_dir(folder.path()).args(["-c", &script]), "")
}

#[test]
fn a_full_disk_leaves_the_file_unchanged() {
    let folder = folder_with_a_manifest();
    let ran = on_a_full_disk(&folder, 0);
    assert_eq!((ran.code, ran.output.as_str()), (4, ""), "{ran:?}");
    snapshot("no-room", &shown(&ran));
    assert_eq!(content(&folder, "sql.yaml"), EXAMPLE.as_bytes());
    assert_eq!(names(&folder), ["sql.yaml"], "no temporary file");
}

#[test]
fn partly_written_files_are_discarded_and_the_others_are_fixed() {
    let folder = folder_with_a_manifest();
    let large = format!("{EXAMPLE}# {}\n", "large ".repeat(10_000));
    fs::write(folder.path().join("large.yaml"), large.replace("till-sales", "large")).unwrap();
    let ran = on_a_full_disk(&folder, 8);
    assert_eq!(ran.code, 4, "{ran:?}");
    snapshot("no-room-for-one", &shown(&ran));
    assert_eq!(content(&folder, "large.yaml"), large.replace("till-sales", "large").as_bytes());
    assert_eq!(content(&folder, "sql.yaml"), fixed(EXAMPLE).as_bytes());
    assert_eq!(names(&folder), ["large.yaml", "sql.yaml"], "no temporary file");
}

#[test]
fn a_full_standard_output_is_an_error() {
    let mut command = Command::new("sh");
    let ran = with_input(command.args(["-c", &format!("exec {PROGRAM} fix --unsafe - >/dev/full")]), EXAMPLE);
    assert_eq!(ran.code, 4);
    snapshot("no-room-on-standard-output", &shown(&ran));
}

fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

/// Runs `fix --unsafe` as a user without privileges: root ignores permissions.
fn as_nobody(folder: &TempDir) -> Ran {
    let mut command = if is_root() { Command::new("setpriv") } else { Command::new(PROGRAM) };
    if is_root() {
        let nobody = NOBODY.to_string();
        command.args(["--reuid", &nobody, "--regid", &nobody, "--clear-groups", PROGRAM]);
        chown(folder.path(), Some(NOBODY), Some(NOBODY)).unwrap();
    }
    with_input(command.current_dir(folder.path()).args(["fix", "--unsafe"]), "")
}

/// Sets the mode of a path and, if the tests run as root, its owner.
fn owned_by_nobody(path: &Path, mode: u32) {
    if is_root() {
        chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    }
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn nothing_changes_in_a_read_only_directory() {
    let folder = folder_with_a_manifest();
    owned_by_nobody(&folder.path().join("sql.yaml"), 0o644);
    owned_by_nobody(folder.path(), 0o555);
    let ran = as_nobody(&folder);
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    assert_eq!((ran.code, ran.output.as_str()), (4, ""), "{ran:?}");
    snapshot("a-directory-that-may-not-be-written", &shown(&ran));
    assert_eq!((names(&folder), content(&folder, "sql.yaml")), (vec!["sql.yaml".to_owned()], EXAMPLE.into()));
}

#[test]
fn read_only_files_are_not_replaced() {
    let folder = folder_with_a_manifest();
    owned_by_nobody(&folder.path().join("sql.yaml"), 0o444);
    let ran = as_nobody(&folder);
    assert_eq!((ran.code, ran.output.as_str()), (4, ""), "{ran:?}");
    snapshot("a-file-that-may-not-be-written", &shown(&ran));
    assert_eq!((names(&folder), content(&folder, "sql.yaml")), (vec!["sql.yaml".to_owned()], EXAMPLE.into()));
}

#[test]
fn fixed_files_keep_mode_and_owner() {
    let folder = folder_with_a_manifest();
    let path = folder.path().join("sql.yaml");
    owned_by_nobody(&path, 0o4640);
    let before = fs::metadata(&path).unwrap();
    assert_eq!(fix(folder.path(), &["--unsafe"], "").code, 0);
    let after = fs::metadata(&path).unwrap();
    let kept = |file: &fs::Metadata| (file.permissions().mode(), file.uid(), file.gid());
    assert_eq!(kept(&after), kept(&before));
    assert_ne!(after.ino(), before.ino(), "the file was replaced");
}

#[test]
fn hard_links_keep_the_old_content() {
    let (folder, outside) = (folder_with_a_manifest(), TempDir::new().unwrap());
    fs::hard_link(folder.path().join("sql.yaml"), outside.path().join("other.yaml")).unwrap();
    assert_eq!(fix(folder.path(), &["--unsafe"], "").code, 0);
    assert_eq!(content(&folder, "sql.yaml"), fixed(EXAMPLE).as_bytes());
    assert_eq!(content(&outside, "other.yaml"), EXAMPLE.as_bytes());
}
