//! The node: whether it has failed, what runs on it, and its taint.

use std::collections::BTreeMap;

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Node, Pod, Taint};
use kube::api::{Api, ListParams, Patch, PatchParams};
use kube::{Client, ResourceExt};
use serde_json::json;
use sqledge_ha_policy::finding::quoted;
use sqledge_ha_policy::kubernetes::scheduling::OUT_OF_SERVICE;
use sqledge_ha_policy::kubernetes::selector::POD_TEMPLATE_HASH;

use crate::audit::database::{deployment_of_replica_set, is_final_phase};

/// By default, a node that answered this recently may still run: the grace period of Kubernetes, and some seconds for
/// clocks that differ.
pub const GRACE_SECONDS: f64 = 60.0;

/// Why a node must not be released: its databases may run on.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum MayStillRun {
    /// The node is ready.
    #[error("node {} is Ready: its machine runs, and its databases with it", quoted(_0))]
    Ready(String),
    /// The node answered a moment ago.
    #[error(
        "node {} gave a sign of life {silent_for:.0} s ago: wait until it is silent for {grace:.0} s",
        quoted(node)
    )]
    Recent {
        /// Its name.
        node: String,
        /// The seconds since its last sign of life.
        silent_for: f64,
        /// The seconds after which it may be released.
        grace: f64,
    },
    /// Nothing tells when the node answered for the last time.
    #[error("node {} does not show when it answered for the last time", quoted(_0))]
    Unknown(String),
}

/// A node, as far as its release depends on it.
#[derive(Clone, Debug)]
pub struct FailedNode {
    /// Its name.
    pub name: String,
    /// Whether it is ready.
    pub is_ready: bool,
    /// The seconds since its last sign of life.
    pub silent_for: Option<f64>,
    /// Its taints.
    pub taints: Vec<Taint>,
    resource_version: Option<String>,
}

impl FailedNode {
    /// Reads a node; `None` if it does not exist. `now` is the time in seconds since 1970.
    ///
    /// # Errors
    /// Errors of the API server.
    pub async fn read(client: &Client, name: &str, now: f64) -> Result<Option<Self>, kube::Error> {
        let Some(node) = Api::<Node>::all(client.clone()).get_opt(name).await? else { return Ok(None) };
        let lease = Api::<Lease>::namespaced(client.clone(), "kube-node-lease").get_opt(name).await?;
        let renewed = lease.and_then(|lease| lease.spec?.renew_time).map(|time| time.0.as_duration().as_secs_f64());
        let ready = node
            .status
            .iter()
            .flat_map(|status| status.conditions.iter().flatten())
            .find(|condition| condition.type_ == "Ready");
        let heartbeat = ready.and_then(|ready| Some(ready.last_heartbeat_time.as_ref()?.0.as_duration().as_secs_f64()));
        let last = [renewed, heartbeat].into_iter().flatten().reduce(f64::max);
        Ok(Some(FailedNode {
            name: name.to_owned(),
            is_ready: ready.is_some_and(|ready| ready.status == "True"),
            silent_for: last.map(|last| now - last),
            resource_version: node.resource_version(),
            taints: node.spec.and_then(|spec| spec.taints).unwrap_or_default(),
        }))
    }

    /// Checks that it has been silent for `grace` seconds.
    ///
    /// # Errors
    /// [`MayStillRun`] if it is ready, or has answered since then.
    pub fn check_silent(&self, grace: f64) -> Result<(), MayStillRun> {
        if self.is_ready {
            return Err(MayStillRun::Ready(self.name.clone()));
        }
        match self.silent_for {
            None => Err(MayStillRun::Unknown(self.name.clone())),
            // A sign of life from the future is one of a clock that is ahead.
            Some(seconds) if seconds < grace => {
                Err(MayStillRun::Recent { node: self.name.clone(), silent_for: seconds.max(0.0), grace })
            }
            Some(_) => Ok(()),
        }
    }

    /// Whether it has the taint.
    pub fn is_out_of_service(&self) -> bool {
        self.taints.iter().any(|taint| taint.key == OUT_OF_SERVICE)
    }

    /// Adds the taint, unless the node has changed since it was read.
    ///
    /// # Errors
    /// Errors of the API server; 409 if the node has changed.
    pub async fn taint(&self, client: &Client) -> Result<(), kube::Error> {
        let taint = Taint {
            key: OUT_OF_SERVICE.to_owned(),
            value: Some("nodeshutdown".to_owned()),
            effect: "NoExecute".to_owned(),
            time_added: None,
        };
        self.set_taints(client, self.taints.iter().cloned().chain([taint]).collect()).await
    }

    /// Removes the taint, unless the node has changed since it was read.
    ///
    /// # Errors
    /// Errors of the API server; 409 if the node has changed.
    pub async fn remove_taint(&self, client: &Client) -> Result<(), kube::Error> {
        let others = self.taints.iter().filter(|taint| taint.key != OUT_OF_SERVICE);
        self.set_taints(client, others.cloned().collect()).await
    }

    async fn set_taints(&self, client: &Client, taints: Vec<Taint>) -> Result<(), kube::Error> {
        let patch = json!({"metadata": {"resourceVersion": self.resource_version}, "spec": {"taints": taints}});
        let api = Api::<Node>::all(client.clone());
        api.patch(&self.name, &PatchParams::default(), &Patch::Merge(patch)).await.map(|_| ())
    }
}

/// What controls the pods on a node that have not ended, as `KIND NAMESPACE/NAME`, with the number of these pods.
///
/// # Errors
/// Errors of the API server.
pub async fn pods_on(client: &Client, node: &str) -> Result<BTreeMap<String, usize>, kube::Error> {
    let api = Api::<Pod>::all(client.clone());
    let mut parameters = ListParams::default().fields(&format!("spec.nodeName={node}")).limit(500);
    let mut owners = BTreeMap::new();
    loop {
        let page = api.list(&parameters).await?;
        for pod in &page.items {
            let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
            if !is_final_phase(phase) {
                *owners.entry(owner_of(pod)).or_default() += 1;
            }
        }
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => parameters = parameters.continue_token(&token),
            None => return Ok(owners),
        }
    }
}

/// What controls a pod, as `KIND NAMESPACE/NAME`; the pod itself if nothing does. A Deployment's ReplicaSet counts as
/// the Deployment.
fn owner_of(pod: &Pod) -> String {
    let namespace = pod.namespace().unwrap_or_default();
    let controller = pod.owner_references().iter().find(|owner| owner.controller == Some(true));
    match controller {
        None => format!("Pod {namespace}/{}", pod.name_any()),
        Some(owner) => {
            let hash = pod.labels().get(POD_TEMPLATE_HASH);
            let deployment = hash.and_then(|hash| deployment_of_replica_set(&owner.name, hash));
            match (owner.kind.as_str(), deployment) {
                ("ReplicaSet", Some(name)) => format!("Deployment {namespace}/{name}"),
                (kind, _) => format!("{kind} {namespace}/{}", owner.name),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(is_ready: bool, silent_for: Option<f64>) -> FailedNode {
        FailedNode { name: "n1".to_owned(), is_ready, silent_for, taints: Vec::new(), resource_version: None }
    }

    #[test]
    fn a_node_that_may_run_is_not_released() {
        assert!(node(true, Some(900.0)).check_silent(60.0).unwrap_err().to_string().contains("is Ready"));
        assert_eq!(
            node(false, Some(20.0)).check_silent(90.0).unwrap_err().to_string(),
            "node `n1` gave a sign of life 20 s ago: wait until it is silent for 90 s"
        );
        assert!(node(false, Some(-5.0)).check_silent(60.0).is_err() && node(false, None).check_silent(60.0).is_err());
        assert!(node(false, Some(61.0)).check_silent(60.0).is_ok());
    }
}
