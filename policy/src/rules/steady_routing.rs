//! # What must hold
//! A Service in front of the database sends clients to it from every node, and only when it is ready:
//! `externalTrafficPolicy` and `internalTrafficPolicy` are not `Local`, and `publishNotReadyAddresses` is not true. A
//! headless Service may publish pods that are not ready.
//!
//! # Why
//! With `Local`, a node without the pod drops the connections. After a failover, that is the node that clients and load
//! balancers know, until they have noticed the change. With `publishNotReadyAddresses`, clients are sent to a database
//! that still recovers.
//!
//! # Example
//! ```yaml
//! kind: Service
//! spec:
//!   type: LoadBalancer
//!   externalTrafficPolicy: Local
//! ```
//!
//! # Instead
//! ```yaml
//! kind: Service
//! spec:
//!   type: LoadBalancer
//!   externalTrafficPolicy: Cluster
//! ```
//!
//! # Fix
//! None: `Local` may be needed to see the addresses of clients.
//!
//! # Sources
//! - Kubernetes documentation, *Virtual IPs and Service Proxies*: traffic policies
//! - Kubernetes API, *ServiceSpec*: `publishNotReadyAddresses`

use super::check::{Check, CheckContext};
use super::{Fixable, Loss, Rule};
use crate::finding::{Action, Finding, Findings};
use crate::kubernetes::kind::Kind;
use crate::kubernetes::kind::WorkloadKind::{Deployment, StatefulSet};
use crate::kubernetes::service::Service;
use crate::workload::ports::ports_to;

/// The rule.
pub const RULE: Rule = Rule {
    id: "steady-routing",
    summary: "Services send clients to the database from every node, and only when it is ready",
    loss: Loss::Availability,
    default_action: Action::Warn,
    fixable: Fixable::No,
    sees: &[Kind::Workload(Deployment), Kind::Workload(StatefulSet)],
    checks: &[],
    relations: &[Check::Service(check)],
};

fn check(context: &CheckContext<'_>, service: &Service<'_>, findings: &mut Findings) {
    if !service.has_virtual_ip() {
        return;
    }
    let policies = [
        ("externalTrafficPolicy", "clients outside can connect only through the node of the pod"),
        ("internalTrafficPolicy", "only clients on the node of the pod can connect"),
    ];
    let mut found = Findings::new();
    for (field, message) in policies {
        let policy = service.spec.at(field);
        if policy.str() == Some("Local") {
            let finding = Finding::contradiction(&policy, message);
            found.push(finding.reason("a failover moves it to another node").help(format!("set `{field}: Cluster`")));
        }
    }
    let publishes = service.spec.at("publishNotReadyAddresses");
    if publishes.is_true() {
        found.push(
            Finding::contradiction(&publishes, "clients are sent to the database before it is ready").help("remove it"),
        );
    }
    if !found.is_empty() && leads_to_database(&RULE, context, service) {
        findings.extend(found);
    }
}

/// Whether a port of a Service leads to a database that is not exempt from `rule`.
pub(super) fn leads_to_database(rule: &Rule, context: &CheckContext<'_>, service: &Service<'_>) -> bool {
    let databases = context.view.databases_selected_by(service).known().unwrap_or_default();
    databases.iter().any(|workload| !context.exempts(rule, &workload.object) && !ports_to(service, workload).is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::settings::Settings;
    use crate::testing::{ask_in, closed, deployment, service, test};

    fn behind(changes: &[(&str, Value)]) -> Vec<String> {
        let (database, service) = (deployment(&[]), service(changes));
        ask_in(&RULE, &service, &closed([&database, &service]), &Settings::default())
    }

    #[test]
    fn every_node_leads_to_the_database() {
        for field in ["externalTrafficPolicy", "internalTrafficPolicy"] {
            let at = format!("/spec/{field}");
            assert_eq!(behind(&[(&at, json!("Local"))]), [format!("warn {at}")]);
            for value in [json!("Cluster"), json!(null), json!(["Local"])] {
                assert!(behind(&[(&at, value)]).is_empty());
            }
        }
        let inside = [("/spec/type", json!("ClusterIP")), ("/spec/internalTrafficPolicy", json!("Local"))];
        assert_eq!(behind(&inside), ["warn /spec/internalTrafficPolicy"]);
    }

    #[test]
    fn pods_that_are_not_ready_get_no_clients() {
        let publishes = ("/spec/publishNotReadyAddresses", json!(true));
        assert_eq!(behind(std::slice::from_ref(&publishes)), ["warn /spec/publishNotReadyAddresses"]);
        let headless = [publishes, ("/spec/type", json!("ClusterIP")), ("/spec/clusterIP", json!("None"))];
        assert!(behind(&headless).is_empty());
    }

    #[test]
    fn other_services_are_not_checked() {
        let local = ("/spec/externalTrafficPolicy", json!("Local"));
        assert!(behind(&[local.clone(), ("/spec/selector/app", json!("web"))]).is_empty());
        assert!(behind(&[local, ("/spec/ports/0/port", json!(9187))]).is_empty(), "it leads to metrics");
    }
}
