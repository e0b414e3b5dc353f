//! # What must hold
//! The pod runs on Linux nodes: neither `kubernetes.io/os` or its beta label in the node selector, nor
//! `spec.os.name`, nor the required node affinity excludes them. The rule checks images that are known by name. An
//! unknown image on a Windows node counts as a Windows image.
//!
//! # Why
//! The images of SQL Edge and SQL Server are for Linux. The pod does not start on a Windows node.
//!
//! # Example
//! ```yaml
//! nodeSelector:
//!   kubernetes.io/os: windows
//! ```
//!
//! # Instead
//! ```yaml
//! nodeSelector:
//!   kubernetes.io/os: linux
//! ```
//!
//! # Fix
//! None: either the node or the image is wrong, and only a person knows which.
//!
//! # Sources
//! - Kubernetes documentation, *Windows containers in Kubernetes*: `kubernetes.io/os` and `spec.os.name`

use super::check::{Check, CheckContext};
use super::{Fixable, Loss, Rule};
use crate::finding::{Action, Finding, Findings};
use crate::kubernetes::scheduling::{BETA_OS, OS, Placement};
use crate::workload::Workload;

/// The rule.
pub const RULE: Rule = Rule {
    id: "linux-node",
    summary: "the pod runs on Linux nodes",
    loss: Loss::Availability,
    default_action: Action::Reject,
    fixable: Fixable::No,
    sees: &[],
    checks: &[Check::WorkloadOnAnyNode(check)],
    relations: &[],
};

fn check(_: &CheckContext<'_>, workload: &Workload<'_>, findings: &mut Findings) {
    if !workload.engines.iter().any(|engine| engine.by_image) {
        return;
    }
    let placement = Placement::new(&workload.pod);
    let choices = [placement.selector.at(OS), placement.selector.at(BETA_OS), workload.pod.path(&["os", "name"])];
    let wrong = choices.into_iter().find(|choice| choice.exists() && choice.str() != Some("linux"));
    let wrong = wrong.or_else(|| (!placement.affinity_admits(&[OS, BETA_OS], "linux")).then_some(placement.terms));
    if let Some(wrong) = wrong {
        findings.push(
            Finding::contradiction(&wrong, "the pod can only be scheduled on nodes that do not run Linux")
                .reason("the image is for Linux, so the pod does not start there")
                .help("require `kubernetes.io/os: linux`"),
        );
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::{ask, deployment, test};

    const POD: &str = "/spec/template/spec";

    #[test]
    fn a_linux_image_needs_a_linux_node() {
        let windows = json!([{"matchExpressions": [{"key": OS, "operator": "In", "values": ["windows"]}]}]);
        // A term without an expression on the architecture would be another rule's; this one stays within linux-node.
        let terms = "affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms";
        let cases: [(&str, Value, bool); 6] = [
            ("nodeSelector/kubernetes.io~1os", json!("linux"), false),
            ("nodeSelector/kubernetes.io~1os", json!("windows"), true),
            ("nodeSelector/beta.kubernetes.io~1os", json!("windows"), true),
            ("os/name", json!("windows"), true),
            ("os/name", json!("linux"), false),
            (terms, windows, true),
        ];
        for (at, value, rejected) in cases {
            let pointer = format!("{POD}/{at}");
            let expected: Vec<String> = rejected.then(|| format!("reject {pointer}")).into_iter().collect();
            assert_eq!(ask(&RULE, &deployment(&[(&pointer, value)])), expected, "{at}");
        }
    }

    #[test]
    fn on_windows_nodes_only_linux_node_runs() {
        let object = deployment(&[("/spec/replicas", json!(3)), (&format!("{POD}/os/name"), json!("windows"))]);
        assert!(ask(&super::super::single_replica::RULE, &object).is_empty());
    }
}
