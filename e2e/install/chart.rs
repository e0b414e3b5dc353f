//! The Helm chart: it renders the plain manifests, adopts them, and rejects invalid values.

mod invalid_values;
mod releases;
mod values;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::fields::{WITH_A_REMOTE_MODULE, assert_all_fields_are_known};
use super::printed;
use crate::kubernetes::Cluster;
use crate::ran::Ran;
use crate::registry::Registry;
use crate::shared::{objects, root, text_of};
use crate::tools::tool;

const VALUES: [&str; 5] = ["own-certificate", "cert-manager", "everything", "minimal", "module-in-a-registry"];

fn values_file(name: &str) -> String {
    root().join("e2e/install/values").join(format!("{name}.yaml")).display().to_string()
}

/// Helm without the clusters and repositories of this machine.
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
        assert_eq!(ran.code, 0, "helm {arguments:?}: {}{}", ran.output, ran.stderr);
        ran.output
    }
}

fn template(namespace: &str, arguments: &[&str]) -> Ran {
    let chart = ["template", "guard", "chart", "--namespace", namespace];
    Helm::without_a_cluster().run(&[&chart, arguments].concat())
}

fn rendered(arguments: &[&str]) -> Vec<Value> {
    let ran = template("sqledge-ha", arguments);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    objects(&ran.output)
}

/// The object of a kind: that of the webhook if the audit has one, too.
fn of<'o>(objects: &'o [Value], kind: &str) -> &'o Value {
    let found = objects.iter().filter(|object| object["kind"] == kind);
    found.min_by_key(|object| object["metadata"]["name"].as_str()).unwrap_or_else(|| panic!("no {kind}"))
}

fn container(objects: &[Value]) -> &Value {
    &of(objects, "Deployment")["spec"]["template"]["spec"]["containers"][0]
}

/// Removes the labels of the release from an object and returns them.
fn release(object: &mut Value) -> BTreeMap<String, Value> {
    let labels = object["metadata"]["labels"].as_object_mut().unwrap();
    let own =
        ["app.kubernetes.io/instance", "app.kubernetes.io/managed-by", "app.kubernetes.io/version", "helm.sh/chart"];
    own.iter().map(|label| ((*label).to_owned(), labels.remove(*label).unwrap())).collect()
}

/// Parses the settings in an object, because Helm formats them differently.
fn parse_settings(object: &mut Value) {
    let annotation = "/spec/template/metadata/annotations/sqledge-ha~1settings";
    for pointer in ["/data/settings.yaml", "/data/sqledge-ha.yaml", annotation] {
        if let Some(settings) = object.pointer_mut(pointer) {
            *settings = serde_saphyr::from_str(settings.as_str().unwrap()).unwrap();
        }
    }
}

#[test]
fn the_chart_renders_the_plain_manifests() {
    assert_same(rendered(&[]), &["webhook", "manifests"]);
    assert_same(rendered(&["--values", &values_file("module-in-a-registry")]), &WITH_A_REMOTE_MODULE);
    assert_same(rendered(&["--set", "events=true"]), &["webhook", "manifests", "--events"]);
    let values = "mode=warn,excludedNamespaces={kube-system,build},servicesFailurePolicy=Fail,scaleFailurePolicy=Fail,relatedFailurePolicy=Fail,failurePolicy=Ignore";
    let flags = [
        "webhook",
        "manifests",
        "--mode=warn",
        "--exclude-namespace=build",
        "--services-failure-policy=fail",
        "--scale-failure-policy=fail",
        "--related-failure-policy=fail",
        "--failure-policy=ignore",
    ];
    assert_same(rendered(&["--set", values]), &flags);
}

#[test]
fn the_chart_renders_the_manifests_of_an_audit() {
    let of_audit = |values: &[&str]| {
        let mut all = rendered(values);
        all.retain(|object| object["metadata"]["name"] == "sqledge-ha-audit");
        all
    };
    assert!(of_audit(&[]).is_empty());
    assert_same(of_audit(&["--set", "audit.enabled=true"]), &["audit", "manifests"]);
    let values = "audit.enabled=true,audit.reports=false,audit.pushGateway=http://push:9091,audit.schedule=@daily";
    let flags = ["audit", "manifests", "--no-reports", "--push-gateway=http://push:9091", "--schedule=@daily"];
    assert_same(of_audit(&["--set", values]), &flags);
}

/// Checks that a release is equal to the output of the command with these arguments.
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
            plain["metadata"]["labels"] = json!({"app.kubernetes.io/name": plain["metadata"]["name"]});
        }
        parse_settings(plain);
        parse_settings(rendered);
        assert_eq!(rendered, plain, "{kind}");
    }
}

#[test]
fn helm_lint_has_no_findings() {
    let helm = Helm::without_a_cluster();
    helm.must(&["lint", "--strict", "chart"]);
    for name in VALUES {
        helm.must(&["lint", "--strict", "chart", "--values", &values_file(name)]);
    }
}

#[test]
fn the_install_commands_in_the_readme_of_the_chart_work() {
    let (registry, helm, folder) = (Registry::plain(), Helm::without_a_cluster(), TempDir::new().unwrap());
    let (published, local) = ("oci://ghcr.io/sqledge-ha/charts", format!("oci://{}", registry.reference("charts")));
    helm.must(&["package", "chart", "--destination", folder.path().to_str().unwrap()]);
    let package = folder.path().join(concat!("sqledge-ha-", env!("CARGO_PKG_VERSION"), ".tgz"));
    helm.must(&["push", package.to_str().unwrap(), &local, "--plain-http"]);
    let readme = text_of("artifacthub/chart/README.md");
    let commands: Vec<&str> = readme.lines().filter_map(|line| line.strip_prefix("helm install ")).collect();
    assert_eq!(commands.len(), 1, "{commands:#?}");
    for command in commands {
        assert!(command.contains(&format!(" {published}/sqledge-ha ")), "{command}");
        // `helm template` has the same flags and needs no cluster.
        let command = format!("template {} --plain-http", command.replace(published, &local));
        let installed = objects(&helm.must(&command.split(' ').collect::<Vec<_>>()));
        assert_eq!(installed.len(), rendered(&[]).len());
    }
}

#[test]
fn kubernetes_has_all_fields_of_the_chart() {
    for name in VALUES {
        let objects = rendered(&["--values", &values_file(name)]);
        objects.iter().filter(|object| object["kind"] != "PodMonitor").for_each(assert_all_fields_are_known);
    }
}

#[test]
fn the_api_server_accepts_what_the_chart_renders() {
    let cluster = Cluster::api_only();
    cluster.must(&["create", "namespace", "sqledge-ha"], "");
    for name in VALUES {
        let ran = template("sqledge-ha", &["--values", &values_file(name), "--set", "podMonitor.enabled=false"]);
        assert_eq!(ran.code, 0, "{name}: {}", ran.stderr);
        let dry_run = ["apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "-"];
        cluster.must(&dry_run, &ran.output);
    }
}
