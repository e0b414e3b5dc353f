//! A cluster with a journal, with or without the webhook.

use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use serde_json::{Value, json};
use sqledge_ha::cluster_client::connect;
use tokio::runtime::Runtime;

use crate::journal::Journal;
use crate::kubernetes::Cluster;
use crate::process::Server;
use crate::ran::Ran;
use crate::replay;
use crate::webhook_configurations::{list, webhook_configurations};
use crate::webhook_proxy::WebhookProxy;

/// Runs journals and proxies.
pub(crate) static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap());

/// How long to wait for a condition.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(180);

/// The label of namespaces with separate settings.
pub(crate) const SETTINGS: &str = "proof.sqledge-ha/settings";

/// The webhook and the proxy in front of it.
pub(crate) struct Webhook {
    pub(crate) server: Server,
    pub(crate) proxy: WebhookProxy,
    /// The policy's settings, as JSON.
    pub(crate) settings: Value,
}

/// A cluster for databases.
pub(crate) struct Environment {
    pub(crate) cluster: Cluster,
    pub(crate) journal: Arc<Journal>,
    pub(crate) webhooks: Vec<Webhook>,
}

impl Environment {
    /// A cluster without the webhook.
    pub(crate) fn unprotected(flags: &[&str]) -> Self {
        let cluster = Cluster::start(flags);
        let journal = RUNTIME.block_on(async {
            let client = connect(Some(Path::new(cluster.kubeconfig()))).await.unwrap();
            Journal::open(&client)
        });
        // Microsoft's claim names this class.
        let class = json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
            "metadata": {"name": "azure-disk"}, "provisioner": "disk.fake.example.com"});
        cluster.must(&["create", "-f", "-"], &class.to_string());
        Environment { cluster, journal, webhooks: Vec::new() }
    }

    /// A cluster with the webhook, installed by its own manifests, with their settings. Without an answer the API
    /// server rejects requests.
    pub(crate) fn protected(flags: &[&str]) -> Self {
        let mut environment = Environment::unprotected(flags);
        environment.register("", &json!({"exposure": "internal"}));
        environment
    }

    /// Adds a webhook for the namespaces that [`Environment::namespace_with`] creates with this name.
    pub(crate) fn and_settings(mut self, name: &str, settings: &Value) -> Self {
        self.register(name, settings);
        self
    }

    fn register(&mut self, name: &str, settings: &Value) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("settings.yaml");
        std::fs::write(&file, settings.to_string()).unwrap();
        let flag = format!("--settings={}", file.display());
        let server = Server::start_in(self.cluster.kubeconfig(), &[&flag]);
        server.wait_until_ready();
        let proxy = RUNTIME.block_on(WebhookProxy::before(server.reviews, &server.authority));
        let mut configurations = webhook_configurations(proxy.address, &proxy.certificate, &[&flag]);
        for configuration in &mut configurations {
            let own = format!("sqledge-ha{}{name}", if name.is_empty() { "" } else { "-" });
            configuration["metadata"]["name"] = json!(own);
            for webhook in configuration["webhooks"].as_array_mut().unwrap() {
                let expressions = webhook["namespaceSelector"]["matchExpressions"].as_array_mut().unwrap();
                expressions.push(match name {
                    "" => json!({"key": SETTINGS, "operator": "DoesNotExist"}),
                    name => json!({"key": SETTINGS, "operator": "In", "values": [name]}),
                });
            }
        }
        self.cluster.must(&["apply", "-f", "-"], &list(&configurations));
        self.webhooks.push(Webhook { server, proxy, settings: settings.clone() });
        self.wait_until_registered(name);
    }

    /// Waits until the API server uses a stored webhook configuration.
    fn wait_until_registered(&self, name: &str) {
        let namespace = format!("probe{}{name}", if name.is_empty() { "" } else { "-" });
        self.namespace_with(&namespace, name);
        self.wait_until_checked(&namespace);
    }

    /// Waits until the API server calls the webhook for a namespace.
    pub(crate) fn wait_until_checked(&self, namespace: &str) {
        let probe = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "probe"}, "spec": {
            "selector": {"matchLabels": {"app": "probe"}}, "template": {"metadata": {"labels": {"app": "probe"}},
                "spec": {"containers": [{"name": "sql", "image": "azure-sql-edge"}], "hostname": "probe",
                    "nodeName": "none"}}}});
        let is_rejected = || {
            let ran = self.kubectl(namespace, &["create", "--dry-run=server", "-f", "-"], &probe.to_string());
            ran.stderr.contains("unpinned-node")
        };
        for _ in 0..200 {
            if is_rejected() {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("the API server does not call the webhook: {:#?}", self.webhooks.last().unwrap().server.log());
    }

    /// Creates a namespace, checked with default settings.
    pub(crate) fn namespace(&self, name: &str) {
        self.cluster.must(&["create", "namespace", name], "");
    }

    /// Creates a namespace, checked with the settings of this name.
    pub(crate) fn namespace_with(&self, name: &str, settings: &str) {
        let mut labels = json!({});
        if !settings.is_empty() {
            labels[SETTINGS] = json!(settings);
        }
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}});
        self.cluster.must(&["create", "-f", "-"], &namespace.to_string());
    }

    /// Runs `kubectl` in a namespace, with `input` on its standard input.
    pub(crate) fn kubectl(&self, namespace: &str, arguments: &[&str], input: &str) -> Ran {
        self.cluster.kubectl(&[&["--namespace", namespace], arguments].concat(), input)
    }

    /// Runs `kubectl`, fails if it fails, and returns its output.
    pub(crate) fn must(&self, namespace: &str, arguments: &[&str], input: &str) -> String {
        self.cluster.must(&[&["--namespace", namespace], arguments].concat(), input)
    }
}

impl Drop for Environment {
    fn drop(&mut self) {
        self.webhooks.iter().for_each(|webhook| replay::keep(&webhook.settings, webhook.proxy.recorded()));
    }
}
