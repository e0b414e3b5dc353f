//! What only a live cluster shows: addresses, bindings, attachments, endpoints, images, backups.

use serde_json::Value;
use sqledge_ha_policy::finding::quoted;
use sqledge_ha_policy::json::cursor::Cursor;
use sqledge_ha_policy::kubernetes::kind::WorkloadKind;
use sqledge_ha_policy::kubernetes::name_of;

use super::MAX_PODS;
use super::database::Database;
use super::inventory::{Inventory, Objects};
use super::storage::{ClaimHome, Storage};

/// The notes on a database.
pub(super) fn notes<'a>(database: &Database<'a>, objects: &Objects<'a>, inventory: &Inventory) -> Vec<String> {
    let storage = database.pods.first().map(|pod| Storage::new(database, pod, objects));
    let mut notes = Vec::new();
    if let Some(reason) = &database.now.reason {
        notes.push(format!("it is {}: {reason}", database.now.state.word()));
    }
    let pods = database.placed_pods().count();
    if pods > MAX_PODS {
        notes.push(format!("the forecasts are for {MAX_PODS} of its {pods} pods"));
    }
    for claim in storage.iter().flat_map(Storage::claims) {
        notes.extend(claim_note(claim, database));
    }
    notes.extend(service_notes(database, objects));
    notes.extend(image_note(database));
    let has_unread = |kinds: &[&str]| {
        inventory.unread.iter().any(|unread| kinds.iter().any(|kind| unread.resource.starts_with(kind)))
    };
    let is_known = !has_unread(&["cronjobs", "volumesnapshots", "schedules", "replicationsources"]);
    if is_known && storage.as_ref().is_some_and(|storage| !is_backed_up(database, storage, objects)) {
        notes.push(
            "nothing in the cluster backs it up: there is no CronJob, VolumeSnapshot or schedule for it".to_owned(),
        );
    }
    notes
}

/// A claim that is missing or not bound, or whose volume is attached to another node than that of the pod.
fn claim_note(claim: &ClaimHome<'_>, database: &Database<'_>) -> Option<String> {
    let name = quoted(&claim.name);
    if !claim.exists {
        return Some(format!("claim {name} does not exist"));
    }
    if !claim.is_bound {
        return Some(format!("claim {name} is not bound to a volume"));
    }
    let (attached, node) = (claim.attached_to?, database.now.node.as_deref()?);
    (attached != node).then(|| {
        format!(
            "{} is attached to node {}, and the pod is on node {}",
            claim.describe(),
            quoted(attached),
            quoted(node)
        )
    })
}

/// A load balancer without an address, and Services without a ready endpoint.
fn service_notes(database: &Database<'_>, objects: &Objects<'_>) -> Vec<String> {
    let mut notes = Vec::new();
    for service in &database.services {
        let name = service.name();
        let status = service.object.path(&["status", "loadBalancer", "ingress"]);
        if service.is_load_balancer() && status.items().next().is_none() {
            notes.push(format!("LoadBalancer Service {} has no address yet", quoted(name)));
        }
        let slices: Vec<&Value> = objects
            .in_namespace("EndpointSlice", database.namespace)
            .filter(|slice| {
                let labels = Cursor::root(slice).path(&["metadata", "labels"]);
                labels.at("kubernetes.io/service-name").str() == Some(name)
            })
            .collect();
        let is_ready =
            |endpoint: Cursor<'_>| endpoint.path(&["conditions", "ready"]).value() != Some(&Value::Bool(false));
        let has_endpoint = slices.iter().any(|slice| Cursor::root(slice).at("endpoints").items().any(is_ready));
        if !slices.is_empty() && !has_endpoint {
            notes.push(format!("Service {} has no ready endpoint: clients cannot connect", quoted(name)));
        }
    }
    notes
}

/// A pod that runs another image than its template.
fn image_note(database: &Database<'_>) -> Option<String> {
    let pod = database.placed_pods().next()?;
    let container = database.workload.engines.first()?.container;
    let (name, wanted) = (container.at("name").str()?, container.at("image").str()?);
    let running = pod.spec().at("containers").items().find(|container| container.at("name").str() == Some(name))?;
    let running = running.at("image").str().filter(|image| *image != wanted)?;
    Some(format!("pod {} runs the image {running}, and its template has {wanted}", quoted(pod.name())))
}

/// Whether something in the cluster copies its data: a CronJob that mounts a claim of it, connects to it or names
/// BACKUP, a snapshot of a claim, or a schedule of Velero, K8up or VolSync.
fn is_backed_up(database: &Database<'_>, storage: &Storage<'_>, objects: &Objects<'_>) -> bool {
    let namespace = database.namespace;
    let claims: Vec<&str> = storage.claims().map(|claim| claim.name.as_str()).collect();
    let by_job = objects.in_namespace("CronJob", namespace).any(|job| {
        let text = Cursor::root(job)
            .path(WorkloadKind::CronJob.template_path())
            .value()
            .map(Value::to_string)
            .unwrap_or_default();
        text.to_ascii_lowercase().contains("backup")
            || claims.iter().any(|claim| text.contains(&format!("\"{claim}\"")))
    });
    let of_claim = |object: &Value, path: &[&'static str]| {
        Cursor::root(object).path(path).str().is_some_and(|claim| claims.contains(&claim))
    };
    let by_snapshot = objects
        .in_namespace("VolumeSnapshot", namespace)
        .any(|snapshot| of_claim(snapshot, &["spec", "source", "persistentVolumeClaimName"]));
    let by_copy =
        objects.in_namespace("ReplicationSource", namespace).any(|source| of_claim(source, &["spec", "sourcePVC"]));
    let by_schedule = objects.of_kind("Schedule").iter().any(|schedule| covers(schedule, namespace));
    by_job || by_snapshot || by_copy || by_schedule
}

/// Whether a schedule of K8up or Velero backs up a namespace.
fn covers(schedule: &Value, namespace: &str) -> bool {
    let object = Cursor::root(schedule);
    if object.at("apiVersion").str().is_some_and(|version| version.starts_with("k8up.io/")) {
        return object.path(&["metadata", "namespace"]).str() == Some(namespace) && !name_of(schedule).is_empty();
    }
    let template = object.path(&["spec", "template"]);
    let lists = |field: &'static str| template.at(field).items().any(|item| item.str() == Some(namespace));
    let included = template.at("includedNamespaces");
    let is_all = included.items().next().is_none() || included.items().any(|item| item.str() == Some("*"));
    (is_all || lists("includedNamespaces"))
        && !lists("excludedNamespaces")
        && !object.path(&["spec", "paused"]).is_true()
}
