//! The databases of a cluster: workloads, their pods, and what these do now.

use serde_json::Value;
use sqledge_ha_policy::finding::quoted;
use sqledge_ha_policy::json::cursor::Cursor;
use sqledge_ha_policy::kubernetes::kind::{Kind, WorkloadKind, controller_of, has_checked_owner};
use sqledge_ha_policy::kubernetes::rollout::referenced_deployment;
use sqledge_ha_policy::kubernetes::selector::{POD_TEMPLATE_HASH, Pods};
use sqledge_ha_policy::kubernetes::service::Service;
use sqledge_ha_policy::kubernetes::{DEFAULT_NAMESPACE, name_of, namespace_of};
use sqledge_ha_policy::settings::Settings;
use sqledge_ha_policy::workload::Workload;

use super::inventory::Objects;

/// A workload that runs a database, with its pods.
#[derive(Debug)]
pub struct Database<'a> {
    /// The workload.
    pub workload: Workload<'a>,
    /// The object.
    pub object: &'a Value,
    /// Its namespace.
    pub namespace: &'a str,
    /// What creates its pods.
    pub controller: Controller,
    /// Its pods, those that run first.
    pub pods: Vec<Pod<'a>>,
    /// The Services that select its pods.
    pub services: Vec<Service<'a>>,
    /// What the workload does now.
    pub now: Now,
}

/// What creates the pods of a workload, as far as failures depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Controller {
    /// Nothing: it is a pod by itself.
    Nothing,
    /// A StatefulSet: a replacement pod starts when the old pod is gone.
    AfterTheOldPod,
    /// A Deployment or its kin: a replacement pod starts as soon as the old one is told to stop.
    AtOnce,
    /// A DaemonSet: the pods belong to their nodes.
    OnEachNode,
}

impl Controller {
    fn from_kind(kind: WorkloadKind) -> Self {
        match kind {
            WorkloadKind::Pod => Controller::Nothing,
            WorkloadKind::StatefulSet => Controller::AfterTheOldPod,
            WorkloadKind::DaemonSet => Controller::OnEachNode,
            _ => Controller::AtOnce,
        }
    }
}

/// A pod of a database.
#[derive(Clone, Copy, Debug)]
pub struct Pod<'a> {
    /// The object.
    pub object: Cursor<'a>,
}

impl<'a> Pod<'a> {
    /// From its object.
    pub fn read(object: &'a Value) -> Self {
        Pod { object: Cursor::root(object) }
    }

    /// Its name.
    pub fn name(&self) -> &'a str {
        self.object.path(&["metadata", "name"]).str().unwrap_or_default()
    }

    /// Its `spec`.
    pub fn spec(&self) -> Cursor<'a> {
        self.object.at("spec")
    }

    /// The node that it was scheduled on.
    pub fn node(&self) -> Option<&'a str> {
        self.spec().at("nodeName").str().filter(|name| !name.is_empty())
    }

    /// A condition of its status, e.g. `Ready`.
    pub fn condition(&self, name: &str) -> Option<Cursor<'a>> {
        condition(&self.object, name)
    }

    /// Whether it is ready.
    pub fn is_ready(&self) -> bool {
        self.condition("Ready").is_some_and(|condition| condition.at("status").str() == Some("True"))
    }

    /// Whether it was told to stop.
    pub fn is_stopping(&self) -> bool {
        self.object.path(&["metadata", "deletionTimestamp"]).exists()
    }

    /// Whether its containers have ended for good.
    pub fn has_ended(&self) -> bool {
        is_final_phase(self.object.path(&["status", "phase"]).str())
    }

    /// The state of its containers, in the order of the status.
    pub fn container_statuses(&self) -> impl Iterator<Item = Cursor<'a>> + use<'a> {
        self.object.path(&["status", "containerStatuses"]).items()
    }
}

/// Whether a pod in this phase has ended for good.
pub fn is_final_phase(phase: Option<&str>) -> bool {
    matches!(phase, Some("Succeeded" | "Failed"))
}

/// A condition in the status of an object.
pub fn condition<'a>(object: &Cursor<'a>, name: &str) -> Option<Cursor<'a>> {
    let conditions = object.path(&["status", "conditions"]);
    conditions.items().find(|condition| condition.at("type").str() == Some(name))
}

/// What a database does now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Now {
    /// The state.
    pub state: State,
    /// The node of its pod.
    pub node: Option<String>,
    /// Why it does not run.
    pub reason: Option<String>,
}

/// The state of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// A pod is ready.
    Running,
    /// A pod is on a node and not ready.
    NotReady,
    /// A pod waits for a node, or for its volumes.
    Pending,
    /// No pod is wanted.
    Stopped,
    /// A pod is wanted, and there is none.
    NoPod,
}

impl State {
    /// Every state.
    pub const ALL: [State; 5] = [State::Running, State::NotReady, State::Pending, State::Stopped, State::NoPod];

    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            State::Running => "running",
            State::NotReady => "not-ready",
            State::Pending => "pending",
            State::Stopped => "stopped",
            State::NoPod => "no-pod",
        }
    }

    /// The word for people.
    pub fn word(self) -> &'static str {
        match self {
            State::Running => "running",
            State::NotReady => "not ready",
            State::Pending => "pending",
            State::Stopped => "stopped",
            State::NoPod => "no pod",
        }
    }
}

impl<'a> Database<'a> {
    /// Every database of selected products, by namespace and name.
    pub fn find_all(objects: &Objects<'a>, all: &'a [Value], settings: &Settings) -> Vec<Database<'a>> {
        let mut databases: Vec<Database<'a>> =
            all.iter().filter_map(|object| Database::read(object, objects, settings)).collect();
        databases.sort_by_key(|database| (database.namespace, database.name(), database.workload.kind));
        databases
    }

    fn read(object: &'a Value, objects: &Objects<'a>, settings: &Settings) -> Option<Self> {
        let kind = Kind::from_object(object)?;
        let workload_kind = kind.workload().filter(|kind| kind.is_long_running())?;
        if has_checked_owner(kind, object) {
            return None;
        }
        let workload = Workload::read(object, workload_kind, settings)?;
        if !workload.has_selected_engine() || workload.on_windows {
            return None;
        }
        let namespace = namespace_of(object).unwrap_or(DEFAULT_NAMESPACE);
        let pods = pods_of(object, workload_kind, namespace, objects);
        let services = services_of(&workload, &pods, namespace, objects);
        let now = now(&workload, &pods);
        let controller = Controller::from_kind(workload_kind);
        Some(Database { workload, object, namespace, controller, pods, services, now })
    }

    /// Its name.
    pub fn name(&self) -> &'a str {
        name_of(self.object)
    }

    /// Its namespace and name.
    pub fn full_name(&self) -> String {
        format!("{}/{}", self.namespace, self.name())
    }

    /// The operator's object that controls it, e.g. ``MSSQLServer `sql` ``.
    pub fn operator(&self) -> Option<String> {
        controller_of(self.object).map(|(_, kind, name)| format!("{kind} {}", quoted(name)))
    }

    /// The image of its container; empty if the container names none.
    pub fn image(&self) -> &'a str {
        let container = self.workload.engines.first();
        container.and_then(|engine| engine.container.at("image").str()).unwrap_or_default()
    }

    /// The pods that failures can end: those on nodes.
    pub fn placed_pods(&self) -> impl Iterator<Item = &Pod<'a>> {
        self.pods.iter().filter(|pod| pod.node().is_some() && !pod.has_ended())
    }
}

/// The pods of a workload, directly or through a ReplicaSet or ReplicationController. Those that are ready come first.
fn pods_of<'a>(object: &'a Value, kind: WorkloadKind, namespace: &str, objects: &Objects<'a>) -> Vec<Pod<'a>> {
    if kind == WorkloadKind::Pod {
        return vec![Pod::read(object)];
    }
    let own_name = name_of(object);
    let is_own = |(_, owner_kind, owner_name): (&str, &str, &str)| {
        let runs_it = || {
            kind == WorkloadKind::Deployment
                && deployment_behind(objects, namespace, owner_kind, owner_name) == Some(own_name)
        };
        owner_kind == kind.name() && owner_name == own_name || runs_it()
    };
    let is_owned_by = |pod: &Value| {
        let Some(controller @ (_, owner_kind, owner_name)) = controller_of(pod) else { return false };
        if owner_kind == kind.name() {
            return is_own(controller);
        }
        match objects.get(owner_kind, namespace, owner_name) {
            Some(owner) => controller_of(owner).is_some_and(is_own),
            None => kind == WorkloadKind::Deployment && deployment_of_pod(pod, owner_name) == Some(own_name),
        }
    };
    let pods = objects.in_namespace("Pod", namespace).filter(|pod| is_owned_by(pod));
    let mut pods: Vec<Pod<'a>> = pods.map(Pod::read).collect();
    pods.sort_by_key(|pod| (pod.has_ended(), pod.is_stopping(), !pod.is_ready(), pod.name()));
    pods
}

/// The Deployment whose template an Argo Rollout runs.
fn deployment_behind<'a>(objects: &Objects<'a>, namespace: &str, kind: &str, name: &str) -> Option<&'a str> {
    let rollout = objects.get("Rollout", namespace, name).filter(|_| kind == "Rollout")?;
    referenced_deployment(&Cursor::root(rollout))
}

/// The Deployment of a pod whose ReplicaSet is not known.
fn deployment_of_pod<'p>(pod: &Value, replica_set: &'p str) -> Option<&'p str> {
    let hash = Cursor::root(pod).path(&["metadata", "labels"]).at(POD_TEMPLATE_HASH).str()?;
    deployment_of_replica_set(replica_set, hash)
}

/// The name of a Deployment: its ReplicaSets are named after it and the hash of the pod template.
pub fn deployment_of_replica_set<'r>(replica_set: &'r str, hash: &str) -> Option<&'r str> {
    replica_set.strip_suffix(hash)?.strip_suffix('-')
}

/// The Services that select a pod of the workload.
fn services_of<'a>(
    workload: &Workload<'a>,
    pods: &[Pod<'a>],
    namespace: &'a str,
    objects: &Objects<'a>,
) -> Vec<Service<'a>> {
    let live = pods.iter().find(|pod| !pod.has_ended()).and_then(|pod| as_selected(pod, namespace));
    let expected = live.unwrap_or_else(|| workload.pods(namespace));
    let services =
        objects.in_namespace("Service", namespace).filter(|service| Kind::from_object(service) == Some(Kind::Service));
    services.map(Service::read).filter(|service| service.selects(&expected)).collect()
}

/// A live pod as selectors see it: it has the labels that its controller added.
pub fn as_selected<'a>(pod: &Pod<'a>, namespace: &'a str) -> Option<Pods<'a>> {
    let labels = pod.object.path(&["metadata", "labels"]).map();
    Some(Pods { object: pod.object.value()?, kind: WorkloadKind::Pod, namespace, name: pod.name(), labels })
}

fn now(workload: &Workload<'_>, pods: &[Pod<'_>]) -> Now {
    let state =
        |state, pod: Option<&Pod<'_>>, reason| Now { state, node: pod.and_then(Pod::node).map(str::to_owned), reason };
    let replicas = workload.object.path(&["spec", "replicas"]).int();
    let Some(pod) = pods.iter().find(|pod| !pod.has_ended()) else {
        return match (replicas, pods.first()) {
            (Some(0), _) => state(State::Stopped, None, Some("`replicas` is 0".to_owned())),
            (_, Some(ended)) => state(State::NoPod, None, Some(format!("pod {} has ended", quoted(ended.name())))),
            (_, None) => state(State::NoPod, None, None),
        };
    };
    if pod.is_ready() && !pod.is_stopping() {
        return state(State::Running, Some(pod), None);
    }
    let reason = if pod.is_stopping() { Some("its pod is stopping".to_owned()) } else { why_not_ready(pod) };
    let value = if pod.node().is_some() { State::NotReady } else { State::Pending };
    state(value, Some(pod), reason)
}

/// Why a pod is not ready: what the scheduler or the kubelet says.
fn why_not_ready(pod: &Pod<'_>) -> Option<String> {
    if let Some(scheduled) = pod.condition("PodScheduled")
        && scheduled.at("status").str() == Some("False")
    {
        return scheduled.at("message").str().map(str::to_owned);
    }
    let waiting = pod.container_statuses().find_map(|status| {
        let waiting = status.path(&["state", "waiting"]);
        let reason = waiting.at("reason").str()?;
        Some(match waiting.at("message").str() {
            Some(message) => format!("{reason}: {message}"),
            None => reason.to_owned(),
        })
    });
    waiting.or_else(|| Some(pod.condition("Ready")?.at("message").str()?.to_owned()))
}
