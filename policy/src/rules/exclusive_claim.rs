//! # What must hold
//! No other workload mounts a claim that holds database files. A Job that restores a backup, a second database or a
//! file browser on the same claim count, whatever image they run. If the other workload can only read, it is a warning.
//!
//! # Why
//! The access mode `ReadWriteOnce` does not keep two pods apart that run on the same node. A second writer damages the
//! files while the database has them open. If the pods are on different nodes, one of them does not start, and after a
//! failover it can be the database.
//!
//! # Example
//! ```yaml
//! kind: Deployment
//! spec:
//!   template:
//!     spec:
//!       volumes:
//!         - name: data
//!           persistentVolumeClaim:
//!             claimName: sql-data
//! ---
//! kind: Job
//! spec:
//!   template:
//!     spec:
//!       volumes:
//!         - name: data
//!           persistentVolumeClaim:
//!             claimName: sql-data
//! ```
//!
//! # Instead
//! ```yaml
//! kind: Job
//! spec:
//!   template:
//!     spec:
//!       volumes:
//!         - name: backup
//!           persistentVolumeClaim:
//!             claimName: sql-backup
//! ```
//!
//! # Fix
//! None: restore and back up through the database, with a claim of its own for the backup files.
//!
//! # Sources
//! - Kubernetes documentation, *Persistent Volumes*: `ReadWriteOnce` allows several pods on one node
//! - <https://github.com/helm/charts/issues/22199>: a second server on the same files

use super::check::{Check, CheckContext, MAX_FINDINGS};
use super::{Fixable, Loss, Rule};
use crate::finding::{Action, Finding, Findings, Related, quoted};
use crate::json::cursor::Cursor;
use crate::kubernetes::kind::{Kind, WorkloadKind};
use crate::kubernetes::rollout::{WorkloadReference, workload_reference};
use crate::kubernetes::selector::Pods;
use crate::kubernetes::volumes::ByName;
use crate::workload::Workload;

/// The rule.
pub const RULE: Rule = Rule {
    id: "exclusive-claim",
    summary: "no other workload mounts the claim",
    loss: Loss::Data,
    default_action: Action::Reject,
    fixable: Fixable::No,
    sees: &[Kind::DEPLOYMENT, Kind::Workload(WorkloadKind::StatefulSet)],
    checks: &[],
    relations: &[Check::Workload(check)],
};

/// A workload that mounts a claim, and where it names it.
struct OtherUser<'a> {
    pods: Pods<'a>,
    location: Cursor<'a>,
    only_reads: bool,
}

fn check(context: &CheckContext<'_>, workload: &Workload<'_>, findings: &mut Findings) {
    for claim in workload.data_claims() {
        if findings.len() >= MAX_FINDINGS {
            return;
        }
        let mut others = Vec::new();
        for name in claim.names(workload) {
            let Some(users) = context.view.users_of_claim(&name).known() else { return };
            let users = users.into_iter().filter(|pods| !is_same(pods, workload));
            others.extend(users.filter_map(|pods| OtherUser::read(pods, &name)));
        }
        // One that writes is worse than one that reads.
        let Some(other) = others.into_iter().min_by_key(|other| other.only_reads) else { continue };
        let described = match other.pods.name {
            "" => format!("another {}", other.pods.kind.name()),
            name => format!("{} {}", other.pods.kind.name(), quoted(name)),
        };
        let at = claim.location();
        let finding = if other.only_reads {
            Finding::advice(&at, format!("{described} reads the files of the claim that the database writes to"))
        } else {
            Finding::contradiction(
                &at,
                format!("{described} mounts this claim, too, and can write to the database files"),
            )
        };
        let related =
            || Related::new(&Cursor::root(other.pods.object), &other.location, "the same claim is mounted here");
        findings.push(
            finding
                .help("give it a claim of its own; back up and restore through the database")
                .for_reports(|finding| finding.related([related()])),
        );
    }
}

/// Whether these pods are those of `workload`: a Rollout can run the pods of a Deployment. Two whose names the
/// server will generate are the same if they are equal.
fn is_same(pods: &Pods<'_>, workload: &Workload<'_>) -> bool {
    let runs = |rollout: &Cursor<'_>, kind: WorkloadKind, name: &str| {
        workload_reference(rollout) == Some(WorkloadReference { kind: kind.name(), name })
    };
    let object = Cursor::root(pods.object);
    let is_equal = || Some(pods.object) == workload.object.value();
    (pods.kind == workload.kind && pods.name == workload.name() && (!pods.name.is_empty() || is_equal()))
        || runs(&object, workload.kind, workload.name())
        || runs(&workload.object, pods.kind, pods.name)
}

impl<'a> OtherUser<'a> {
    /// Reads the pods that use a claim; `None` if no container mounts it.
    fn read(pods: Pods<'a>, claim: &str) -> Option<Self> {
        let object = Cursor::root(pods.object);
        let pod = object.path(pods.kind.template_path()).at("spec");
        let source = |volume: Cursor<'a>| volume.at("persistentVolumeClaim");
        let is_meant = |source: &Cursor<'_>| source.at("claimName").str() == Some(claim);
        if !pod.at("volumes").items().map(source).any(|source| is_meant(&source)) {
            // A claim template made it.
            return Some(OtherUser {
                pods,
                location: object.path(&["spec", "volumeClaimTemplates"]),
                only_reads: false,
            });
        }
        let volumes = ByName::new(pod.at("volumes").items(), &["name"]);
        let containers = ["containers", "initContainers"].into_iter().flat_map(|list| pod.at(list).items());
        let mounts = containers.flat_map(|container| {
            ["volumeMounts", "volumeDevices"].into_iter().flat_map(move |list| container.at(list).items())
        });
        let uses = mounts.filter_map(|mount| {
            let source = volumes.get(mount.at("name").str()?).map(source).filter(is_meant)?;
            Some((source, [source, mount].iter().any(|field| field.at("readOnly").is_true())))
        });
        // Several volumes may be the same claim.
        let (source, only_reads) = uses.min_by_key(|(_, only_reads)| *only_reads)?;
        Some(OtherUser { pods, location: source.at("claimName"), only_reads })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::settings::Settings;
    use crate::testing::{ask_in, closed, deployment, open_index, stateful_set, test};

    const NAME: &str = "/spec/template/spec/volumes/0/persistentVolumeClaim/claimName";

    fn job(claim: &str, mount: Value) -> Value {
        let mut mount = mount;
        mount["name"] = json!("files");
        mount["mountPath"] = json!("/files");
        json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "restore"}, "spec": {"template": {"spec": {
            "containers": [{"name": "restore", "image": "busybox", "volumeMounts": [mount]}],
            "volumes": [{"name": "files", "persistentVolumeClaim": {"claimName": claim}}]}}}})
    }

    #[test]
    fn a_second_writer_is_rejected_and_a_reader_is_a_warning() {
        let database = deployment(&[]);
        let found = |other: &Value| ask_in(&RULE, &database, &closed([&database, other]), &Settings::default());
        assert_eq!(found(&job("sql-data", json!({}))), [format!("reject {NAME}")]);
        assert_eq!(found(&job("sql-data", json!({"readOnly": true}))), [format!("warn {NAME}")]);
        assert!(found(&job("other", json!({}))).is_empty());
        let second = deployment(&[("/metadata/name", json!("sql-2"))]);
        assert_eq!(found(&second), [format!("reject {NAME}")]);
        let made = job("data-sql-0", json!({}));
        let set = stateful_set(&[]);
        assert_eq!(
            ask_in(&RULE, &set, &closed([&set, &made]), &Settings::default()),
            ["reject /spec/volumeClaimTemplates/0/metadata/name"]
        );
    }

    #[test]
    fn a_claim_can_be_several_volumes() {
        let database = deployment(&[]);
        let found = |mounted: &[&str]| {
            let mut other = job("sql-data", json!({}));
            let volume = |name: &str, read_only: bool| json!({"name": name, "persistentVolumeClaim": {"claimName": "sql-data", "readOnly": read_only}});
            let mounts: Vec<Value> = mounted.iter().map(|name| json!({"name": name, "mountPath": name})).collect();
            let pod = &mut other["spec"]["template"]["spec"];
            pod["volumes"] = json!([volume("a", true), volume("b", false)]);
            pod["containers"][0]["volumeMounts"] = json!(mounts);
            ask_in(&RULE, &database, &closed([&database, &other]), &Settings::default())
        };
        assert_eq!(found(&["a", "b"]), [format!("reject {NAME}")]);
        assert_eq!(found(&["b"]), [format!("reject {NAME}")]);
        assert_eq!(found(&["a"]), [format!("warn {NAME}")]);
        assert!(found(&[]).is_empty());
    }

    #[test]
    fn workloads_with_generated_names_are_not_the_same() {
        let generated = |start: &str| deployment(&[("/metadata", json!({"generateName": start}))]);
        let (database, other) = (generated("sql-"), generated("other-"));
        let found = |index| ask_in(&RULE, &database, &index, &Settings::default());
        assert_eq!(found(closed([&database, &other])), [format!("reject {NAME}")]);
        assert!(found(closed([&database])).is_empty());
    }

    #[test]
    fn each_replica_has_claims_of_its_own() {
        let set = stateful_set(&[("/spec/ordinals", json!({"start": 5})), ("/spec/replicas", json!(2))]);
        let found =
            |claim: &str| ask_in(&RULE, &set, &closed([&set, &job(claim, json!({}))]), &Settings::default()).len();
        assert_eq!((found("data-sql-5"), found("data-sql-6")), (1, 1));
        assert_eq!((found("data-sql-0"), found("data-sql-7")), (0, 0));
    }

    #[test]
    fn a_claim_that_no_container_mounts_is_not_used() {
        let (database, mut unused) = (deployment(&[]), job("sql-data", json!({})));
        unused["spec"]["template"]["spec"]["containers"][0]["volumeMounts"] = json!([]);
        assert!(ask_in(&RULE, &database, &closed([&database, &unused]), &Settings::default()).is_empty());
    }

    #[test]
    fn the_pods_of_the_workload_itself_do_not_count() {
        let database = deployment(&[]);
        let mut set = deployment(&[("/metadata/name", json!("sql-5d9c"))]);
        set["kind"] = json!("ReplicaSet");
        set["metadata"]["ownerReferences"] =
            json!([{"apiVersion": "apps/v1", "kind": "Deployment", "name": "sql", "controller": true}]);
        let mut rollout = deployment(&[("/metadata/name", json!("roll"))]);
        rollout["apiVersion"] = json!("argoproj.io/v1alpha1");
        rollout["kind"] = json!("Rollout");
        rollout["spec"]["workloadRef"] = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "sql"});
        let index = closed([&database, &set, &rollout]);
        assert!(ask_in(&RULE, &database, &index, &Settings::default()).is_empty());
        let again = deployment(&[]);
        assert!(ask_in(&RULE, &database, &open_index([&again]), &Settings::default()).is_empty(), "an update");
    }
}
