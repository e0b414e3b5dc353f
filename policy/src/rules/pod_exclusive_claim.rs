//! # What must hold
//! The claim that holds the database files of a Deployment has the access mode `ReadWriteOncePod`, so that one pod at a
//! time can use it. A StatefulSet starts a replacement only after the old pod is gone, and a required anti-affinity to
//! the pod's own labels on `kubernetes.io/hostname` keeps two pods from the same node: neither is reported.
//!
//! # Why
//! `ReadWriteOnce` means one *node*. If a pod is deleted, the Deployment starts its replacement at once, also with the
//! strategy `Recreate`, and often on the same node. Until the old server has stopped, only the database's own locks on
//! its files stand between the two.
//!
//! # Example
//! ```yaml
//! kind: PersistentVolumeClaim
//! spec:
//!   accessModes: [ReadWriteOnce]
//! ```
//!
//! # Instead
//! ```yaml
//! kind: PersistentVolumeClaim
//! spec:
//!   accessModes: [ReadWriteOncePod]
//! ```
//!
//! # Fix
//! Unsafe: sets `accessModes: [ReadWriteOncePod]`. The access modes of an existing claim cannot be changed: its data
//! has to be moved to a new claim. The storage must be provided by a CSI driver. Nothing is fixed if the
//! PersistentVolume of the claim is known and does not allow this mode.
//!
//! # Sources
//! - Kubernetes documentation, *Persistent Volumes*: access modes
//! - Kubernetes documentation, *Deployments*: `Recreate` waits for old pods only in a rollout, not after a deletion

use super::check::{Check, CheckContext};
use super::{Fixable, Loss, Rule};
use crate::finding::{Action, Finding, Findings, Fix};
use crate::json::edit::Edit;
use crate::kubernetes::claim::Claim;
use crate::kubernetes::kind::{Kind, WorkloadKind};
use crate::kubernetes::scheduling::{HOST_NAME, repels_itself};
use crate::view::Scope;
use crate::workload::Workload;

/// The rule.
pub const RULE: Rule = Rule {
    id: "pod-exclusive-claim",
    summary: "the claim of a Deployment can be used by one pod only",
    loss: Loss::Data,
    default_action: Action::Warn,
    fixable: Fixable::Unsafe,
    sees: &[Kind::Claim],
    checks: &[],
    relations: &[Check::Claim(check)],
};

const HELP_VOLUME: &str =
    "for a new claim, set `accessModes: [ReadWriteOncePod]`, and use a volume of a CSI driver that allows it";

fn check(context: &CheckContext<'_>, claim: &Claim<'_>, findings: &mut Findings) {
    // Nearly all claims have this mode, and are created before the workload: the webhook is spared them.
    if context.scope() == Scope::Request {
        return;
    }
    let modes = claim.object.path(&["spec", "accessModes"]);
    let Some(mode) = modes.items().next().filter(|mode| mode.str() == Some("ReadWriteOnce")) else { return };
    if modes.items().count() > 1 {
        return;
    }
    let name = claim.object.path(&["metadata", "name"]).str().unwrap_or_default();
    let mut databases = context.view.databases_on_claim(name);
    let is_meant = |workload: &Workload<'_>| {
        workload.kind == WorkloadKind::Deployment
            && !keeps_apart(workload, context.view.namespace())
            && !context.exempts(&RULE, &workload.object)
    };
    let Some(database) = databases.find(is_meant) else { return };
    findings.push(
        Finding::contradiction(&mode, "two pods on the same node can use this claim at the same time")
            .help("for a new claim, set `accessModes: [ReadWriteOncePod]`")
            .for_reports(|finding| {
                let finding = finding.label(format!("{} keeps its files on this claim", database.describe()));
                match context.view.volume_of(claim) {
                    // Kubernetes would not bind the claim to it.
                    Some(volume) if !volume.allows("ReadWriteOncePod") => finding.help(HELP_VOLUME),
                    _ => finding.fix(Fix::unsafe_edits([Edit::set(&mode, &[], "ReadWriteOncePod")])),
                }
            }),
    );
}

/// Whether a required anti-affinity keeps two pods of a workload from the same node.
fn keeps_apart(workload: &Workload<'_>, namespace: &str) -> bool {
    let anti_affinity = workload.pod.path(&["affinity", "podAntiAffinity"]);
    let pods = workload.pods(namespace);
    let mut terms = anti_affinity.at("requiredDuringSchedulingIgnoredDuringExecution").items();
    terms.any(|term| term.at("topologyKey").str() == Some(HOST_NAME) && repels_itself(&term, &pods))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::settings::Settings;
    use crate::testing::{ask_in, claim, closed, deployment, findings_of, stateful_set, test};

    #[test]
    fn a_claim_of_a_deployment_is_used_by_one_pod() {
        let found = |workload: &Value, modes: Value| {
            let claim = claim("sql-data", &[("/spec/accessModes", modes)]);
            ask_in(&RULE, &claim, &closed([workload, &claim]), &Settings::default())
        };
        let once = || json!(["ReadWriteOnce"]);
        let anti_affinity = |key: &str, app: &str| {
            json!({"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
                {"topologyKey": key, "labelSelector": {"matchLabels": {"app": app}}}]}})
        };
        let except = |key: &str| {
            let mut affinity = anti_affinity("kubernetes.io/hostname", "sql");
            let terms = &mut affinity["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"];
            terms[0]["mismatchLabelKeys"] = json!([key]);
            affinity
        };
        let apart = |value: Value| deployment(&[("/spec/template/spec/affinity", value)]);
        assert_eq!(found(&deployment(&[]), once()), ["warn /spec/accessModes/0"]);
        assert!(found(&deployment(&[]), json!(["ReadWriteOncePod"])).is_empty());
        assert!(found(&deployment(&[]), json!(["ReadWriteMany"])).is_empty(), "of single-node-claim");
        assert!(found(&apart(anti_affinity("kubernetes.io/hostname", "sql")), once()).is_empty());
        assert_eq!(found(&apart(anti_affinity("kubernetes.io/hostname", "web")), once()).len(), 1);
        assert_eq!(found(&apart(anti_affinity("topology.kubernetes.io/zone", "sql")), once()).len(), 1);
        assert_eq!(found(&apart(except("pod-template-hash")), once()).len(), 1, "its own revision is not repelled");
        assert!(found(&apart(except("tenant")), once()).is_empty(), "the pod has no such label");
        let set = stateful_set(&[
            ("/spec/volumeClaimTemplates", json!([])),
            (
                "/spec/template/spec/volumes",
                json!([{"name": "data", "persistentVolumeClaim": {"claimName": "sql-data"}}]),
            ),
        ]);
        assert!(found(&set, once()).is_empty(), "a StatefulSet waits");
    }

    #[test]
    fn a_mode_that_its_volume_does_not_allow_is_not_written() {
        let has_fix = |modes: Value| {
            let volume = json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "pv"},
                "spec": {"accessModes": modes, "nfs": {}, "storageClassName": "manual"}});
            let claim = claim("sql-data", &[("/spec/storageClassName", json!("manual"))]);
            let workload = deployment(&[]);
            let index = closed([&workload, &claim, &volume]);
            let findings = findings_of(&RULE, &claim, &index, &Settings::default());
            let [finding] = findings.as_slice() else { panic!("{findings:?}") };
            finding.fix.is_some()
        };
        assert!(!has_fix(json!(["ReadWriteOnce", "ReadWriteMany"])));
        assert!(has_fix(json!(["ReadWriteOncePod"])));
    }
}
