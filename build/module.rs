//! Builds the Kubewarden module from `policy/`, annotates it, and writes it to `OUT_DIR`, where the library embeds it.

use std::env;
use std::error::Error;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{prebuilt, variable};

#[path = "../src/wasm_host/metadata.rs"]
#[allow(unreachable_pub, reason = "the library shares this file and exports it")]
mod metadata;

const TARGET: &str = "wasm32-unknown-unknown";
const PROFILE: &str = "module";

/// The inputs of the module's build.
const SOURCES: [&str; 8] = [
    "build",
    "src/wasm_host/metadata.rs",
    "policy/src",
    "policy/Cargo.toml",
    "policy/metadata.yml",
    "policy/USAGE.md",
    "Cargo.toml",
    "Cargo.lock",
];

pub(crate) fn embed() -> Result<(), Box<dyn Error>> {
    for source in SOURCES {
        println!("cargo::rerun-if-changed={source}");
    }
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
    // The compiler of a prebuilt module is not known.
    let compiler = if prebuilt().is_none() { Some(ask_rustc(&["--version"])?) } else { None };
    let compiler = compiler.iter().map(|compiler| (metadata::COMPILER, compiler.as_str()));
    let more: Vec<(&str, &str)> = [(metadata::USAGE, usage.as_str())].into_iter().chain(compiler).collect();
    let annotated = metadata::annotate(&wasm, &description, &more);
    let annotated = annotated.map_err(|error| format!("{}: {error}", module.display()))?;
    metadata::read(&annotated)?;
    Ok(fs::write(out_dir.join("sqledge-ha.wasm"), annotated)?)
}

/// The module's own target directory, because this build holds the lock of the current one: `module` beside the
/// directory of the profile. `OUT_DIR` is `<profile>/build/<package>/out`.
fn target_dir(out_dir: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let build = out_dir.ancestors().find(|directory| directory.ends_with("build"));
    let target = build.and_then(Path::parent).and_then(Path::parent);
    Ok(target.ok_or("OUT_DIR is not inside a target directory")?.join("module"))
}

fn build(target_dir: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let libraries = PathBuf::from(ask_rustc(&["--print", "target-libdir", "--target", TARGET])?);
    if !libraries.is_dir() {
        return Err(
            format!("building the module needs the Wasm target of the compiler: rustup target add {TARGET}").into()
        );
    }
    let mut cargo = Command::new(variable("CARGO")?);
    for (name, _) in env::vars_os().filter(|(name, _)| is_for_outer_build(name)) {
        cargo.env_remove(name);
    }
    cargo.env("CARGO_ENCODED_RUSTFLAGS", rustflags()?.join("\x1f"));
    // Without the library of Rust beside it, the module is a twentieth smaller.
    cargo.args(["rustc", "--locked", "--package", "sqledge-ha-policy", "--features", "guest", "--lib"]);
    cargo.args(["--crate-type", "cdylib"]);
    cargo.args(["--target", TARGET, "--profile", PROFILE, "--target-dir"]).arg(target_dir);
    let status = cargo.status()?;
    if !status.success() {
        return Err(format!("building the module failed ({status})").into());
    }
    Ok(target_dir.join(TARGET).join(PROFILE).join("sqledge_ha_policy.wasm"))
}

/// Whether a variable configures the current build only and would change the module. Variables that say where cargo
/// finds packages, how it reaches them, and how many jobs it may run apply to both builds.
fn is_for_outer_build(name: &OsString) -> bool {
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

/// How much is inlined: less than usual, which keeps the module below 400 KiB.
const INLINING: &str = "-Cllvm-args=-inline-threshold=35";

/// No unrolled loops: they would be a fiftieth of the module, and make it no faster.
const UNROLLING: &str = "-Cllvm-args=-unroll-threshold=0";

/// The memory of a new instance in bytes: stack, static data and about 200 KiB of heap, so that few requests need more.
/// To give an instance more memory, its host has to call the kernel.
const MEMORY: &str = "-Clink-arg=--initial-memory=1310720";

/// No names of functions. In a profile, an entry for a package resets it.
const STRIP: &str = "-Cstrip=symbols";

/// Flags that remove the paths of this machine from the module's panic messages, and that make the module smaller and
/// faster. They replace the flags of any configuration file.
fn rustflags() -> Result<Vec<String>, Box<dyn Error>> {
    let version = ask_rustc(&["--version", "--verbose"])?;
    let commit = version.lines().find_map(|line| line.strip_prefix("commit-hash: ")).unwrap_or("unknown");
    let standard_library = Path::new(&ask_rustc(&["--print", "sysroot"])?).join("lib/rustlib/src/rust");
    let cargo_home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let cargo_home =
        cargo_home.or_else(|| Some(env::home_dir()?.join(".cargo"))).ok_or("there is no home directory")?;
    let remap = |from: &Path, to: &str| format!("--remap-path-prefix={}={to}", from.display());
    Ok(vec![
        // The last match wins: cargo's home can be inside the workspace.
        remap(Path::new(&variable("CARGO_MANIFEST_DIR")?), "."),
        remap(&cargo_home.join("registry/src"), "registry"),
        remap(&standard_library, &format!("/rustc/{commit}")),
        INLINING.to_owned(),
        UNROLLING.to_owned(),
        MEMORY.to_owned(),
        STRIP.to_owned(),
    ])
}

fn ask_rustc(arguments: &[&str]) -> Result<String, Box<dyn Error>> {
    let output = Command::new(variable("RUSTC")?).args(arguments).output()?;
    Ok(String::from_utf8(output.stdout)?.trim_end().to_owned())
}
