//! The packages of a release: their files, and that they can be installed where there is no compiler.

mod clean;
mod download;
mod krew;
mod npm;
mod python;
mod server;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use serde_json::Value;
use tempfile::TempDir;

use crate::shared::{root, sha256, text_of};

const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The targets, with the names of their packages.
const TARGETS: [(&str, &str, &str); 5] = [
    ("x86_64-unknown-linux-musl", "manylinux2014_x86_64.manylinux_2_17_x86_64.musllinux_1_1_x86_64", "linux-x64"),
    ("aarch64-unknown-linux-musl", "manylinux2014_aarch64.manylinux_2_17_aarch64.musllinux_1_1_aarch64", "linux-arm64"),
    ("x86_64-apple-darwin", "macosx_11_0_x86_64", "darwin-x64"),
    ("aarch64-apple-darwin", "macosx_11_0_arm64", "darwin-arm64"),
    ("x86_64-pc-windows-gnu", "win_amd64", "win32-x64"),
];

/// Fails if the command fails. Returns its output.
fn must(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{command:?}\n{}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

/// Packs programs into a folder.
fn pack(folder: &Path, program: &Path, umask: &str) {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("umask {umask}; exec sh \"$@\""), "sh"]);
    command.arg(root().join("artifacthub/release/packages.sh")).arg(folder).env("SOURCE_DATE_EPOCH", "1700000000");
    must(command.args(TARGETS.map(|(target, ..)| format!("{target}={}", program.display()))));
}

/// Packages with a script in place of the program.
fn packages() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    pack(folder.path(), &root().join("e2e/packages/stand-in.sh"), "022");
    folder
}

/// Packages with the program that only lints and fixes.
fn packages_with_the_program() -> TempDir {
    let program = root().join("target/package-programs/x86_64-unknown-linux-musl/release/sqledge-ha");
    assert!(program.is_file(), "{} does not exist: run \"make test-packages\"", program.display());
    let folder = tempfile::tempdir().unwrap();
    pack(folder.path(), &program, "022");
    folder
}

/// A directory that `make test-packages` installs.
fn registries() -> PathBuf {
    let folder = root().join("target/tools/registries");
    assert!(folder.is_dir(), "{} does not exist: run \"make test-packages\"", folder.display());
    folder
}

/// Prints a time to standard error directly, because the test harness captures `eprintln!`.
fn print_time(way: &str, start: Instant) {
    let _ = writeln!(std::io::stderr(), "{way}: {:.1?} to the first finding", start.elapsed());
}

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(&path).unwrap())).collect()
}

/// The file of a tar archive.
fn from_tar(archive: &Path, file: &str) -> String {
    must(Command::new("tar").args(["--extract", "--to-stdout", "--file"]).arg(archive).arg(file))
}

#[test]
#[ignore = "needs Python: `make test-packages` runs it"]
fn packages_are_reproducible_and_complete() {
    let [one, other] = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let program = root().join("e2e/packages/stand-in.sh");
    pack(one.path(), &program, "022");
    pack(other.path(), &program, "077");
    let one = files(one.path());
    let sums = |files: &BTreeMap<String, Vec<u8>>| -> Vec<_> {
        files.iter().map(|(name, bytes)| format!("{} {name}", sha256(bytes))).collect()
    };
    assert_eq!(sums(&one), sums(&files(other.path())));
    let mut names =
        vec![format!("sqledge-ha-{VERSION}.tgz"), "sqledge-ha.rb".to_owned(), format!("sqledge_ha-{VERSION}.tar.gz")];
    for (target, tags, node) in TARGETS {
        names.push(format!("sqledge-ha-lint-{VERSION}-{target}.tar.gz"));
        names.push(format!("sqledge_ha-{VERSION}-py3-none-{tags}.whl"));
        names.push(format!("sqledge-ha-{node}-{VERSION}.tgz"));
    }
    names.sort();
    assert_eq!(one.keys().cloned().collect::<Vec<_>>(), names);
}

#[test]
#[ignore = "needs Python: `make test-packages` runs it"]
fn wheels_have_valid_metadata_and_records() {
    let folder = packages();
    for (target, tags, _) in TARGETS {
        let wheel = folder.path().join(format!("sqledge_ha-{VERSION}-py3-none-{tags}.whl"));
        let unpacked = tempfile::tempdir().unwrap();
        let mut unpack = Command::new("python3");
        // Checks the digests in RECORD.
        unpack.args(["-m", "wheel", "unpack", "--dest"]).arg(unpacked.path()).arg(wheel);
        must(unpack.env("PYTHONPATH", root().join("target/tools/python")));
        let inside = unpacked.path().join(format!("sqledge_ha-{VERSION}"));
        let read = |file: &str| fs::read_to_string(inside.join(file)).unwrap();
        let suffix = if target.contains("windows") { ".exe" } else { "" };
        let program = read(&format!("sqledge_ha-{VERSION}.data/scripts/sqledge-ha{suffix}"));
        assert_eq!(program, text_of("e2e/packages/stand-in.sh"));
        let metadata = read(&format!("sqledge_ha-{VERSION}.dist-info/METADATA"));
        let (fields, description) = metadata.split_once("\n\n").unwrap();
        assert!(fields.lines().all(|line| line.contains(": ")), "{fields}");
        assert!(fields.contains(&format!("\nName: sqledge-ha\nVersion: {VERSION}\n")), "{fields}");
        assert!(description.starts_with("# sqledge-ha\n") && !metadata.contains('@'), "{metadata}");
        let tags: Vec<String> = tags.split('.').map(|tag| format!("Tag: py3-none-{tag}")).collect();
        let wheel = read(&format!("sqledge_ha-{VERSION}.dist-info/WHEEL"));
        let mut written: Vec<&str> = wheel.lines().filter(|line| line.starts_with("Tag: ")).collect();
        written.sort_unstable();
        assert_eq!(written, tags);
    }
}

#[test]
#[ignore = "needs Python: `make test-packages` runs it"]
fn npm_packages_belong_together() {
    let folder = packages();
    let manifest = |name: &str| -> Value {
        let archive = folder.path().join(format!("{name}-{VERSION}.tgz"));
        serde_json::from_str(&from_tar(&archive, "package/package.json")).unwrap()
    };
    let main = manifest("sqledge-ha");
    let platforms = main["optionalDependencies"].as_object().unwrap();
    assert_eq!(platforms.len(), TARGETS.len());
    for (_, _, node) in TARGETS {
        let package = manifest(&format!("sqledge-ha-{node}"));
        let (system, processor) = node.split_once('-').unwrap();
        assert_eq!(package["name"], format!("@sqledge-ha/{node}"));
        assert_eq!((&package["os"][0], &package["cpu"][0]), (&system.into(), &processor.into()));
        assert_eq!(
            (&package["version"], &platforms[&format!("@sqledge-ha/{node}")]),
            (&main["version"], &main["version"])
        );
    }
    assert!(main.get("scripts").is_none(), "nothing runs at installation");
    assert_eq!(main["bin"]["sqledge-ha"], "launcher.js");
}

#[test]
#[ignore = "needs Python: `make test-packages` runs it"]
fn formula_has_the_addresses_and_checksums_of_the_archives() {
    let folder = packages();
    let formula = fs::read_to_string(folder.path().join("sqledge-ha.rb")).unwrap();
    for (target, ..) in TARGETS.iter().filter(|(target, ..)| !target.contains("windows")) {
        let archive = format!("sqledge-ha-lint-{VERSION}-{target}.tar.gz");
        let sum = sha256(&fs::read(folder.path().join(&archive)).unwrap());
        let address = format!("https://github.com/sqledge-ha/sqledge-ha/releases/download/v{VERSION}/{archive}");
        assert!(formula.contains(&format!("url \"{address}\"\n      sha256 \"{sum}\"\n")), "{formula}");
    }
    assert!(!formula.contains('@'), "{formula}");
}

#[test]
#[ignore = "slow: `make test-packages` runs it"]
fn formula_is_valid_ruby() {
    let folder = packages();
    let check = "import { loadPrism } from '@ruby/prism'; import { readFileSync } from 'node:fs'; \
        const { errors, value } = (await loadPrism())(readFileSync(process.argv[1], 'utf8')); \
        if (errors.length || value.statements.body[0].constructor.name !== 'ClassNode') { console.error(errors); process.exit(1); }";
    let mut node = Command::new("node");
    node.args(["--no-warnings", "--input-type=module", "--eval", check]).current_dir(registries());
    let formula = folder.path().join("sqledge-ha.rb");
    must(node.arg(&formula));
    fs::write(&formula, fs::read_to_string(&formula).unwrap().replacen(" do\n", "\n", 1)).unwrap();
    assert!(!node.output().unwrap().status.success(), "a wrong formula is not found");
}

#[test]
#[ignore = "needs Python: `make test-packages` runs it"]
fn binstall_names_the_archives_of_a_release() {
    let manifest = text_of("Cargo.toml");
    let field = |name: &str| {
        let line = manifest.lines().find_map(|line| line.strip_prefix(&format!("{name} = \""))).unwrap();
        let mut value = line.trim_end_matches('"').to_owned();
        let target = TARGETS[0].0;
        for (name, text) in [
            ("repo", env!("CARGO_PKG_REPOSITORY")),
            ("name", "sqledge-ha"),
            ("version", VERSION),
            ("target", target),
            ("archive-suffix", ".tar.gz"),
            ("bin", "sqledge-ha"),
            ("binary-ext", ""),
        ] {
            value = value.replace(&format!("{{ {name} }}"), text);
        }
        value
    };
    let name = format!("sqledge-ha-{VERSION}-{}", TARGETS[0].0);
    let release = format!("https://github.com/sqledge-ha/sqledge-ha/releases/download/v{VERSION}");
    assert_eq!(field("pkg-url"), format!("{release}/{name}.tar.gz"));
    assert_eq!(field("bin-dir"), format!("{name}/sqledge-ha"));
    // The same names in collect.sh.
    let script = text_of("artifacthub/release/collect.sh");
    assert!(script.contains("name=\"sqledge-ha-$version-$target\"") && script.contains("\"$dist/$name.tar.gz\""));
}
