//! # What must hold
//! Nothing sends the Linux image to a Windows node: not `kubernetes.io/os` or its beta label in the node selector, not
//! `spec.os.name`, and not a required node affinity that leaves no Linux node. This is about images known by name; an
//! unknown image on a Windows node is taken for a Windows image.
//!
//! # Why
//! Azure SQL Edge and the SQL Server images are Linux images. A Windows node cannot run them, so the pod never starts.
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
//! None: either the node or the image is meant, and only a person knows which.
//!
//! # Sources
//! - Kubernetes documentation, *Windows containers in Kubernetes*: `kubernetes.io/os` and `spec.os.name`

use super::{Fixable, Rule};
use crate::finding::{Action, Finding, Findings};
use crate::scheduling::{BETA_OS, OS, Placement};
use crate::subject::Subject;

/// The rule.
pub const RULE: Rule = Rule {
    id: "linux-node",
    summary: "nothing sends the Linux image to a Windows node",
    default_action: Action::Reject,
    fixable: Fixable::No,
    is_relational: false,
    check,
};

fn check(subject: &Subject<'_>, findings: &mut Findings) {
    let Some(workload) = subject.workload_on_any_node() else { return };
    if !workload.engines.iter().any(|engine| engine.by_image) {
        return;
    }
    let placement = Placement::of(&workload.pod);
    let choices = [placement.selector.at(OS), placement.selector.at(BETA_OS), workload.pod.path(&["os", "name"])];
    let wrong = choices.into_iter().find(|choice| choice.exists() && choice.str() != Some("linux"));
    let wrong = wrong.or_else(|| (!placement.affinity_admits(&[OS, BETA_OS], "linux")).then_some(placement.terms));
    if let Some(wrong) = wrong {
        findings.push(
            Finding::contradiction(&wrong, "a Linux image is sent to nodes that do not run Linux")
                .because("the engine's image is a Linux image; its pod never starts there")
                .help("ask for kubernetes.io/os: linux"),
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
        for (at, value, refused) in cases {
            let pointer = format!("{POD}/{at}");
            let expected: Vec<String> = refused.then(|| format!("reject {pointer}")).into_iter().collect();
            assert_eq!(ask(&RULE, &deployment(&[(&pointer, value)])), expected, "{at}");
        }
    }

    #[test]
    fn on_windows_no_other_rule_has_a_say() {
        let object = deployment(&[("/spec/replicas", json!(3)), (&format!("{POD}/os/name"), json!("windows"))]);
        assert!(ask(&super::super::single_replica::RULE, &object).is_empty());
    }
}
