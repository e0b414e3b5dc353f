//! The Helm chart: it renders the plain manifests, takes them over, and refuses what it does not understand.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Parser;
use serde::Deserialize;
use serde_json::{Value, json};
use sqledge_ha::cli::{self, Cli};
use sqledge_ha::command::webhook::NOT_FOR_THE_WEBHOOK;
use sqledge_ha::install::match_conditions::match_conditions;
use sqledge_ha::registry::Place;
use sqledge_ha_policy::settings::Settings;
use tempfile::TempDir;

use super::shape::{WITH_A_REMOTE_MODULE, assert_nothing_is_lost};
use super::{objects, printed};
use crate::kubernetes::{Cluster, Ran};
use crate::registry::Registry;
use crate::rendered::tool;

const VALUES: [&str; 5] =
    ["own-certificate", "cert-manager", "everything", "nothing-but-needed", "module-in-a-registry"];

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn values(name: &str) -> String {
    path("e2e/install/values").join(format!("{name}.yaml")).display().to_string()
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
        let output = command.current_dir(path("artifacthub")).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Ran { code: output.status.code().unwrap_or(-1), output: text(output.stdout), said: text(output.stderr) }
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
    let (there, here) = ("oci://ghcr.io/sqledge-ha/charts", format!("oci://{}", registry.place("charts")));
    helm.must(&["package", "chart", "--destination", folder.path().to_str().unwrap()]);
    let package = folder.path().join(concat!("sqledge-ha-", env!("CARGO_PKG_VERSION"), ".tgz"));
    helm.must(&["push", package.to_str().unwrap(), &here, "--plain-http"]);
    let readme = fs::read_to_string(path("artifacthub/chart/README.md")).unwrap();
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
fn values_reach_every_place() {
    let all = rendered(&["--values", &values("everything")]);
    assert_eq!(all.len(), 12);
    let deployment = &of(&all, "Deployment")["spec"];
    let pod = &deployment["template"]["spec"];
    assert_eq!((&deployment["replicas"], &pod["priorityClassName"]), (&json!(3), &json!("system-cluster-critical")));
    assert_eq!(pod["imagePullSecrets"], json!([{"name": "registry"}]));
    assert_eq!(pod["nodeSelector"]["example.com/pool"], "control");
    assert_eq!(pod["tolerations"][0]["key"], "example.com/control");
    assert!(pod["affinity"]["nodeAffinity"].is_object());
    assert_eq!(deployment["template"]["metadata"]["annotations"]["example.com/team"], "databases");
    let container = container(&all);
    let image = container["image"].as_str().unwrap();
    assert!(image.starts_with("registry.local/guard/sqledge-ha@sha256:e3b0"), "{image}");
    assert_eq!(container["imagePullPolicy"], "IfNotPresent");
    assert_eq!(container["resources"]["requests"]["memory"], "96Mi");
    // Helm merges what the file does not mention.
    assert_eq!(container["resources"]["limits"]["memory"], "512Mi");
    let arguments = container["args"].as_array().unwrap();
    assert_eq!(arguments[arguments.len() - 2..], [json!("--log-level=debug"), json!("--on-error=allow")]);
    let settings = of(&all, "ConfigMap")["data"]["settings.yaml"].as_str().unwrap();
    let settings: Value = serde_saphyr::from_str(settings).unwrap();
    let policy = Settings::from_value(&settings).unwrap();
    assert_eq!((policy.failover_seconds, policy.fs_group, policy.images.len()), (Some(60), None, 2));
    for kind in ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"] {
        let webhook = &of(&all, kind)["webhooks"][0];
        assert_eq!((&webhook["failurePolicy"], &webhook["timeoutSeconds"]), (&json!("Ignore"), &json!(7)));
        let excluded = &webhook["namespaceSelector"]["matchExpressions"][0]["values"];
        assert_eq!(excluded, &json!(["kube-system", "123", "sqledge-ha"]));
        assert_eq!(webhook["matchConditions"], match_conditions(&policy));
    }
}

#[test]
fn settings_start_the_pods_anew() {
    let annotation = |arguments: &[&str]| {
        let all = rendered(arguments);
        of(&all, "Deployment")["spec"]["template"]["metadata"]["annotations"]["sqledge-ha/settings"].clone()
    };
    assert_ne!(annotation(&[]), annotation(&["--set", "settings.mode=validate"]));
}

#[test]
fn the_image_is_named_by_digest_or_tag() {
    let image = |arguments: &[&str]| container(&rendered(arguments))["image"].clone();
    let published = concat!("ghcr.io/sqledge-ha/sqledge-ha:v", env!("CARGO_PKG_VERSION"));
    assert_eq!(image(&[]), published);
    assert_eq!(image(&["--set", "image.tag=edge"]), "ghcr.io/sqledge-ha/sqledge-ha:edge");
}

#[test]
fn a_module_of_a_registry_is_pulled_with_flags_that_serve_has_and_files_that_the_pod_has() {
    let all = rendered(&["--values", &values("module-in-a-registry")]);
    let arguments = container(&all)["args"].as_array().unwrap().iter().map(|argument| argument.as_str().unwrap());
    let cli = Cli::try_parse_from(["sqledge-ha"].into_iter().chain(arguments)).unwrap();
    let cli::Command::Serve(serve) = cli.command else { panic!("the container serves") };
    let module = serve.module.unwrap().display().to_string();
    assert!(module.starts_with("registry://registry.local:5000/policies/sqledge-ha@sha256:e3b0"), "{module}");
    let folder = |volume: &str| {
        let mounts = container(&all)["volumeMounts"].as_array().unwrap();
        let mount = mounts.iter().find(|mount| mount["name"] == volume).unwrap();
        (PathBuf::from(mount["mountPath"].as_str().unwrap()), mount["readOnly"] == true)
    };
    assert_eq!((serve.registry.module_cache.unwrap(), false), folder("module-cache"));
    let (authority, is_read_only) = folder("registry-ca");
    assert_eq!((serve.registry.access.ca_cert.unwrap(), true), (authority.join("ca.crt"), is_read_only));
    let (credentials, is_read_only) = folder("registry-credentials");
    let environment = json!([{"name": "DOCKER_CONFIG", "value": credentials}]);
    assert_eq!((&container(&all)["env"], true), (&environment, is_read_only));
}

#[test]
fn the_schema_takes_the_references_that_the_command_takes() {
    let digest = format!("sha256:{}", "0".repeat(64));
    for (reference, is_one) in [
        (format!("registry.local:5000/team/policy@{digest}"), true),
        (format!("Registry-1.local/a__b/c.d-e--f:V1.2_3@{digest}"), true),
        ("localhost/policy:v1".to_owned(), true),
        ("registry:5000/policy:v1".to_owned(), true),
        ("team/policy:v1".to_owned(), false),
        ("policy:v1".to_owned(), false),
        ("registry.local/policy".to_owned(), false),
        ("registry.local/Policy:v1".to_owned(), false),
        ("registry.local/a..b:v1".to_owned(), false),
        ("-registry.local/policy:v1".to_owned(), false),
        ("https://registry.local/policy:v1".to_owned(), false),
        ("registry.local/policy@sha256:0000".to_owned(), false),
        (format!("registry.local/policy@sha256:{}", "A".repeat(64)), false),
    ] {
        let reference = format!("registry://{reference}");
        assert_eq!(reference.parse::<Place>().is_ok(), is_one, "{reference}");
        let ran = template("sqledge-ha", &["--set", &format!("module={reference}")]);
        assert_eq!(ran.code == 0, is_one, "{reference}: {}", ran.said);
    }
}

#[test]
fn with_a_certificate_of_ones_own_no_right_to_secrets_or_registrations_is_left() {
    for (name, trusted) in [("own-certificate", "caBundle"), ("cert-manager", "annotations")] {
        let all = rendered(&["--values", &values(name)]);
        assert!(
            !all.iter().any(|object| ["Role", "RoleBinding"].contains(&object["kind"].as_str().unwrap())),
            "{name}"
        );
        let rules = of(&all, "ClusterRole")["rules"].to_string();
        assert!(rules.contains("deployments") && !rules.contains("admissionregistration"), "{rules}");
        let arguments = container(&all)["args"].to_string();
        assert!(arguments.contains("--tls-cert=/etc/sqledge-ha-tls/tls.crt") && !arguments.contains("--self-signed"));
        let volumes = &of(&all, "Deployment")["spec"]["template"]["spec"]["volumes"];
        assert_eq!(volumes[1]["secret"]["secretName"], "sqledge-ha-certificate");
        for kind in ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"] {
            let registration = of(&all, kind);
            let bundle = &registration["webhooks"][0]["clientConfig"]["caBundle"];
            assert_eq!(
                bundle.as_str().is_some_and(|bundle| bundle.starts_with("LS0tLS1CRUdJTi")),
                trusted == "caBundle"
            );
            let annotations = &registration["metadata"]["annotations"];
            assert_eq!(annotations["cert-manager.io/inject-ca-from"] == "guard/sqledge-ha", trusted == "annotations");
        }
    }
}

/// Of a PodMonitor what the chart uses: prometheus-operator/prometheus-operator, `pkg/apis/monitoring/v1/podmonitor_types.go`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PodMonitorSpec {
    selector: Value,
    pod_metrics_endpoints: Vec<PodMetricsEndpoint>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PodMetricsEndpoint {
    port: String,
    path: String,
    interval: String,
}

#[test]
fn the_figures_are_read_from_a_port_that_the_pods_have() {
    let all = rendered(&["--values", &values("everything")]);
    let monitor = of(&all, "PodMonitor");
    assert_eq!(monitor["metadata"]["labels"]["release"], "prometheus");
    let spec: PodMonitorSpec = serde_json::from_value(monitor["spec"].clone()).unwrap();
    assert_eq!(spec.selector, of(&all, "Deployment")["spec"]["selector"]);
    let [endpoint] = &spec.pod_metrics_endpoints[..] else { panic!("one endpoint") };
    assert_eq!((endpoint.path.as_str(), endpoint.interval.as_str()), ("/metrics", "30s"));
    let ports = container(&all)["ports"].as_array().unwrap();
    assert!(ports.iter().any(|port| port["name"] == endpoint.port.as_str()));
}

#[test]
fn what_is_wrong_is_refused_with_its_place() {
    for (value, told) in [
        ("replicas=0", "at '/replicas': minimum: got 0, want 1"),
        ("replica=2", "additional properties 'replica' not allowed"),
        ("image.tags=v1", "at '/image': additional properties 'tags' not allowed"),
        ("image.digest=abc", "at '/image/digest': 'abc' does not match pattern"),
        ("failurePolicy=fail", "at '/failurePolicy': value must be one of 'Fail', 'Ignore'"),
        ("timeoutSeconds=31", "at '/timeoutSeconds': maximum: got 31, want 30"),
        ("settings.engine=sql-edge", "at '/settings': additional properties 'engine' not allowed"),
        ("settings.engines={sqledge}", "at '/settings/engines/0': value must be one of 'sql-edge', 'sql-server'"),
        ("settings.rules.single-replica=mutate", "at '/settings/rules/single-replica': value must be one of"),
        ("settings.images[0].repository=a'b", "at '/settings/images/0/repository': 'a\\'b' does not match pattern"),
        ("module=/policy.wasm", "at '/module': '/policy.wasm' does not match pattern"),
        ("module=registry.local/policy:v1", "at '/module': 'registry.local/policy:v1' does not match pattern"),
        ("registry.caSecret=My_CA", "at '/registry/caSecret': 'My_CA' does not match pattern"),
        ("registry.caSecret=authority", "are for a module in a registry: give module as well"),
        ("registry.credentialsSecret=login", "are for a module in a registry: give module as well"),
        ("certificate.secretName=mine", "certificate.secretName the API server has to be told whom to trust"),
        ("certificate.caBundle=PEM", "are for a certificate of your own"),
    ] {
        let ran = template("sqledge-ha", &["--set", value]);
        assert_eq!((ran.code, ran.output.as_str()), (1, ""), "{value}");
        assert!(ran.said.contains(told), "{value}: {}", ran.said);
    }
}

#[test]
fn the_chart_is_never_installed_where_the_cluster_keeps_its_own() {
    for namespace in NOT_FOR_THE_WEBHOOK {
        let ran = template(namespace, &[]);
        assert!(ran.code == 1 && ran.said.contains("add --namespace sqledge-ha --create-namespace"), "{}", ran.said);
    }
    assert_eq!(template("123", &[]).code, 0);
}

#[test]
fn a_cluster_that_is_too_old_is_told() {
    assert_eq!(template("sqledge-ha", &["--kube-version", "1.30.4-eks-1"]).code, 0);
    let ran = template("sqledge-ha", &["--kube-version", "1.29.9"]);
    assert!(ran.code == 1 && ran.said.contains("requires kubeVersion: >=1.30.0-0"), "{}", ran.said);
}

/// What identifies every object of the webhook, and the certificates that the API server trusts.
fn identities(cluster: &Cluster) -> BTreeMap<String, (Value, Value)> {
    let kinds = "serviceaccount,clusterrole,clusterrolebinding,role,rolebinding,configmap,service,deployment,\
                 poddisruptionbudget,mutatingwebhookconfiguration,validatingwebhookconfiguration";
    let found = kinds.split(',').map(|kind| {
        let text = cluster.must(&["get", kind, "sqledge-ha", "-n", "sqledge-ha", "-o", "json"], "");
        let object: Value = serde_json::from_str(&text).unwrap();
        let bundle = object.pointer("/webhooks/0/clientConfig/caBundle").cloned().unwrap_or_default();
        (kind.to_owned(), (object["metadata"]["uid"].clone(), bundle))
    });
    found.collect()
}

/// Writes into the registrations whom to trust, as the webhook does.
fn publish(cluster: &Cluster) {
    let patch = r#"[{"op": "add", "path": "/webhooks/0/clientConfig/caBundle", "value": "LS0tLS0="}]"#;
    for kind in ["mutatingwebhookconfiguration", "validatingwebhookconfiguration"] {
        cluster.must(&["patch", kind, "sqledge-ha", "--type=json", "-p", patch], "");
    }
}

#[test]
fn helm_takes_over_what_kubectl_installed_and_replaces_nothing() {
    let cluster = Cluster::api_only();
    cluster.must(&["apply", "-f", &path("artifacthub/webhook").display().to_string()], "");
    publish(&cluster);
    let before = identities(&cluster);
    let helm = Helm::of(&cluster);
    let install = ["install", "sqledge-ha", "chart", "--namespace", "sqledge-ha"];
    let refused = helm.run(&install);
    assert!(refused.code != 0 && refused.said.contains("exists and cannot be imported"), "{}", refused.said);
    helm.must(&[&install[..], &["--take-ownership", "--server-side=false"]].concat());
    assert_eq!(identities(&cluster), before);
    let replicas = |cluster: &Cluster| {
        cluster.must(&["get", "deployment", "sqledge-ha", "-n", "sqledge-ha", "-o=jsonpath={.spec.replicas}"], "")
    };
    assert_eq!(replicas(&cluster), "2");
    // From now on it is a release like any other.
    helm.must(&["upgrade", "sqledge-ha", "chart", "--namespace", "sqledge-ha", "--set", "replicas=3"]);
    assert_eq!((replicas(&cluster), identities(&cluster)), ("3".to_owned(), before));
    helm.must(&["uninstall", "sqledge-ha", "--namespace", "sqledge-ha"]);
    let left = cluster.must(
        &[
            "get",
            "deployment,service,configmap",
            "-n",
            "sqledge-ha",
            "-l=app.kubernetes.io/name=sqledge-ha",
            "-o",
            "name",
        ],
        "",
    );
    assert_eq!(left, "");
}

#[test]
fn a_release_that_is_upgraded_keeps_whom_the_api_server_trusts() {
    let cluster = Cluster::api_only();
    let helm = Helm::of(&cluster);
    helm.must(&["install", "guard", "chart", "--namespace", "sqledge-ha", "--create-namespace"]);
    publish(&cluster);
    let before = identities(&cluster);
    let everything = values("everything");
    let other = ["--values", everything.as_str(), "--set", "podMonitor.enabled=false"];
    helm.must(&[&["upgrade", "guard", "chart", "--namespace", "sqledge-ha"][..], &other].concat());
    assert_eq!(identities(&cluster), before);
    // There is one webhook in a cluster.
    let second = helm.run(&["install", "other", "chart", "--namespace", "other", "--create-namespace"]);
    assert!(second.code != 0 && second.said.contains("invalid ownership metadata"), "{}", second.said);
}

#[test]
fn no_file_of_the_chart_is_forgotten() {
    let generated: Vec<String> =
        sqledge_ha::install::chart::files().unwrap().into_iter().map(|file| file.path).collect();
    let by_hand =
        ["NOTES.txt", "_helpers.tpl", "checks.yaml", "pod-monitor.yaml"].map(|name| format!("templates/{name}"));
    let folder = path("artifacthub/chart/templates");
    let mut there: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| format!("templates/{}", entry.unwrap().file_name().display()))
        .collect();
    there.retain(|name| !by_hand.contains(name) && !generated.contains(name));
    assert_eq!(there, Vec::<String>::new());
}
