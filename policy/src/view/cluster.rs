//! Where look-ups are answered from: the module's host calls, the objects of files, a live cluster, or fixtures.

use serde_json::Value;

use super::Scope;
use super::unavailable::Unavailable;
use crate::kubernetes::DEFAULT_NAMESPACE;
use crate::kubernetes::kind::{Kind, WorkloadKind};
use crate::kubernetes::resources::{RESOURCES, Resource};
use crate::kubernetes::selector::{Pods, Selector};

/// The answer to a look-up.
#[derive(Clone, Debug, PartialEq)]
pub enum Lookup<T> {
    /// What exists.
    Known(T),
    /// It is not known what exists.
    Unavailable(Unavailable),
}

impl<T> Lookup<T> {
    /// The answer after `change`, if there is one.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Lookup<U> {
        match self {
            Lookup::Known(value) => Lookup::Known(change(value)),
            Lookup::Unavailable(reason) => Lookup::Unavailable(reason),
        }
    }

    /// The answer, if there is one.
    pub fn known(self) -> Option<T> {
        match self {
            Lookup::Known(value) => Some(value),
            Lookup::Unavailable(_) => None,
        }
    }
}

/// A question about several objects.
#[derive(Clone, Copy, Debug)]
pub enum Query<'q> {
    /// The Services that select these pods.
    ServicesSelecting(Pods<'q>),
    /// The workloads whose pods a selector matches.
    PodsSelectedBy {
        /// The namespace of the pods.
        namespace: &'q str,
        /// The selector.
        selector: Selector<'q>,
    },
    /// The workloads whose pods mount a claim.
    UsersOfClaim {
        /// The namespace of the claim.
        namespace: &'q str,
        /// The claim's name.
        claim: &'q str,
    },
    /// The autoscalers of a namespace, of every kind.
    AutoscalersIn(&'q str),
    /// The TCPRoutes that lead to Services of a namespace. At admission, only those in it are found.
    RoutesTo(&'q str),
    /// The Rollouts that run the pods of a Deployment. Only an index of files or of a live cluster answers it.
    RolloutsOf {
        /// Their namespace.
        namespace: &'q str,
        /// The Deployment's name.
        deployment: &'q str,
    },
    /// The LoadBalancer Services of all namespaces that select nothing. Only an index of files answers it.
    IdleLoadBalancers,
    /// The PersistentVolumes that a claim can be bound to: those reserved for it, and those of its class.
    VolumesFor {
        /// The namespace of the claim.
        namespace: &'q str,
        /// The claim's name.
        claim: &'q str,
        /// The name of its StorageClass; empty for none.
        class: &'q str,
    },
    /// The StorageClasses that are the default.
    DefaultStorageClasses,
    /// Every Node.
    Nodes,
}

impl<'q> Query<'q> {
    /// How messages name the objects that it is about.
    pub fn subject(&self) -> &'static str {
        match self {
            Query::ServicesSelecting(_) | Query::IdleLoadBalancers => "services",
            Query::PodsSelectedBy { .. } | Query::UsersOfClaim { .. } | Query::RolloutsOf { .. } => "workloads",
            Query::AutoscalersIn(_) => "autoscalers",
            Query::RoutesTo(_) => "tcproutes",
            Query::VolumesFor { .. } => "persistentvolumes",
            Query::DefaultStorageClasses => "storageclasses",
            Query::Nodes => "nodes",
        }
    }

    /// The namespace of the objects that it is about; empty for all.
    pub fn namespace(&self) -> &'q str {
        match self {
            Query::ServicesSelecting(pods) => pods.namespace,
            Query::PodsSelectedBy { namespace, .. }
            | Query::UsersOfClaim { namespace, .. }
            | Query::RolloutsOf { namespace, .. }
            | Query::AutoscalersIn(namespace)
            | Query::RoutesTo(namespace) => namespace,
            // PersistentVolumes have no namespace.
            Query::IdleLoadBalancers | Query::VolumesFor { .. } | Query::DefaultStorageClasses | Query::Nodes => "",
        }
    }

    /// The resources of the objects that it is about.
    pub fn resources(&self) -> impl Iterator<Item = &'static Resource> + use<> {
        let is_meant: fn(Kind) -> bool = match self {
            Query::ServicesSelecting(_) | Query::IdleLoadBalancers => |kind| kind == Kind::Service,
            Query::PodsSelectedBy { .. } | Query::UsersOfClaim { .. } | Query::RolloutsOf { .. } => {
                |kind| kind.workload().is_some()
            }
            Query::AutoscalersIn(_) => is_autoscaler,
            Query::RoutesTo(_) => |kind| kind == Kind::TcpRoute,
            Query::VolumesFor { .. } => |kind| kind == Kind::Volume,
            Query::DefaultStorageClasses => |kind| kind == Kind::StorageClass,
            Query::Nodes => |kind| kind == Kind::Node,
        };
        RESOURCES.iter().filter(move |resource| is_meant(resource.kind))
    }
}

/// Whether objects of this kind change the number or the resources of pods.
pub fn is_autoscaler(kind: Kind) -> bool {
    matches!(kind, Kind::Autoscaler | Kind::ScaledObject | Kind::VerticalAutoscaler)
}

/// A source of objects.
pub trait Cluster {
    /// How much of what exists is in it.
    fn scope(&self) -> Scope;

    /// The namespace of objects that name none.
    fn default_namespace(&self) -> &str {
        DEFAULT_NAMESPACE
    }

    /// The objects that a query is about. The answer may contain others of the same resources and namespace.
    fn find(&self, query: &Query<'_>) -> Lookup<Vec<&Value>>;

    /// One object by name; `Known(None)` if it does not exist. `namespace` is empty for cluster-scoped resources.
    fn get(&self, resource: &'static Resource, namespace: &str, name: &str) -> Lookup<Option<&Value>>;

    /// Whether it answers queries about workloads of this kind.
    fn can_list(&self, _: WorkloadKind) -> bool {
        true
    }
}

/// A cluster in which every look-up fails.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoCluster;

impl Cluster for NoCluster {
    fn scope(&self) -> Scope {
        Scope::Request
    }

    fn find(&self, _: &Query<'_>) -> Lookup<Vec<&Value>> {
        Lookup::Unavailable(Unavailable::NoCluster)
    }

    fn get(&self, _: &'static Resource, _: &str, _: &str) -> Lookup<Option<&Value>> {
        Lookup::Unavailable(Unavailable::NoCluster)
    }
}
