//! What else exists: the other objects that some rules have to see, and whether not seeing one is proof.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::kind::Kind;

/// The answer to a look around.
#[derive(Clone, Debug, PartialEq)]
pub enum Lookup<T> {
    /// What exists.
    Known(T),
    /// Nobody can tell, and why, in a few words: an ordinary answer, on which rules stay silent.
    Unknown(String),
}

/// Which objects a rule wants to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Resource {
    /// Core Services.
    Services,
    /// Whatever runs pods and is not owned by something that is itself in view.
    Workloads,
}

impl Resource {
    /// The plural for messages.
    pub fn plural(self) -> &'static str {
        match self {
            Resource::Services => "services",
            Resource::Workloads => "workloads",
        }
    }
}

/// What a rule will look for in a list. A world may use it to leave out objects that cannot match, and may ignore it.
#[derive(Clone, Copy, Debug)]
pub enum Narrow<'q> {
    /// Services whose selector matches the pods of a workload.
    SelectorMatching {
        /// The labels of its pods, as far as the manifest shows them.
        labels: &'q Map<String, Value>,
        /// The workload's kind.
        kind: Kind,
        /// The workload's name.
        name: &'q str,
    },
    /// Workloads whose pod labels match this selector.
    LabelsMatching(&'q Map<String, Value>),
}

/// The objects a rule can see beside the one it judges. Implemented by the module's host calls, by a set of files, by
/// a live cluster, and by fixtures.
pub trait Cluster {
    /// The objects of one resource in one namespace.
    fn list(&self, resource: Resource, namespace: &str, narrow: Narrow<'_>) -> Lookup<Vec<Cow<'_, Value>>>;

    /// One object by `apiVersion`, `kind`, namespace and name; `Known(None)` if it certainly does not exist.
    fn get(&self, api_version: &str, kind: &str, namespace: &str, name: &str) -> Lookup<Option<Cow<'_, Value>>>;

    /// Whether everything that exists is in view, so that absence is proof.
    fn closed(&self) -> bool;

    /// Whether workloads of this kind are in view.
    fn shows(&self, _workload: Kind) -> bool {
        true
    }

    /// Whether the objects in view are judged as well, so that what two of them lack together is reported on one.
    fn judged_together(&self) -> bool {
        self.closed()
    }
}

/// A world in which nothing can be looked up.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoCluster;

impl Cluster for NoCluster {
    fn list(&self, _: Resource, _: &str, _: Narrow<'_>) -> Lookup<Vec<Cow<'_, Value>>> {
        Lookup::Unknown("there is no cluster to ask".to_owned())
    }

    fn get(&self, _: &str, _: &str, _: &str, _: &str) -> Lookup<Option<Cow<'_, Value>>> {
        Lookup::Unknown("there is no cluster to ask".to_owned())
    }

    fn closed(&self) -> bool {
        false
    }
}
