//! # What must hold
//! The pod has no `hostNetwork`, and no container that keeps running has a `hostPort`.
//!
//! # Why
//! A pod with ports of its node can start only on a node where these ports are free, so that fewer nodes can take it
//! over. Clients that use the address of the node have to find another one after a failover.
//!
//! # Example
//! ```yaml
//! ports:
//!   - containerPort: 1433
//!     hostPort: 1433
//! ```
//!
//! # Instead
//! ```yaml
//! ports:
//!   - containerPort: 1433
//! ```
//!
//! # Fix
//! None: clients may use the port of the node.
//!
//! # Sources
//! - Kubernetes documentation, *Configuration Good Practices*: avoid `hostPort` and `hostNetwork`

use super::check::{Check, CheckContext, MAX_FINDINGS};
use super::{Fixable, Loss, Rule};
use crate::finding::{Action, Finding, Findings};
use crate::json::cursor::Cursor;
use crate::workload::{Workload, long_running_containers};

/// The rule.
pub const RULE: Rule = Rule {
    id: "free-host-port",
    summary: "the pod needs no port of its node",
    loss: Loss::Operation,
    default_action: Action::Warn,
    fixable: Fixable::No,
    sees: &[],
    checks: &[Check::Workload(check)],
    relations: &[],
};

fn check(_: &CheckContext<'_>, workload: &Workload<'_>, findings: &mut Findings) {
    let mut add = |field: &Cursor<'_>| {
        findings.push(
            Finding::contradiction(field, "the pod can start only on a node where its ports are free")
                .help("remove it: clients connect to a Service"),
        );
        findings.len() < MAX_FINDINGS
    };
    let host_network = workload.pod.at("hostNetwork");
    if host_network.is_true() {
        // The API server then adds a `hostPort` to every port.
        add(&host_network);
        return;
    }
    for container in long_running_containers(&workload.pod) {
        for port in container.at("ports").items() {
            let field = port.at("hostPort");
            if field.int().is_some_and(|number| number != 0) && !add(&field) {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::{ask, deployment, test};

    const POD: &str = "/spec/template/spec";

    #[test]
    fn no_port_of_the_node() {
        let at = format!("{POD}/containers/0/ports/0/hostPort");
        let with = |port: Value| ask(&RULE, &deployment(&[(&at, port)]));
        assert_eq!(with(json!(1433)), [format!("warn {at}")]);
        for port in [json!(0), json!(null), json!("1433")] {
            assert!(with(port).is_empty());
        }
        let sidecar = |restart: Value| {
            let container = json!({"name": "proxy", "restartPolicy": restart, "ports": [{"hostPort": 80}]});
            ask(&RULE, &deployment(&[(&format!("{POD}/initContainers"), json!([container]))]))
        };
        assert_eq!(sidecar(json!("Always")), [format!("warn {POD}/initContainers/0/ports/0/hostPort")]);
        assert!(sidecar(json!(null)).is_empty());
    }

    #[test]
    fn the_network_of_the_node_is_reported_once() {
        let network = format!("{POD}/hostNetwork");
        let ports = (format!("{POD}/containers/0/ports/0/hostPort"), json!(1433));
        let object = deployment(&[(&network, json!(true)), (&ports.0, ports.1)]);
        assert_eq!(ask(&RULE, &object), [format!("warn {network}")]);
        assert!(ask(&RULE, &deployment(&[(&network, json!(false))])).is_empty());
    }

    #[test]
    fn findings_are_limited() {
        let ports: Vec<Value> = (1..500).map(|number| json!({"hostPort": number})).collect();
        let object = deployment(&[(&format!("{POD}/containers/0/ports"), json!(ports))]);
        assert_eq!(ask(&RULE, &object).len(), MAX_FINDINGS);
    }
}
