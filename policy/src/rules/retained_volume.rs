//! # What must hold
//! The PersistentVolume behind every claim that holds database files is kept when the claim is deleted: the reclaim
//! policy of the volume, or of the StorageClass that makes it, is neither `Delete` nor `Recycle`.
//!
//! # Why
//! With `Delete`, which is the default of a StorageClass, deleting the claim deletes the disk and all databases on it.
//! With `Recycle`, it deletes the files on the disk. That happens with the namespace, with `helm uninstall`, or when a
//! claim that was renamed is pruned.
//!
//! # Example
//! ```yaml
//! kind: StorageClass
//! provisioner: disk.csi.azure.com
//! ```
//!
//! # Instead
//! ```yaml
//! kind: StorageClass
//! provisioner: disk.csi.azure.com
//! reclaimPolicy: Retain
//! ```
//!
//! # Fix
//! None: the field of an existing StorageClass cannot be changed. For a volume that exists, run
//! `kubectl patch pv NAME -p '{"spec":{"persistentVolumeReclaimPolicy":"Retain"}}'`.
//!
//! # Sources
//! - Kubernetes documentation, *Change the Reclaim Policy of a PersistentVolume*
//! - Kubernetes documentation, *Storage Classes*: the reclaim policy is `Delete` by default

use super::check::{Check, CheckContext, offline};
use super::{Fixable, Loss, Rule};
use crate::finding::{Action, Finding, Findings};
use crate::kubernetes::kind::Kind;
use crate::workload::Workload;

/// The rule.
pub const RULE: Rule = Rule {
    id: "retained-volume",
    summary: "the volume is kept when its claim is deleted",
    loss: Loss::Data,
    default_action: Action::Warn,
    fixable: Fixable::No,
    sees: &[Kind::Claim, Kind::Volume, Kind::StorageClass],
    checks: &[],
    relations: offline(&[Check::Workload(check)]),
};

/// The policy that deletes the files, and keeps the volume.
const RECYCLE: &str = "Recycle";

/// Whether a reclaim policy deletes the databases with the claim.
fn is_loss(policy: &str) -> bool {
    matches!(policy, "Delete" | RECYCLE)
}

fn check(context: &CheckContext<'_>, workload: &Workload<'_>, findings: &mut Findings) {
    for storage in context.view.data_storage_offline(workload) {
        let of_volume = storage.volume.map(|volume| {
            let policy = volume.object.path(&["spec", "persistentVolumeReclaimPolicy"]);
            (volume.object, policy, policy.str().is_some_and(is_loss))
        });
        let of_class = storage.class.map(|class| {
            let policy = class.object.at("reclaimPolicy");
            (class.object, policy, policy.str().is_none_or(is_loss))
        });
        let Some((object, policy, is_lost)) = of_volume.or(of_class) else { continue };
        if is_lost {
            let message = "deleting the claim deletes all databases";
            let finding = Finding::contradiction(&storage.location, message)
                .help("use the reclaim policy `Retain` for the volume");
            let label = match policy.str() {
                Some(RECYCLE) => "the files are deleted with the claim",
                _ => "the volume is deleted with its claim",
            };
            findings.push(storage.about(finding, &object, &policy, label));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::settings::Settings;
    use crate::testing::{ask_in, claim, closed, deployment, test};

    #[test]
    fn the_volume_or_else_the_class_decides() {
        let volume = |policy: Value| {
            json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "v"},
                "spec": {"persistentVolumeReclaimPolicy": policy, "csi": {"driver": "d"}}})
        };
        let class = |policy: Value| {
            json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "c"},
                "provisioner": "d", "reclaimPolicy": policy})
        };
        let (database, claim) = (
            deployment(&[]),
            claim("sql-data", &[("/spec/storageClassName", json!("c")), ("/spec/volumeName", json!("v"))]),
        );
        let found = |others: &[&Value]| {
            let all = others.iter().copied().chain([&database, &claim]);
            ask_in(&RULE, &database, &closed(all), &Settings::default()).len()
        };
        assert_eq!(found(&[&volume(json!("Delete"))]), 1);
        assert_eq!(found(&[&volume(json!("Recycle"))]), 1);
        assert_eq!(found(&[&volume(json!("Retain"))]), 0);
        assert_eq!(found(&[&volume(json!(null))]), 0, "made by hand");
        assert_eq!(found(&[&class(json!("Delete"))]), 1);
        assert_eq!(found(&[&class(json!(null))]), 1);
        assert_eq!(found(&[&class(json!("Retain"))]), 0);
        assert_eq!(found(&[&class(json!("Delete")), &volume(json!("Retain"))]), 0, "it was changed");
        assert_eq!(found(&[]), 0);
    }
}
