//! A release, on a small scale: put together, signed with a key, published in a registry, and verified by the commands of
//! the README.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use sha2::{Digest, Sha256};
use sqledge_ha::module::EMBEDDED;

use crate::registry::Registry;

/// What a script or a tool said, and whether it was content.
struct Ran {
    is_content: bool,
    output: String,
    said: String,
}

fn run(command: &mut Command) -> Ran {
    let ran = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ran { is_content: ran.status.success(), output: text(ran.stdout), said: text(ran.stderr) }
}

fn must(command: &mut Command) -> String {
    let ran = run(command);
    assert!(ran.is_content, "{command:?}\n{}{}", ran.output, ran.said);
    ran.output
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn script(name: &str) -> Command {
    let mut command = Command::new("sh");
    command.arg(root().join("artifacthub/release").join(name));
    command
}

fn cosign() -> PathBuf {
    root().join("target/tools/bin/cosign")
}

/// A folder with a release in it, whose only program is the one that is tested.
struct Release {
    folder: tempfile::TempDir,
}

impl Release {
    fn new() -> Self {
        let release = Release { folder: tempfile::tempdir().unwrap() };
        let program = format!("this-machine={}", env!("CARGO_BIN_EXE_sqledge-ha"));
        must(script("collect.sh").arg(release.dist()).arg(program));
        must(release.with_key(Command::new(cosign()).arg("generate-key-pair")));
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

    /// A command with a key to sign, in a folder where nothing of ours is.
    fn with_key<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        let key = self.folder.path().join("cosign.key");
        command.current_dir(self.folder.path()).env("COSIGN_PASSWORD", "").env("COSIGN_KEY", key)
    }

    /// Publishes it; gives the immutable references: of the policy, the image and the chart.
    fn publish(&self, registry: &Registry) -> Vec<String> {
        let image = self.folder.path().join("image");
        let program = format!("amd64={}", root().join("e2e/demo.sh").display());
        must(Command::new("sh").arg(root().join("e2e/image/layout.sh")).arg(&image).arg(program));
        let mut command = script("publish.sh");
        command.arg(self.dist()).arg(image).arg(env!("CARGO_BIN_EXE_sqledge-ha")).arg(registry.place("owner"));
        let published = must(self.with_key(command.env("PLAIN_HTTP", "yes")));
        published.lines().map(str::to_owned).collect()
    }

    /// Runs the README's commands that verify a release, with a key in place of the workflow's identity.
    fn verify(&self, reference: &str) -> Ran {
        let key = self.folder.path().join("cosign.pub");
        let identity = format!("IDENTITY='--key {} --insecure-ignore-tlog=true'", key.display());
        let lines: Vec<String> = verification()
            .into_iter()
            .map(|line| if line.starts_with("IDENTITY=") { identity.clone() } else { line })
            .map(|line| {
                line.replace(
                    "ghcr.io/sqledge-ha/policies/sqledge-ha@sha256:…",
                    &format!("--allow-http-registry {reference}"),
                )
            })
            .collect();
        let path = format!("{}:{}", cosign().parent().unwrap().display(), env::var("PATH").unwrap());
        run(Command::new("sh").args(["-ec", &lines.join("\n")]).current_dir(self.dist()).env("PATH", path))
    }
}

/// The README's commands that verify a release.
fn verification() -> Vec<String> {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let section = readme.split_once("### Who built it").unwrap().1;
    let block = section.split("```").find(|block| block.starts_with("console\n")).unwrap();
    let mut lines: Vec<String> = Vec::new();
    for line in block.lines().skip(1) {
        match (line.strip_prefix("$ "), line.strip_prefix("> ")) {
            (Some(command), _) => lines.push(command.to_owned()),
            (None, Some(more)) => {
                let last = lines.last_mut().unwrap();
                *last = format!("{}{}", last.trim_end_matches('\\'), more.trim_start());
            }
            (None, None) => panic!("neither a command nor the rest of one: {line}"),
        }
    }
    lines
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn everything_that_names_a_version_names_the_same_one() {
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(must(script("check.sh").arg(format!("v{version}"))).trim_end(), version);
    let other = run(script("check.sh").arg("v9.9.9"));
    assert!(!other.is_content);
    assert_eq!(other.said, format!("the tag is v9.9.9, and Cargo.toml has version {version}\n"));
}

#[test]
fn a_release_is_complete_says_where_it_comes_from_and_is_packed_the_same_every_time() {
    let release = Release::new();
    assert_eq!(release.read("policy.wasm"), EMBEDDED);
    let sums = String::from_utf8(release.read("SHA256SUMS")).unwrap();
    let program = format!("sqledge-ha-{}-this-machine.tar.gz", env!("CARGO_PKG_VERSION"));
    let names: Vec<&str> = sums.lines().map(|line| line.split_once("  ").unwrap().1).collect();
    assert_eq!(names, ["policy.cdx.json", "policy.wasm", program.as_str(), "sqledge-ha.cdx.json"]);
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

    for (file, contains, contains_not) in
        [("policy.cdx.json", "wapc-guest", "wasmtime"), ("sqledge-ha.cdx.json", "wasmtime", "insta")]
    {
        let bill = release.json(file);
        assert_eq!(bill["bomFormat"], "CycloneDX", "{file}");
        let components = bill["components"].as_array().unwrap();
        let has = |name: &str| components.iter().any(|component| component["name"] == name);
        assert!(has(contains) && has("serde_json") && !has(contains_not), "{file}");
        let text = String::from_utf8(release.read(file)).unwrap();
        assert!(!text.contains(root().to_str().unwrap()), "{file} names a folder of this machine");
    }

    let again = tempfile::tempdir().unwrap();
    let pair = format!("this-machine={}", env!("CARGO_BIN_EXE_sqledge-ha"));
    must(script("collect.sh").arg(again.path().join("dist")).arg(pair));
    assert_eq!(fs::read_to_string(again.path().join("dist/SHA256SUMS")).unwrap(), sums);
}

#[test]
fn a_release_is_verified_as_the_readme_says_and_what_was_changed_is_not() {
    let release = Release::new();
    let registry = Registry::plain();
    let published = release.publish(&registry);
    let of = |name: &str| registry.place(&format!("owner/{name}@sha256:"));
    let expected = [of("policies/sqledge-ha"), of("sqledge-ha"), of("charts/sqledge-ha")];
    assert!(published.iter().zip(&expected).all(|(one, start)| one.starts_with(start)), "{published:#?}");
    assert_eq!(published.len(), expected.len());
    let reference = &published[0];
    let ran = release.verify(reference);
    assert!(ran.is_content, "{}{}", ran.output, ran.said);
    let key = release.folder.path().join("cosign.pub");
    for other in &published[1..] {
        let mut verify = Command::new(cosign());
        verify.args(["verify", "--insecure-ignore-tlog=true", "--allow-http-registry", "--key"]).arg(&key).arg(other);
        must(&mut verify);
    }

    let mut manifest = Command::new(root().join("target/tools/bin/crane"));
    manifest.args(["manifest", "--insecure", &registry.place("owner/charts/sqledge-ha:artifacthub.io")]);
    let manifest: Value = serde_json::from_str(&must(&mut manifest)).unwrap();
    let layer = "application/vnd.cncf.artifacthub.repository-metadata.layer.v1.yaml";
    assert_eq!(manifest["layers"][0]["mediaType"], layer);

    let mut inspect = Command::new(env!("CARGO_BIN_EXE_sqledge-ha"));
    let inspected = must(inspect.args(["policy", "inspect", "--plain-http", reference]));
    assert!(inspected.contains("signatures   present"), "{inspected}");

    for file in ["policy.wasm", "SHA256SUMS", "policy.cdx.json"] {
        let path = release.dist().join(file);
        let right = fs::read(&path).unwrap();
        fs::write(&path, [right.as_slice(), b"\n"].concat()).unwrap();
        let ran = release.verify(reference);
        assert!(!ran.is_content, "{file} was changed and nobody saw: {}", ran.output);
        fs::write(&path, right).unwrap();
    }
    assert!(release.verify(reference).is_content);
}
