//! The review of a request for the sub-resource `scale`.

use serde_json::Value;

use super::exit::Reason;
use super::ratchet::{Update, turn_into_warnings};
use super::request::Request;
use super::review::{Outcome, RequestCluster, only_warns, request_namespace};
use super::verdict::Verdict;
use crate::json::cursor::Cursor;
use crate::kubernetes::kind::{Kind, has_checked_owner};
use crate::kubernetes::name_of;
use crate::kubernetes::resources::{Resource, scalable};
use crate::rules::check::{CheckContext, CheckedObject, ScaleRequest};
use crate::rules::{check_all, checks_scaling};
use crate::settings::Settings;
use crate::view::cluster::{Cluster, Lookup};
use crate::view::unavailable::Unavailable;
use crate::workload::Workload;

/// Reviews a change of the number of replicas: looks up the workload, unless the number is right for any.
pub(super) fn review(
    request: &Request<'_>,
    scale: &Value,
    old: Option<&Value>,
    settings: &Settings,
    cluster: &RequestCluster<'_>,
) -> Outcome {
    let replicas = Cursor::root(scale).path(&["spec", "replicas"]);
    if !replicas.exists() || replicas.int().is_some_and(|replicas| replicas <= 1) {
        return Outcome::Passed(Reason::OneReplicaAtMost);
    }
    let resource = scalable(&request.resource).filter(|_| checks_scaling(settings));
    let Some((resource, kind)) = resource.and_then(|resource| Some((resource, resource.kind.workload()?))) else {
        return Outcome::Passed(Reason::UncheckedScale);
    };
    let namespace = request_namespace(request, scale);
    let name = if request.name.is_empty() { name_of(scale) } else { &request.name };
    let parent = match cluster.get(resource, namespace, name) {
        Lookup::Known(Some(parent)) => parent,
        Lookup::Known(None) => return unreadable_parent(resource, Unavailable::NoParent),
        Lookup::Unavailable(reason) => return unreadable_parent(resource, reason),
    };
    // The owner sets the replicas of an owned ReplicaSet, and scaling the owner is checked.
    if has_checked_owner(resource.kind, parent) {
        return Outcome::Passed(Reason::CheckedOwner);
    }
    let Some(workload) = Workload::read(parent, kind, settings) else {
        return Outcome::Passed(Reason::NoDatabase);
    };
    if workload.on_windows {
        return Outcome::Passed(Reason::WindowsNodes);
    }
    if !workload.has_selected_engine() {
        return Outcome::Passed(Reason::UnselectedEngine);
    }
    let context = |scale| {
        let object = CheckedObject::Scale(ScaleRequest { scale: Cursor::root(scale), workload: workload.clone() });
        CheckContext::new(object, namespace, settings, cluster).with_old_object(old)
    };
    let current = context(scale);
    let mut findings = check_all(&current);
    let update = old.map(|old| Update { kind: Kind::Scale, object: scale, old, before: check_all(&context(old)) });
    turn_into_warnings(&mut findings, update.as_ref(), only_warns(resource.kind, parent, settings, cluster));
    Outcome::from_verdict(Verdict::from_findings(&findings, None, &current.view.unchecked(), settings.announce))
}

fn unreadable_parent(resource: &Resource, reason: Unavailable) -> Outcome {
    let warning = format!("single-replica was not checked: the {} cannot be read", resource.name);
    Outcome::unchecked(resource.plural, reason, vec![warning])
}
