//! # What must hold
//! More than one node can run the pod: no `nodeName`, and neither the node selector nor the required node affinity
//! admits a single `kubernetes.io/hostname` (or `k3s.io/hostname`, or node name) only. Several named nodes, or a single zone, are a warning.
//!
//! # Why
//! If its node fails, a pod that can run on no other node stays `Pending`, and the database stays down.
//!
//! # Example
//! ```yaml
//! nodeSelector:
//!   kubernetes.io/hostname: node-7
//! ```
//!
//! # Instead
//! ```yaml
//! nodeSelector:
//!   kubernetes.io/arch: amd64
//! ```
//!
//! # Fix
//! None: only a person knows why the pod was bound to the node. Often its storage is on that node, too.
//!
//! # Sources
//! - Kubernetes documentation, *Assigning Pods to Nodes*: `nodeName`, node selector, `matchExpressions`, `matchFields`
//! - Kubernetes documentation, *Running in multiple zones*

use super::check::{Check, CheckContext};
use super::{Fixable, Rule};
use crate::finding::{Action, Finding, Findings};
use crate::json::cursor::Cursor;
use crate::kubernetes::kind::WorkloadKind;
use crate::kubernetes::scheduling::Placement;
use crate::workload::Workload;

/// The rule.
pub const RULE: Rule = Rule {
    id: "unpinned-node",
    summary: "more than one node can run the pod",
    default_action: Action::Reject,
    fixable: Fixable::No,
    sees: &[],
    checks: &[Check::Workload(check)],
    relations: &[],
};

/// k3s labels its nodes with a name of its own.
const HOST: [&str; 3] = ["kubernetes.io/hostname", "k3s.io/hostname", "metadata.name"];
const ZONE: [&str; 2] = ["topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone"];

fn check(_: &CheckContext<'_>, workload: &Workload<'_>, findings: &mut Findings) {
    let node_name = workload.pod.at("nodeName");
    if node_name.str().is_some_and(|name| !name.is_empty()) && !is_scheduled(workload) {
        findings.push(pinned(&node_name));
    }
    let placement = Placement::new(&workload.pod);
    if let Some((at, hosts)) = selected_values(&placement, &HOST) {
        findings.push(match hosts.len() {
            0 | 1 => pinned(&at),
            several => Finding::advice(&at, format!("only {several} named nodes can run the pod"))
                .help("select nodes by a label that new nodes also get"),
        });
    } else if let Some((at, zones)) = selected_values(&placement, &ZONE)
        && zones.len() == 1
    {
        findings.push(
            Finding::advice(&at, "the pod can run in one zone only: if the zone fails, the database stays down")
                .help("remove the zone; the scheduler already follows a zonal volume"),
        );
    }
}

fn pinned(at: &Cursor<'_>) -> Finding {
    Finding::contradiction(at, "the pod can run on one node only: if the node fails, the database stays down")
        .help("remove it; the scheduler then chooses among all amd64 nodes")
}

/// Whether the scheduler has bound a live Pod to its node.
fn is_scheduled(workload: &Workload<'_>) -> bool {
    workload.kind == WorkloadKind::Pod && workload.object.path(&["metadata", "resourceVersion"]).exists()
}

/// The values of a label that the pod can be scheduled on, and where they are selected; `None` if any value is possible.
fn selected_values<'a>(placement: &Placement<'a>, label: &[&'a str]) -> Option<(Cursor<'a>, Vec<&'a str>)> {
    if let Some(selected) = placement.selector.first_of(label) {
        let value = selected.str().unwrap_or_default();
        return Some((selected, vec![value]));
    }
    Some((placement.terms, placement.affinity_values(label)?))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::{ask, deployment, other_kind, test};

    const POD: &str = "/spec/template/spec";
    const TERMS: &str =
        "/spec/template/spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms";

    fn terms(key: &str, values: &[&str]) -> Value {
        json!([{"matchExpressions": [{"key": key, "operator": "In", "values": values}]}])
    }

    #[test]
    fn one_node_is_rejected_and_few_are_a_warning() {
        let by_field = json!([{"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n1"]}]}]);
        let not_in = json!([{"matchExpressions": [{"key": HOST[0], "operator": "NotIn", "values": ["n1"]}]}]);
        let pointer = |end: &str| format!("{POD}/{end}");
        let cases = [
            (pointer("nodeName"), json!("n1"), "reject "),
            (pointer("nodeName"), json!(""), ""),
            (pointer("nodeSelector/kubernetes.io~1hostname"), json!("n1"), "reject "),
            (pointer("nodeSelector/k3s.io~1hostname"), json!("n1"), "reject "),
            (TERMS.to_owned(), terms(HOST[0], &["n1"]), "reject "),
            (TERMS.to_owned(), by_field, "reject "),
            (TERMS.to_owned(), terms(HOST[0], &["n1", "n2"]), "warn "),
            (TERMS.to_owned(), not_in, ""),
            (pointer("nodeSelector/topology.kubernetes.io~1zone"), json!("z1"), "warn "),
            (TERMS.to_owned(), terms(ZONE[1], &["z1"]), "warn "),
            (TERMS.to_owned(), terms(ZONE[0], &["z1", "z2"]), ""),
        ];
        for (at, value, action) in cases {
            let expected: Vec<String> = (!action.is_empty()).then(|| format!("{action}{at}")).into_iter().collect();
            assert_eq!(ask(&RULE, &deployment(&[(&at, value.clone())])), expected, "{at} {value}");
        }
    }

    #[test]
    fn the_scheduler_may_name_a_node() {
        let pod = |changes: &[(&str, Value)]| ask(&RULE, &other_kind("v1", "Pod", changes));
        assert_eq!(pod(&[("/spec/nodeName", json!("n1"))]), ["reject /spec/nodeName"]);
        assert!(pod(&[("/spec/nodeName", json!("n1")), ("/metadata/resourceVersion", json!("7"))]).is_empty());
    }
}
