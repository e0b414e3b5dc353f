//! The Helm chart: it renders the plain manifests, takes them over, and refuses what it does not understand.

mod choices;
mod refusals;
mod releases;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::printed;
use super::shape::{WITH_A_REMOTE_MODULE, assert_nothing_is_lost};
use crate::kubernetes::Cluster;
use crate::ran::Ran;
use crate::registry::Registry;
use crate::shared::{objects, root, text_of};
use crate::tools::tool;

const VALUES: [&str; 5] =
    ["own-certificate", "cert-manager", "everything", "nothing-but-needed", "module-in-a-registry"];

fn values(name: &str) -> String {
    root().join("e2e/install/values").join(format!("{name}.yaml")).display().to_string()
}

/// The real Helm, which knows nothing of this machine's clusters and repositories.
struct Helm {
    home: TempDir,
    kubeconfig: PathBuf,
}

impl Helm {
    fn without_a_cluster() -> Self {
        Helm { home: TempDir::new().unwrap(), kubeconfig: PathBuf::from("/nowhere") }
    }

    fn of(cluster: &Cluster) -> Self {
        Helm { kubeconfig: cluster.kubeconfig().into(), ..Helm::without_a_cluster() }
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        let mut command = Command::new(tool("helm"));
        command.args(arguments).env("KUBECONFIG", &self.kubeconfig).env("HOME", self.home.path());
        for folder in ["HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"] {
            command.env(folder, self.home.path().join(folder));
        }
        command.current_dir(root().join("artifacthub")).output().unwrap().into()
    }

    fn must(&self, arguments: &[&str]) -> String {
        let ran = self.run(arguments);
        assert_eq!(ran.code, 0, "helm {arguments:?}: {}{}", ran.output, ran.said);
        ran.output
    }
}

fn template(namespace: &str, arguments: &[&str]) -> Ran {
    let chart = ["template", "guard", "chart", "--namespace", namespace];
    Helm::without_a_cluster().run(&[&chart, arguments].concat())
}

fn rendered(arguments: &[&str]) -> Vec<Value> {
    let ran = template("sqledge-ha", arguments);
    assert_eq!(ran.code, 0, "{}", ran.said);
    objects(&ran.output)
}

fn of<'o>(objects: &'o [Value], kind: &str) -> &'o Value {
    objects.iter().find(|object| object["kind"] == kind).unwrap_or_else(|| panic!("no {kind}"))
}

fn container(objects: &[Value]) -> &Value {
    &of(objects, "Deployment")["spec"]["template"]["spec"]["containers"][0]
}

/// Takes an object's labels that say which release it is of.
fn release(object: &mut Value) -> BTreeMap<String, Value> {
    let labels = object["metadata"]["labels"].as_object_mut().unwrap();
    let own =
        ["app.kubernetes.io/instance", "app.kubernetes.io/managed-by", "app.kubernetes.io/version", "helm.sh/chart"];
    own.iter().map(|label| ((*label).to_owned(), labels.remove(*label).unwrap())).collect()
}

/// Settings by what they say, and not by how they are written.
fn understand_settings(object: &mut Value) {
    for place in ["/data/settings.yaml", "/spec/template/metadata/annotations/sqledge-ha~1settings"] {
        if let Some(settings) = object.pointer_mut(place) {
            *settings = serde_saphyr::from_str(settings.as_str().unwrap()).unwrap();
        }
    }
}

#[test]
fn the_chart_renders_the_plain_manifests() {
    assert_same(rendered(&[]), &["webhook", "manifests"]);
    assert_same(rendered(&["--values", &values("module-in-a-registry")]), &WITH_A_REMOTE_MODULE);
}

/// Makes sure that a release is what the command prints with these arguments.
fn assert_same(mut rendered: Vec<Value>, arguments: &[&str]) {
    let mut plain = objects(&printed(arguments));
    plain.retain(|object| object["kind"] != "Namespace");
    assert_eq!(rendered.len(), plain.len());
    for plain in &mut plain {
        let kind = plain["kind"].as_str().unwrap().to_owned();
        let rendered = rendered.iter_mut().find(|object| object["kind"] == kind.as_str()).unwrap();
        let version = env!("CARGO_PKG_VERSION");
        let labels = json!({"app.kubernetes.io/instance": "guard", "app.kubernetes.io/managed-by": "Helm",
            "app.kubernetes.io/version": version, "helm.sh/chart": format!("sqledge-ha-{version}")});
        assert_eq!(json!(release(rendered)), labels, "{kind}");
        if plain["metadata"]["labels"].is_null() {
            plain["metadata"]["labels"] = json!({"app.kubernetes.io/name": "sqledge-ha"});
        }
        understand_settings(plain);
        understand_settings(rendered);
        assert_eq!(rendered, plain, "{kind}");
    }
}

#[test]
fn helm_finds_nothing_to_complain_of() {
    let helm = Helm::without_a_cluster();
    helm.must(&["lint", "--strict", "chart"]);
    for name in VALUES {
        helm.must(&["lint", "--strict", "chart", "--values", &values(name)]);
    }
}

#[test]
fn the_readme_of_the_chart_says_how_it_is_installed_from_a_registry() {
    let (registry, helm, folder) = (Registry::plain(), Helm::without_a_cluster(), TempDir::new().unwrap());
    let (there, here) = ("oci://ghcr.io/sqledge-ha/charts", format!("oci://{}", registry.reference("charts")));
    helm.must(&["package", "chart", "--destination", folder.path().to_str().unwrap()]);
    let package = folder.path().join(concat!("sqledge-ha-", env!("CARGO_PKG_VERSION"), ".tgz"));
    helm.must(&["push", package.to_str().unwrap(), &here, "--plain-http"]);
    let readme = text_of("artifacthub/chart/README.md");
    let commands: Vec<&str> = readme.lines().filter_map(|line| line.strip_prefix("helm install ")).collect();
    assert_eq!(commands.len(), 2, "{commands:#?}");
    for command in commands {
        assert!(command.contains(&format!(" {there}/sqledge-ha ")), "{command}");
        // Both commands take the same flags; this one needs no cluster.
        let command = format!("template {} --plain-http", command.replace(there, &here));
        let installed = objects(&helm.must(&command.split(' ').collect::<Vec<_>>()));
        assert_eq!(installed.len(), rendered(&[]).len());
    }
}

#[test]
fn every_field_of_the_chart_is_known_to_kubernetes() {
    for name in VALUES {
        let objects = rendered(&["--values", &values(name)]);
        objects.iter().filter(|object| object["kind"] != "PodMonitor").for_each(assert_nothing_is_lost);
    }
}

#[test]
fn the_api_server_takes_whatever_the_chart_renders() {
    let cluster = Cluster::api_only();
    cluster.must(&["create", "namespace", "sqledge-ha"], "");
    for name in VALUES {
        let ran = template("sqledge-ha", &["--values", &values(name), "--set", "podMonitor.enabled=false"]);
        assert_eq!(ran.code, 0, "{name}: {}", ran.said);
        let dry_run = ["apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "-"];
        cluster.must(&dry_run, &ran.output);
    }
}

#[test]
fn no_file_of_the_chart_is_forgotten() {
    let generated: Vec<String> =
        sqledge_ha::install::chart::files().unwrap().into_iter().map(|file| file.path).collect();
    let by_hand =
        ["NOTES.txt", "_helpers.tpl", "checks.yaml", "pod-monitor.yaml"].map(|name| format!("templates/{name}"));
    let folder = root().join("artifacthub/chart/templates");
    let mut there: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| format!("templates/{}", entry.unwrap().file_name().display()))
        .collect();
    there.retain(|name| !by_hand.contains(name) && !generated.contains(name));
    assert_eq!(there, Vec::<String>::new());
}
