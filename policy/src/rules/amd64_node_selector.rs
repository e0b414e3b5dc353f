//! # What must hold
//! The pod can only land on amd64 nodes: `nodeSelector` has `kubernetes.io/arch: amd64`, or every term of the required
//! node affinity leaves no other architecture. Nothing may demand another architecture, or leave no amd64 node at all.
//! Preferred affinity counts for nothing.
//!
//! # Why
//! SQL Edge no longer runs on ARM64, and SQL Server never did: on such a node the image dies with `exec format error`,
//! again and again. In a cluster with both kinds of node the first start may go well and the failover not.
//!
//! # Example
//! ```yaml
//! spec:
//!   nodeSelector:
//!     beta.kubernetes.io/arch: amd64
//! ```
//!
//! # Instead
//! ```yaml
//! spec:
//!   nodeSelector:
//!     kubernetes.io/arch: amd64
//! ```
//!
//! # Fix
//! Safe: adds `kubernetes.io/arch: amd64` to the node selector.
//!
//! # Sources
//! - Microsoft, *High availability for Azure SQL Edge containers*: Azure SQL Edge no longer supports the ARM64 platform
//! - <https://github.com/microsoft/mssql-docker/issues/597>: SQL Server on ARM64
//! - Kubernetes enhancement 793: the labels without `beta.`
//! - Kubernetes documentation, *Assigning Pods to Nodes*: how selector, terms and expressions combine

use super::{Fixable, Rule};
use crate::finding::{Action, Edit, Finding, Findings, Fix};
use crate::node::Node;
use crate::scheduling::{ARCH, BETA_ARCH, Placement};
use crate::subject::Subject;

/// The rule.
pub const RULE: Rule = Rule {
    id: "amd64-node-selector",
    summary: "the pod can only land on amd64 nodes",
    default_action: Action::Mutate,
    fixable: Fixable::Safe,
    is_relational: false,
    check,
};

const AMD64: &str = "amd64";

fn check(subject: &Subject<'_>, findings: &mut Findings) {
    let Some(workload) = subject.workload() else { return };
    let placement = Placement::of(&workload.pod);
    let selected = placement.selector.at(ARCH);
    let beta = placement.selector.at(BETA_ARCH);
    if let Some(wrong) = [&selected, &beta].into_iter().find(|node| node.exists() && node.str() != Some(AMD64)) {
        findings.push(contradiction(wrong, "the pod is sent to nodes of another architecture"));
    } else if !placement.affinity_admits(&[ARCH, BETA_ARCH], AMD64) {
        findings.push(contradiction(&placement.terms, "the required node affinity leaves no amd64 node"));
    } else if !placement.forces(ARCH, AMD64) {
        findings.push(omission(&workload.pod, &selected));
        if beta.exists() {
            findings.push(
                Finding::advice(&beta, "this label is deprecated, and nodes may come without it")
                    .help("use kubernetes.io/arch"),
            );
        }
    }
}

fn contradiction(at: &Node<'_>, message: &'static str) -> Finding {
    Finding::contradiction(at, message)
        .because("the engine's image is built for amd64 only; elsewhere it dies with `exec format error`")
        .help("ask for kubernetes.io/arch: amd64")
}

fn omission(pod: &Node<'_>, selected: &Node<'_>) -> Finding {
    let fix = Fix::safe([Edit::set(pod, &["nodeSelector", ARCH], AMD64)]);
    Finding::omission(selected, "the pod may land on a node that is not amd64", fix)
        .because("the engine's image is built for amd64 only; elsewhere it dies with `exec format error`")
        .help("add kubernetes.io/arch: amd64 to the nodeSelector")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::{ask, deployment, test};

    const POD: &str = "/spec/template/spec";

    fn with(selector: Value, expressions: Value) -> Vec<String> {
        let terms = json!({"nodeSelectorTerms": [{"matchExpressions": expressions}]});
        let affinity = json!({"requiredDuringSchedulingIgnoredDuringExecution": terms});
        let affinity = if expressions.is_null() { json!(null) } else { affinity };
        ask(
            &RULE,
            &deployment(&[
                (&format!("{POD}/nodeSelector"), selector),
                (&format!("{POD}/affinity/nodeAffinity"), affinity),
            ]),
        )
    }

    #[test]
    fn selector_and_required_affinity_decide_together() {
        let arch = |operator: &str, values: &[&str]| json!([{"key": ARCH, "operator": operator, "values": values}]);
        let missing: &[&str] = &["mutate /spec/template/spec/nodeSelector+kubernetes.io/arch"];
        let terms: &[&str] = &[
            "reject /spec/template/spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms",
        ];
        let cases: [(Value, Value, &[&str]); 11] = [
            (json!({ARCH: "amd64"}), json!(null), &[]),
            (json!({}), arch("In", &["amd64"]), &[]),
            (json!({}), json!(null), missing),
            (json!({"disk": "ssd"}), json!(null), missing),
            (json!({}), arch("In", &["amd64", "arm64"]), missing),
            (json!({}), arch("NotIn", &["arm64"]), missing),
            (json!({ARCH: "arm64"}), json!(null), &["reject /spec/template/spec/nodeSelector/kubernetes.io~1arch"]),
            (
                json!({ARCH: "amd64", BETA_ARCH: "arm64"}),
                json!(null),
                &["reject /spec/template/spec/nodeSelector/beta.kubernetes.io~1arch"],
            ),
            (json!({ARCH: "amd64"}), arch("In", &["arm64"]), terms),
            (json!({}), arch("DoesNotExist", &[]), terms),
            (
                json!({BETA_ARCH: "amd64"}),
                json!(null),
                &[missing[0], "warn /spec/template/spec/nodeSelector/beta.kubernetes.io~1arch"],
            ),
        ];
        for (selector, expressions, expected) in cases {
            assert_eq!(with(selector.clone(), expressions.clone()), expected, "{selector} {expressions}");
        }
    }

    #[test]
    fn a_preference_counts_for_nothing() {
        let preferred = json!([{"weight": 1, "preference": {"matchExpressions": [{"key": ARCH, "operator": "In", "values": ["amd64"]}]}}]);
        let object = deployment(&[
            (&format!("{POD}/nodeSelector"), json!(null)),
            (&format!("{POD}/affinity/nodeAffinity/preferredDuringSchedulingIgnoredDuringExecution"), preferred),
        ]);
        assert_eq!(ask(&RULE, &object), [format!("mutate {POD}/nodeSelector+kubernetes.io/arch")]);
    }
}
