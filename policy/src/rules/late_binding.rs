//! # What must hold
//! The StorageClass of every claim that holds database files has `volumeBindingMode: WaitForFirstConsumer`. A claim
//! without a class is checked with the default StorageClass, if it is known. A bound claim, and network file systems,
//! are not reported.
//!
//! # Why
//! With `Immediate`, which is the default, the disk is made before the pod is scheduled. It may be in a zone where the
//! pod cannot run, and the pod then stays Pending.
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
//! volumeBindingMode: WaitForFirstConsumer
//! ```
//!
//! # Fix
//! None: the field of an existing StorageClass cannot be changed.
//!
//! # Sources
//! - Kubernetes documentation, *Storage Classes*: volume binding mode

use super::check::{Check, CheckContext, offline};
use super::supported_filesystem::network_share;
use super::{Fixable, Loss, Rule};
use crate::finding::{Action, Finding, Findings};
use crate::kubernetes::kind::Kind;
use crate::workload::Workload;

/// The rule.
pub const RULE: Rule = Rule {
    id: "late-binding",
    summary: "the disk is made where the pod can run",
    loss: Loss::Availability,
    default_action: Action::Warn,
    fixable: Fixable::No,
    sees: &[Kind::Claim, Kind::StorageClass],
    checks: &[],
    relations: offline(&[Check::Workload(check)]),
};

fn check(context: &CheckContext<'_>, workload: &Workload<'_>, findings: &mut Findings) {
    for storage in context.view.data_storage_offline(workload) {
        let Some(class) = storage.class.filter(|_| storage.volume.is_none()) else { continue };
        let mode = class.object.at("volumeBindingMode");
        if mode.str() != Some("WaitForFirstConsumer") && network_share(&storage).is_none() {
            let message = "the disk can be made in a zone where the pod cannot run";
            let finding = Finding::contradiction(&storage.location, message)
                .help("use a StorageClass with `volumeBindingMode: WaitForFirstConsumer`");
            let label = "the disk is made before the pod is scheduled";
            findings.push(storage.about(finding, &class.object, &mode, label));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::settings::Settings;
    use crate::testing::{ask_in, claim, closed, deployment, test};

    const NAME: &str = "/spec/template/spec/volumes/0/persistentVolumeClaim/claimName";

    fn found(class: &Value, claim: &Value) -> Vec<String> {
        let database = deployment(&[]);
        ask_in(&RULE, &database, &closed([&database, claim, class]), &Settings::default())
    }

    #[test]
    fn the_disk_waits_for_the_pod() {
        let class = |mode: Value, provisioner: &str| {
            json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "provisioner": provisioner,
                "metadata": {"name": "c", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
                "volumeBindingMode": mode})
        };
        let (named, without) = (claim("sql-data", &[("/spec/storageClassName", json!("c"))]), claim("sql-data", &[]));
        let disk = "disk.csi.azure.com";
        for mode in [json!("Immediate"), json!(null)] {
            assert_eq!(found(&class(mode.clone(), disk), &named), [format!("warn {NAME}")]);
            assert_eq!(found(&class(mode, disk), &without), [format!("warn {NAME}")], "the default class");
        }
        assert!(found(&class(json!("WaitForFirstConsumer"), disk), &named).is_empty());
        assert!(found(&class(json!("Immediate"), "file.csi.azure.com"), &named).is_empty(), "reachable from all zones");
        let none = claim("sql-data", &[("/spec/storageClassName", json!(""))]);
        assert!(found(&class(json!("Immediate"), disk), &none).is_empty(), "no class");
    }
}
