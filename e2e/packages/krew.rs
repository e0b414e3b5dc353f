//! The plugin of kubectl for Krew: its manifest, and an installation.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{VERSION, must};
use crate::shared::{objects, root, sha256, text_of};
use crate::tools::tool;

const TARGETS: [(&str, &str); 2] = [("x86_64-unknown-linux-musl", "amd64"), ("aarch64-unknown-linux-musl", "arm64")];

fn archive(target: &str) -> String {
    format!("sqledge-ha-{VERSION}-{target}.tar.gz")
}

/// A release of a program: its archives and the manifest.
fn release(program: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (target, _) in TARGETS {
        let name = format!("sqledge-ha-{VERSION}-{target}");
        let work = tempfile::tempdir().unwrap();
        fs::create_dir(work.path().join(&name)).unwrap();
        symlink(root().join(program), work.path().join(&name).join("sqledge-ha")).unwrap();
        fs::copy(root().join("LICENSE"), work.path().join(&name).join("LICENSE")).unwrap();
        let mut tar = Command::new("tar");
        tar.arg("-C").arg(work.path()).args(["--dereference", "-czf"]).arg(folder.path().join(archive(target)));
        must(tar.arg(&name));
    }
    must(&mut krew_script(folder.path(), &TARGETS.map(|(target, _)| target)));
    folder
}

fn krew_script(folder: &Path, targets: &[&str]) -> Command {
    let mut command = Command::new("sh");
    command.arg(root().join("artifacthub/release/krew.sh")).arg(folder).args(targets);
    command
}

fn manifest(folder: &Path) -> PathBuf {
    folder.join("kubectl-sqledge_ha.yaml")
}

/// The fields of an object, sorted.
fn fields(object: &Value) -> Vec<&str> {
    let mut fields: Vec<&str> = object.as_object().unwrap().keys().map(String::as_str).collect();
    fields.sort_unstable();
    fields
}

/// <https://krew.sigs.k8s.io/docs/developer-guide/plugin-manifest/>
#[test]
fn manifest_has_the_documented_fields_and_the_checksums_of_the_archives() {
    let folder = release("e2e/packages/stand-in.sh");
    let text = fs::read_to_string(manifest(folder.path())).unwrap();
    assert!(!text.contains('@'), "{text}");
    let plugin = objects(&text).remove(0);
    assert_eq!(plugin["apiVersion"], "krew.googlecontainertools.github.com/v1alpha2");
    assert_eq!((&plugin["kind"], &plugin["metadata"]), (&json!("Plugin"), &json!({"name": "sqledge-ha"})));
    let spec = &plugin["spec"];
    let known = ["caveats", "description", "homepage", "platforms", "shortDescription", "version"];
    assert_eq!(fields(spec), known);
    assert_eq!(spec["version"], format!("v{VERSION}"));
    let short = spec["shortDescription"].as_str().unwrap();
    assert!(short.len() <= 50 && !short.ends_with('.'), "{short}");
    let platforms = spec["platforms"].as_array().unwrap();
    assert_eq!(platforms.len(), TARGETS.len());
    for (platform, (target, processor)) in platforms.iter().zip(TARGETS) {
        assert_eq!(fields(platform), ["bin", "files", "selector", "sha256", "uri"]);
        assert_eq!(platform["selector"], json!({"matchLabels": {"os": "linux", "arch": processor}}));
        let releases = "https://github.com/sqledge-ha/sqledge-ha/releases/download";
        assert_eq!(platform["uri"], format!("{releases}/v{VERSION}/{}", archive(target)));
        assert_eq!(platform["sha256"], sha256(&fs::read(folder.path().join(archive(target))).unwrap()));
        let from: BTreeMap<&str, &str> = platform["files"]
            .as_array()
            .unwrap()
            .iter()
            .map(|file| {
                assert_eq!(fields(file), ["from", "to"]);
                (file["from"].as_str().unwrap(), file["to"].as_str().unwrap())
            })
            .collect();
        let inside = must(Command::new("tar").arg("-tzf").arg(folder.path().join(archive(target))));
        assert!(from.iter().all(|(from, to)| inside.lines().any(|name| name == *from) && *to == "."), "{inside}");
        assert!(from.keys().any(|from| from.ends_with(&format!("/{}", platform["bin"].as_str().unwrap()))));
    }
}

#[test]
fn there_is_no_plugin_for_other_platforms() {
    let folder = release("e2e/packages/stand-in.sh");
    let output = krew_script(folder.path(), &["x86_64-pc-windows-gnu"]).output().unwrap();
    assert!(!output.status.success());
    assert_eq!(String::from_utf8_lossy(&output.stderr), "no plugin for x86_64-pc-windows-gnu\n");
}

#[test]
#[ignore = "needs Krew: `make test-packages` runs it"]
fn krew_installs_a_plugin_that_kubectl_finds() {
    let folder = release(env!("CARGO_BIN_EXE_sqledge-ha"));
    let home = tempfile::tempdir().unwrap();
    let (target, _) = TARGETS[usize::from(cfg!(target_arch = "aarch64"))];
    let install = |home: &Path, archive: &Path| {
        let mut krew = Command::new(tool("krew"));
        krew.arg("install").arg("--manifest").arg(manifest(folder.path())).arg("--archive").arg(archive);
        krew.env("KREW_ROOT", home).env("HOME", home).env("KREW_NO_UPGRADE_CHECK", "1").stdin(Stdio::null());
        krew
    };
    must(&mut install(home.path(), &folder.path().join(archive(target))));
    let mut kubectl = Command::new(tool("e2e-cluster"));
    kubectl.env("PATH", format!("{}:{}", home.path().join("bin").display(), env::var("PATH").unwrap()));
    let help = must(kubectl.args(["kubectl", "sqledge-ha", "audit", "--help"]));
    assert!(help.contains("Usage: kubectl sqledge-ha audit"), "{help}");
    let (other, new_home) = (folder.path().join("other.tar.gz"), tempfile::tempdir().unwrap());
    fs::write(&other, text_of("LICENSE")).unwrap();
    let output = install(new_home.path(), &other).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && errors.contains("checksum"), "{errors}");
}
