//! # What must hold
//! No required pod anti-affinity keeps the pod away from its own labels in a whole zone, region or other topology wider
//! than a node. On `kubernetes.io/hostname` it is harmless, and in a StatefulSet the replacement is made only after the
//! old pod is gone.
//!
//! # Why
//! The pod of a failed node exists until the node is removed or tainted. Until then, its labels keep the replacement
//! out of the whole zone, where its disk is: the replacement stays Pending.
//!
//! # Example
//! ```yaml
//! affinity:
//!   podAntiAffinity:
//!     requiredDuringSchedulingIgnoredDuringExecution:
//!       - topologyKey: topology.kubernetes.io/zone
//!         labelSelector:
//!           matchLabels:
//!             app: sql
//! ```
//!
//! # Instead
//! ```yaml
//! affinity:
//!   podAntiAffinity:
//!     requiredDuringSchedulingIgnoredDuringExecution:
//!       - topologyKey: kubernetes.io/hostname
//!         labelSelector:
//!           matchLabels:
//!             app: sql
//! ```
//!
//! # Fix
//! None: the selector may be meant for other pods.
//!
//! # Sources
//! - Kubernetes documentation, *Assigning Pods to Nodes*: inter-pod affinity and anti-affinity

use super::check::{Check, CheckContext};
use super::{Fixable, Loss, Rule};
use crate::finding::{Action, Finding, Findings, quoted};
use crate::kubernetes::kind::WorkloadKind;
use crate::kubernetes::scheduling::{HOST_NAME, repels_itself};
use crate::workload::Workload;

/// The rule.
pub const RULE: Rule = Rule {
    id: "no-self-repulsion",
    summary: "the pod of a failed node does not keep its replacement away",
    loss: Loss::Availability,
    default_action: Action::Warn,
    fixable: Fixable::No,
    sees: &[],
    checks: &[Check::Workload(check)],
    relations: &[],
};

/// Topologies of one node.
const HOSTNAMES: [&str; 2] = [HOST_NAME, "k3s.io/hostname"];

fn check(context: &CheckContext<'_>, workload: &Workload<'_>, findings: &mut Findings) {
    if workload.kind == WorkloadKind::StatefulSet {
        return;
    }
    let pods = workload.pods(context.view.namespace());
    let path = ["affinity", "podAntiAffinity", "requiredDuringSchedulingIgnoredDuringExecution"];
    for term in workload.pod.path(&path).items() {
        let topology = term.at("topologyKey");
        let Some(key) = topology.str().filter(|key| !key.is_empty() && !HOSTNAMES.contains(key)) else { continue };
        if repels_itself(&term, &pods) {
            findings.push(
                Finding::contradiction(&topology, "the pod of a failed node keeps its replacement Pending")
                    .reason(format!("it repels pods with its own labels in the same {}", quoted(key)))
                    .help("set `topologyKey: kubernetes.io/hostname`"),
            );
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::{ask, deployment, stateful_set, test};

    const TERMS: &str = "/spec/template/spec/affinity/podAntiAffinity/requiredDuringSchedulingIgnoredDuringExecution";
    use crate::kubernetes::scheduling::ZONE;

    fn term(topology: &str, more: Value) -> Value {
        let mut term = json!({"topologyKey": topology, "labelSelector": {"matchLabels": {"app": "sql"}}});
        if let (Some(term), Value::Object(more)) = (term.as_object_mut(), more) {
            term.extend(more);
        }
        term
    }

    fn with(term: Value) -> usize {
        let found = ask(&RULE, &deployment(&[(TERMS, json!([term]))]));
        assert!(found.iter().all(|finding| *finding == format!("warn {TERMS}/0/topologyKey")), "{found:?}");
        found.len()
    }

    #[test]
    fn a_pod_does_not_repel_itself_from_a_zone() {
        let named = |values: Value| {
            json!({"matchExpressions": [
                {"key": "kubernetes.io/metadata.name", "operator": "In", "values": values}]})
        };
        let cases = [
            (ZONE, json!({}), 1),
            ("topology.kubernetes.io/region", json!({}), 1),
            ("rack", json!({}), 1),
            ("kubernetes.io/hostname", json!({}), 0),
            ("", json!({}), 0),
            (ZONE, json!({"labelSelector": {"matchLabels": {"app": "web"}}}), 0),
            (ZONE, json!({"labelSelector": {}}), 1),
            (ZONE, json!({"labelSelector": null}), 0),
            (
                ZONE,
                json!({"labelSelector": {"matchExpressions": [{"key": "app", "operator": "In", "values": ["sql"]}]}}),
                1,
            ),
            (ZONE, json!({"namespaces": ["elsewhere"]}), 0),
            (ZONE, json!({"namespaces": ["elsewhere", "default"]}), 1),
            (ZONE, json!({"namespaceSelector": {}}), 1),
            (ZONE, json!({"namespaceSelector": {"matchLabels": {"team": "db"}}}), 0),
            (ZONE, json!({"matchLabelKeys": ["pod-template-hash"]}), 1),
            (ZONE, json!({"namespaceSelector": named(json!(["default"]))}), 1),
            (ZONE, json!({"namespaceSelector": named(json!(["elsewhere"]))}), 0),
            (ZONE, json!({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "default"}}}), 1),
            (ZONE, json!({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "elsewhere"}}}), 0),
            (ZONE, json!({"mismatchLabelKeys": ["tenant"]}), 1),
            (ZONE, json!({"mismatchLabelKeys": ["app"]}), 0),
            (ZONE, json!({"mismatchLabelKeys": ["pod-template-hash"]}), 0),
        ];
        for (topology, more, count) in cases {
            assert_eq!(with(term(topology, more.clone())), count, "{topology} {more}");
        }
    }

    #[test]
    fn several_terms_are_one_finding() {
        let terms = json!([term(ZONE, json!({})), term("topology.kubernetes.io/region", json!({}))]);
        assert_eq!(ask(&RULE, &deployment(&[(TERMS, terms)])).len(), 1);
    }

    #[test]
    fn a_stateful_set_waits_for_the_old_pod() {
        assert!(ask(&RULE, &stateful_set(&[(TERMS, json!([term(ZONE, json!({}))]))])).is_empty());
    }
}
