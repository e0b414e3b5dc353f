//! # What must hold
//! The pod runs on amd64 nodes only: `nodeSelector` has `kubernetes.io/arch: amd64`, or every term of the required
//! node affinity admits no other architecture. A selector for another architecture, or an affinity that admits no
//! amd64 node, is rejected. Preferred affinity does not count.
//!
//! # Why
//! Microsoft no longer supports SQL Edge on ARM64: version 2.0.0 is for amd64 only, while 1.0.7 still has an ARM64
//! image. SQL Server has none. On a node of another architecture the container exits with `exec format error` at
//! every restart. In a cluster with both kinds of nodes the first start can succeed and the failover fail.
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

use super::check::{Check, CheckContext};
use super::{Fixable, Loss, Rule};
use crate::finding::{Action, Finding, Findings, Fix};
use crate::json::cursor::Cursor;
use crate::json::edit::Edit;
use crate::kubernetes::scheduling::{ARCH, BETA_ARCH, Placement};
use crate::workload::Workload;

/// The rule.
pub const RULE: Rule = Rule {
    id: "amd64-node-selector",
    summary: "the pod runs on amd64 nodes only",
    loss: Loss::Availability,
    default_action: Action::Mutate,
    fixable: Fixable::Safe,
    sees: &[],
    checks: &[Check::Workload(check)],
    relations: &[],
};

fn check(_: &CheckContext<'_>, workload: &Workload<'_>, findings: &mut Findings) {
    let placement = Placement::new(&workload.pod);
    let selected = placement.selector.at(ARCH);
    let beta = placement.selector.at(BETA_ARCH);
    let Some(architecture) = workload.engines.first().map(|engine| engine.engine.architecture) else { return };
    let reason = format!("{} does not start on nodes of another architecture", workload.product());
    let contradiction = |at: &Cursor<'_>, message: &'static str| {
        Finding::contradiction(at, message).reason(reason.clone()).help(format!("require `{ARCH}: {architecture}`"))
    };
    if let Some(wrong) =
        [&selected, &beta].into_iter().find(|label| label.exists() && label.str() != Some(architecture))
    {
        findings.push(contradiction(wrong, "the pod can only be scheduled on nodes of another architecture"));
    } else if !placement.affinity_admits(&[ARCH, BETA_ARCH], architecture) {
        findings.push(contradiction(&placement.terms, "the required node affinity admits no amd64 node"));
    } else if !placement.forces(ARCH, architecture) {
        let fix = Fix::safe([Edit::set(&workload.pod, &["nodeSelector", ARCH], architecture)]);
        findings.push(
            Finding::omission(&selected, "the pod can be scheduled on a node that is not amd64", fix)
                .reason(reason.clone())
                .help(format!("add `{ARCH}: {architecture}` to the nodeSelector")),
        );
        if beta.exists() {
            findings.push(
                Finding::advice(&beta, "this label is deprecated, and new nodes may not have it")
                    .help(format!("use `{ARCH}`")),
            );
        }
    }
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
    fn preferred_affinity_does_not_count() {
        let preferred = json!([{"weight": 1, "preference": {"matchExpressions": [{"key": ARCH, "operator": "In", "values": ["amd64"]}]}}]);
        let object = deployment(&[
            (&format!("{POD}/nodeSelector"), json!(null)),
            (&format!("{POD}/affinity/nodeAffinity/preferredDuringSchedulingIgnoredDuringExecution"), preferred),
        ]);
        assert_eq!(ask(&RULE, &object), [format!("mutate {POD}/nodeSelector+kubernetes.io/arch")]);
    }
}
