//! A small release: collected, signed with a key, pushed to a registry, and verified with the commands in the
//! documentation.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use sqledge_ha::wasm_host::EMBEDDED;

use crate::registry::Registry;
use crate::shared::{root, sha256, text_of};
use crate::tools::tool;

/// The result of a script or a tool.
struct Ran {
    is_success: bool,
    output: String,
    stderr: String,
}

fn run(command: &mut Command) -> Ran {
    let ran = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ran { is_success: ran.status.success(), output: text(ran.stdout), stderr: text(ran.stderr) }
}

fn must(command: &mut Command) -> String {
    let ran = run(command);
    assert!(ran.is_success, "{command:?}\n{}{}", ran.output, ran.stderr);
    ran.output
}

fn script(name: &str) -> Command {
    let mut command = Command::new("sh");
    command.arg(root().join("artifacthub/release").join(name));
    command
}

/// Collects a release with the tested program. Uncommitted changes are allowed.
fn collect(folder: &Path) -> Command {
    let program = format!("x86_64-unknown-linux-gnu={}", env!("CARGO_BIN_EXE_sqledge-ha"));
    let mut command = script("collect.sh");
    command.arg(folder).arg(program).env("ALLOW_DIRTY", "yes");
    let stand_in = root().join("e2e/packages/stand-in.sh");
    command.arg("--lint-only").arg(format!("x86_64-unknown-linux-musl={}", stand_in.display()));
    command
}

/// A directory with a release.
struct Release {
    folder: tempfile::TempDir,
}

impl Release {
    fn new() -> Self {
        let release = Release { folder: tempfile::tempdir().unwrap() };
        must(&mut collect(&release.dist()));
        must(release.with_key(Command::new(tool("cosign")).arg("generate-key-pair")));
        must(release.with_key(script("sign.sh").arg(release.dist())));
        release
    }

    fn dist(&self) -> PathBuf {
        self.folder.path().join("dist")
    }

    fn read(&self, file: &str) -> Vec<u8> {
        fs::read(self.dist().join(file)).unwrap()
    }

    fn json(&self, file: &str) -> Value {
        serde_json::from_slice(&self.read(file)).unwrap()
    }

    /// Runs a command with a signing key, outside of the repository.
    fn with_key<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        let key = self.folder.path().join("cosign.key");
        command.current_dir(self.folder.path()).env("COSIGN_PASSWORD", "").env("COSIGN_KEY", key)
    }

    /// Publishes the release. Returns the digest references of policy, image and chart.
    fn publish(&self, registry: &Registry) -> Vec<String> {
        let image = self.folder.path().join("image");
        let program = format!("amd64={}", root().join("e2e/demo.sh").display());
        must(Command::new("sh").arg(root().join("e2e/image/layout.sh")).arg(&image).arg(program));
        let mut command = script("publish.sh");
        command.arg(self.dist()).arg(image).arg(env!("CARGO_BIN_EXE_sqledge-ha")).arg(registry.reference("owner"));
        let published = must(self.with_key(command.env("PLAIN_HTTP", "yes")));
        published.lines().map(str::to_owned).collect()
    }

    /// Runs the documented commands to verify a release, with the key instead of the workflow's identity, and with the
    /// local references.
    fn verify(&self, published: &[String]) -> Ran {
        let here = |line: String| {
            if line.starts_with("IDENTITY=") {
                return "IDENTITY='--key cosign.pub --insecure-ignore-tlog=true'".to_owned();
            }
            PUBLISHED.iter().zip(published).fold(line, |line, (name, reference)| {
                let there = format!("ghcr.io/sqledge-ha/{name}@sha256:…");
                line.replace(&there, &format!("--allow-http-registry {reference}"))
            })
        };
        let lines: Vec<String> = verification().into_iter().map(here).collect();
        let path = format!("{}:{}", tool("cosign").parent().unwrap().display(), env::var("PATH").unwrap());
        run(Command::new("sh").args(["-ec", &lines.join("\n")]).current_dir(self.dist()).env("PATH", path))
    }
}

/// The published artifacts, in the order of the script.
const PUBLISHED: [&str; 3] = ["policies/sqledge-ha", "sqledge-ha", "charts/sqledge-ha"];

/// The documented commands to verify a release.
fn verification() -> Vec<String> {
    let page = text_of("docs/verify-a-release.md");
    let section = page.split_once("## Who built it").unwrap().1;
    let block = section.split("```").find(|block| block.starts_with("console\n")).unwrap();
    let mut lines: Vec<String> = Vec::new();
    for line in block.lines().skip(1) {
        match (line.strip_prefix("$ "), line.strip_prefix("> ")) {
            (Some(command), _) => lines.push(command.to_owned()),
            (None, Some(more)) => {
                let last = lines.last_mut().unwrap();
                *last = format!("{}{}", last.trim_end_matches('\\'), more.trim_start());
            }
            (None, None) => panic!("not a command: {line}"),
        }
    }
    lines
}

#[test]
fn all_files_have_the_same_version() {
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(must(script("check.sh").arg(format!("v{version}"))).trim_end(), version);
    let other = run(script("check.sh").arg("v9.9.9"));
    assert!(!other.is_success);
    assert_eq!(other.stderr, format!("the tag is v9.9.9, but Cargo.toml has version {version}\n"));
}

#[test]
#[ignore = "slow: `make test-long` runs it"]
fn a_release_is_complete_and_reproducible_and_has_its_provenance() {
    let release = Release::new();
    assert_eq!(release.read("policy.wasm"), EMBEDDED);
    let sums = String::from_utf8(release.read("SHA256SUMS")).unwrap();
    let version = env!("CARGO_PKG_VERSION");
    let names: Vec<String> =
        sums.lines().map(|line| line.split_once("  ").unwrap().1.replace(version, "VERSION")).collect();
    let expected = [
        "kubectl-sqledge_ha.yaml",
        "policy.cdx.json",
        "policy.wasm",
        "sqledge-ha-VERSION-x86_64-unknown-linux-gnu.tar.gz",
        "sqledge-ha-VERSION.tgz",
        "sqledge-ha-lint-VERSION-x86_64-unknown-linux-musl.tar.gz",
        "sqledge-ha-lint.cdx.json",
        "sqledge-ha-linux-x64-VERSION.tgz",
        "sqledge-ha-playground.html",
        "sqledge-ha.cdx.json",
        "sqledge-ha.rb",
        "sqledge_ha-VERSION-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.musllinux_1_1_x86_64.whl",
        "sqledge_ha-VERSION.tar.gz",
    ];
    assert_eq!(names, expected);
    for line in sums.lines() {
        let (sum, name) = line.split_once("  ").unwrap();
        assert_eq!(sum, sha256(&release.read(name)), "{name}");
    }

    let statement = release.json("provenance.json");
    assert_eq!(statement["predicateType"], "https://slsa.dev/provenance/v1");
    let subjects = statement["subject"].as_array().unwrap();
    let subjects: Vec<String> = subjects
        .iter()
        .map(|subject| {
            format!("{}  {}\n", subject["digest"]["sha256"].as_str().unwrap(), subject["name"].as_str().unwrap())
        })
        .collect();
    assert_eq!(subjects.concat(), sums);

    for (file, contains, contains_not) in [
        ("policy.cdx.json", "wapc-guest", "wasmtime"),
        ("sqledge-ha.cdx.json", "wasmtime", "insta"),
        ("sqledge-ha-lint.cdx.json", "clap", "wasmtime"),
    ] {
        let bill = release.json(file);
        assert_eq!(bill["bomFormat"], "CycloneDX", "{file}");
        let components = bill["components"].as_array().unwrap();
        let has = |name: &str| components.iter().any(|component| component["name"] == name);
        assert!(has(contains) && has("serde_json") && !has(contains_not), "{file}");
        let text = String::from_utf8(release.read(file)).unwrap();
        assert!(!text.contains(root().to_str().unwrap()), "{file} contains a path of this machine");
    }

    let again = tempfile::tempdir().unwrap();
    // An existing release is replaced.
    for _ in 0..2 {
        must(&mut collect(&again.path().join("dist")));
        assert_eq!(fs::read_to_string(again.path().join("dist/SHA256SUMS")).unwrap(), sums);
        fs::write(again.path().join("dist/stale.tar.gz"), "").unwrap();
    }
}

#[test]
fn a_directory_that_is_not_a_release_is_not_replaced() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("somebody's"), "").unwrap();
    let ran = run(&mut collect(folder.path()));
    assert!(!ran.is_success && folder.path().join("somebody's").exists());
    assert_eq!(ran.stderr, format!("{} exists and is not a release\n", folder.path().display()));
}

#[test]
#[ignore = "slow: `make test-long` runs it"]
fn the_documented_commands_verify_a_release_and_detect_changes() {
    let release = Release::new();
    let registry = Registry::plain();
    let published = release.publish(&registry);
    assert_eq!(published.len(), PUBLISHED.len());
    for (reference, name) in published.iter().zip(PUBLISHED) {
        assert!(reference.starts_with(&registry.reference(&format!("owner/{name}@sha256:"))), "{published:#?}");
        let verified = verification().iter().any(|line| line.contains(&format!("ghcr.io/sqledge-ha/{name}@sha256:…")));
        assert!(verified, "the documentation has no command to verify {name}");
    }
    let ran = release.verify(&published);
    assert!(ran.is_success, "{}{}", ran.output, ran.stderr);

    let mut manifest = Command::new(tool("crane"));
    manifest.args(["manifest", "--insecure", &registry.reference("owner/charts/sqledge-ha:artifacthub.io")]);
    let manifest: Value = serde_json::from_str(&must(&mut manifest)).unwrap();
    let layer = "application/vnd.cncf.artifacthub.repository-metadata.layer.v1.yaml";
    assert_eq!(manifest["layers"][0]["mediaType"], layer);

    let mut inspect = Command::new(env!("CARGO_BIN_EXE_sqledge-ha"));
    let inspected = must(inspect.args(["policy", "inspect", "--plain-http", &published[0]]));
    assert!(inspected.contains("signatures   present"), "{inspected}");
    let statement = release.json("provenance.json");
    let sources = &statement["predicate"]["buildDefinition"]["resolvedDependencies"][0];
    assert!(inspected.contains(sources["digest"]["gitCommit"].as_str().unwrap()), "{inspected}");

    for file in ["policy.wasm", "SHA256SUMS", "policy.cdx.json"] {
        let path = release.dist().join(file);
        let right = fs::read(&path).unwrap();
        fs::write(&path, [right.as_slice(), b"\n"].concat()).unwrap();
        let ran = release.verify(&published);
        assert!(!ran.is_success, "the change of {file} was not detected: {}", ran.output);
        fs::write(&path, right).unwrap();
    }
    assert!(release.verify(&published).is_success);
}
