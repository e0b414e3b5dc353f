//! # What must hold
//! The pod has a `priorityClassName`. The rule is off unless the settings switch it on.
//!
//! # Why
//! When nodes are full, the scheduler evicts pods of a lower priority. A database of the default priority gives way to
//! every pod with a priority class, and its replacement waits until there is room.
//!
//! # Example
//! ```yaml
//! spec:
//!   template:
//!     spec:
//!       containers: []
//! ```
//!
//! # Instead
//! ```yaml
//! spec:
//!   template:
//!     spec:
//!       priorityClassName: databases
//!       containers: []
//! ```
//!
//! # Fix
//! None: only a person knows the priority classes of the cluster.
//!
//! # Sources
//! - Kubernetes documentation, *Pod Priority and Preemption*

use super::check::{Check, CheckContext};
use super::{Fixable, Loss, Rule};
use crate::finding::{Action, Finding, Findings};
use crate::workload::Workload;

/// The rule.
pub const RULE: Rule = Rule {
    id: "priority",
    summary: "the pod has a priority class",
    loss: Loss::Availability,
    default_action: Action::Off,
    fixable: Fixable::No,
    sees: &[],
    checks: &[Check::Workload(check)],
    relations: &[],
};

fn check(_: &CheckContext<'_>, workload: &Workload<'_>, findings: &mut Findings) {
    let class = workload.pod.at("priorityClassName");
    // Where a class is the default of the cluster, admission sets the number.
    let has_priority = workload.pod.at("priority").int().is_some_and(|priority| priority > 0);
    if !has_priority && class.str().is_none_or(str::is_empty) {
        findings.push(
            Finding::contradiction(&class, "a pod with a higher priority may evict the database")
                .help("set `priorityClassName`"),
        );
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::{ask, ask_in, closed, deployment, settings, test};

    #[test]
    fn a_pod_has_a_priority_class() {
        let on = settings(json!({"rules": {"priority": "reject"}}));
        let with = |field: &str, value| {
            let at = format!("/spec/template/spec/{field}");
            ask_in(&RULE, &deployment(&[(&at, value)]), &closed([]), &on)
        };
        assert_eq!(with("hostname", json!("sql")), ["reject /spec/template/spec+priorityClassName"]);
        assert_eq!(with("priorityClassName", json!("")), ["reject /spec/template/spec/priorityClassName"]);
        assert!(with("priorityClassName", json!("databases")).is_empty());
        assert!(with("priority", json!(1000)).is_empty());
        assert_eq!(with("priority", json!(0)).len(), 1);
        assert!(ask(&RULE, &deployment(&[])).is_empty(), "off by default");
    }
}
