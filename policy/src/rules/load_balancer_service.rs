//! # What must hold
//! Clients reach the database at a stable address: a Service of type `LoadBalancer` in the workload's namespace
//! selects its pods. ClusterIP and headless Services beside it are allowed.
//!
//! Without such a Service, a ClusterIP or NodePort Service that selects the pods is changed into one. An update that
//! removes the last LoadBalancer Service is rejected. A workload that only headless Services select, or none, is
//! reported itself. At admission, where objects arrive one by one, a missing Service is a warning.
//!
//! # Why
//! The IP of the pod changes at every failover, and clients of a headless Service use the old one until their DNS
//! cache expires. A cluster IP stays the same, but clients can reach it only from inside the cluster. The address of
//! a NodePort is lost with its node. A load balancer keeps its address, inside and outside the cluster.
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
//! Safe, on the Service: sets the type, and adds annotations for an internal load balancer on Azure, AWS and Google
//! Cloud. Other platforms ignore them. With the setting `exposure: public` or `keep` no annotation is added.
//!
//! # Sources
//! - Microsoft, *High availability for Azure SQL Edge containers*: the load balancer's IP address stays the same
//! - Kubernetes documentation, *Service*: types, headless Services, internal load balancers

use super::check::{Check, CheckContext};
use super::{Fixable, Rule};
use crate::finding::{Action, Finding, Findings, Fix, Related, push_separated, quoted};
use crate::json::edit::Edit;
use crate::kubernetes::kind::Kind;
use crate::kubernetes::kind::WorkloadKind::{Deployment, StatefulSet};
use crate::kubernetes::service::{Service, ServiceType};
use crate::settings::Exposure;
use crate::view::load_balancer::ServiceRole;
use crate::workload::Workload;

/// The rule.
pub const RULE: Rule = Rule {
    id: "load-balancer-service",
    summary: "a LoadBalancer Service gives clients a stable address",
    default_action: Action::Mutate,
    fixable: Fixable::Safe,
    sees: &[Kind::Service, Kind::Workload(Deployment), Kind::Workload(StatefulSet)],
    checks: &[Check::Service(check_service), Check::Workload(check_workload)],
};

/// Annotations for an internal load balancer on Azure, AWS, Google Cloud, IBM Cloud, OpenStack, Baidu, Alibaba, Oracle and
/// Hetzner (Kubernetes documentation, *Service*, internal load balancer; the last from Hetzner's controller).
const INTERNAL: [(&str, &str); 10] = [
    ("service.beta.kubernetes.io/azure-load-balancer-internal", "true"),
    ("service.beta.kubernetes.io/aws-load-balancer-scheme", "internal"),
    ("service.beta.kubernetes.io/aws-load-balancer-internal", "true"),
    ("networking.gke.io/load-balancer-type", "Internal"),
    ("service.kubernetes.io/ibm-load-balancer-cloud-provider-ip-type", "private"),
    ("service.beta.kubernetes.io/openstack-internal-load-balancer", "true"),
    ("service.beta.kubernetes.io/cce-load-balancer-internal-vpc", "true"),
    ("service.beta.kubernetes.io/alibaba-cloud-loadbalancer-address-type", "intranet"),
    ("service.beta.kubernetes.io/oci-load-balancer-internal", "true"),
    ("load-balancer.hetzner.cloud/disable-public-network", "true"),
];

/// Why clients need another Service than one of this type, or than none.
fn reason(service_type: Option<ServiceType>) -> &'static str {
    match service_type {
        Some(ServiceType::ClusterIp) => {
            "the cluster IP stays the same, but clients can reach it only from inside the cluster"
        }
        Some(ServiceType::NodePort) => "clients connect to one node, and lose the connection if that node fails",
        _ => "clients use the pod's IP, which changes at every failover",
    }
}

fn check_service(context: &CheckContext<'_>, service: &Service<'_>, findings: &mut Findings) {
    if service.is_load_balancer() {
        findings.extend(check_headless(context, service));
        return;
    }
    let old = context.old.map(Service::read).filter(Service::is_load_balancer);
    findings.extend(match old {
        Some(old) => check_removed(context, service, &old),
        None => check_candidate(context, service),
    });
}

/// A finding if a LoadBalancer Service of a database is headless, too.
fn check_headless(context: &CheckContext<'_>, service: &Service<'_>) -> Option<Finding> {
    let cluster_ip = service.spec.at("clusterIP");
    if cluster_ip.str() != Some("None") || context.view.databases_selected_by(service).known()?.is_empty() {
        return None;
    }
    let message = "the API server rejects a LoadBalancer Service with `clusterIP: None`";
    Some(Finding::contradiction(&cluster_ip, message).help("remove `clusterIP`"))
}

/// A finding if an UPDATE makes the last LoadBalancer Service of a workload one of another type.
fn check_removed(context: &CheckContext<'_>, service: &Service<'_>, old: &Service<'_>) -> Option<Finding> {
    let mut workloads = Vec::new();
    for workload in context.view.databases_selected_by(old).known()? {
        let others = context.view.services_beside(service, &workload).known()?;
        if !others.iter().any(Service::is_load_balancer) {
            workloads.push(workload);
        }
    }
    (!workloads.is_empty()).then(|| {
        let message = format!("this update removes the only LoadBalancer Service of {}", listed(&workloads));
        Finding::contradiction(&service.spec.at("type"), message)
            .reason("clients lose the address they connect to")
            .help("keep `type: LoadBalancer`, or create another LoadBalancer Service first")
    })
}

/// A finding if this is the Service that has to become the LoadBalancer Service of a workload.
fn check_candidate(context: &CheckContext<'_>, service: &Service<'_>) -> Option<Finding> {
    let mut workloads = Vec::new();
    for workload in context.view.databases_selected_by(service).known()? {
        let others = context.view.services_beside(service, &workload).known()?;
        if context.view.service_role(service, &workload, &others) == ServiceRole::Candidate {
            workloads.push(workload);
        }
    }
    let related = workloads.iter().map(|workload| {
        let labels = workload.template.path(&["metadata", "labels"]);
        Related::new(&workload.object, &labels, "the Service selects these pods")
    });
    let (service_type, fix) = (service.service_type(), Fix::safe(edits(service, context.settings.exposure)));
    (!workloads.is_empty()).then(|| {
        let message = format!("no LoadBalancer Service selects {}", listed(&workloads));
        Finding::omission(&service.spec.at("type"), message, fix)
            .label(format!("this is {}", service_type.describe()))
            .reason(reason(Some(service_type)))
            .help("set `type: LoadBalancer`; without an internal annotation this can publish the database")
            .related(related)
    })
}

/// The first two workloads, and the number of the others.
fn listed(workloads: &[Workload<'_>]) -> String {
    let mut text = String::new();
    workloads.iter().take(2).for_each(|workload| push_separated(&mut text, " and ", &workload.describe()));
    if let Some(others) = workloads.len().checked_sub(2).filter(|others| *others > 0) {
        text.push_str(&format!(" and {others} more"));
    }
    text
}

fn edits(service: &Service<'_>, exposure: Exposure) -> Vec<Edit> {
    let mut edits = vec![Edit::set(&service.object, &["spec", "type"], "LoadBalancer")];
    let annotations = service.object.path(&["metadata", "annotations"]);
    // An annotation that is set already is a decision.
    let is_decided = INTERNAL.iter().any(|(name, _)| annotations.at(name).exists());
    if exposure == Exposure::Internal && !is_decided {
        for (name, value) in INTERNAL {
            edits.push(Edit::set(&service.object, &["metadata", "annotations", name], value));
        }
    }
    edits
}

fn check_workload(context: &CheckContext<'_>, workload: &Workload<'_>, findings: &mut Findings) {
    if !workload.kind.is_long_running() {
        return;
    }
    let Some(services) = context.view.services_selecting(workload).known() else { return };
    // A finding that the Service can fix is reported on the Service.
    let is_reported =
        |service: &Service<'_>| service.is_load_balancer() || context.view.is_reported_on(service, workload);
    if services.iter().any(is_reported) {
        return;
    }
    let labels = workload.template.path(&["metadata", "labels"]);
    let message = "no LoadBalancer Service selects these pods";
    let help = "create a LoadBalancer Service that selects these labels";
    let Some(service) = services.first() else {
        let is_proof = context.scope().is_complete();
        let finding =
            if is_proof { Finding::contradiction(&labels, message) } else { Finding::advice(&labels, message) };
        findings.push(finding.reason(reason(None)).help(help));
        return;
    };
    let service_type = service.service_type();
    let related = Related::new(&service.object, &service.spec.at("type"), "this Service selects the pods");
    findings.push(
        Finding::contradiction(&labels, message)
            .label(format!("Service {} selects them, {}", quoted(service.name()), service_type.describe()))
            .reason(reason(Some(service_type)))
            .related([related])
            .help(if service_type.can_become_load_balancer() {
                "set `type: LoadBalancer` in that Service"
            } else {
                help
            }),
    );
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::settings::Settings;
    use crate::testing::{ask_in, closed, deployment, findings_of, open_index, service, settings, stateful_set, test};

    fn in_application(object: &Value, others: &[Value]) -> Vec<String> {
        ask_in(&RULE, object, &closed(others.iter().chain([object])), &Settings::default())
    }

    fn at_admission(object: &Value, others: &[Value]) -> Vec<String> {
        ask_in(&RULE, object, &open_index(others), &Settings::default())
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
    fn in_a_whole_application_a_missing_load_balancer_is_reported_once() {
        let labels = "reject /spec/template/metadata/labels";
        let database = deployment(&[]);
        let cluster_ip = named("a", "ClusterIP");
        let node_port = named("b", "NodePort");
        assert!(in_application(&database, &[service(&[]), cluster_ip.clone(), headless()]).is_empty());
        assert!(in_application(&cluster_ip, &[database.clone(), service(&[])]).is_empty());
        // It is reported on a Service that can be fixed; of two, on the first.
        assert_eq!(in_application(&cluster_ip, &[database.clone(), node_port.clone()]), ["mutate /spec/type"]);
        assert!(in_application(&node_port, &[database.clone(), cluster_ip.clone()]).is_empty());
        assert!(in_application(&database, &[node_port, cluster_ip]).is_empty());
        // Without such a Service it is reported on the workload.
        assert_eq!(in_application(&database, &[headless()]), [labels]);
        assert!(in_application(&headless(), std::slice::from_ref(&database)).is_empty());
        assert_eq!(in_application(&database, &[]), [labels]);
        let elsewhere = service(&[("/metadata/namespace", json!("other"))]);
        assert_eq!(in_application(&database, &[elsewhere]), [labels]);
    }

    #[test]
    fn a_service_without_a_port_to_the_database_is_not_the_candidate() {
        let metrics = service(&[
            ("/metadata/name", json!("a-metrics")),
            ("/spec/type", json!("ClusterIP")),
            ("/spec/ports", json!([{"port": 9399}])),
        ]);
        let sql = named("sql", "ClusterIP");
        let database = deployment(&[]);
        assert!(in_application(&metrics, &[database.clone(), sql.clone()]).is_empty());
        assert!(at_admission(&metrics, &[database.clone(), sql.clone()]).is_empty());
        assert_eq!(in_application(&sql, &[database, metrics]), ["mutate /spec/type"]);
    }

    #[test]
    fn objects_that_arrive_one_by_one() {
        let database = stateful_set(&[]);
        let cluster_ip = named("sql", "ClusterIP");
        assert_eq!(at_admission(&database, &[]), ["warn /spec/template/metadata/labels"]);
        assert_eq!(
            at_admission(&database, std::slice::from_ref(&cluster_ip)),
            ["reject /spec/template/metadata/labels"]
        );
        assert_eq!(at_admission(&database, &[headless()]), ["reject /spec/template/metadata/labels"]);
        assert!(at_admission(&database, &[service(&[])]).is_empty());
        assert!(at_admission(&cluster_ip, &[]).is_empty(), "nothing is known of what it selects");
        assert_eq!(at_admission(&cluster_ip, &[database, cluster_ip.clone()]), ["mutate /spec/type"]);
        let web = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {"template": {
            "metadata": {"labels": {"app": "sql"}}, "spec": {"containers": [{"image": "nginx"}]}}}});
        assert!(at_admission(&cluster_ip, &[web]).is_empty());
    }

    #[test]
    fn internal_annotations_follow_the_setting_exposure() {
        let annotations = |changes: &[(&str, Value)], settings: &Settings| {
            let (database, object) =
                (deployment(&[]), service(&[&[("/spec/type", json!("ClusterIP"))], changes].concat()));
            let findings = findings_of(&RULE, &object, &closed([&database]), settings);
            let mutated = crate::rules::apply_mutations(object.clone(), &findings).expect("there is a mutation");
            assert_eq!(mutated["spec"]["type"], "LoadBalancer");
            mutated.pointer("/metadata/annotations").and_then(Value::as_object).map_or(0, serde_json::Map::len)
        };
        assert_eq!(annotations(&[], &Settings::default()), INTERNAL.len());
        assert_eq!(annotations(&[], &settings(json!({"exposure": "public"}))), 0);
        assert_eq!(annotations(&[], &settings(json!({"exposure": "keep"}))), 0);
        let decided = json!({"service.beta.kubernetes.io/azure-load-balancer-internal": "false"});
        assert_eq!(annotations(&[("/metadata/annotations", decided)], &Settings::default()), 1);
    }
}
