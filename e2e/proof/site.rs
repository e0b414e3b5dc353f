//! A cluster with a journal, and with the webhook in front of it or without.

use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use serde_json::{Value, json};
use sqledge_ha::webhook::cluster_client::connect;
use tokio::runtime::Runtime;

use crate::journal::Journal;
use crate::kubernetes::Cluster;
use crate::process::Server;
use crate::ran::Ran;
use crate::replay;
use crate::tap::Tap;
use crate::webhook_configurations::{list, webhook_configurations};

/// Where journals and taps run.
pub(crate) static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap());

/// How long anything may take that comes true by itself.
pub(crate) const PATIENCE: Duration = Duration::from_secs(180);

/// The label of namespaces with settings of their own.
const SETTINGS: &str = "proof.sqledge-ha/settings";

/// The webhook and what stands before it.
pub(crate) struct Webhook {
    pub(crate) server: Server,
    pub(crate) tap: Tap,
    /// The policy's settings, as JSON.
    pub(crate) settings: Value,
}

/// A cluster to run databases in.
pub(crate) struct Site {
    pub(crate) cluster: Cluster,
    pub(crate) journal: Arc<Journal>,
    pub(crate) webhooks: Vec<Webhook>,
}

impl Site {
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
        Site { cluster, journal, webhooks: Vec::new() }
    }

    /// A cluster with the webhook, registered by its own manifests: while nobody answers, requests are refused.
    pub(crate) fn protected(flags: &[&str]) -> Self {
        let mut site = Site::unprotected(flags);
        site.register("", &json!({}));
        site
    }

    /// The same, with another webhook for the namespaces made by [`Site::namespace_with`] of this name.
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
        let tap = RUNTIME.block_on(Tap::before(server.reviews, &server.authority));
        let mut configurations = webhook_configurations(tap.address, &tap.certificate, &[&flag]);
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
        self.webhooks.push(Webhook { server, tap, settings: settings.clone() });
        self.wait_until_registered(name);
    }

    /// The API server learns of registrations a moment after they are stored.
    fn wait_until_registered(&self, name: &str) {
        let namespace = format!("probe{}{name}", if name.is_empty() { "" } else { "-" });
        self.namespace_with(&namespace, name);
        let probe = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "probe"}, "spec": {
            "selector": {"matchLabels": {"app": "probe"}}, "template": {"metadata": {"labels": {"app": "probe"}},
                "spec": {"containers": [{"name": "sql", "image": "azure-sql-edge"}], "hostname": "probe",
                    "nodeName": "none"}}}});
        let is_refused = || {
            let ran = self.kubectl(&namespace, &["create", "--dry-run=server", "-f", "-"], &probe.to_string());
            ran.said.contains("unpinned-node")
        };
        for _ in 0..200 {
            if is_refused() {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("the registrations have no effect: {:#?}", self.webhooks.last().unwrap().server.log());
    }

    /// Makes a namespace, judged by the webhook's default settings.
    pub(crate) fn namespace(&self, name: &str) {
        self.cluster.must(&["create", "namespace", name], "");
    }

    /// Makes a namespace, judged by the webhook with settings of this name.
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

    /// The same where nothing may go wrong; gives what it printed.
    pub(crate) fn must(&self, namespace: &str, arguments: &[&str], input: &str) -> String {
        self.cluster.must(&[&["--namespace", namespace], arguments].concat(), input)
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.webhooks.iter().for_each(|webhook| replay::keep(&webhook.settings, webhook.tap.recorded()));
    }
}
