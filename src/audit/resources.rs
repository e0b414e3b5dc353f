//! The resources that an audit reads beside those of the rules, and the fields that it keeps.

use serde_json::Value;
use sqledge_ha_policy::json::field_mask::FieldMask;
use sqledge_ha_policy::kubernetes::kind::{Kind, WorkloadKind};
use sqledge_ha_policy::kubernetes::resources::{RESOURCES, Resource};
use sqledge_ha_policy::view::pruning::remove_large_metadata;

/// A resource of the API, and how much of it is read.
#[derive(Clone, Debug)]
pub(super) struct ListedResource {
    /// The API group; empty for the core group.
    pub(super) group: &'static str,
    /// The served versions, the preferred one first.
    pub(super) versions: Vec<&'static str>,
    /// The kind.
    pub(super) kind: &'static str,
    /// The name in paths.
    pub(super) plural: &'static str,
    /// Whether objects belong to a namespace.
    pub(super) is_namespaced: bool,
}

/// A namespaced resource of version `v1`.
const fn namespaced(group: &'static str, version: &'static str, kind: &'static str, plural: &'static str) -> Extra {
    Extra { group, version, kind, plural, is_namespaced: true }
}

/// A resource of the whole cluster.
const fn of_cluster(group: &'static str, version: &'static str, kind: &'static str, plural: &'static str) -> Extra {
    Extra { group, version, kind, plural, is_namespaced: false }
}

struct Extra {
    group: &'static str,
    version: &'static str,
    kind: &'static str,
    plural: &'static str,
    is_namespaced: bool,
}

impl From<&Extra> for ListedResource {
    fn from(extra: &Extra) -> Self {
        let Extra { group, version, kind, plural, is_namespaced } = *extra;
        ListedResource { group, versions: vec![version], kind, plural, is_namespaced }
    }
}

impl From<&'static Resource> for ListedResource {
    fn from(row: &'static Resource) -> Self {
        ListedResource {
            group: row.group,
            versions: row.versions.to_vec(),
            kind: row.name,
            plural: row.plural,
            is_namespaced: row.is_namespaced,
        }
    }
}

/// Of the whole cluster, for forecasts.
const CLUSTER: &[Extra] = &[
    of_cluster("storage.k8s.io", "v1", "CSIDriver", "csidrivers"),
    of_cluster("storage.k8s.io", "v1", "CSINode", "csinodes"),
    of_cluster("storage.k8s.io", "v1", "VolumeAttachment", "volumeattachments"),
    of_cluster("remediation.medik8s.io", "v1alpha1", "NodeHealthCheck", "nodehealthchecks"),
    namespaced("cluster.x-k8s.io", "v1beta1", "MachineHealthCheck", "machinehealthchecks"),
    namespaced("machine.openshift.io", "v1beta1", "MachineHealthCheck", "machinehealthchecks"),
    namespaced("longhorn.io", "v1beta2", "Setting", "settings"),
    namespaced("velero.io", "v1", "Schedule", "schedules"),
];

/// Of the namespaces with databases.
const NAMESPACED: &[Extra] = &[
    namespaced("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices"),
    namespaced("", "v1", "ResourceQuota", "resourcequotas"),
    namespaced("snapshot.storage.k8s.io", "v1", "VolumeSnapshot", "volumesnapshots"),
    namespaced("k8up.io", "v1", "Schedule", "schedules"),
    namespaced("volsync.backube", "v1alpha1", "ReplicationSource", "replicationsources"),
];

/// Whether rules read the resource with this full name.
pub(super) fn is_of_rules(full_name: &str) -> bool {
    RESOURCES.iter().map(ListedResource::from).any(|resource| resource.full_name() == full_name)
}

/// Whether the resource with this full name has databases.
pub(crate) fn has_databases(full_name: &str) -> bool {
    workloads().into_iter().chain(pods()).any(|resource| resource.full_name() == full_name)
}

/// Everything that is listed.
pub(super) fn all_lists() -> Vec<ListedResource> {
    workloads().into_iter().chain(pods()).chain(of_namespaces()).chain(of_whole_cluster()).collect()
}

/// The workloads, without pods.
pub(super) fn workloads() -> Vec<ListedResource> {
    let is_read = |row: &&Resource| {
        row.kind.workload().is_some_and(|kind| {
            !matches!(kind, WorkloadKind::Pod | WorkloadKind::PodTemplate | WorkloadKind::KnativeService)
        })
    };
    RESOURCES.iter().filter(is_read).map(ListedResource::from).collect()
}

/// Pods.
pub(super) fn pods() -> Option<ListedResource> {
    Kind::Workload(WorkloadKind::Pod).resource().map(ListedResource::from)
}

/// The other namespaced resources.
pub(super) fn of_namespaces() -> Vec<ListedResource> {
    let is_read = |row: &&Resource| {
        row.is_namespaced && row.kind.workload().is_none() && !matches!(row.kind, Kind::Scale | Kind::ConfigMap)
    };
    let rows = RESOURCES.iter().filter(is_read).map(ListedResource::from);
    rows.chain(NAMESPACED.iter().map(ListedResource::from)).collect()
}

/// The resources of the whole cluster.
pub(super) fn of_whole_cluster() -> Vec<ListedResource> {
    let rows = RESOURCES.iter().filter(|row| !row.is_namespaced).map(ListedResource::from);
    rows.chain(CLUSTER.iter().map(ListedResource::from)).collect()
}

impl ListedResource {
    /// Its name for messages: with the group, unless it is the core group.
    pub(super) fn full_name(&self) -> String {
        if self.group.is_empty() { self.plural.to_owned() } else { format!("{}.{}", self.plural, self.group) }
    }

    /// The path of its list in a version.
    pub(super) fn path(&self, version: &str, namespace: Option<&str>) -> String {
        let root = if self.group.is_empty() { "/api".to_owned() } else { format!("/apis/{}", self.group) };
        match namespace.filter(|_| self.is_namespaced) {
            Some(namespace) => format!("{root}/{version}/namespaces/{namespace}/{}", self.plural),
            None => format!("{root}/{version}/{}", self.plural),
        }
    }

    /// The `apiVersion` of its objects in a version.
    pub(super) fn api_version(&self, version: &str) -> String {
        if self.group.is_empty() { version.to_owned() } else { format!("{}/{version}", self.group) }
    }

    /// Whether it belongs to Kubernetes itself, so that a cluster without it is incomplete.
    pub(super) fn is_built_in(&self) -> bool {
        !self.group.contains('.')
            || self.group.ends_with(".k8s.io")
                && !matches!(self.kind, "VerticalPodAutoscaler" | "TCPRoute" | "Gateway" | "VolumeSnapshot")
    }

    /// The item of a list as a whole object: with the kind and API version, which lists leave out.
    pub(super) fn complete(&self, version: &str, item: Value) -> Option<Value> {
        let Value::Object(mut object) = item else { return None };
        object.entry("apiVersion").or_insert_with(|| Value::from(self.api_version(version)));
        object.entry("kind").or_insert_with(|| Value::from(self.kind));
        if let Some(metadata) = object.get_mut("metadata") {
            remove_large_metadata(metadata);
        }
        let mut object = Value::Object(object);
        if let Some(mask) = mask_of(self.kind) {
            mask.prune(&mut object);
        }
        Some(object)
    }
}

/// What is kept of kinds with large objects.
fn mask_of(kind: &str) -> Option<FieldMask> {
    let paths: &[&str] = match kind {
        "Node" => &[
            "apiVersion",
            "kind",
            "metadata.labels",
            "metadata.name",
            "spec",
            "status.allocatable",
            "status.conditions",
            "status.images.names",
            "status.nodeInfo",
        ],
        "EndpointSlice" => {
            &["apiVersion", "kind", "metadata.labels", "metadata.name", "metadata.namespace", "endpoints.conditions"]
        }
        _ => return None,
    };
    Some(FieldMask::new(paths.iter().copied()))
}

/// A pod without a database, as far as others depend on it: who it is, where it is, and which claims it uses.
pub(super) fn pod_mask() -> FieldMask {
    FieldMask::new([
        "apiVersion",
        "kind",
        "metadata.name",
        "metadata.namespace",
        "metadata.labels",
        "metadata.ownerReferences",
        "metadata.deletionTimestamp",
        "spec.nodeName",
        "spec.volumes.name",
        "spec.volumes.persistentVolumeClaim",
        "spec.containers.name",
        "spec.containers.ports",
        "status.phase",
    ])
}
