//! # What must hold
//! Clients reach the engine at an address that stays: a Service of type `LoadBalancer` in the workload's namespace
//! selects its pods. Other Services beside it, ClusterIP or headless, are normal.
//!
//! A Service that selects a governed workload, has a virtual IP, and has no load balancer beside it, is made one; on an
//! UPDATE that turns the last load balancer into something else, the request is refused. A workload that only headless
//! Services select, or none, is reported itself. Where objects arrive one by one, a Service that is not there yet is a
//! warning.
//!
//! # Why
//! The pod's IP changes with every failover. A load balancer keeps one address in front of whichever pod is alive, for
//! clients inside and outside the cluster; with a headless Service clients keep talking to the IP of a dead pod until
//! their DNS cache forgets it.
//!
//! # Example
//! ```yaml
//! kind: Service
//! spec:
//!   type: ClusterIP
//!   selector:
//!     app: sqledge
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
//!   selector:
//!     app: sqledge
//! ```
//!
//! # Fix
//! Safe, on the Service: sets the type, and adds the annotations by which Azure, AWS and GCP keep a load balancer inside
//! the network. The setting `exposure` changes that: `public` and `keep` add no annotation.
//!
//! # Sources
//! - Microsoft, *High availability for Azure SQL Edge containers*: the load balancer's IP address stays the same
//! - Kubernetes documentation, *Service*: types, headless Services, internal load balancers

use super::{Fixable, Rule};
use crate::address::{Role, is_load_balancer, role};
use crate::finding::{Action, Edit, Finding, Findings, Fix, Related, push_part, quoted};
use crate::service::Service;
use crate::settings::Exposure;
use crate::subject::{Subject, governed};
use crate::workload::Workload;

/// The rule.
pub const RULE: Rule = Rule {
    id: "load-balancer-service",
    summary: "a load balancer keeps one address in front of the pod",
    default_action: Action::Mutate,
    fixable: Fixable::Safe,
    is_relational: true,
    check,
};

const POD_ADDRESS: &str = "the pod's own address changes with every failover";

/// Annotations by which cloud providers keep a load balancer inside the network.
const INTERNAL: [(&str, &str); 4] = [
    ("service.beta.kubernetes.io/azure-load-balancer-internal", "true"),
    ("service.beta.kubernetes.io/aws-load-balancer-scheme", "internal"),
    ("service.beta.kubernetes.io/aws-load-balancer-internal", "true"),
    ("networking.gke.io/load-balancer-type", "Internal"),
];

fn check(subject: &Subject<'_>, findings: &mut Findings) {
    if let Some(service) = subject.service() {
        findings.extend(judge_service(subject, service));
    } else if let Some(workload) = subject.workload().filter(|workload| workload.kind.keeps_running()) {
        findings.extend(judge_workload(subject, workload));
    }
}

fn judge_service(subject: &Subject<'_>, service: &Service<'_>) -> Option<Finding> {
    if is_load_balancer(service) {
        return None;
    }
    // What an UPDATE takes away was selected by the old object.
    let old = subject.old.map(Service::read).filter(is_load_balancer);
    let judged = old.as_ref().unwrap_or(service);
    let objects = subject.selected_by(judged)?;
    let (mut workloads, mut related) = (String::new(), Vec::new());
    for workload in governed(&objects, judged, subject.settings) {
        if lacks_address(subject, service, &workload, old.is_some()) == Some(true) {
            push_part(&mut workloads, " and ", &workload.describe());
            let labels = workload.template.path(&["metadata", "labels"]);
            Related::add(&mut related, &workload.object, &labels, "the Service selects these pods");
        }
    }
    if workloads.is_empty() {
        return None;
    }
    let kind = service.spec.at("type");
    if old.is_some() {
        return Some(
            Finding::contradiction(&kind, format!("this takes the load balancer away from {workloads}"))
                .because("clients hold on to its address, which is gone with it")
                .help("keep type: LoadBalancer, or create another load balancer first"),
        );
    }
    let message = format!("no load balancer keeps an address in front of {workloads}");
    Some(
        Finding::omission(&kind, message, Fix::safe(edits(service, subject.settings.exposure)))
            .label(format!("{} selects it", service.address().describe()))
            .because(POD_ADDRESS)
            .help("set type: LoadBalancer")
            .about(related),
    )
}

/// Whether it falls to `service` to be the load balancer of `workload`; `None` if nobody can tell.
fn lacks_address(
    subject: &Subject<'_>,
    service: &Service<'_>,
    workload: &Workload<'_>,
    was_last: bool,
) -> Option<bool> {
    let others = subject.services_of(workload, Some(service.name()))?;
    if was_last {
        return Some(!others.iter().any(|other| is_load_balancer(&Service::read(other))));
    }
    Some(role(service, workload, &others, subject.together) == Role::Candidate)
}

fn edits(service: &Service<'_>, exposure: Exposure) -> Vec<Edit> {
    let mut edits = vec![Edit::set(&service.object, &["spec", "type"], "LoadBalancer")];
    let annotations = service.object.path(&["metadata", "annotations"]);
    // Whoever wrote one of these has decided.
    let decided = INTERNAL.iter().any(|(name, _)| annotations.at(name).exists());
    if exposure == Exposure::Internal && !decided {
        for (name, value) in INTERNAL {
            edits.push(Edit::set(&service.object, &["metadata", "annotations", name], value));
        }
    }
    edits
}

fn judge_workload(subject: &Subject<'_>, workload: &Workload<'_>) -> Option<Finding> {
    let objects = subject.services_of(workload, None)?;
    for service in objects.iter().map(|object| Service::read(object)) {
        // Where both are judged the lack is reported on the Service that can be mended.
        if is_load_balancer(&service) || subject.is_reported_on(&service, workload) {
            return None;
        }
    }
    let labels = workload.template.path(&["metadata", "labels"]);
    let help = "create a Service of type LoadBalancer that selects these labels";
    let Some(service) = objects.first().map(|object| Service::read(object)) else {
        let missing = "no Service of type LoadBalancer selects these pods";
        let finding =
            if subject.closed { Finding::contradiction(&labels, missing) } else { Finding::advice(&labels, missing) };
        return Some(finding.because(POD_ADDRESS).help(help));
    };
    let (kind, mut related) = (service.spec.at("type"), Vec::new());
    Related::add(&mut related, &service.object, &kind, "this Service selects the pods");
    Some(
        Finding::contradiction(&labels, "no load balancer keeps an address in front of these pods")
            .label(format!("Service {} selects them, {}", quoted(service.name()), service.address().describe()))
            .because(POD_ADDRESS)
            .about(related)
            .help(if service.address().can_become_load_balancer() {
                "make that Service type: LoadBalancer"
            } else {
                help
            }),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::objects::Objects;
    use crate::settings::Settings;
    use crate::testing::{ask_in, deployment, findings_of, service, settings, stateful_set, test};

    fn closed(object: &Value, others: &[Value]) -> Vec<String> {
        ask_in(&RULE, object, &Objects::closed(others.iter().chain([object])), &Settings::default())
    }

    fn open(object: &Value, others: &[Value]) -> Vec<String> {
        ask_in(&RULE, object, &Objects::open(others), &Settings::default())
    }

    fn named(name: &str, kind: &str) -> Value {
        service(&[("/metadata/name", json!(name)), ("/spec/type", json!(kind))])
    }

    fn headless() -> Value {
        service(&[
            ("/metadata/name", json!("headless")),
            ("/spec/type", json!(null)),
            ("/spec/clusterIP", json!("None")),
        ])
    }

    #[test]
    fn with_everything_in_view_the_lack_is_reported_once() {
        let labels = "reject /spec/template/metadata/labels";
        let database = deployment(&[]);
        let cluster_ip = named("a", "ClusterIP");
        let node_port = named("b", "NodePort");
        assert!(closed(&database, &[service(&[]), cluster_ip.clone(), headless()]).is_empty());
        assert!(closed(&cluster_ip, &[database.clone(), service(&[])]).is_empty());
        // The Service that can be mended has it; of two, the first.
        assert_eq!(closed(&cluster_ip, &[database.clone(), node_port.clone()]), ["mutate /spec/type"]);
        assert!(closed(&node_port, &[database.clone(), cluster_ip.clone()]).is_empty());
        assert!(closed(&database, &[node_port, cluster_ip]).is_empty());
        // Nothing can be mended: the workload has it.
        assert_eq!(closed(&database, &[headless()]), [labels]);
        assert!(closed(&headless(), std::slice::from_ref(&database)).is_empty());
        assert_eq!(closed(&database, &[]), [labels]);
        let elsewhere = service(&[("/metadata/namespace", json!("other"))]);
        assert_eq!(closed(&database, &[elsewhere]), [labels]);
    }

    #[test]
    fn a_service_that_leads_elsewhere_gives_way() {
        let metrics = service(&[
            ("/metadata/name", json!("a-metrics")),
            ("/spec/type", json!("ClusterIP")),
            ("/spec/ports", json!([{"port": 9399}])),
        ]);
        let sql = named("sql", "ClusterIP");
        let database = deployment(&[]);
        assert!(closed(&metrics, &[database.clone(), sql.clone()]).is_empty());
        assert!(open(&metrics, &[database.clone(), sql.clone()]).is_empty());
        assert_eq!(closed(&sql, &[database, metrics]), ["mutate /spec/type"]);
    }

    #[test]
    fn objects_that_arrive_one_by_one() {
        let database = stateful_set(&[]);
        let cluster_ip = named("sql", "ClusterIP");
        assert_eq!(open(&database, &[]), ["warn /spec/template/metadata/labels"]);
        assert_eq!(open(&database, std::slice::from_ref(&cluster_ip)), ["reject /spec/template/metadata/labels"]);
        assert_eq!(open(&database, &[headless()]), ["reject /spec/template/metadata/labels"]);
        assert!(open(&database, &[service(&[])]).is_empty());
        assert!(open(&cluster_ip, &[]).is_empty(), "nothing is known of what it selects");
        assert_eq!(open(&cluster_ip, &[database, cluster_ip.clone()]), ["mutate /spec/type"]);
        let web = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {"template": {
            "metadata": {"labels": {"app": "sql"}}, "spec": {"containers": [{"image": "nginx"}]}}}});
        assert!(open(&cluster_ip, &[web]).is_empty());
    }

    #[test]
    fn the_patch_keeps_the_address_inside_unless_told_otherwise() {
        let annotations = |changes: &[(&str, Value)], settings: &Settings| {
            let (database, object) =
                (deployment(&[]), service(&[&[("/spec/type", json!("ClusterIP"))], changes].concat()));
            let findings = findings_of(&RULE, &object, &Objects::closed([&database]), settings);
            let mended = crate::rules::mended(object.clone(), &findings).expect("there is something to mend");
            assert_eq!(mended["spec"]["type"], "LoadBalancer");
            mended.pointer("/metadata/annotations").and_then(Value::as_object).map_or(0, serde_json::Map::len)
        };
        assert_eq!(annotations(&[], &Settings::default()), INTERNAL.len());
        assert_eq!(annotations(&[], &settings(json!({"exposure": "public"}))), 0);
        assert_eq!(annotations(&[], &settings(json!({"exposure": "keep"}))), 0);
        let decided = json!({"service.beta.kubernetes.io/azure-load-balancer-internal": "false"});
        assert_eq!(annotations(&[("/metadata/annotations", decided)], &Settings::default()), 1);
    }
}
