//! Typed views of the other objects that rules look up.

use serde_json::{Map, Value};

use super::claim::{Claim, class_name};
use super::namespace_of;
use super::quantity::quantity;
use super::scheduling::{BETA_ZONE, HOST_NAME, Placement, Taint, ZONE};
use super::selector::Selector;
use crate::json::cursor::Cursor;

/// A PersistentVolume.
#[derive(Clone, Copy, Debug)]
pub struct Volume<'a> {
    /// The whole object.
    pub object: Cursor<'a>,
}

/// A StorageClass.
#[derive(Clone, Copy, Debug)]
pub struct StorageClass<'a> {
    /// The whole object.
    pub object: Cursor<'a>,
}

/// A PodDisruptionBudget.
#[derive(Clone, Copy, Debug)]
pub struct DisruptionBudget<'a> {
    /// The whole object.
    pub object: Cursor<'a>,
}

/// A HorizontalPodAutoscaler, a KEDA ScaledObject, or a VerticalPodAutoscaler.
#[derive(Clone, Copy, Debug)]
pub struct Autoscaler<'a> {
    /// The whole object.
    pub object: Cursor<'a>,
}

/// A Node.
#[derive(Clone, Copy, Debug)]
pub struct Node<'a> {
    /// The whole object.
    pub object: Cursor<'a>,
}

/// A TCPRoute of the Gateway API.
#[derive(Clone, Copy, Debug)]
pub struct TcpRoute<'a> {
    /// The whole object.
    pub object: Cursor<'a>,
    /// Its namespace.
    pub namespace: &'a str,
}

impl<'a> TcpRoute<'a> {
    /// Reads a TCPRoute. `default_namespace` is its namespace if it names none.
    pub fn read(object: &'a Value, default_namespace: &'a str) -> Self {
        TcpRoute { object: Cursor::root(object), namespace: namespace_of(object).unwrap_or(default_namespace) }
    }

    /// Where it leads.
    fn backends(&self) -> impl Iterator<Item = Cursor<'a>> + use<'a> {
        self.object.path(&["spec", "rules"]).items().flat_map(|rule| rule.at("backendRefs").items())
    }

    /// The namespace of a backend. That another namespace allows it, by a ReferenceGrant, is assumed.
    fn namespace_of(&self, backend: &Cursor<'a>) -> &'a str {
        backend.at("namespace").str().unwrap_or(self.namespace)
    }

    /// The namespaces that it leads to.
    pub fn backend_namespaces(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let route = *self;
        route.backends().map(move |backend| route.namespace_of(&backend))
    }

    /// Whether a Gateway sends connections by it to the Service `name` in `namespace`, and to one of these ports of it.
    pub fn leads_to(&self, name: &str, namespace: &str, ports: &[i64]) -> bool {
        let is_or_absent = |field: Cursor<'_>, expected: &str| !field.exists() || field.str() == Some(expected);
        let is_gateway = |parent: Cursor<'_>| is_or_absent(parent.at("kind"), "Gateway");
        if !self.object.path(&["spec", "parentRefs"]).items().any(is_gateway) {
            return false;
        }
        self.backends().any(|backend| {
            backend.at("name").str() == Some(name)
                && is_or_absent(backend.at("group"), "")
                && is_or_absent(backend.at("kind"), "Service")
                && self.namespace_of(&backend) == namespace
                && backend.at("weight").int() != Some(0)
                && backend.at("port").int().is_none_or(|port| ports.contains(&port))
        })
    }
}

impl<'a> Volume<'a> {
    /// Reads a PersistentVolume.
    pub fn read(object: &'a Value) -> Self {
        Volume { object: Cursor::root(object) }
    }

    /// The name of its StorageClass; empty for none.
    pub fn class_name(&self) -> &'a str {
        class_name(&self.object).unwrap_or_default()
    }

    /// The namespace and name of the only claim that can be bound to it; `None` for any claim. Without a namespace, no
    /// claim can.
    pub fn reserved_for(&self) -> Option<(&'a str, &'a str)> {
        let claim = self.object.path(&["spec", "claimRef"]);
        let text = |name: &'static str| claim.at(name).str().unwrap_or_default();
        claim.exists().then(|| (text("namespace"), text("name")))
    }

    /// Whether a claim with this access mode can be bound to it.
    pub fn allows(&self, mode: &str) -> bool {
        self.object.path(&["spec", "accessModes"]).items().any(|allowed| allowed.str() == Some(mode))
    }

    /// Whether it has the access modes that a claim asks for.
    pub fn allows_modes_of(&self, claim: &Claim<'_>) -> bool {
        let modes = claim.object.path(&["spec", "accessModes"]);
        modes.items().filter_map(|mode| mode.str()).all(|mode| self.allows(mode))
    }

    /// Whether it has the size and the mode that a claim asks for, and the labels that it selects.
    pub fn can_hold(&self, claim: &Claim<'_>) -> bool {
        let spec = claim.object.at("spec");
        let size = |field: Cursor<'_>| quantity(&field.at("storage"));
        let sizes = size(self.object.path(&["spec", "capacity"])).zip(size(spec.path(&["resources", "requests"])));
        let labels = self.object.path(&["metadata", "labels"]).map();
        let selector = Selector::from_label_selector(&spec.at("selector"));
        let mode = |spec: &Cursor<'_>| spec.at("volumeMode").str() == Some("Block");
        sizes.is_none_or(|(own, requested)| own >= requested)
            && mode(&self.object.at("spec")) == mode(&spec)
            && selector.is_none_or(|selector| selector.matches_labels(labels))
    }

    /// What binds it to one node: a path or disk of a node, or a node affinity to one host name.
    pub fn node(&self) -> Option<Cursor<'a>> {
        let spec = self.object.at("spec");
        let terms = spec.path(&["nodeAffinity", "required", "nodeSelectorTerms"]);
        let placement = Placement { selector: spec.at("nodeSelector"), terms };
        let is_one = placement.affinity_values(&[HOST_NAME]).is_some_and(|names| names.len() == 1);
        let by_name = placement.listing(&[HOST_NAME]).filter(|_| is_one).map(|(expression, _)| expression);
        spec.first_of(&["hostPath", "local"]).or(by_name)
    }

    /// Its source, e.g. `csi`, and the name of the source's field.
    pub fn source(&self) -> Option<(&'a str, Cursor<'a>)> {
        const OTHERS: [&str; 3] = ["capacity", "claimRef", "nodeAffinity"];
        let spec = self.object.at("spec");
        spec.members().find(|(name, field)| !OTHERS.contains(name) && field.map().is_some())
    }

    /// The `readOnly: true` of its source, if there is one.
    pub fn read_only(&self) -> Option<Cursor<'a>> {
        self.object.at("spec").members().map(|(_, source)| source.at("readOnly")).find(Cursor::is_true)
    }

    /// Its source, if the kubelet does not change the group of the files in it: a path of a node, or an in-tree NFS
    /// share.
    pub fn source_without_ownership(&self) -> Option<Cursor<'a>> {
        self.object.at("spec").first_of(&["hostPath", "nfs"])
    }
}

impl<'a> StorageClass<'a> {
    /// Reads a StorageClass.
    pub fn read(object: &'a Value) -> Self {
        StorageClass { object: Cursor::root(object) }
    }

    /// Whether claims without a class get it.
    pub fn is_default(&self) -> bool {
        const ANNOTATIONS: [&str; 2] =
            ["storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class"];
        let annotations = self.object.path(&["metadata", "annotations"]);
        ANNOTATIONS.into_iter().any(|name| annotations.at(name).str() == Some("true"))
    }

    /// The plugin that makes its volumes.
    pub fn provisioner(&self) -> Cursor<'a> {
        self.object.at("provisioner")
    }
}

impl<'a> DisruptionBudget<'a> {
    /// Reads a PodDisruptionBudget.
    pub fn read(object: &'a Value) -> Self {
        DisruptionBudget { object: Cursor::root(object) }
    }

    /// The pods that it protects; `None` if it selects nothing.
    pub fn selector(&self) -> Option<Selector<'a>> {
        let selector = self.object.path(&["spec", "selector"]);
        Selector::from_label_selector(&selector).filter(|_| !self.is_empty_in_beta(&selector))
    }

    /// Whether an empty selector selects nothing, as in `policy/v1beta1`. At admission the API server has converted it.
    fn is_empty_in_beta(&self, selector: &Cursor<'_>) -> bool {
        !cfg!(feature = "guest")
            && self.object.at("apiVersion").str() == Some("policy/v1beta1")
            && selector.at("matchLabels").members().next().is_none()
            && selector.at("matchExpressions").items().next().is_none()
    }
}

/// The groups of the workloads that autoscalers scale.
const SCALED_GROUPS: [&str; 4] = ["apps", "extensions", "apps.openshift.io", "argoproj.io"];

impl<'a> Autoscaler<'a> {
    /// Reads an autoscaler.
    pub fn read(object: &'a Value) -> Self {
        Autoscaler { object: Cursor::root(object) }
    }

    /// The kind and the name of the workload that it scales. A ScaledObject may leave out the kind: it is then a
    /// Deployment.
    pub fn target(&self) -> Option<(&'a str, &'a str)> {
        let target = self.object.at("spec").first_of(&["scaleTargetRef", "targetRef"])?;
        let group = target.at("apiVersion").str().and_then(|version| version.split_once('/')).map(|(group, _)| group);
        let is_scaled = group.is_none_or(|group| SCALED_GROUPS.contains(&group));
        is_scaled.then_some((target.at("kind").str().unwrap_or("Deployment"), target.at("name").str()?))
    }
}

impl<'a> Node<'a> {
    /// Reads a Node.
    pub fn read(object: &'a Value) -> Self {
        Node { object: Cursor::root(object) }
    }

    /// Its name.
    pub fn name(&self) -> &'a str {
        self.object.path(&["metadata", "name"]).str().unwrap_or_default()
    }

    /// Its labels.
    pub fn labels(&self) -> Option<&'a Map<String, Value>> {
        self.object.path(&["metadata", "labels"]).map()
    }

    /// A label's value.
    pub fn label(&self, name: &str) -> Option<&'a str> {
        self.labels()?.get(name)?.as_str()
    }

    /// Its zone.
    pub fn zone(&self) -> Option<&'a str> {
        self.label(ZONE).or_else(|| self.label(BETA_ZONE)).filter(|zone| !zone.is_empty())
    }

    /// Whether its kubelet reports that it works.
    pub fn is_ready(&self) -> bool {
        let mut conditions = self.object.path(&["status", "conditions"]).items();
        conditions.any(|one| one.at("type").str() == Some("Ready") && one.at("status").str() == Some("True"))
    }

    /// Whether it is cordoned.
    pub fn is_cordoned(&self) -> bool {
        self.object.path(&["spec", "unschedulable"]).is_true()
    }

    /// Where its kernel's version is written, e.g. `6.8.0-1021-azure`.
    pub fn kernel(&self) -> Cursor<'a> {
        self.object.path(&["status", "nodeInfo", "kernelVersion"])
    }

    /// The first taint that keeps a pod with this `spec` away. The taints of Kubernetes itself, such as
    /// `node.kubernetes.io/not-ready`, are conditions, which pass.
    pub fn taint_against(&self, pod: &Cursor<'_>) -> Option<Taint<'a>> {
        let keeps_away = |taint: &Taint<'_>| {
            !taint.is_condition() && taint.effect != "PreferNoSchedule" && taint.toleration(pod).is_none()
        };
        self.object.path(&["spec", "taints"]).items().map(|taint| Taint::new(&taint)).find(keeps_away)
    }

    /// Whether a pod can be scheduled on it, as far as node selector, required affinity and lasting taints say.
    pub fn admits(&self, pod: &Cursor<'_>) -> bool {
        let no_labels = Map::new();
        Placement::new(pod).admits(self.name(), self.labels().unwrap_or(&no_labels))
            && self.taint_against(pod).is_none()
    }
}
