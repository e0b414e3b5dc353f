//! # What must hold
//! A change of the workload reaches its pods: a StatefulSet has no `updateStrategy` of type `OnDelete` and no
//! `partition` of 1 or more; a Deployment, DeploymentConfig or Rollout is not paused.
//!
//! # Why
//! The change is accepted, but the pod goes on with the former settings. A fix in the manifest, for example a claim or
//! a node selector, seems to be in place, and has no effect until somebody deletes the pod.
//!
//! # Example
//! ```yaml
//! kind: StatefulSet
//! spec:
//!   updateStrategy:
//!     type: OnDelete
//! ```
//!
//! # Instead
//! ```yaml
//! kind: StatefulSet
//! spec:
//!   updateStrategy:
//!     type: RollingUpdate
//! ```
//!
//! # Fix
//! None: it would restart the database.
//!
//! # Sources
//! - Kubernetes documentation, *StatefulSets*: `OnDelete`, partitioned rolling updates
//! - Kubernetes documentation, *Deployments*: pausing and resuming a rollout

use super::check::{Check, CheckContext};
use super::{Fixable, Loss, Rule};
use crate::finding::{Action, Finding, Findings};
use crate::json::cursor::Cursor;
use crate::kubernetes::kind::WorkloadKind;
use crate::workload::Workload;

/// The rule.
pub const RULE: Rule = Rule {
    id: "unblocked-rollout",
    summary: "a change of the workload reaches its pods",
    loss: Loss::Operation,
    default_action: Action::Warn,
    fixable: Fixable::No,
    sees: &[],
    checks: &[Check::Workload(check)],
    relations: &[],
};

fn check(_: &CheckContext<'_>, workload: &Workload<'_>, findings: &mut Findings) {
    let spec = workload.object.at("spec");
    let blocker = match workload.kind {
        WorkloadKind::StatefulSet => stateful_set_blocker(&spec),
        WorkloadKind::Deployment | WorkloadKind::DeploymentConfig | WorkloadKind::Rollout => {
            let paused = spec.at("paused");
            paused.is_true().then_some((paused, "remove `paused`"))
        }
        _ => None,
    };
    if let Some((field, help)) = blocker {
        findings.push(Finding::contradiction(&field, "changes of the pod template do not reach the pod").help(help));
    }
}

/// The field that keeps updates from the pods of a StatefulSet, and the remedy.
fn stateful_set_blocker<'a>(spec: &Cursor<'a>) -> Option<(Cursor<'a>, &'static str)> {
    let strategy = spec.at("updateStrategy");
    let (kind, partition) = (strategy.at("type"), strategy.path(&["rollingUpdate", "partition"]));
    if kind.str() == Some("OnDelete") {
        return Some((kind, "set `type: RollingUpdate`"));
    }
    // It counts pods from the first one, whatever `ordinals.start` says.
    partition.int().filter(|partition| *partition > 0)?;
    Some((partition, "remove `partition`"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::{ask, deployment, other_kind, stateful_set, test};

    const STRATEGY: &str = "/spec/updateStrategy";

    #[test]
    fn an_update_of_a_stateful_set_reaches_its_pod() {
        let with = |strategy: Value| ask(&RULE, &stateful_set(&[(STRATEGY, strategy)]));
        let partition = |number: Value| with(json!({"type": "RollingUpdate", "rollingUpdate": {"partition": number}}));
        assert_eq!(with(json!({"type": "OnDelete"})), [format!("warn {STRATEGY}/type")]);
        for number in [json!(1), json!(i64::MAX)] {
            assert_eq!(partition(number), [format!("warn {STRATEGY}/rollingUpdate/partition")]);
        }
        for number in [json!(0), json!(null), json!(-1), json!("1"), json!(u64::MAX)] {
            assert!(partition(number).is_empty());
        }
        for strategy in [json!({"type": "RollingUpdate"}), json!({"type": "Recreate"}), json!({}), json!("OnDelete")] {
            assert!(with(strategy).is_empty());
        }
        assert!(ask(&RULE, &deployment(&[(STRATEGY, json!({"type": "OnDelete"}))])).is_empty());
    }

    #[test]
    fn a_partition_counts_pods_and_not_ordinals() {
        let with = |partition: i64| {
            let strategy = json!({"rollingUpdate": {"partition": partition}});
            ask(&RULE, &stateful_set(&[(STRATEGY, strategy), ("/spec/ordinals", json!({"start": 5}))])).len()
        };
        assert_eq!((with(0), with(1), with(5)), (0, 1, 1));
    }

    #[test]
    fn a_deployment_is_not_paused() {
        let paused = [("/spec/paused", json!(true))];
        assert_eq!(ask(&RULE, &deployment(&paused)), ["warn /spec/paused"]);
        assert_eq!(ask(&RULE, &other_kind("argoproj.io/v1alpha1", "Rollout", &paused)), ["warn /spec/paused"]);
        assert!(ask(&RULE, &stateful_set(&paused)).is_empty());
        assert!(ask(&RULE, &deployment(&[("/spec/paused", json!("true"))])).is_empty());
    }
}
