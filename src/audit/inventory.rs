//! What was read of a cluster, or of files.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;
use sqledge_ha_policy::json::cursor::Cursor;
use sqledge_ha_policy::kubernetes::kind::{Kind, WorkloadKind};
use sqledge_ha_policy::kubernetes::objects::Node;
use sqledge_ha_policy::kubernetes::quantity::quantity;
use sqledge_ha_policy::kubernetes::{DEFAULT_NAMESPACE, name_of, namespace_of};
use sqledge_ha_policy::settings::Settings;

use super::configuration::resolve_possible_databases;
use super::database::Pod;
use super::resources;

/// The objects of a cluster that decide about its databases, and what could not be read.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    /// The address of the API server, or where the objects come from.
    pub source: String,
    /// The minor version of Kubernetes 1, if it is known.
    pub minor_version: Option<u32>,
    /// Whether the cluster is OpenShift.
    pub is_openshift: bool,
    /// The objects, each with `apiVersion` and `kind`.
    pub objects: Vec<Value>,
    /// What the pods of each node request; `None` if not all pods could be read.
    pub usage: Option<BTreeMap<String, NodeUsage>>,
    /// The number of objects that were read, with those that were not kept.
    pub objects_read: usize,
    /// What could not be read.
    pub unread: Vec<Unread>,
}

impl Inventory {
    /// The inventory of objects at hand, such as those of a file. All pods of the cluster count as being among them.
    /// Objects that name no namespace are in the default one.
    pub fn from_objects(source: String, mut objects: Vec<Value>, settings: &Settings) -> Self {
        let of_cluster: Vec<&str> = resources::of_whole_cluster()
            .iter()
            .filter(|resource| !resource.is_namespaced)
            .map(|resource| resource.kind)
            .collect();
        objects.iter_mut().for_each(|object| set_default_namespace(object, &of_cluster));
        let mut usage: BTreeMap<String, NodeUsage> = BTreeMap::new();
        let pods = objects.iter().filter(|object| Kind::from_object(object) == Some(Kind::Workload(WorkloadKind::Pod)));
        pods.for_each(|pod| add_usage(&mut usage, pod));
        let is_openshift = objects.iter().any(|object| {
            object.get("apiVersion").and_then(Value::as_str).is_some_and(|version| version.contains(".openshift.io/"))
        });
        let mut inventory = Inventory {
            source,
            is_openshift,
            usage: Some(usage),
            objects_read: objects.len(),
            objects,
            ..Inventory::default()
        };
        resolve_possible_databases(&mut inventory, settings);
        inventory
    }

    /// The same without the namespaced objects of other namespaces; with all if `namespaces` is empty.
    #[must_use]
    pub fn in_namespaces(mut self, namespaces: &[String]) -> Self {
        if !namespaces.is_empty() {
            let is_there = |object: &Value| {
                let namespace = namespace_of(object);
                namespace.is_none_or(|own| namespaces.iter().any(|name| name == own))
            };
            self.objects.retain(is_there);
        }
        self
    }
}

/// Sets the namespace of an object that names none, unless its kind is one of the whole cluster.
fn set_default_namespace(object: &mut Value, of_cluster: &[&str]) {
    let is_of_cluster = object.get("kind").and_then(Value::as_str).is_none_or(|kind| of_cluster.contains(&kind));
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut).filter(|_| !is_of_cluster) {
        metadata.entry("namespace").or_insert_with(|| Value::from(DEFAULT_NAMESPACE));
    }
}

/// Adds what a pod requests to the usage of its node.
pub(super) fn add_usage(usage: &mut BTreeMap<String, NodeUsage>, pod: &Value) {
    let pod = Pod::read(pod);
    if let Some(node) = pod.node().filter(|_| !pod.has_ended()) {
        usage.entry(node.to_owned()).or_default().add(&pod.spec());
    }
}

/// Objects that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Unread {
    /// The resource, e.g. `nodes`.
    pub resource: String,
    /// The namespace; `None` for all.
    pub namespace: Option<String>,
    /// Why, in a few words.
    pub reason: String,
}

/// What the pods of a node request.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NodeUsage {
    /// The number of pods that have not ended.
    pub pods: f64,
    /// CPU in cores.
    pub cpu: f64,
    /// Memory in bytes.
    pub memory: f64,
    /// The ports that pods occupy on the node.
    pub host_ports: Vec<i64>,
}

impl NodeUsage {
    /// Adds what a pod requests.
    pub fn add(&mut self, pod_spec: &Cursor<'_>) {
        let requests = Requests::from_pod_spec(pod_spec);
        self.pods += 1.0;
        self.cpu += requests.cpu;
        self.memory += requests.memory;
        self.host_ports.extend(host_ports(pod_spec));
    }
}

/// What a pod requests of a node.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Requests {
    /// CPU in cores.
    pub cpu: f64,
    /// Memory in bytes.
    pub memory: f64,
}

impl Requests {
    /// The requests of a pod's `spec`, as the scheduler adds them up: the containers and sidecars together, or the
    /// largest init container, and the overhead. Requests of the pod itself replace those of its containers
    /// (<https://kubernetes.io/docs/concepts/workloads/pods/init-containers/#resource-sharing-within-containers>).
    pub fn from_pod_spec(pod_spec: &Cursor<'_>) -> Self {
        let of = |resource| total(pod_spec, resource, &["requests", "limits"]);
        Requests { cpu: of("cpu"), memory: of("memory") }
    }

    /// The limits, added up in the same way.
    pub fn limits_from_pod_spec(pod_spec: &Cursor<'_>) -> Self {
        let of = |resource| total(pod_spec, resource, &["limits"]);
        Requests { cpu: of("cpu"), memory: of("memory") }
    }
}

/// The amount of a resource in the first of these parts of `resources` that has it.
fn total(pod_spec: &Cursor<'_>, resource: &str, parts: &[&'static str]) -> f64 {
    let amount = |parent: &Cursor<'_>, path: &[&'static str]| {
        let amounts = parent.path(path);
        amounts.get(resource).and_then(|value| quantity(&Cursor::root(value))).unwrap_or_default()
    };
    let of_container = |container: &Cursor<'_>| {
        let has = |part: &&&'static str| container.path(&["resources", **part]).get(resource).is_some();
        parts.iter().find(has).map_or(0.0, |part| amount(container, &["resources", *part]))
    };
    let (mut sidecars, mut largest) = (0.0, 0.0_f64);
    for container in pod_spec.at("initContainers").items() {
        let own = of_container(&container);
        largest = largest.max(sidecars + own);
        if container.at("restartPolicy").str() == Some("Always") {
            sidecars += own;
        }
    }
    let containers: f64 = pod_spec.at("containers").items().map(|container| of_container(&container)).sum();
    let own = parts.first().map(|part| ["resources", *part]).filter(|path| pod_spec.path(path).get(resource).is_some());
    let needed = own.map_or((containers + sidecars).max(largest), |path| amount(pod_spec, &path));
    needed + amount(pod_spec, &["overhead"])
}

/// The ports that a pod occupies on its node.
pub fn host_ports(pod_spec: &Cursor<'_>) -> Vec<i64> {
    let uses_host_network = pod_spec.at("hostNetwork").is_true();
    let port = |port: Cursor<'_>| {
        let of_container = || port.at("containerPort").int().filter(|_| uses_host_network);
        port.at("hostPort").int().filter(|port| *port > 0).or_else(of_container)
    };
    let containers = pod_spec.at("containers").items().chain(pod_spec.at("initContainers").items());
    containers.flat_map(|container| container.at("ports").items().filter_map(port).collect::<Vec<_>>()).collect()
}

/// The objects by kind and by name.
#[derive(Debug)]
pub struct Objects<'a> {
    by_kind: HashMap<&'a str, Vec<&'a Value>>,
    by_namespace: HashMap<(&'a str, &'a str), Vec<&'a Value>>,
    by_name: HashMap<(&'a str, &'a str, &'a str), &'a Value>,
    unread: &'a [Unread],
}

impl<'a> Objects<'a> {
    /// Indexes the objects of an inventory.
    pub fn new(inventory: &'a Inventory) -> Self {
        let mut objects = Objects {
            by_kind: HashMap::new(),
            by_namespace: HashMap::new(),
            by_name: HashMap::new(),
            unread: &inventory.unread,
        };
        for object in &inventory.objects {
            let (kind, namespace) = (kind_of(object), namespace_of(object));
            objects.by_kind.entry(kind).or_default().push(object);
            objects.by_namespace.entry((kind, namespace.unwrap_or(DEFAULT_NAMESPACE))).or_default().push(object);
            objects.by_name.entry((kind, namespace.unwrap_or_default(), name_of(object))).or_insert(object);
        }
        objects
    }

    /// Whether some objects of a resource could not be read.
    pub fn is_unread(&self, resource: &str) -> bool {
        self.unread.iter().any(|unread| unread.resource == resource)
    }

    /// The objects of a kind.
    pub fn of_kind(&self, kind: &str) -> &[&'a Value] {
        self.by_kind.get(kind).map(Vec::as_slice).unwrap_or_default()
    }

    /// The nodes of the cluster.
    pub fn nodes(&self) -> impl Iterator<Item = Node<'a>> {
        self.of_kind("Node").iter().copied().map(Node::read)
    }

    /// The node with this name; `None` if it is not known.
    pub fn node(&self, name: &str) -> Option<Node<'a>> {
        self.get("Node", "", name).map(Node::read)
    }

    /// The objects of a kind in a namespace.
    pub fn in_namespace<'s>(
        &'s self,
        kind: &'s str,
        namespace: &'s str,
    ) -> impl Iterator<Item = &'a Value> + use<'a, 's> {
        self.by_namespace.get(&(kind, namespace)).into_iter().flatten().copied()
    }

    /// One object; `namespace` is empty for kinds without namespaces.
    pub fn get(&self, kind: &str, namespace: &str, name: &str) -> Option<&'a Value> {
        self.by_name.get(&(kind, namespace, name)).copied()
    }
}

/// The kind that an object names.
pub fn kind_of(object: &Value) -> &str {
    object.get("kind").and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn requests_add_up_as_the_scheduler_adds_them() {
        let cpu = |spec: Value| Requests::from_pod_spec(&Cursor::root(&spec)).cpu;
        let container = |cpu: &str| json!({"resources": {"requests": {"cpu": cpu}}});
        assert!((cpu(json!({"containers": [container("500m"), container("1")]})) - 1.5).abs() < 1e-9);
        let with_init = json!({"containers": [container("1")], "initContainers": [container("2")]});
        assert!((cpu(with_init) - 2.0).abs() < 1e-9);
        let sidecar = json!({"restartPolicy": "Always", "resources": {"requests": {"cpu": "1"}}});
        assert!(
            (cpu(json!({"containers": [container("1")], "initContainers": [sidecar, container("2")]})) - 3.0).abs()
                < 1e-9
        );
        let by_limit = json!({"containers": [{"resources": {"limits": {"cpu": "3"}}}], "overhead": {"cpu": "250m"}});
        assert!((cpu(by_limit) - 3.25).abs() < 1e-9);
        let of_pod = json!({"containers": [container("1")], "resources": {"requests": {"cpu": "4"}}});
        assert!((cpu(of_pod) - 4.0).abs() < 1e-9);
    }
}
