//! Writes the version that the command prints and, with the feature `registry`, builds and embeds the policy module.
//!
//! `SQLEDGE_HA_MODULE=path` embeds a module that is already built; if it is annotated, it keeps its metadata.
//! `SQLEDGE_HA_COMMIT="HASH YYYY-MM-DD"` names the commit where there is no Git repository.

#![allow(clippy::print_stdout, reason = "a build script talks to cargo on standard output")]

use std::env;
use std::error::Error;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

#[cfg(feature = "registry")]
#[path = "build/module.rs"]
pub(crate) mod module;

const PREBUILT: &str = "SQLEDGE_HA_MODULE";
const COMMIT: &str = "SQLEDGE_HA_COMMIT";

fn main() -> ExitCode {
    println!("cargo::rerun-if-env-changed={PREBUILT}");
    println!("cargo::rerun-if-env-changed=SOURCE_DATE_EPOCH");
    // Without this line, cargo runs the script again after a change to any file.
    println!("cargo::rerun-if-changed=build.rs");
    let commit = commit().filter(|_| env::var_os("SOURCE_DATE_EPOCH").is_none());
    println!("cargo::rustc-env=SQLEDGE_HA_VERSION={}", version(commit.as_ref()));
    // The commit of a prebuilt module is not known.
    if let Some(commit) = commit.filter(|_| prebuilt().is_none()) {
        println!("cargo::rustc-env=SQLEDGE_HA_REVISION={}", commit.whole);
    }
    #[cfg(feature = "registry")]
    if let Err(error) = module::embed() {
        println!("cargo::error={}", error.to_string().replace('\n', " "));
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// The path of a prebuilt module.
fn prebuilt() -> Option<OsString> {
    env::var_os(PREBUILT).filter(|path| !path.is_empty())
}

/// The package version, with the commit if it is known. Reproducible builds, which set `SOURCE_DATE_EPOCH`, and builds
/// outside of this package's own repository leave it out.
fn version(commit: Option<&Commit>) -> String {
    let version = env!("CARGO_PKG_VERSION");
    commit.map_or_else(|| version.to_owned(), |commit| format!("{version} ({})", commit.short))
}

/// A commit.
struct Commit {
    /// The abbreviated hash and the date.
    short: String,
    /// The whole hash.
    whole: String,
}

/// The commit of the source, from `SQLEDGE_HA_COMMIT` (`HASH YYYY-MM-DD`) or from Git.
fn commit() -> Option<Commit> {
    println!("cargo::rerun-if-env-changed={COMMIT}");
    match env::var(COMMIT) {
        Ok(text) => {
            let (whole, day) = text.trim().split_once(' ')?;
            Some(Commit { short: format!("{} {day}", whole.get(..7)?), whole: whole.to_owned() })
        }
        Err(_) => commit_of_repository(),
    }
}

/// The checked-out commit, if this package is the root of a Git repository. Makes cargo watch the files that change with
/// it: `HEAD`, its log, its branch, and the packed branches.
fn commit_of_repository() -> Option<Commit> {
    let root = fs::canonicalize(variable("CARGO_MANIFEST_DIR").ok()?).ok()?;
    if fs::canonicalize(ask_git(&["rev-parse", "--show-toplevel"])?).ok()? != root {
        return None;
    }
    let branch = ask_git(&["symbolic-ref", "--quiet", "HEAD"]);
    for name in ["HEAD", "logs/HEAD", "packed-refs"].into_iter().chain(branch.as_deref()) {
        // With a path that does not exist, cargo would run the script in every build.
        if let Some(path) = ask_git(&["rev-parse", "--git-path", name]).filter(|path| Path::new(path).exists()) {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    let commit = ask_git(&["log", "-1", "--abbrev=7", "--format=%h %cs%n%H"])?;
    let (short, whole) = commit.split_once('\n')?;
    Some(Commit { short: short.to_owned(), whole: whole.to_owned() })
}

fn ask_git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim_end().to_owned())
}

fn variable(name: &str) -> Result<OsString, Box<dyn Error>> {
    env::var_os(name).ok_or_else(|| format!("cargo did not set {name}").into())
}
