//! Which nodes can take a pod, as the scheduler decides, and on which of them the database works.

use std::collections::BTreeMap;

use serde_json::Map;
use sqledge_ha_policy::finding::quoted;
use sqledge_ha_policy::json::cursor::Cursor;
use sqledge_ha_policy::kubernetes::objects::Node;
use sqledge_ha_policy::kubernetes::quantity::quantity;
use sqledge_ha_policy::kubernetes::scheduling::{ARCH, HOST_NAME, Placement, Taint, UNREACHABLE, UNSCHEDULABLE};
use sqledge_ha_policy::kubernetes::selector::Selector;
use sqledge_ha_policy::rules::kernel_compatible::kernel_version;

use super::database::{Controller, Database, Pod, as_selected};
use super::inventory::{NodeUsage, Objects, Requests, host_ports};
use super::storage::Storage;

/// The seconds that a pod stays on a failed node; `None` if Kubernetes does not evict it.
pub fn toleration_seconds(pod_spec: &Cursor<'_>) -> Option<f64> {
    match Taint::no_execute(UNREACHABLE).toleration(pod_spec) {
        Some(toleration) => toleration.at("tolerationSeconds").value()?.as_f64().map(|seconds| seconds.max(0.0)),
        None => Some(0.0),
    }
}

/// Where a pod can go.
#[derive(Debug, Default)]
pub struct Targets<'a> {
    /// The nodes that can take it, and on which the database works.
    pub good: Vec<Node<'a>>,
    /// The nodes that can take it, and on which the database does not work, and why.
    pub bad: Vec<(Node<'a>, Unfit)>,
    /// The other nodes, and why they cannot take it.
    pub rejected: Vec<(&'a str, String)>,
    /// Why the answer may be wrong: a constraint that is not evaluated.
    pub doubt: Option<&'static str>,
}

impl Targets<'_> {
    /// Whether no node can take the pod.
    pub fn is_empty(&self) -> bool {
        self.good.is_empty() && self.bad.is_empty()
    }

    /// Whether a node of this name can take the pod.
    pub fn contains(&self, name: &str) -> bool {
        self.good.iter().chain(self.bad.iter().map(|(node, _)| node)).any(|node| node.name() == name)
    }

    /// Why the nodes cannot take the pod: the reasons with the number of nodes, the most frequent first.
    pub fn why_none(&self) -> String {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for (_, reason) in &self.rejected {
            *counts.entry(reason).or_default() += 1;
        }
        let mut counts: Vec<(&str, usize)> = counts.into_iter().collect();
        counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let reasons = counts.into_iter().map(|(reason, count)| match count {
            1 => format!("1 node {reason}"),
            count => format!("{count} nodes {}", plural(reason)),
        });
        reasons.collect::<Vec<_>>().join(", ")
    }
}

/// The same reason of several nodes.
fn plural(reason: &str) -> String {
    for (one, many) in [("is ", "are "), ("has ", "have "), ("does ", "do ")] {
        if let Some(rest) = reason.strip_prefix(one) {
            return format!("{many}{rest}");
        }
    }
    reason.to_owned()
}

/// Why a database does not work on a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// Its image is for another processor.
    Architecture(String),
    /// It crashes on the kernel.
    Kernel(String),
}

impl Unfit {
    /// What to do about it.
    pub fn help(&self) -> &'static str {
        match self {
            Unfit::Architecture(_) => {
                "add the node selector `kubernetes.io/arch`; see `sqledge-ha explain amd64-node-selector`"
            }
            Unfit::Kernel(_) => {
                "select nodes with an older kernel by a label; see `sqledge-ha explain kernel-compatible`"
            }
        }
    }

    /// The reason, in a few words.
    pub fn reason(&self) -> &str {
        let (Unfit::Architecture(reason) | Unfit::Kernel(reason)) = self;
        reason
    }
}

/// What the scheduler and the database say about a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeFit {
    /// It can take the pod, and the database works there.
    Good,
    /// It can take the pod, and the database does not work there.
    Bad(Unfit),
    /// It cannot take the pod, and why, without its name.
    Rejected(String),
}

/// The verdicts on all nodes, computed once: each failure asks about others of them.
#[derive(Debug)]
pub struct Verdicts<'a> {
    nodes: Vec<(Node<'a>, NodeFit)>,
    doubt: Option<&'static str>,
}

impl<'a> Verdicts<'a> {
    /// Where the pod can go, of the nodes that `is_there` leaves.
    pub fn targets(&self, is_there: impl Fn(&Node<'a>) -> bool) -> Targets<'a> {
        let mut targets = Targets { doubt: self.doubt, ..Targets::default() };
        for (node, verdict) in self.nodes.iter().filter(|(node, _)| is_there(node)) {
            match verdict {
                NodeFit::Good => targets.good.push(*node),
                NodeFit::Bad(unfit) => targets.bad.push((*node, unfit.clone())),
                NodeFit::Rejected(reason) => targets.rejected.push((node.name(), reason.clone())),
            }
        }
        targets
    }
}

/// The path of the required anti-affinity in the spec of a pod.
pub(super) const ANTI_AFFINITY: [&str; 3] =
    ["affinity", "podAntiAffinity", "requiredDuringSchedulingIgnoredDuringExecution"];

/// Whether a term of an affinity says in which namespaces it looks for pods; without, it is the namespace of the pod.
fn is_about_namespaces(term: &Cursor<'_>) -> bool {
    term.at("namespaces").items().next().is_some() || term.at("namespaceSelector").exists()
}

/// The question where a pod can go.
#[derive(Debug)]
pub struct Scheduling<'q, 'a> {
    /// The database.
    pub database: &'q Database<'a>,
    /// The pod that is replaced.
    pub pod: &'q Pod<'a>,
    /// Where its files are.
    pub storage: &'q Storage<'a>,
    /// All objects.
    pub objects: &'q Objects<'a>,
    /// What the pods of each node request, if it is known.
    pub usage: Option<&'q BTreeMap<String, NodeUsage>>,
}

impl<'a> Scheduling<'_, 'a> {
    /// The verdicts on all nodes.
    pub fn verdicts(&self) -> Verdicts<'a> {
        let nodes = self.objects.nodes().map(|node| (node, self.verdict(&node))).collect();
        Verdicts { nodes, doubt: self.doubt() }
    }

    fn verdict(&self, node: &Node<'a>) -> NodeFit {
        match (self.against(node), self.fails_on(node)) {
            (Some(reason), _) => NodeFit::Rejected(reason),
            (None, Some(unfit)) => NodeFit::Bad(unfit),
            (None, None) => NodeFit::Good,
        }
    }

    /// Why the scheduler does not use a node, without its name.
    fn against(&self, node: &Node<'a>) -> Option<String> {
        let spec = self.pod.spec();
        let no_labels = Map::new();
        let labels = node.labels().unwrap_or(&no_labels);
        if !node.is_ready() {
            return Some("is not ready".to_owned());
        }
        if node.is_cordoned() && !tolerates_cordon(&spec) {
            return Some("is cordoned".to_owned());
        }
        if let Some(taint) = node.taint_against(&spec) {
            return Some(format!("has the taint {}", quoted(taint.key)));
        }
        if !Placement::new(&spec).admits(node.name(), labels) {
            return Some("does not match node selector and affinity".to_owned());
        }
        if let Some(claim) = self.storage.claims().find(|claim| !claim.admits(node.name(), labels)) {
            return Some(format!("is not where {} can be used", claim.describe()));
        }
        self.too_full(node).or_else(|| self.no_attachment(node)).or_else(|| self.repelled(node))
    }

    /// Which resource a node lacks.
    fn too_full(&self, node: &Node<'_>) -> Option<String> {
        let usage = self.usage?;
        let spec = self.pod.spec();
        let (needed, ports) = (Requests::from_pod_spec(&spec), host_ports(&spec));
        let nothing = NodeUsage::default();
        let used = usage.get(node.name()).unwrap_or(&nothing);
        let is_own = self.pod.node() == Some(node.name());
        let own = if is_own { needed } else { Requests::default() };
        let allocatable = node.object.path(&["status", "allocatable"]);
        let limit = |resource: &'static str| quantity(&allocatable.at(resource)).unwrap_or_default();
        if used.cpu - own.cpu + needed.cpu > limit("cpu") + 1e-9 {
            return Some("has too little CPU left for its requests".to_owned());
        }
        if used.memory - own.memory + needed.memory > limit("memory") {
            return Some("has too little memory left for its requests".to_owned());
        }
        if used.pods + if is_own { 0.0 } else { 1.0 } > limit("pods") {
            return Some("has as many pods as it can have".to_owned());
        }
        let port = ports.iter().find(|port| !is_own && used.host_ports.contains(port));
        port.map(|port| format!("has no free host port {port}"))
    }

    /// Whether a node has no attachment left for a volume.
    fn no_attachment(&self, node: &Node<'_>) -> Option<String> {
        let node_drivers = Cursor::root(self.objects.get("CSINode", "", node.name())?).path(&["spec", "drivers"]);
        self.storage.attached().find_map(|claim| {
            let driver = claim.driver?;
            let entry = node_drivers.items().find(|entry| entry.at("name").str() == Some(driver))?;
            let limit = entry.path(&["allocatable", "count"]).int()?;
            let attachments = self.objects.of_kind("VolumeAttachment").iter().filter(|attachment| {
                let spec = Cursor::root(attachment).at("spec");
                spec.at("attacher").str() == Some(driver) && spec.at("nodeName").str() == Some(node.name())
            });
            let count = i64::try_from(attachments.count()).unwrap_or(i64::MAX);
            let is_there = claim.attached_to == Some(node.name());
            (!is_there && count >= limit).then(|| format!("has no free attachment for {}", quoted(driver)))
        })
    }

    /// Whether a required anti-affinity of the pod keeps it away from a node that runs a matching pod. Pods of other
    /// namespaces are not looked at.
    fn repelled(&self, node: &Node<'a>) -> Option<String> {
        let terms = self.pod.spec().path(&ANTI_AFFINITY);
        let is_matched = terms.items().filter(|term| !is_about_namespaces(term)).any(|term| {
            let key = term.at("topologyKey").str().unwrap_or(HOST_NAME);
            let domain = if key == HOST_NAME { Some(node.name()) } else { node.label(key) };
            let Some(selector) = Selector::from_label_selector(&term.at("labelSelector")) else { return false };
            let others = self.objects.in_namespace("Pod", self.database.namespace).map(Pod::read);
            let mut others = others.filter(|other| other.name() != self.pod.name() && !other.has_ended());
            others.any(|other| {
                let its_node = other.node().and_then(|name| self.objects.node(name));
                let its_domain =
                    its_node.and_then(|node| if key == HOST_NAME { Some(node.name()) } else { node.label(key) });
                its_domain.is_some()
                    && its_domain == domain
                    && as_selected(&other, self.database.namespace).is_some_and(|pods| selector.matches(&pods))
            })
        });
        is_matched.then(|| "has a pod that its anti-affinity avoids".to_owned())
    }

    /// Which constraints of the pod are not evaluated.
    fn doubt(&self) -> Option<&'static str> {
        let spec = self.pod.spec();
        let spread = spec.at("topologySpreadConstraints");
        let is_hard = |constraint: Cursor<'_>| constraint.at("whenUnsatisfiable").str() != Some("ScheduleAnyway");
        if spec
            .path(&["affinity", "podAffinity", "requiredDuringSchedulingIgnoredDuringExecution"])
            .items()
            .next()
            .is_some()
        {
            return Some("the pod affinity");
        }
        if spread.items().any(is_hard) && self.database.pods.len() > 1 {
            return Some("the topology spread constraints");
        }
        let is_alone = self.database.controller == Controller::Nothing;
        let anti_affinity = spec.path(&ANTI_AFFINITY);
        if is_alone && anti_affinity.exists() {
            return Some("the pod anti-affinity of a pod without a controller");
        }
        if anti_affinity.items().any(|term| is_about_namespaces(&term)) {
            return Some("the pod anti-affinity to pods of named namespaces");
        }
        spec.at("resourceClaims").exists().then_some("the resource claims")
    }

    /// Why the database does not work on a node that can take its pod. A pod that is ready on such a node shows that it
    /// does.
    fn fails_on(&self, node: &Node<'_>) -> Option<Unfit> {
        let works_there = |other: &Pod<'_>| other.is_ready() && other.node() == Some(node.name());
        if self.database.pods.iter().any(works_there) {
            return None;
        }
        let container = self.database.workload.engines.first()?;
        let engine = container.engine;
        if let Some(architecture) = node.label(ARCH)
            && architecture != engine.architecture
        {
            let reason =
                format!("its architecture is {architecture}, and {} needs {}", engine.product, engine.architecture);
            return Some(Unfit::Architecture(reason));
        }
        let (kernel, last) = (node.kernel().str()?, container.last_working_kernel()?);
        let is_newer = kernel_version(kernel).is_some_and(|version| version > last);
        is_newer.then(|| Unfit::Kernel(format!("{} crashes on its kernel, {kernel}", engine.product)))
    }
}

/// A pod can tolerate that a node is cordoned; those of DaemonSets do.
fn tolerates_cordon(pod_spec: &Cursor<'_>) -> bool {
    Taint { key: UNSCHEDULABLE, value: "", effect: "NoSchedule" }.toleration(pod_spec).is_some()
}
