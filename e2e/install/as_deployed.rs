//! The webhook with the arguments and the permissions of the manifests.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use assert_cmd::cargo::cargo_bin;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::{Value, json};
use sqledge_ha_policy::kubernetes::resources::RESOURCES;

use super::printed;
use crate::kubernetes::Cluster;
use crate::shared::objects;

/// The groups and plural names of the resources that rules look up.
fn looked_up() -> impl Iterator<Item = (&'static str, &'static str)> {
    RESOURCES.iter().filter(|row| row.look_up.at_admission()).map(|row| (row.group, row.plural))
}

/// The number of webhooks in both configurations.
const WEBHOOKS: usize = 8;

const ACCOUNT: &str = "system:serviceaccount:sqledge-ha:sqledge-ha";

/// A cluster in which the manifests are applied, and the process of their container.
struct Deployed {
    cluster: Cluster,
    process: Child,
    /// The ports for reviews and probes.
    ports: [u16; 2],
    _folder: tempfile::TempDir,
}

impl Deployed {
    fn start() -> Self {
        let cluster = Cluster::api_only();
        let manifests = printed(&["webhook", "manifests"]);
        cluster.must(&["apply", "-f", "-"], &manifests);
        let folder = tempfile::tempdir().unwrap();
        let kubeconfig = cluster.kubeconfig_of("sqledge-ha", "sqledge-ha", folder.path());
        let mut process = Command::new(cargo_bin("sqledge-ha"))
            .args(arguments(&objects(&manifests), folder.path()))
            .arg("--kubeconfig")
            .arg(kubeconfig)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let ports = ports(&mut process);
        let deployed = Deployed { cluster, process, ports, _folder: folder };
        deployed.wait_until_ready();
        deployed
    }

    /// The response of the health listener over IPv4.
    fn probe(&self, path: &str) -> String {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.ports[1])).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: probe\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn wait_until_ready(&self) {
        let start = Instant::now();
        while !self.probe("/readyz").starts_with("HTTP/1.1 200") {
            assert!(start.elapsed() < Duration::from_secs(60), "{}", self.probe("/readyz"));
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The CA bundles of the webhook configurations.
    fn bundles(&self) -> Vec<String> {
        let both = "mutatingwebhookconfiguration/sqledge-ha,validatingwebhookconfiguration/sqledge-ha";
        let path = "-o=jsonpath={.items[*].webhooks[*].clientConfig.caBundle}";
        let arguments: Vec<&str> = ["get"].into_iter().chain(both.split(',')).chain([path]).collect();
        self.cluster.must(&arguments, "").split_whitespace().map(str::to_owned).collect()
    }

    /// Calls the webhook over IPv4 like an API server that trusts `bundle`.
    fn review(&self, bundle: &str, request: &Value) -> Value {
        let mut roots = RootCertStore::empty();
        for authority in CertificateDer::pem_slice_iter(&BASE64_STANDARD.decode(bundle).unwrap()) {
            roots.add(authority.unwrap()).unwrap();
        }
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let config = config.with_safe_default_protocol_versions().unwrap();
        let config = Arc::new(config.with_root_certificates(roots).with_no_client_auth());
        let name = ServerName::try_from("sqledge-ha.sqledge-ha.svc").unwrap();
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.ports[0])).unwrap();
        let mut stream = StreamOwned::new(ClientConnection::new(config, name).unwrap(), stream);
        let body = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request});
        let body = body.to_string();
        let head = "POST /mutate HTTP/1.1\r\nHost: webhook\r\nContent-Type: application/json\r\nConnection: close";
        write!(stream, "{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
    }

    /// Whether the webhook's ServiceAccount has a permission.
    /// Some resources are not installed here, so that `kubectl auth can-i` would not find their groups.
    fn is_allowed(&self, verb: &str, group: &str, resource: &str) -> bool {
        let attributes = json!({"verb": verb, "group": group, "resource": resource, "namespace": "shop"});
        let review = json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
            "spec": {"user": ACCOUNT, "resourceAttributes": attributes}});
        let answer = self.cluster.must(&["create", "-o", "json", "-f", "-"], &review.to_string());
        serde_json::from_str::<Value>(&answer).unwrap()["status"]["allowed"] == true
    }
}

impl Drop for Deployed {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The arguments of the container in the manifests, with the settings of the ConfigMap and free ports.
fn arguments(manifests: &[Value], folder: &Path) -> Vec<String> {
    let of = |kind: &str| manifests.iter().find(|object| object["kind"] == kind).unwrap();
    let settings = folder.join("settings.yaml");
    fs::write(&settings, of("ConfigMap")["data"]["settings.yaml"].as_str().unwrap()).unwrap();
    let arguments = of("Deployment")["spec"]["template"]["spec"]["containers"][0]["args"].as_array().unwrap();
    let here = |argument: &Value| {
        let argument = argument.as_str().unwrap();
        match argument.split_once('=') {
            Some((flag @ ("--listen" | "--health-listen"), address)) => {
                format!("{flag}={}:0", address.rsplit_once(':').unwrap().0)
            }
            Some(("--settings", _)) => format!("--settings={}", settings.display()),
            _ => argument.to_owned(),
        }
    };
    arguments.iter().map(here).collect()
}

/// The ports for reviews and probes in the log of the process. The rest of the log is discarded.
pub(crate) fn ports(process: &mut Child) -> [u16; 2] {
    let mut lines = BufReader::new(process.stderr.take().unwrap()).lines().map_while(Result::ok);
    let [probes, reviews] = ["listening for probes", "listening for reviews"].map(|message| {
        let mut lines = lines.by_ref().map(|line| serde_json::from_str::<Value>(&line).unwrap());
        let line = lines.find(|line| line["message"] == message).unwrap();
        line["address"].as_str().unwrap().rsplit_once(':').unwrap().1.parse().unwrap()
    });
    std::thread::spawn(move || lines.for_each(drop));
    [reviews, probes]
}

#[test]
fn the_permissions_and_arguments_in_the_manifests_are_sufficient() {
    let deployed = Deployed::start();
    let metrics = deployed.probe("/metrics");
    let synced: Vec<&str> = metrics.lines().filter(|line| line.starts_with("sqledge_ha_cache_synced{")).collect();
    assert!(synced.len() == looked_up().count() && synced.iter().all(|line| line.ends_with(" 1.0")), "{synced:#?}");
    let failures: Vec<&str> = metrics.lines().filter(|line| line.contains("_failures_total")).collect();
    assert!(failures.iter().all(|line| line.ends_with(" 0")), "{failures:#?}");

    let secret = ["get", "secret/sqledge-ha-tls", "-n", "sqledge-ha", r"-o=jsonpath={.data.ca\.crt}"];
    let authority = deployed.cluster.must(&secret, "");
    assert_eq!(deployed.bundles(), vec![authority.clone(); WEBHOOKS]);

    let pod = json!({"containers": [{"name": "sql", "image": "mcr.microsoft.com/azure-sql-edge:1.0.7"}]});
    let request = json!({"uid": "1", "operation": "CREATE", "namespace": "shop",
        "kind": {"group": "apps", "version": "v1", "kind": "Deployment"},
        "object": {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "sql"},
            "spec": {"replicas": 3, "selector": {}, "template": {"metadata": {}, "spec": pod}}}});
    let answer = deployed.review(&authority, &request);
    assert_eq!((&answer["response"]["uid"], &answer["response"]["allowed"]), (&json!("1"), &json!(false)), "{answer}");
}

#[test]
fn the_webhook_has_no_other_permissions() {
    let deployed = Deployed::start();
    for (group, resource) in looked_up() {
        let verbs = ["list", "watch", "get", "create", "update", "patch", "delete"];
        let allowed: Vec<&str> = verbs.into_iter().filter(|verb| deployed.is_allowed(verb, group, resource)).collect();
        assert_eq!(allowed, ["list", "watch"], "{resource}");
    }
    let others = [
        ("", "secrets"),
        ("", "pods"),
        ("", "nodes"),
        ("admissionregistration.k8s.io", "mutatingwebhookconfigurations"),
    ];
    for (group, resource) in others {
        for verb in ["list", "get", "create", "update", "patch", "delete"] {
            assert!(!deployed.is_allowed(verb, group, resource), "{verb} {resource}");
        }
    }
}

#[test]
fn applying_the_manifests_again_keeps_the_ca_bundle() {
    let mut deployed = Deployed::start();
    // Otherwise the webhook would restore the CA bundle.
    deployed.process.kill().unwrap();
    deployed.process.wait().unwrap();
    let published = deployed.bundles();
    assert_eq!(published.len(), WEBHOOKS, "{published:?}");
    let manifests = printed(&["webhook", "manifests"]);
    let server_side = ["apply", "--server-side", "--force-conflicts", "-f", "-"];
    for apply in [&["apply", "-f", "-"][..], &server_side, &server_side, &["apply", "-f", "-"]] {
        deployed.cluster.must(apply, &manifests);
        assert_eq!(deployed.bundles(), published, "{apply:?}");
    }
}
