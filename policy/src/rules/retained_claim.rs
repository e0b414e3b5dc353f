//! # What must hold
//! A StatefulSet keeps its claims: `whenDeleted` and `whenScaled` in its `persistentVolumeClaimRetentionPolicy` are not
//! `Delete`. The rule applies to StatefulSets with database files on claims from `volumeClaimTemplates`.
//!
//! # Why
//! With `whenDeleted: Delete`, the claims are deleted with the StatefulSet, for example when it is replaced to change
//! an immutable field, or when a release is removed and installed again. With `whenScaled: Delete`, scaling to 0 for
//! maintenance deletes the claim. With a claim its volume is deleted, unless the reclaim policy of the volume is
//! `Retain`.
//!
//! # Example
//! ```yaml
//! kind: StatefulSet
//! spec:
//!   persistentVolumeClaimRetentionPolicy:
//!     whenDeleted: Delete
//! ```
//!
//! # Instead
//! ```yaml
//! kind: StatefulSet
//! spec:
//!   persistentVolumeClaimRetentionPolicy:
//!     whenDeleted: Retain
//! ```
//!
//! # Fix
//! Safe, but `mutate` only if the settings say so: sets `Retain`, the default of Kubernetes.
//!
//! # Sources
//! - Kubernetes documentation, *StatefulSets*: PersistentVolumeClaim retention

use super::check::{Check, CheckContext};
use super::{Fixable, Loss, Rule};
use crate::finding::{Action, Finding, Findings, Fix};
use crate::json::edit::Edit;
use crate::kubernetes::volumes::{Mount, VolumeSource};
use crate::workload::Workload;

/// The rule.
pub const RULE: Rule = Rule {
    id: "retained-claim",
    summary: "the StatefulSet does not delete its claims",
    loss: Loss::Data,
    default_action: Action::Reject,
    fixable: Fixable::Safe,
    sees: &[],
    checks: &[Check::Workload(check)],
    relations: &[],
};

fn check(_: &CheckContext<'_>, workload: &Workload<'_>, findings: &mut Findings) {
    let is_template = |mount: &&Mount<'_>| matches!(mount.source, VolumeSource::ClaimTemplate(_));
    if !workload.containers().any(|container| container.storage().data_mounts().iter().any(is_template)) {
        return;
    }
    let policy = workload.object.path(&["spec", "persistentVolumeClaimRetentionPolicy"]);
    for (field, event) in [("whenDeleted", "deleted"), ("whenScaled", "scaled down")] {
        let value = policy.at(field);
        if value.str() == Some("Delete") {
            findings.push(
                Finding::contradiction(&value, format!("all databases are lost when the StatefulSet is {event}"))
                    .reason("its claims are deleted, too")
                    .help(format!("set `{field}: Retain`"))
                    .fix(Fix::safe([Edit::set(&value, &[], "Retain")])),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use std::slice;

    use serde_json::json;

    use super::*;
    use crate::testing::{ask, deployment, stateful_set, test};

    const POLICY: &str = "/spec/persistentVolumeClaimRetentionPolicy";

    #[test]
    fn claims_are_not_deleted() {
        let with = |deleted: &str, scaled: &str| {
            ask(&RULE, &stateful_set(&[(POLICY, json!({"whenDeleted": deleted, "whenScaled": scaled}))]))
        };
        let (deleted, scaled) = (format!("reject {POLICY}/whenDeleted"), format!("reject {POLICY}/whenScaled"));
        assert_eq!(with("Delete", "Retain"), slice::from_ref(&deleted));
        assert_eq!(with("Retain", "Delete"), slice::from_ref(&scaled));
        assert_eq!(with("Delete", "Delete"), [deleted, scaled]);
        assert!(with("Retain", "Retain").is_empty());
    }

    #[test]
    fn other_policies_have_no_effect() {
        for policy in [json!(null), json!({}), json!("Delete"), json!({"whenDeleted": true})] {
            assert!(ask(&RULE, &stateful_set(&[(POLICY, policy)])).is_empty());
        }
        let delete = json!({"whenDeleted": "Delete", "whenScaled": "Delete"});
        assert!(ask(&RULE, &deployment(&[(POLICY, delete.clone())])).is_empty(), "a Deployment has no claims");
        let backups = json!([{"metadata": {"name": "backup"}}]);
        let volumes = json!([{"name": "data", "persistentVolumeClaim": {"claimName": "sql-data"}}]);
        let named =
            [(POLICY, delete), ("/spec/volumeClaimTemplates", backups), ("/spec/template/spec/volumes", volumes)];
        assert!(ask(&RULE, &stateful_set(&named)).is_empty(), "the data is on a claim of its own");
    }
}
