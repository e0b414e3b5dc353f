//! A Kubernetes control plane for tests: etcd and API server, optionally with controllers, scheduler and fake nodes.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use futures::StreamExt;
use kube::api::{Api, ApiResource, DynamicObject, PostParams};
use kube::core::GroupVersionKind;
use serde_json::{Value, json};
use sqledge_ha::cluster_client::connect;
use sqledge_ha::webhook::caches::group_and_version;

use crate::ran::{Ran, with_input};
use crate::tools::tool;

/// A cluster that runs until it is dropped.
#[derive(Debug)]
pub(crate) struct Cluster {
    process: Child,
    /// Its addresses: `kubeconfig`, `server`, `control`.
    pub(crate) description: Value,
}

/// The program that contains the control plane and `kubectl`.
const PROGRAM: &str = "e2e-cluster";

impl Cluster {
    /// Starts only the API server and its storage. Nothing else acts on objects.
    pub(crate) fn api_only() -> Self {
        Cluster::start(&["--api-only"])
    }

    /// Starts a cluster with flags of `e2e-cluster serve`, and waits until it is ready.
    pub(crate) fn start(flags: &[&str]) -> Self {
        let mut command = Command::new(tool(PROGRAM));
        command.arg("serve").args(flags).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().expect("the cluster can be started");
        let mut line = String::new();
        BufReader::new(process.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let description = serde_json::from_str(&line);
        Cluster { process, description: description.expect("the cluster prints one line of JSON when it is ready") }
    }

    /// The path of the administrator's kubeconfig.
    pub(crate) fn kubeconfig(&self) -> &str {
        self.description["kubeconfig"].as_str().expect("the cluster names its kubeconfig")
    }

    /// Writes a kubeconfig for a service account into a folder, and returns its path.
    pub(crate) fn kubeconfig_of(&self, namespace: &str, account: &str, folder: &Path) -> PathBuf {
        let token = self.must(&["-n", namespace, "create", "token", account], "");
        let mut config: Value =
            serde_json::from_str(&self.must(&["config", "view", "--raw", "-o", "json"], "")).unwrap();
        for user in config["users"].as_array_mut().unwrap() {
            user["user"] = json!({"token": token.trim()});
        }
        let path = folder.join("config");
        fs::write(&path, config.to_string()).unwrap();
        path
    }

    /// Sends a command to the control endpoint, e.g. to stop a machine or the API server: see `e2e/cluster/README.md`.
    pub(crate) fn control(&self, method: &str, path: &str, body: &str) {
        let _ = self.ask_control(method, path, body);
    }

    /// The pods, as NAMESPACE/NAME, whose containers run on a node, whatever the API server knows of them.
    pub(crate) fn running_on(&self, node: &str) -> Vec<String> {
        let status = self.ask_control("GET", "/status", "");
        let mut nodes = status["nodes"].as_array().unwrap().iter();
        let pods = &nodes.find(|one| one["name"] == node).unwrap()["pods"];
        pods.as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect()
    }

    fn ask_control(&self, method: &str, path: &str, body: &str) -> Value {
        let address = self.description["control"].as_str().and_then(|url| url.strip_prefix("http://"));
        let mut stream = TcpStream::connect(address.expect("the cluster names its control endpoint")).unwrap();
        let length = body.len();
        let head =
            format!("{method} {path} HTTP/1.1\r\nHost: e2e\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
        stream.write_all(&[head.as_bytes(), body.as_bytes()].concat()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{method} {path}: {answer}");
        serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
    }

    /// Runs `kubectl` as the administrator, with `input` on standard input.
    pub(crate) fn kubectl(&self, arguments: &[&str], input: &str) -> Ran {
        let mut command = Command::new(tool(PROGRAM));
        command.arg("kubectl").args(arguments).env("KUBECONFIG", self.kubeconfig());
        with_input(&mut command, input)
    }

    /// Runs `kubectl`, fails if it fails, and returns its output.
    pub(crate) fn must(&self, arguments: &[&str], input: &str) -> String {
        let ran = self.kubectl(arguments, input);
        assert_eq!(ran.code, 0, "kubectl {arguments:?}: {}{}", ran.output, ran.stderr);
        ran.output
    }

    /// Creates many objects of one kind, in one namespace or of the whole cluster, several at a time.
    pub(crate) async fn create_all(&self, objects: &[Value]) {
        let text = |pointer| objects[0].pointer(pointer).unwrap().as_str().unwrap();
        let (group, version) = group_and_version(text("/apiVersion"));
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, text("/kind")));
        let client = connect(Some(self.kubeconfig().as_ref())).await.unwrap();
        let api: Api<DynamicObject> = match objects[0].pointer("/metadata/namespace").and_then(Value::as_str) {
            Some(namespace) => Api::namespaced_with(client, namespace, &resource),
            None => Api::all_with(client, &resource),
        };
        let creations = objects.iter().map(|object| {
            let (api, object) = (api.clone(), serde_json::from_value(object.clone()).unwrap());
            async move { api.create(&PostParams::default(), &object).await.unwrap() }
        });
        futures::stream::iter(creations).buffer_unordered(16).for_each(|_| async {}).await;
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // It exits when its standard input is closed.
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

/// Deployments without a database, each of about 2 KB as JSON.
pub(crate) fn web_deployments(namespace: &str, count: usize) -> Vec<Value> {
    let environment: Vec<Value> =
        (0..20).map(|number| json!({"name": format!("FEATURE_{number}"), "value": "enabled for everybody"})).collect();
    let container = json!({"name": "web", "image": "registry.example.com/shop/web:3", "env": environment,
        "ports": [{"containerPort": 8080}], "resources": {"limits": {"memory": "256Mi"}},
        "livenessProbe": {"httpGet": {"path": "/livez", "port": 8080}}});
    let deployment = |number| {
        let labels = json!({"app": format!("web-{number}")});
        json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": format!("web-{number}"), "namespace": namespace, "labels": labels},
            "spec": {"selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}}}})
    };
    (0..count).map(deployment).collect()
}
