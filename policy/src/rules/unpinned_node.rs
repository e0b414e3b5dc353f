//! # What must hold
//! More than one node can run the pod: no `nodeName`, and neither the node selector nor the required node affinity
//! leaves a single `kubernetes.io/hostname` (or node name). Several named hosts, or a single zone, are a warning.
//!
//! # Why
//! When its node fails, a pod that is bound to it stays `Pending`. Failover means that another node takes over.
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
//! None: why the pod was bound to the node is for a person to know; often the reason is storage that is bound to it.
//!
//! # Sources
//! - Kubernetes documentation, *Assigning Pods to Nodes*: `nodeName`, node selector, `matchExpressions`, `matchFields`
//! - Kubernetes documentation, *Running in multiple zones*

use super::{Fixable, Rule};
use crate::finding::{Action, Finding, Findings};
use crate::kind::Kind;
use crate::node::Node;
use crate::scheduling::Placement;
use crate::subject::Subject;
use crate::workload::Workload;

/// The rule.
pub const RULE: Rule = Rule {
    id: "unpinned-node",
    summary: "more than one node can run the pod",
    default_action: Action::Reject,
    fixable: Fixable::No,
    is_relational: false,
    check,
};

const HOST: [&str; 2] = ["kubernetes.io/hostname", "metadata.name"];
const ZONE: [&str; 2] = ["topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone"];

fn check(subject: &Subject<'_>, findings: &mut Findings) {
    let Some(workload) = subject.workload() else { return };
    let node_name = workload.pod.at("nodeName");
    if node_name.str().is_some_and(|name| !name.is_empty()) && !is_scheduled(workload) {
        findings.push(pinned(&node_name));
    }
    let placement = Placement::of(&workload.pod);
    if let Some((at, hosts)) = choice(&placement, &HOST) {
        findings.push(match hosts.len() {
            0 | 1 => pinned(&at),
            several => Finding::advice(&at, format!("only {several} named nodes can take over"))
                .help("choose nodes by a label that new nodes get too"),
        });
    } else if let Some((at, zones)) = choice(&placement, &ZONE)
        && zones.len() == 1
    {
        findings.push(
            Finding::advice(&at, "the pod is bound to one zone: it does not survive the zone")
                .help("leave the zone to the scheduler; a zonal disk leads the pod to its zone by itself"),
        );
    }
}

fn pinned(at: &Node<'_>) -> Finding {
    Finding::contradiction(at, "the pod is bound to one node")
        .because("when that node fails, no other one can take over")
        .help("remove it and let the scheduler choose among amd64 nodes")
}

/// Whether the scheduler has put a live Pod where it is.
fn is_scheduled(workload: &Workload<'_>) -> bool {
    workload.kind == Kind::Pod && workload.object.path(&["metadata", "resourceVersion"]).exists()
}

/// Where the values of a label are chosen, and what the choice leaves; `None` if the pod leaves the label open.
fn choice<'a>(placement: &Placement<'a>, label: &[&'a str]) -> Option<(Node<'a>, Vec<&'a str>)> {
    if let Some(node) = placement.selector.first_of(label) {
        let value = node.str().unwrap_or_default();
        return Some((node, vec![value]));
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
    fn one_node_is_refused_and_few_are_a_warning() {
        let by_field = json!([{"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n1"]}]}]);
        let not_in = json!([{"matchExpressions": [{"key": HOST[0], "operator": "NotIn", "values": ["n1"]}]}]);
        let pointer = |end: &str| format!("{POD}/{end}");
        let cases = [
            (pointer("nodeName"), json!("n1"), "reject "),
            (pointer("nodeName"), json!(""), ""),
            (pointer("nodeSelector/kubernetes.io~1hostname"), json!("n1"), "reject "),
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
