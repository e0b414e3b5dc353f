//! # What must hold
//! More than one node can run the pod: no `nodeName`, and neither the node selector nor the required node affinity
//! admits a single `kubernetes.io/hostname` (or `k3s.io/hostname`, or node name) only. Several named nodes, or a single
//! zone, are a warning.
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
use super::{Fixable, Loss, Rule};
use crate::finding::{Action, Finding, Findings, quoted};
use crate::json::cursor::Cursor;
use crate::kubernetes::kind::WorkloadKind;
use crate::kubernetes::scheduling::{BETA_ZONE, HOST_NAME, Placement, ZONE};
use crate::workload::Workload;

/// The rule.
pub const RULE: Rule = Rule {
    id: "unpinned-node",
    summary: "more than one node can run the pod",
    loss: Loss::Availability,
    default_action: Action::Reject,
    fixable: Fixable::No,
    sees: &[],
    checks: &[Check::Workload(check)],
    relations: &[],
};

/// k3s labels its nodes with a name of its own.
const HOSTS: [&str; 3] = [HOST_NAME, "k3s.io/hostname", "metadata.name"];
const ZONES: [&str; 2] = [ZONE, BETA_ZONE];

fn check(_: &CheckContext<'_>, workload: &Workload<'_>, findings: &mut Findings) {
    let node_name = workload.pod.at("nodeName");
    let name = node_name.str().filter(|name| !name.is_empty());
    if let Some(name) = name.filter(|_| !is_scheduled(workload)) {
        findings.push(pinned(&node_name, Some(name)).help("remove `nodeName`; the scheduler then chooses the node"));
    }
    let placement = Placement::new(&workload.pod);
    if let Some((at, hosts)) = selected_values(&placement, &HOSTS) {
        findings.push(match hosts.len() {
            0 | 1 => pinned(&at, hosts.first().copied()).help(removal(&placement, &HOSTS)),
            several => Finding::advice(&at, format!("only {several} named nodes can run the pod"))
                .help("select nodes by a label that new nodes also get"),
        });
    } else if let Some((at, zones)) = selected_values(&placement, &ZONES)
        && zones.len() == 1
    {
        findings.push(
            Finding::advice(&at, "the pod can run in one zone only: if the zone fails, the database stays down")
                .help(format!("{}; the scheduler follows a zonal volume without it", removal(&placement, &ZONES))),
        );
    }
}

/// How few nodes can run the pod.
enum Problem {
    NoNode,
    OneNode,
}

fn pinned(at: &Cursor<'_>, node: Option<&str>) -> Finding {
    let (message, problem) = match node {
        Some(node) => {
            let message =
                format!("the pod can run on node {} only: if it fails, the database stays down", quoted(node));
            (message, Problem::OneNode)
        }
        None => ("no node can run the pod".to_owned(), Problem::NoNode),
    };
    Finding::contradiction(at, message).problem(problem as u8)
}

/// What to remove so that any value of a label is possible, and no other constraint. A term without expressions would
/// match no node.
fn removal(placement: &Placement<'_>, label: &[&'static str]) -> &'static str {
    let is_one_term = placement.terms.items().count() == 1;
    match placement.listing(label) {
        _ if placement.selector.first_of(label).is_some() => "remove only this label from `nodeSelector`",
        Some((_, 1)) if is_one_term => {
            "remove `requiredDuringSchedulingIgnoredDuringExecution`: it has no other expression"
        }
        _ if is_one_term => "remove only this expression",
        _ => "remove only the expressions on this label, from every term",
    }
}

/// Whether the scheduler has bound a live Pod to its node.
fn is_scheduled(workload: &Workload<'_>) -> bool {
    workload.kind == WorkloadKind::Pod
        && workload.object.path(&["metadata", "resourceVersion"]).str().is_some_and(|version| !version.is_empty())
}

/// The values of a label that the pod can be scheduled on, and where they are selected; `None` if any value is
/// possible.
fn selected_values<'a>(placement: &Placement<'a>, label: &[&'a str]) -> Option<(Cursor<'a>, Vec<&'a str>)> {
    if let Some(selected) = placement.selector.first_of(label) {
        let value = selected.str().unwrap_or_default();
        return Some((selected, vec![value]));
    }
    let values = placement.affinity_values(label)?;
    Some((placement.listing(label)?.0, values))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::settings::Settings;
    use crate::testing::{ask, deployment, findings_of, other_kind, test};
    use crate::view::index::ObjectIndex;

    const POD: &str = "/spec/template/spec";
    const TERMS: &str =
        "/spec/template/spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms";

    fn terms(key: &str, values: &[&str]) -> Value {
        json!([{"matchExpressions": [{"key": key, "operator": "In", "values": values}]}])
    }

    #[test]
    fn one_node_is_rejected_and_few_are_a_warning() {
        let by_field = json!([{"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n1"]}]}]);
        let not_in = json!([{"matchExpressions": [{"key": HOST_NAME, "operator": "NotIn", "values": ["n1"]}]}]);
        let pointer = |end: &str| format!("{POD}/{end}");
        let cases = [
            (pointer("nodeName"), json!("n1"), "reject "),
            (pointer("nodeName"), json!(""), ""),
            (pointer("nodeSelector/kubernetes.io~1hostname"), json!("n1"), "reject "),
            (pointer("nodeSelector/k3s.io~1hostname"), json!("n1"), "reject "),
            (TERMS.to_owned(), terms(HOST_NAME, &["n1"]), "reject "),
            (TERMS.to_owned(), by_field, "reject "),
            (TERMS.to_owned(), terms(HOST_NAME, &["n1", "n2"]), "warn "),
            (TERMS.to_owned(), not_in, ""),
            (pointer("nodeSelector/topology.kubernetes.io~1zone"), json!("z1"), "warn "),
            (TERMS.to_owned(), terms(BETA_ZONE, &["z1"]), "warn "),
            (TERMS.to_owned(), terms(ZONE, &["z1", "z2"]), ""),
        ];
        for (at, value, action) in cases {
            let expression = value.pointer("/0/matchFields").map_or("/0/matchExpressions/0", |_| "/0/matchFields/0");
            let end = if at == TERMS { expression } else { "" };
            let expected: Vec<String> =
                (!action.is_empty()).then(|| format!("{action}{at}{end}")).into_iter().collect();
            assert_eq!(ask(&RULE, &deployment(&[(&at, value.clone())])), expected, "{at} {value}");
        }
    }

    #[test]
    fn the_help_keeps_the_other_constraints() {
        let host = json!({"key": HOST_NAME, "operator": "In", "values": ["n1"]});
        let other = json!({"key": "disk", "operator": "In", "values": ["ssd"]});
        let cases = [
            (
                TERMS,
                json!([{"matchExpressions": [other, host]}]),
                "/0/matchExpressions/1",
                "remove only this expression",
            ),
            (
                TERMS,
                json!([{"matchExpressions": [host]}]),
                "/0/matchExpressions/0",
                "remove `requiredDuringSchedulingIgnoredDuringExecution`: it has no other expression",
            ),
            (
                TERMS,
                json!([{"matchExpressions": [host, other]}, {"matchExpressions": [host]}]),
                "/0/matchExpressions/0",
                "remove only the expressions on this label, from every term",
            ),
            (
                "/spec/template/spec/nodeSelector/kubernetes.io~1hostname",
                json!("n1"),
                "",
                "remove only this label from `nodeSelector`",
            ),
        ];
        for (at, value, end, help) in cases {
            let object = deployment(&[(at, value)]);
            let findings = findings_of(&RULE, &object, &ObjectIndex::default(), &Settings::default());
            let [finding] = findings.as_slice() else { panic!("{findings:?}") };
            assert_eq!((finding.pointer.clone(), &*finding.help), (format!("{at}{end}"), help));
            assert_eq!(finding.message, "the pod can run on node `n1` only: if it fails, the database stays down");
        }
    }

    #[test]
    fn the_scheduler_may_name_a_node() {
        let pod = |changes: &[(&str, Value)]| ask(&RULE, &other_kind("v1", "Pod", changes));
        assert_eq!(pod(&[("/spec/nodeName", json!("n1"))]), ["reject /spec/nodeName"]);
        assert!(pod(&[("/spec/nodeName", json!("n1")), ("/metadata/resourceVersion", json!("7"))]).is_empty());
    }
}
