//! The webhook with a real API server: self-signed certificates, caches for look-ups, and outages.

mod caches;
mod outages;
mod self_signed;

use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use kube::Client;
use serde_json::{Value, json};
use sqledge_ha::cluster_client::connect;

use crate::kubernetes::Cluster;

/// One API server for all tests. It stops when this process ends.
pub(crate) fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(Cluster::api_only)
}

async fn administrator() -> Client {
    connect(Some(cluster().kubeconfig().as_ref())).await.unwrap()
}

pub(crate) fn create_namespace(name: &str) {
    cluster().must(&["create", "namespace", name], "");
}

pub(crate) fn apply(object: &Value) {
    cluster().must(&["apply", "-f", "-"], &object.to_string());
}

/// A service account with permissions, and a kubeconfig for it.
pub(crate) struct Account {
    _folder: tempfile::TempDir,
    pub(crate) kubeconfig: PathBuf,
}

impl Account {
    /// Creates the account `name` in a namespace, with RBAC rules for the whole cluster.
    pub(crate) fn new(namespace: &str, name: &str, rules: &Value) -> Self {
        cluster().must(&["-n", namespace, "create", "serviceaccount", name], "");
        let unique = format!("{namespace}-{name}");
        let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
            "metadata": {"name": unique}, "rules": rules});
        let subject = json!({"kind": "ServiceAccount", "name": name, "namespace": namespace});
        let binding = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
            "metadata": {"name": unique}, "subjects": [subject],
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": unique}});
        apply(&json!({"apiVersion": "v1", "kind": "List", "items": [role, binding]}));
        let folder = tempfile::tempdir().unwrap();
        let kubeconfig = cluster().kubeconfig_of(namespace, name, folder.path());
        Account { _folder: folder, kubeconfig }
    }

    async fn client(&self) -> Client {
        connect(Some(&self.kubeconfig)).await.unwrap()
    }
}

/// Waits until a condition is true.
async fn eventually(condition: &str, mut is_true: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_true() {
        assert!(start.elapsed() < Duration::from_secs(60), "timeout while waiting for {condition}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
