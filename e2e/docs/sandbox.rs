//! A directory in which the commands of a page run: a checkout, with some files that the pages name.
//!
//! `sqledge-ha`, `kubectl`, `helm`, `kustomize`, the API server and the registry are real. The scripts in `stand-ins`
//! adapt the first two to the tests, and replace what is out of reach.

use std::env;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::commands::Step;
use crate::kubernetes::Cluster;
use crate::registry::Registry;
use crate::serve::client::Authority;
use crate::shared::{root, text_of};
use crate::tools::{report_definitions, stand_in, tool};

/// Headings below which the webhook is already installed.
const INSTALLED: [&str; 5] = [
    "Adopt the objects of kubectl",
    "Credentials and certificate authorities",
    "Remove it",
    "Renew it now",
    "Revoke a CA",
];

pub(super) struct Sandbox {
    folder: TempDir,
    registry: Registry,
}

impl Sandbox {
    pub(super) fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let inside = |path: &str| folder.path().join(path);
        for directory in ["bin", "e2e", "k8s", "target"] {
            fs::create_dir(inside(directory)).unwrap();
        }
        // The programs, where `make build` would write the command, too.
        symlink(inside("bin"), inside("target/release")).unwrap();
        for name in ["sqledge-ha", "kubectl", "git", "make"] {
            stand_in(&inside("bin"), name, &text_of(&format!("e2e/docs/stand-ins/{name}.sh")));
        }
        for name in ["helm", "kustomize"] {
            symlink(tool(name), inside("bin").join(name)).unwrap();
        }
        for (path, link) in [
            ("artifacthub", "artifacthub"),
            ("e2e/charts/warehouse", "chart"),
            ("e2e/charts/warehouse", "other-chart"),
            ("e2e/kustomize/overlay", "overlay"),
        ] {
            symlink(root().join(path), inside(link)).unwrap();
        }
        copy(&root().join("e2e/examples"), &inside("e2e/examples"));
        fs::copy(inside("e2e/examples/two-replicas-rolling.yaml"), inside("k8s/sql.yaml")).unwrap();
        for (name, text) in [("settings.yaml", "engines: [sql-edge]\n"), ("values.yaml", "{}\n")] {
            fs::write(inside(name), text).unwrap();
        }
        Authority::new().write(folder.path());
        fs::copy(inside("tls.crt"), inside("ca.crt")).unwrap();
        Sandbox { folder, registry: Registry::plain() }
    }

    /// Runs commands in one shell and a new cluster, and checks their exit codes and outputs.
    pub(super) fn run(&self, heading: &str, steps: &[Step]) {
        let cluster = steps.iter().any(|step| needs_cluster(&step.command)).then(|| prepared_cluster(heading));
        let script = self.script(steps);
        let mut shell = Command::new("timeout");
        shell.args(["300", "bash", "-c", &script]).current_dir(self.folder.path()).env("HOME", self.folder.path());
        let programs = self.folder.path().join("bin").display().to_string();
        shell.env("PATH", format!("{programs}:{}", env::var("PATH").unwrap()));
        // For the stand-ins.
        shell
            .env("KUBECONFIG", cluster.as_ref().map_or("/nowhere", Cluster::kubeconfig))
            .env("CLUSTER", tool("e2e-cluster"));
        shell.env("REAL", env!("CARGO_BIN_EXE_sqledge-ha")).env("REPOSITORY", root());
        for name in ["XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR", "DOCKER_CONFIG"] {
            shell.env_remove(name);
        }
        assert!(shell.status().unwrap().success(), "{script}");
        for (number, step) in steps.iter().enumerate() {
            let read = |kind: &str| fs::read_to_string(self.folder.path().join(format!("{number}.{kind}"))).unwrap();
            let (code, output, errors) = (read("code"), read("out"), read("err"));
            let is_right = code == "0\n" || code == "1\n" && may_have_findings(&step.command);
            assert!(is_right, "{}: {}\n{output}{errors}[exit code {}]", step.at, step.command, code.trim());
            assert!(shows(&step.output, &output), "{}: {}\n{output}", step.at, step.command);
        }
    }

    /// A script that runs the commands, also after one that fails, and writes their outputs and exit codes to files.
    fn script(&self, steps: &[Step]) -> String {
        let folder = self.folder.path().display();
        let registry = self.registry.reference("");
        let commands = steps.iter().enumerate().map(|(number, step)| {
            let command = step.command.replace("registry.example.com", registry.trim_end_matches('/'));
            let file = format!("'{folder}/{number}'");
            format!("{{ {command}\n}} </dev/null >{file}.out 2>{file}.err; echo $? >{file}.code\n")
        });
        // Later sections use a variable of earlier ones.
        let start = "set -o pipefail\n[ ! -e variables ] || . ./variables\n";
        format!("{start}{}declare -p MODULE >'{folder}/variables' 2>/dev/null || :\n", commands.collect::<String>())
    }
}

/// The exit code 1 of these commands says that there are findings or changes.
fn may_have_findings(command: &str) -> bool {
    ["sqledge-ha lint", "sqledge-ha fix", "sqledge-ha audit"].iter().any(|words| command.contains(words))
}

fn needs_cluster(command: &str) -> bool {
    ["kubectl ", "helm install", "sqledge-ha serve", "sqledge-ha audit"].iter().any(|words| command.contains(words))
}

/// Whether a page shows this output. It shows nothing, or all of it with `…` for any text.
fn shows(shown: &str, output: &str) -> bool {
    let mut parts = shown.split('…');
    let start = parts.next().unwrap_or_default();
    let Some(mut rest) = output.strip_prefix(start).filter(|_| !shown.is_empty()) else { return shown.is_empty() };
    let mut is_whole = rest.is_empty();
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
        is_whole = rest.is_empty() || part.is_empty();
    }
    is_whole
}

/// A cluster with a database in the namespace `shop`, and with Kubewarden's kinds.
fn prepared_cluster(heading: &str) -> Cluster {
    let cluster = Cluster::api_only();
    for namespace in ["shop", "sqledge-ha", "kubewarden"] {
        cluster.must(&["create", "namespace", namespace], "");
    }
    cluster.must(&["create", "deployment", "sql", "-n", "shop", "--image=mcr.microsoft.com/azure-sql-edge:2.0.0"], "");
    cluster.must(&["create", "service", "loadbalancer", "sql", "-n", "shop", "--tcp=1433"], "");
    for kind in [
        ("ClusterAdmissionPolicy", "clusteradmissionpolicies", "Cluster"),
        ("AdmissionPolicy", "admissionpolicies", "Namespaced"),
    ] {
        let definition = definition(kind);
        cluster.must(&["create", "-f", "-"], &definition.to_string());
        let name = format!("crd/{}", definition["metadata"]["name"].as_str().unwrap());
        cluster.must(&["wait", "--for=condition=Established", &name], "");
    }
    if heading == "Reports in the cluster" {
        cluster.must(&["apply", "-f", report_definitions().join("openreports.io_reports.yaml").to_str().unwrap()], "");
        cluster.must(&["wait", "--for=condition=Established", "crd/reports.openreports.io"], "");
    }
    if INSTALLED.contains(&heading) {
        cluster.must(&["apply", "-f", root().join("artifacthub/webhook").to_str().unwrap()], "");
        cluster.must(&["create", "secret", "generic", "sqledge-ha-tls", "-n", "sqledge-ha"], "");
    }
    cluster
}

/// A CustomResourceDefinition of Kubewarden, without its schema.
fn definition((kind, plural, scope): (&str, &str, &str)) -> Value {
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.policies.kubewarden.io")}, "spec": {
            "group": "policies.kubewarden.io", "scope": scope, "names": {"kind": kind, "plural": plural},
            "versions": [{"name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}]}})
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

#[test]
fn shown_output_is_compared() {
    assert!(shows("", "anything"));
    assert!(shows("a\n", "a\n") && !shows("a\n", "a\nb\n") && !shows("a\n", ""));
    assert!(shows("a…c\n", "abbbc\n") && shows("a…", "abc") && !shows("a…d", "abc"));
}
