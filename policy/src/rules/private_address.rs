//! # What must hold
//! A LoadBalancer Service that leads to the database is internal, or limits its clients: by an annotation of the cloud,
//! a load balancer class that is internal, a private address, or `loadBalancerSourceRanges` without `0.0.0.0/0`. An
//! annotation with the ranges or the Azure service tags of the clients counts the same. With the setting
//! `exposure: public`, the rule has no findings.
//!
//! # Why
//! On most clouds, a load balancer gets a public address, where anyone can try passwords of `sa`.
//!
//! # Example
//! ```yaml
//! kind: Service
//! spec:
//!   type: LoadBalancer
//! ```
//!
//! # Instead
//! ```yaml
//! kind: Service
//! metadata:
//!   annotations:
//!     service.beta.kubernetes.io/azure-load-balancer-internal: "true"
//! spec:
//!   type: LoadBalancer
//!   loadBalancerSourceRanges:
//!     - 10.0.0.0/8
//! ```
//!
//! # Fix
//! None: clients may come from outside.
//!
//! # Sources
//! - Kubernetes documentation, *Service*: internal load balancer
//! - AWS Load Balancer Controller, *Annotations*: its load balancers are internal by default

use super::check::{Check, CheckContext};
use super::steady_routing::leads_to_database;
use super::{Fixable, Loss, Rule};
use crate::finding::{Action, Finding, Findings};
use crate::kubernetes::kind::Kind;
use crate::kubernetes::kind::WorkloadKind::{Deployment, StatefulSet};
use crate::kubernetes::service::Service;
use crate::settings::Exposure;

/// The rule.
pub const RULE: Rule = Rule {
    id: "private-address",
    summary: "the load balancer is internal, or limits its clients",
    loss: Loss::Operation,
    default_action: Action::Warn,
    fixable: Fixable::No,
    sees: &[Kind::Workload(Deployment), Kind::Workload(StatefulSet)],
    checks: &[],
    relations: &[Check::Service(check)],
};

fn check(context: &CheckContext<'_>, service: &Service<'_>, findings: &mut Findings) {
    if !service.is_load_balancer()
        || context.settings.exposure == Some(Exposure::Public)
        || service.is_internal()
        || !leads_to_database(&RULE, context, service)
    {
        return;
    }
    // An update that publishes it is the business of `load-balancer-service`.
    if context.old.map(Service::read).is_some_and(|old| old.is_load_balancer() && old.is_internal()) {
        return;
    }
    let limits = service.client_limits();
    let (at, message) = match limits.iter().find(|limit| limit.str().is_some_and(admits_everyone)) {
        Some(limit) => (*limit, "the load balancer admits clients from everywhere"),
        None if !limits.is_empty() => return,
        None => (service.spec.at("type"), "the load balancer may have a public address"),
    };
    findings.push(
        Finding::contradiction(&at, message)
            .reason("anyone can then try passwords of `sa`")
            .help("limit its source ranges, or make it internal"),
    );
}

/// Whether one of the clients in a list admits everyone. `Internet` is a service tag of Azure.
fn admits_everyone(clients: &str) -> bool {
    clients.split(',').any(|client| matches!(client.trim(), "0.0.0.0/0" | "::/0" | "Internet"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::settings::Settings;
    use crate::testing::{ask_in, closed, deployment, open_index, service, settings, test};

    const RANGES: &str = "/spec/loadBalancerSourceRanges";

    fn with(settings: &Settings, changes: &[(&str, Value)]) -> Vec<String> {
        let database = deployment(&[]);
        let service = service(changes);
        ask_in(&RULE, &service, &closed([&database, &service]), settings)
    }

    fn found(changes: &[(&str, Value)]) -> Vec<String> {
        with(&Settings::default(), changes)
    }

    #[test]
    fn a_load_balancer_is_not_open_to_everyone() {
        assert_eq!(found(&[]), ["warn /spec/type"]);
        assert_eq!(found(&[(RANGES, json!([]))]), ["warn /spec/type"]);
        assert!(found(&[(RANGES, json!(["203.0.113.0/24"]))]).is_empty());
        assert_eq!(found(&[(RANGES, json!(["10.0.0.0/8", "0.0.0.0/0"]))]), [format!("warn {RANGES}/1")]);
        assert!(found(&[("/spec/type", json!("ClusterIP"))]).is_empty());
        assert!(found(&[("/spec/ports/0/port", json!(9187))]).is_empty(), "it leads to metrics");
        assert!(with(&settings(json!({"exposure": "public"})), &[]).is_empty());
    }

    #[test]
    fn an_internal_load_balancer_is_private() {
        let annotated = |name: &str, value: &str| found(&[("/metadata/annotations", json!({name: value}))]).is_empty();
        let azure = "service.beta.kubernetes.io/azure-load-balancer-internal";
        assert!(annotated(azure, "true") && !annotated(azure, "false"));
        assert!(annotated("service.beta.kubernetes.io/aws-load-balancer-type", "external"));
        assert!(annotated("cloud.google.com/load-balancer-type", "Internal"));
        assert!(annotated("service.beta.kubernetes.io/load-balancer-source-ranges", "10.0.0.0/8"));
        assert!(annotated("service.beta.kubernetes.io/azure-allowed-service-tags", "VirtualNetwork"));
        assert!(!annotated("team", "db"));
        let scheme = json!({"service.beta.kubernetes.io/aws-load-balancer-scheme": "internet-facing",
            "service.beta.kubernetes.io/aws-load-balancer-type": "external"});
        assert_eq!(found(&[("/metadata/annotations", scheme)]).len(), 1);
        for class in ["service.k8s.aws/nlb", "eks.amazonaws.com/nlb", "tailscale"] {
            assert!(found(&[("/spec/loadBalancerClass", json!(class))]).is_empty(), "{class}");
        }
    }

    #[test]
    fn an_annotation_that_admits_everyone_limits_nothing() {
        let cases = [
            ("service.beta.kubernetes.io/load-balancer-source-ranges", "10.0.0.0/8, 0.0.0.0/0"),
            ("service.beta.kubernetes.io/azure-allowed-ip-ranges", "::/0"),
            ("service.beta.kubernetes.io/azure-allowed-service-tags", "VirtualNetwork,Internet"),
        ];
        for (name, value) in cases {
            let annotations = ("/metadata/annotations", json!({name: value}));
            let at = format!("warn /metadata/annotations/{}", name.replace('/', "~1"));
            assert_eq!(found(std::slice::from_ref(&annotations)), [at]);
            assert!(found(&[annotations, (RANGES, json!(["10.0.0.0/8"]))]).is_empty(), "the field wins");
        }
    }

    #[test]
    fn an_update_that_publishes_an_internal_one_has_one_finding() {
        let azure = json!({"service.beta.kubernetes.io/azure-load-balancer-internal": "true"});
        let (database, new) = (deployment(&[]), service(&[]));
        let found = |old: &Value| {
            let (settings, index) = (Settings::default(), open_index([&database]));
            let context = CheckContext::read(&new, Kind::Service, &settings, &index).expect("Services are checked");
            let findings = crate::rules::check_all(&context.with_old_object(Some(old)));
            findings.iter().map(|finding| finding.rule).collect::<Vec<_>>()
        };
        assert_eq!(found(&service(&[("/metadata/annotations", azure)])), ["load-balancer-service"]);
        assert_eq!(found(&service(&[("/spec/sessionAffinity", json!("ClientIP"))])), [RULE.id]);
    }

    #[test]
    fn a_private_address_is_private() {
        let at = |address: &str| found(&[("/status/loadBalancer/ingress", json!([{"ip": address}]))]).is_empty();
        for address in ["10.1.2.3", "172.16.0.1", "172.31.0.1", "192.168.0.1", "100.64.0.1", "fd00::1"] {
            assert!(at(address), "{address}");
        }
        for address in ["203.0.113.7", "172.32.0.1", "100.63.0.1", "192.169.0.1", "2001:db8::1", "", "10"] {
            assert!(!at(address), "{address}");
        }
        assert!(found(&[("/spec/loadBalancerIP", json!("10.0.0.9"))]).is_empty());
        let both = json!([{"ip": "10.1.2.3"}, {"ip": "203.0.113.7"}]);
        assert_eq!(found(&[("/status/loadBalancer/ingress", both)]).len(), 1);
    }
}
