//! Builds the Kubewarden module out of `policy/`, annotates it, and leaves it in `OUT_DIR` to be embedded.
//!
//! `SQLEDGE_HA_MODULE=path` embeds a module that was built before; one that is annotated keeps its metadata.
//! `SQLEDGE_HA_COMMIT="HASH YYYY-MM-DD"` says which commit it is where there is no repository to ask.

#![allow(clippy::print_stdout, reason = "a build script speaks to cargo on its standard output")]

use std::env;
use std::error::Error;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

#[path = "src/wasm_host/metadata.rs"]
#[allow(unreachable_pub, reason = "the library shares this file and exports it")]
mod metadata;

const TARGET: &str = "wasm32-unknown-unknown";
const PROFILE: &str = "module";
const PREBUILT: &str = "SQLEDGE_HA_MODULE";
const COMMIT: &str = "SQLEDGE_HA_COMMIT";

/// What the module is made of. Cargo itself watches what this script is made of.
const SOURCES: [&str; 6] =
    ["policy/src", "policy/Cargo.toml", "policy/metadata.yml", "policy/USAGE.md", "Cargo.toml", "Cargo.lock"];

fn main() -> ExitCode {
    println!("cargo::rerun-if-env-changed={PREBUILT}");
    for source in SOURCES {
        println!("cargo::rerun-if-changed={source}");
    }
    println!("cargo::rerun-if-env-changed=SOURCE_DATE_EPOCH");
    let commit = commit().filter(|_| env::var_os("SOURCE_DATE_EPOCH").is_none());
    println!("cargo::rustc-env=SQLEDGE_HA_VERSION={}", version(commit.as_ref()));
    // Of a module that was built before nothing is known.
    if let Some(commit) = commit.filter(|_| prebuilt().is_none()) {
        println!("cargo::rustc-env=SQLEDGE_HA_REVISION={}", commit.whole);
    }
    match embed() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("cargo::error={}", error.to_string().replace('\n', " "));
            ExitCode::FAILURE
        }
    }
}

pub(crate) fn embed() -> Result<(), Box<dyn Error>> {
    let out_dir = PathBuf::from(variable("OUT_DIR")?);
    let module = match prebuilt() {
        Some(path) => {
            println!("cargo::rerun-if-changed={}", path.display());
            PathBuf::from(path)
        }
        None => build(&target_dir(&out_dir)?)?,
    };
    let wasm = fs::read(&module).map_err(|error| format!("{}: {error}", module.display()))?;
    let description = fs::read_to_string("policy/metadata.yml")?;
    let usage = fs::read_to_string("policy/USAGE.md")?;
    // Of a module that was built before nothing is known.
    let compiler = if prebuilt().is_none() { Some(ask_rustc(&["--version"])?) } else { None };
    let compiler = compiler.iter().map(|compiler| (metadata::COMPILER, compiler.as_str()));
    let more: Vec<(&str, &str)> = [(metadata::USAGE, usage.as_str())].into_iter().chain(compiler).collect();
    let annotated = metadata::annotate(&wasm, &description, &more);
    let annotated = annotated.map_err(|error| format!("{}: {error}", module.display()))?;
    metadata::read(&annotated)?;
    Ok(fs::write(out_dir.join("sqledge-ha.wasm"), annotated)?)
}

/// A module that was built before.
fn prebuilt() -> Option<OsString> {
    env::var_os(PREBUILT).filter(|path| !path.is_empty())
}

/// The version of the package, and the commit that it is built from if that is known. A build that is to be the same
/// everywhere, which sets `SOURCE_DATE_EPOCH`, and one outside of this package's own repository do without.
fn version(commit: Option<&Commit>) -> String {
    let version = env!("CARGO_PKG_VERSION");
    commit.map_or_else(|| version.to_owned(), |commit| format!("{version} ({})", commit.short))
}

/// A commit.
struct Commit {
    /// The beginning of its name, and its day.
    short: String,
    /// Its whole name.
    whole: String,
}

/// The commit of the source: what `SQLEDGE_HA_COMMIT` says, for a build without the repository (`HASH YYYY-MM-DD`), or
/// what git says.
fn commit() -> Option<Commit> {
    println!("cargo::rerun-if-env-changed={COMMIT}");
    match env::var(COMMIT) {
        Ok(said) => {
            let (whole, day) = said.trim().split_once(' ')?;
            Some(Commit { short: format!("{} {day}", whole.get(..7)?), whole: whole.to_owned() })
        }
        Err(_) => commit_of_repository(),
    }
}

/// What says which commit is checked out is watched: `HEAD`, the branch that it names, and the log of both, which also sees a
/// branch that is only in the packed list.
fn commit_of_repository() -> Option<Commit> {
    let root = fs::canonicalize(variable("CARGO_MANIFEST_DIR").ok()?).ok()?;
    if fs::canonicalize(ask_git(&["rev-parse", "--show-toplevel"])?).ok()? != root {
        return None;
    }
    let branch = ask_git(&["symbolic-ref", "--quiet", "HEAD"]);
    for name in ["HEAD", "logs/HEAD", "packed-refs"].into_iter().chain(branch.as_deref()) {
        // A path that does not exist would let every build run this again.
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

/// A target folder of the module's own, because this build holds the lock of the other: `module` beside the folder of
/// the profile, where `OUT_DIR` is `<profile>/build/<package>/out`.
fn target_dir(out_dir: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let build = out_dir.ancestors().find(|folder| folder.ends_with("build"));
    let target = build.and_then(Path::parent).and_then(Path::parent);
    Ok(target.ok_or("OUT_DIR is not inside a target folder")?.join("module"))
}

fn build(target_dir: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let libraries = PathBuf::from(ask_rustc(&["--print", "target-libdir", "--target", TARGET])?);
    if !libraries.is_dir() {
        return Err(format!(
            "the module needs the Wasm target of the compiler; install it: rustup target add {TARGET}"
        )
        .into());
    }
    let mut cargo = Command::new(variable("CARGO")?);
    for (name, _) in env::vars_os().filter(|(name, _)| is_of_the_outer_build(name)) {
        cargo.env_remove(name);
    }
    cargo.env("CARGO_ENCODED_RUSTFLAGS", rustflags()?.join("\x1f"));
    cargo.args(["build", "--locked", "--package", "sqledge-ha-policy", "--features", "guest", "--lib"]);
    cargo.args(["--target", TARGET, "--profile", PROFILE, "--target-dir"]).arg(target_dir);
    let status = cargo.status()?;
    if !status.success() {
        return Err(format!("the module could not be built ({status})").into());
    }
    Ok(target_dir.join(TARGET).join(PROFILE).join("sqledge_ha_policy.wasm"))
}

/// Whether a variable describes the build that this script is part of, and would change the module. What says where
/// cargo finds packages, how it reaches them, and how many jobs it may run, holds for both.
fn is_of_the_outer_build(name: &OsString) -> bool {
    const SHARED: [&str; 8] = [
        "CARGO_HOME",
        "CARGO_HTTP_",
        "CARGO_MAKEFLAGS",
        "CARGO_NET_",
        "CARGO_REGISTR",
        "CARGO_SOURCE_",
        "CARGO_TERM_",
        "CARGO_UNSTABLE_",
    ];
    const COMPILER: [&str; 7] =
        ["CLIPPY_ARGS", "OUT_DIR", "RUSTC_WORKSPACE_WRAPPER", "RUSTC_WRAPPER", "RUSTDOCFLAGS", "RUSTFLAGS", "TARGET"];
    let name = name.to_string_lossy();
    let of_cargo = name.starts_with("CARGO") && !SHARED.iter().any(|shared| name.starts_with(shared));
    of_cargo || COMPILER.contains(&&*name)
}

/// Flags that take the paths of this machine out of the module's panic messages. They stand before, and so replace,
/// any flags of a configuration file.
fn rustflags() -> Result<Vec<String>, Box<dyn Error>> {
    let version = ask_rustc(&["--version", "--verbose"])?;
    let commit = version.lines().find_map(|line| line.strip_prefix("commit-hash: ")).unwrap_or("unknown");
    let standard_library = Path::new(&ask_rustc(&["--print", "sysroot"])?).join("lib/rustlib/src/rust");
    let cargo_home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let cargo_home = cargo_home.or_else(|| Some(env::home_dir()?.join(".cargo"))).ok_or("there is no home folder")?;
    let remap = |from: &Path, to: &str| format!("--remap-path-prefix={}={to}", from.display());
    Ok(vec![
        // Of several that match, the last counts: the home of cargo may be inside the workspace, not the reverse.
        remap(Path::new(&variable("CARGO_MANIFEST_DIR")?), "."),
        remap(&cargo_home.join("registry/src"), "registry"),
        remap(&standard_library, &format!("/rustc/{commit}")),
    ])
}

fn ask_rustc(arguments: &[&str]) -> Result<String, Box<dyn Error>> {
    let output = Command::new(variable("RUSTC")?).args(arguments).output()?;
    Ok(String::from_utf8(output.stdout)?.trim_end().to_owned())
}

fn variable(name: &str) -> Result<OsString, Box<dyn Error>> {
    env::var_os(name).ok_or_else(|| format!("cargo did not set {name}").into())
}
