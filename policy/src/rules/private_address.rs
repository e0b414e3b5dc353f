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
use super::{Fixable, Loss, Rule, load_balancer_service};
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
    // `load-balancer-service` reports an update that publishes it.
    let is_published = context.old.map(Service::read).is_some_and(|old| service.is_published_since(&old));
    if is_published && !load_balancer_service::RULE.is_off(context.settings) {
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
        assert!(annotated("oci-network-load-balancer.oraclecloud.com/internal", "true"));
        let tencent = "service.kubernetes.io/qcloud-loadbalancer-internal-subnetid";
        assert!(annotated(tencent, "subnet-1") && !annotated(tencent, ""));
        for name in ["metallb.io/loadBalancerIPs", "kube-vip.io/loadbalancerIPs", "lbipam.cilium.io/ips"] {
            assert!(annotated(name, "192.168.1.50") && annotated(name, "10.0.0.9, fd00::9"), "{name}");
            assert!(!annotated(name, "0.0.0.0") && !annotated(name, "10.0.0.9,203.0.113.7"), "{name}");
        }
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

    fn on_update(old: &Value, new: &Value, settings: &Settings) -> Vec<&'static str> {
        let database = deployment(&[]);
        let index = open_index([&database]);
        let context = CheckContext::read(new, Kind::Service, settings, &index).expect("Services are checked");
        crate::rules::check_all(&context.with_old_object(Some(old))).iter().map(|finding| finding.rule).collect()
    }

    const ADDRESS: &str = "/status/loadBalancer/ingress";

    #[test]
    fn an_update_that_publishes_an_internal_one_has_one_finding() {
        let annotated = |name: &str, value: &str| ("/metadata/annotations", json!({name: value}));
        let internal = [
            annotated("service.beta.kubernetes.io/azure-load-balancer-internal", "true"),
            annotated("service.beta.kubernetes.io/azure-load-balancer-internal", "True"),
            annotated("service.beta.kubernetes.io/aws-load-balancer-internal", "0.0.0.0/0"),
            annotated("service.beta.kubernetes.io/aws-load-balancer-type", "external"),
            annotated("cloud.google.com/load-balancer-type", "Internal"),
            annotated("oci-network-load-balancer.oraclecloud.com/internal", "true"),
            annotated("metallb.io/loadBalancerIPs", "10.0.0.9"),
            ("/spec/loadBalancerClass", json!("tailscale")),
            ("/spec/loadBalancerIP", json!("10.0.0.9")),
        ];
        for change in internal {
            for address in [json!([]), json!([{"ip": "10.0.0.9"}])] {
                let new = service(&[(ADDRESS, address.clone())]);
                let old = service(&[(ADDRESS, address), change.clone()]);
                assert_eq!(on_update(&old, &new, &Settings::default()), ["load-balancer-service"], "{old}");
                assert!(on_update(&old, &old, &Settings::default()).is_empty(), "{old}");
            }
        }
    }

    #[test]
    fn an_update_of_something_else_publishes_nothing() {
        let (plain, old) = (Settings::default(), service(&[("/spec/sessionAffinity", json!("ClientIP"))]));
        assert_eq!(on_update(&old, &service(&[]), &plain), [RULE.id]);
        let inside = (ADDRESS, json!([{"ip": "10.0.0.9"}]));
        let old = service(&[inside.clone(), ("/spec/sessionAffinity", json!("ClientIP"))]);
        assert!(on_update(&old, &service(&[inside]), &plain).is_empty(), "the platform keeps it internal");
    }

    #[test]
    fn an_update_that_publishes_it_is_reported_without_the_other_rule_too() {
        let settings = settings(json!({"rules": {"load-balancer-service": "off"}}));
        let old = service(&[("/spec/loadBalancerClass", json!("tailscale"))]);
        assert_eq!(on_update(&old, &service(&[]), &settings), [RULE.id]);
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
