//! What only a live cluster shows: addresses, bindings, attachments, endpoints, images, backups.

use serde_json::Value;
use sqledge_ha_policy::engine::IMAGE_SUBSTRINGS;
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

/// Whether something in the cluster copies its data: a CronJob, a snapshot of a claim, or a schedule of Velero, K8up or
/// VolSync.
fn is_backed_up(database: &Database<'_>, storage: &Storage<'_>, objects: &Objects<'_>) -> bool {
    let namespace = database.namespace;
    let claims: Vec<&str> = storage.claims().map(|claim| claim.name.as_str()).collect();
    let by_job = objects.in_namespace("CronJob", namespace).any(|job| is_backup_job(job, database, &claims));
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

/// Whether a CronJob backs up a database: its name or pod template contains "backup", and it mounts a claim of the
/// database, runs an image of SQL Server, SQL Edge or their tools, or names the database where a host can be.
fn is_backup_job(job: &Value, database: &Database<'_>, claims: &[&str]) -> bool {
    let template = Cursor::root(job).path(WorkloadKind::CronJob.template_path());
    let has_word = |text: &str| text.to_ascii_lowercase().contains("backup");
    if !has_word(name_of(job)) && !template.value().is_some_and(|template| has_word(&template.to_string())) {
        return false;
    }
    let spec = template.at("spec");
    let claim_names = spec.at("volumes").items().map(|volume| volume.path(&["persistentVolumeClaim", "claimName"]));
    let mut claim_names = claim_names.filter_map(|name| name.str());
    let mut containers = spec.at("containers").items().chain(spec.at("initContainers").items());
    claim_names.any(|name| claims.contains(&name))
        || containers.any(|container| {
            let image = container.at("image").str().unwrap_or_default();
            let variables = container.at("env").items().map(|variable| variable.at("value"));
            let mut texts = container.at("command").items().chain(container.at("args").items()).chain(variables);
            IMAGE_SUBSTRINGS.iter().any(|known| image.contains(known))
                || texts.any(|text| text.str().is_some_and(|text| names_host(text, database)))
        })
}

/// Whether a text contains the name of a database, of a pod of it or of a Service for it, by itself or as a host name
/// such as `sql-0.sql.db.svc`.
fn names_host(text: &str, database: &Database<'_>) -> bool {
    let is_own = |name: &str| {
        name == database.name()
            || database.pods.iter().any(|pod| pod.name() == name)
            || database.services.iter().any(|service| service.name() == name)
    };
    text.split(|character: char| !character.is_ascii_alphanumeric() && !matches!(character, '-' | '.')).any(|word| {
        let mut labels = word.split('.');
        labels.next().is_some_and(is_own)
            && labels.next().is_none_or(|label| label == database.namespace || is_own(label))
    })
}

/// Whether a schedule of K8up or Velero backs up a namespace.
fn covers(schedule: &Value, namespace: &str) -> bool {
    let object = Cursor::root(schedule);
    if object.at("apiVersion").str().is_some_and(|version| version.starts_with("k8up.io/")) {
        return object.path(&["metadata", "namespace"]).str() == Some(namespace);
    }
    let template = object.path(&["spec", "template"]);
    let lists = |field: &'static str| template.at(field).items().any(|item| item.str() == Some(namespace));
    let included = template.at("includedNamespaces");
    let is_all = included.items().next().is_none() || included.items().any(|item| item.str() == Some("*"));
    (is_all || lists("includedNamespaces"))
        && !lists("excludedNamespaces")
        && !object.path(&["spec", "paused"]).is_true()
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use sqledge_ha_policy::settings::Settings;

    use super::*;

    #[test]
    fn a_cron_job_backs_up_the_database_that_it_names_mounts_or_has_the_tools_for() {
        let tools = "mcr.microsoft.com/mssql-tools";
        let job = |name: &str, spec: Value| {
            json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": name, "namespace": "db"},
                "spec": {"jobTemplate": {"spec": {"template": {"spec": spec}}}}})
        };
        let runs =
            |image: &str, command: &str| json!({"containers": [{"image": image, "command": ["sh", "-c", command]}]});
        let mounts = |claim: &str| {
            json!({"containers": [{"image": "restic", "args": ["backup", "/data"]}],
            "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}]})
        };
        let host =
            |value: &str| json!({"containers": [{"image": "backup", "env": [{"name": "HOST", "value": value}]}]});
        let rows = [
            ("tools", job("nightly-backup", runs(tools, "/run.sh")), true),
            ("tools without a backup", job("nightly", runs(tools, "/run.sh")), false),
            (
                "Service",
                job("nightly", runs("acme/tools", "set -e\nsqlcmd -S tcp:mssql,1433 -Q 'BACKUP DATABASE a'")),
                true,
            ),
            ("host", job("nightly", host("mssql.db.svc.cluster.local:1433")), true),
            ("host of the pod", job("nightly", host("sql-0.mssql")), true),
            ("host in another namespace", job("nightly", host("mssql.other.svc")), false),
            ("pod", job("backup", runs("kubectl", "kubectl exec pod/sql-0 -- /run.sh")), true),
            ("claim", job("nightly", mounts("data-sql-0")), true),
            ("another claim", job("nightly", mounts("data")), false),
            ("PostgreSQL", job("backup", runs("postgres", "pg_dump -h pg > /backup/mssql.gz")), false),
            ("exporter", job("nightly", runs("backup-exporter", "run")), false),
        ];
        for (name, job, expected) in rows {
            assert_eq!(has_backup(&job), expected, "{name}");
        }
    }

    /// Whether something backs up a database, with this object beside it.
    fn has_backup(object: &Value) -> bool {
        let labels = json!({"app": "sql"});
        let container = json!({"name": "sql", "image": "mcr.microsoft.com/azure-sql-edge:2.0.0",
            "volumeMounts": [{"name": "data", "mountPath": "/var/opt/mssql"}]});
        let owner = json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "sql", "controller": true});
        let objects = vec![
            json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "sql", "namespace": "db"},
                "spec": {"selector": {"matchLabels": labels}, "volumeClaimTemplates": [{"metadata": {"name": "data"}}],
                    "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}}}}),
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "sql-0", "namespace": "db",
                "labels": labels, "ownerReferences": [owner]}, "spec": {"containers": [container]}}),
            json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "mssql", "namespace": "db"},
                "spec": {"selector": labels}}),
            object.clone(),
        ];
        let settings = Settings::default();
        let inventory = Inventory::from_objects("test".to_owned(), objects, &settings);
        let objects = Objects::new(&inventory);
        let databases = Database::find_all(&objects, &inventory.objects, &settings);
        !notes(&databases[0], &objects, &inventory).iter().any(|note| note.starts_with("nothing in the cluster backs"))
    }
}
