//! The parts of objects that matter for the guarantees.

use std::collections::BTreeMap;
use std::fmt;

use k8s_openapi::api::core::v1::{Container, Node, PersistentVolumeClaim, Pod, Service, Taint, VolumeMount};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::ResourceExt;

/// The data directory of SQL Edge.
const DATA: &str = "/var/opt/mssql/data";
/// The port that SQL Edge listens on.
const PORT: i32 = 1433;

/// The facts about one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fact {
    Pod(PodFact),
    Node(NodeFact),
    Claim(ClaimFact),
    Service(ServiceFact),
    Endpoints(EndpointsFact),
}

/// A pod, with or without SQL Edge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PodFact {
    pub(crate) uid: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) node: Option<String>,
    /// Whether one of its containers runs SQL Edge.
    pub(crate) has_engine: bool,
    /// Whether that container runs, according to the status.
    pub(crate) runs: bool,
    pub(crate) is_ready: bool,
    /// Whether it is being deleted.
    pub(crate) is_leaving: bool,
    pub(crate) restarts: i32,
    /// The claims that SQL Edge can write to.
    pub(crate) claims: Vec<String>,
    /// The location of the database files; `None` if it is the container filesystem.
    pub(crate) data: Option<DataLocation>,
}

/// A directory of a claim.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct DataLocation {
    pub(crate) claim: String,
    pub(crate) directory: String,
}

/// A node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NodeFact {
    pub(crate) architecture: String,
    pub(crate) is_ready: bool,
    pub(crate) taints: Vec<String>,
}

/// A persistent volume claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClaimFact {
    pub(crate) uid: String,
    pub(crate) volume: Option<String>,
}

/// A Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServiceFact {
    pub(crate) kind: String,
    /// Its address for clients outside the cluster.
    pub(crate) address: Option<String>,
}

/// The endpoints of a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EndpointsFact {
    pub(crate) service: String,
    /// The number of ready endpoints with the port of SQL Edge.
    pub(crate) ready: usize,
}

pub(crate) fn pod(pod: &Pod) -> Fact {
    let spec = pod.spec.clone().unwrap_or_default();
    let status = pod.status.clone().unwrap_or_default();
    let engine = spec.containers.iter().find(|container| is_engine(container));
    let state = status.container_statuses.unwrap_or_default();
    let state = state.iter().find(|state| engine.is_some_and(|engine| engine.name == state.name));
    let conditions = status.conditions.unwrap_or_default();
    let is_ready = conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True");
    Fact::Pod(PodFact {
        uid: pod.uid().unwrap_or_default(),
        labels: pod.labels().clone(),
        node: spec.node_name.clone(),
        has_engine: engine.is_some(),
        runs: state.and_then(|state| state.state.as_ref()).is_some_and(|state| state.running.is_some()),
        is_ready,
        is_leaving: pod.metadata.deletion_timestamp.is_some(),
        restarts: state.map_or(0, |state| state.restart_count),
        claims: engine.map(|engine| writable_claims(pod, engine)).unwrap_or_default(),
        data: engine.and_then(|engine| data(pod, engine)),
    })
}

fn is_engine(container: &Container) -> bool {
    container.image.as_deref().is_some_and(|image| image.contains("azure-sql-edge"))
}

fn mounts(engine: &Container) -> impl Iterator<Item = &VolumeMount> {
    engine.volume_mounts.iter().flatten()
}

/// The claim behind a mount.
fn claim_of(pod: &Pod, mount: &VolumeMount) -> Option<String> {
    let volume = pod.spec.as_ref()?.volumes.as_ref()?.iter().find(|volume| volume.name == mount.name)?;
    Some(volume.persistent_volume_claim.as_ref()?.claim_name.clone())
}

fn writable_claims(pod: &Pod, engine: &Container) -> Vec<String> {
    let writable = mounts(engine).filter(|mount| mount.read_only != Some(true));
    writable.filter_map(|mount| claim_of(pod, mount)).collect()
}

/// The deepest mount above the data directory counts.
fn data(pod: &Pod, engine: &Container) -> Option<DataLocation> {
    let above = |mount: &&VolumeMount| {
        let path = mount.mount_path.trim_end_matches('/');
        DATA == path || DATA.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'))
    };
    let mount = mounts(engine).filter(above).max_by_key(|mount| mount.mount_path.trim_end_matches('/').len())?;
    let expanded = mount.sub_path_expr.as_deref().map(|path| expand(path, pod, engine));
    let directory = expanded.or_else(|| mount.sub_path.clone()).unwrap_or_default();
    Some(DataLocation { claim: claim_of(pod, mount)?, directory })
}

/// Expands a `subPathExpr` as the kubelet does.
fn expand(path: &str, pod: &Pod, engine: &Container) -> String {
    engine.env.iter().flatten().fold(path.to_owned(), |path, variable| {
        let field = variable.value_from.as_ref().and_then(|source| source.field_ref.as_ref());
        let value = match field.map(|field| field.field_path.as_str()) {
            Some("metadata.name") => pod.name_any(),
            Some("metadata.uid") => pod.uid().unwrap_or_default(),
            Some("metadata.labels['pod-template-hash']") => pod.labels()["pod-template-hash"].clone(),
            _ => variable.value.clone().unwrap_or_default(),
        };
        path.replace(&format!("$({})", variable.name), &value)
    })
}

pub(crate) fn node(node: &Node) -> Fact {
    let conditions = node.status.as_ref().and_then(|status| status.conditions.clone()).unwrap_or_default();
    let taints = node.spec.as_ref().and_then(|spec| spec.taints.clone()).unwrap_or_default();
    let name = |taint: &Taint| format!("{}:{}", taint.key, taint.effect);
    Fact::Node(NodeFact {
        architecture: node.labels().get("kubernetes.io/arch").cloned().unwrap_or_default(),
        is_ready: conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True"),
        taints: taints.iter().map(name).collect(),
    })
}

pub(crate) fn claim(claim: &PersistentVolumeClaim) -> Fact {
    let volume = claim.spec.as_ref().and_then(|spec| spec.volume_name.clone()).filter(|name| !name.is_empty());
    Fact::Claim(ClaimFact { uid: claim.uid().unwrap_or_default(), volume })
}

pub(crate) fn service(service: &Service) -> Fact {
    let kind = service.spec.as_ref().and_then(|spec| spec.type_.clone()).unwrap_or_default();
    let balancer = service.status.as_ref().and_then(|status| status.load_balancer.as_ref());
    let ingress = balancer.and_then(|balancer| balancer.ingress.as_ref()?.first().cloned());
    Fact::Service(ServiceFact { kind, address: ingress.and_then(|ingress| ingress.ip) })
}

pub(crate) fn endpoints(slice: &EndpointSlice) -> Fact {
    let leads_there = slice.ports.iter().flatten().any(|port| port.port == Some(PORT));
    let ready = slice.endpoints.iter().flatten();
    let ready =
        ready.filter(|endpoint| endpoint.conditions.as_ref().and_then(|conditions| conditions.ready).unwrap_or(true));
    Fact::Endpoints(EndpointsFact {
        service: slice.labels().get("kubernetes.io/service-name").cloned().unwrap_or_default(),
        ready: if leads_there { ready.count() } else { 0 },
    })
}

impl fmt::Display for Fact {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fact::Pod(pod) => write!(formatter, "{pod}"),
            Fact::Node(node) => {
                let ready = if node.is_ready { "ready" } else { "not ready" };
                write!(formatter, "{}, {ready} {}", node.architecture, node.taints.join(" "))
            }
            Fact::Claim(claim) => write!(formatter, "volume {}", claim.volume.as_deref().unwrap_or("none yet")),
            Fact::Service(service) => {
                write!(formatter, "{}, address {}", service.kind, service.address.as_deref().unwrap_or("none"))
            }
            Fact::Endpoints(endpoints) => write!(formatter, "{} ready behind {}", endpoints.ready, endpoints.service),
        }
    }
}

impl fmt::Display for PodFact {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match (self.runs, self.is_ready) {
            (true, true) => "runs, ready",
            (true, false) => "runs, not ready",
            (false, _) => "does not run",
        };
        let leaving = if self.is_leaving { ", is being deleted" } else { "" };
        write!(formatter, "on {}, {state}{leaving}", self.node.as_deref().unwrap_or("no node"))?;
        if self.restarts > 0 {
            write!(formatter, ", {} restarts", self.restarts)?;
        }
        Ok(())
    }
}
