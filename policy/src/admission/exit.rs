//! Why a request is allowed without a finding.

use std::fmt;

/// Why a request is allowed without a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// No rule checks objects of its kind.
    UncheckedKind,
    /// Only CREATE and UPDATE are checked.
    UncheckedOperation,
    /// No rule checks its sub-resource.
    UncheckedSubResource,
    /// A Scale without the sub-resource `scale`.
    ScaleWithoutSubResource,
    /// The sub-resource `scale` with another object than a Scale.
    NoScale,
    /// It has no object.
    NoObject,
    /// Nothing in the object runs a database.
    NoDatabase,
    /// The pods of the workload run on Windows nodes.
    WindowsNodes,
    /// The object runs a product that the settings do not select.
    UnselectedEngine,
    /// An UPDATE that changes nothing that rules check.
    Unchanged,
    /// The object is being deleted.
    BeingDeleted,
    /// The controller that owns the object is checked in its place.
    CheckedOwner,
    /// A scale request to one replica or none.
    OneReplicaAtMost,
    /// A scale request for a resource whose scaling is not checked.
    UncheckedScale,
    /// Every rule passes.
    NoFindings,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reason::UncheckedKind => "no rule checks objects of this kind",
            Reason::UncheckedOperation => "rules check only requests that create, change or scale an object",
            Reason::UncheckedSubResource => "no rule checks this sub-resource",
            Reason::ScaleWithoutSubResource => "a Scale is checked only in requests for the sub-resource `scale`",
            Reason::NoScale => "the request is for the sub-resource `scale`, but its object is not a Scale",
            Reason::NoObject => "the request has no object",
            Reason::NoDatabase => "no container of the workload runs a database",
            Reason::WindowsNodes => "the workload runs on Windows nodes",
            Reason::UnselectedEngine => {
                "the workload runs a database that the settings do not select (see the setting `engines`)"
            }
            Reason::Unchanged => "the update changes nothing that rules check",
            Reason::BeingDeleted => "the object is being deleted",
            Reason::CheckedOwner => "the controller that owns the object is checked in its place",
            Reason::OneReplicaAtMost => "the workload is scaled to one replica or none",
            Reason::UncheckedScale => "no rule checks the scaling of this resource",
            Reason::NoFindings => "the object passes all rules",
        })
    }
}
