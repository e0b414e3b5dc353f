//! Builds of the module are reproducible: the digest depends on neither directory, user nor caches.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

use ignore::WalkBuilder;
use sqledge_ha::wasm_host::EMBEDDED;

use crate::shared::{sha256, skipped};

#[allow(dead_code, reason = "the test calls only the function that builds the module")]
#[path = "../build.rs"]
mod build_script;

/// Where the build script writes the module, below the sources.
const OUT_DIR: &str = "target/release/build/sqledge-ha/out";
/// A user who owns no files here.
const NOBODY: u32 = 65534;

#[test]
#[ignore = "slow: `make test-long` runs it"]
fn three_builds_have_the_same_digest() {
    let built = sha256(EMBEDDED);
    let elsewhere = build("a", Some(NOBODY));
    assert_eq!(elsewhere, built, "other directory, other user, empty caches");
    let again = build("a-folder/with a longer name/and Ünicode", None);
    assert_eq!(again, built, "long directory name, same user, empty caches");
}

/// Builds the module from a copy of the sources with separate home and caches, and returns its digest.
fn build(folder: &str, user: Option<u32>) -> String {
    let root = tempfile::tempdir().unwrap();
    let (sources, home) = (root.path().join(folder), root.path().join("home"));
    copy(Path::new(env!("CARGO_MANIFEST_DIR")), &sources);
    fs::create_dir_all(sources.join(OUT_DIR)).unwrap();
    let cargo_home = home.join(".cargo");
    fs::create_dir_all(&cargo_home).unwrap();
    // The configuration says how to download packages.
    let own_home = env::var_os("CARGO_HOME").map_or_else(|| env::home_dir().unwrap().join(".cargo"), PathBuf::from);
    let _ = fs::copy(own_home.join("config.toml"), cargo_home.join("config.toml"));

    let toolchain = toolchain();
    let mut command = as_user(user);
    command.arg(env::current_exe().unwrap());
    command.args(["--exact", "--ignored", "--nocapture", "reproducible::build_the_module"]);
    command.current_dir(&sources).env("CARGO_MANIFEST_DIR", &sources).env("OUT_DIR", sources.join(OUT_DIR));
    command.env("HOME", &home).env("CARGO_HOME", &cargo_home).env("CARGO_TARGET_DIR", sources.join("target"));
    command.env("CARGO", toolchain.join("bin/cargo")).env("RUSTC", toolchain.join("bin/rustc"));
    command.env("PATH", path_with(&toolchain)).env("TZ", "Asia/Kathmandu").env("LANG", "C");
    let ran = command.output().unwrap();
    let printed = format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success() && printed.contains("1 passed"), "{printed}");
    sha256(&fs::read(sources.join(OUT_DIR).join("sqledge-ha.wasm")).unwrap())
}

/// Not a test: [`build`] runs it in a separate process.
#[test]
#[ignore = "run by three_builds_have_the_same_digest"]
fn build_the_module() {
    build_script::module::embed().unwrap();
}

/// Copies the sources, without ignored files such as build results.
fn copy(from: &Path, to: &Path) {
    for entry in WalkBuilder::new(from).hidden(false).filter_entry(|entry| entry.file_name() != ".git").build() {
        let Ok(entry) = entry else { continue };
        let target = to.join(entry.path().strip_prefix(from).unwrap());
        if entry.file_type().unwrap().is_dir() {
            fs::create_dir_all(target).unwrap();
        } else {
            match fs::copy(entry.path(), target) {
                // Other tests create and delete temporary files here.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                copied => _ = copied.unwrap(),
            }
        }
    }
}

/// The directory of the toolchain. Unlike rustup's proxies, its programs need no home directory.
fn toolchain() -> PathBuf {
    let ran = Command::new("rustc").args(["--print", "sysroot"]).current_dir(env!("CARGO_MANIFEST_DIR")).output();
    PathBuf::from(String::from_utf8(ran.unwrap().stdout).unwrap().trim_end())
}

fn path_with(toolchain: &Path) -> OsString {
    let rest = env::var_os("PATH").unwrap();
    let folders = [toolchain.join("bin")].into_iter().chain(env::split_paths(&rest));
    env::join_paths(folders).unwrap()
}

/// A command that runs its arguments as another user in a user namespace, where it can still read all files. Without
/// user namespaces it prints a warning and runs them as the current user.
fn as_user(user: Option<u32>) -> Command {
    let Some(user) = user else { return Command::new("env") };
    let become_user = |command: &mut Command| {
        command.args(["--user", &format!("--map-user={user}"), &format!("--map-group={user}")]).arg("env");
    };
    let mut attempt = Command::new("unshare");
    become_user(&mut attempt);
    let failure = match attempt.output() {
        Ok(ran) if ran.status.success() => None,
        Ok(ran) => Some(String::from_utf8_lossy(&ran.stderr).trim().to_owned()),
        Err(error) => Some(format!("unshare: {error}")),
    };
    if let Some(reason) = failure {
        skipped(&format!("the module is built by the same user, not by another one: {reason}"));
        return Command::new("env");
    }
    let mut command = Command::new("unshare");
    become_user(&mut command);
    command
}
