//! # What must hold
//! Clients reach the database at a stable address: a Service of type `LoadBalancer` in the workload's namespace
//! selects its pods. So does a ClusterIP Service behind a TCPRoute of the Gateway API, which can be in another
//! namespace; at admission, only TCPRoutes in the namespace of the Service are looked up. Other Services beside it are
//! allowed. A Service in front of several databases counts for none of them. With the setting `address: cluster-ip` any
//! Service with a virtual IP that leads to the database is enough.
//!
//! The Service to change is a ClusterIP or NodePort Service that leads to the database and selects the pods of one
//! workload only. Without one the workload is reported. At admission, where objects arrive one by one, a missing
//! LoadBalancer Service is a warning. An update that takes the last load balancer away is rejected: by its type, or
//! by its selector, unless the database is stopped, or the Service now leads to another one.
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
//! On the Service, unsafe unless the setting `exposure` is set: a load balancer can make the database reachable from
//! elsewhere. `internal` adds the annotations for an internal load balancer on Azure, AWS, Google Cloud, IBM Cloud,
//! OpenStack, Baidu, Alibaba, Oracle and Hetzner, and limits the clients to private addresses. Other platforms, such as
//! DigitalOcean, Linode, Vultr, MetalLB and the load balancer of k3s, ignore the annotations, and some of them the
//! limit, too. `public` sets the type only. Node ports stay open in any case. At admission a Service is made a load
//! balancer only when it is created. An update keeps the load balancer that the Service was.
//!
//! # Sources
//! - Microsoft, *High availability for Azure SQL Edge containers*: the load balancer's IP address stays the same
//! - Kubernetes documentation, *Service*: types, headless Services, internal load balancers
//! - Gateway API, *TCPRoute*

mod exposure;
mod update;
mod workload;

use self::exposure::edits;
use self::workload::check_workload;
use super::check::{Check, CheckContext};
use super::{Fixable, Loss, Rule};
use crate::finding::{Action, Finding, Findings, Fix, Related};
use crate::kubernetes::kind::Kind;
use crate::kubernetes::kind::WorkloadKind::{Deployment, StatefulSet};
use crate::kubernetes::service::{Service, ServiceType};
use crate::settings::{Address, Exposure};
use crate::view::Scope;
use crate::view::load_balancer::ClientAddress;
use crate::workload::Workload;
use crate::workload::ports::ports_to;

/// The rule.
pub const RULE: Rule = Rule {
    id: "load-balancer-service",
    summary: "a LoadBalancer Service gives clients a stable address",
    loss: Loss::Availability,
    default_action: Action::Mutate,
    fixable: Fixable::Safe,
    sees: &[Kind::Service, Kind::TcpRoute, Kind::Workload(Deployment), Kind::Workload(StatefulSet)],
    checks: &[],
    relations: &[Check::Service(check_service), Check::Workload(check_workload)],
};

const HELP_TYPE: &str = "set `type: LoadBalancer`; without an internal annotation this can publish the database";

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

/// The Service that clients need.
fn wanted(context: &CheckContext<'_>) -> &'static str {
    match context.settings.address {
        Address::LoadBalancer => "LoadBalancer Service",
        Address::ClusterIp => "Service with a virtual IP",
    }
}

/// The verb of `no Service … the pods`: `selects` if no Service of the wanted type selects them, `leads to` if one
/// selects them but its ports lead elsewhere, `leads only to` if one leads to them and to another database.
fn missing_verb(context: &CheckContext<'_>, services: &[Service<'_>], workload: &Workload<'_>) -> &'static str {
    let leads = |service: &Service<'_>| !ports_to(service, workload).is_empty();
    let mut verb = "selects";
    for service in services.iter().filter(|service| is_wanted(context, service)) {
        if leads(service) {
            return "leads only to";
        }
        verb = "leads to";
    }
    verb
}

/// Whether a Service has the type that clients need.
fn is_wanted(context: &CheckContext<'_>, service: &Service<'_>) -> bool {
    match context.settings.address {
        Address::LoadBalancer => service.is_load_balancer(),
        Address::ClusterIp => service.has_virtual_ip(),
    }
}

/// The databases that a Service selects and that are not exempt; `None` if a look-up failed.
fn databases<'a>(context: &CheckContext<'a>, service: &Service<'_>) -> Option<Vec<Workload<'a>>> {
    let databases = context.view.databases_selected_by(service).known()?;
    Some(databases.into_iter().filter(|workload| !context.exempts(&RULE, &workload.object)).collect())
}

fn check_service(context: &CheckContext<'_>, service: &Service<'_>, findings: &mut Findings) {
    if service.is_load_balancer() {
        findings.extend(check_headless(context, service));
    }
    let old = context.old.map(Service::read).filter(Service::is_load_balancer);
    match &old {
        Some(old) => update::check(context, service, old, findings),
        None => findings.extend(check_candidate(context, service)),
    }
}

/// A finding if a LoadBalancer Service of a database is headless, too.
fn check_headless(context: &CheckContext<'_>, service: &Service<'_>) -> Option<Finding> {
    let cluster_ip = service.spec.at("clusterIP");
    if cluster_ip.str() != Some("None") || databases(context, service)?.is_empty() {
        return None;
    }
    let message = "the API server rejects a LoadBalancer Service with `clusterIP: None`";
    Some(Finding::contradiction(&cluster_ip, message).help("remove `clusterIP`"))
}

/// A finding if this is the Service that has to become the LoadBalancer Service of a workload.
fn check_candidate(context: &CheckContext<'_>, service: &Service<'_>) -> Option<Finding> {
    if service.is_load_balancer() {
        return None;
    }
    let (workload, verb) = candidate_for(context, service)?;
    let at = service.spec.at("type");
    let message = format!("no LoadBalancer Service {verb} {}", workload.describe());
    let is_part = context.scope() == Scope::Part;
    let finding = if is_part && is_strict(context) {
        Finding::contradiction(&at, message)
    } else if is_part || context.old.is_some() {
        // The LoadBalancer Service may be in another part. An update of another Service need not be about its type.
        Finding::advice(&at, message)
    } else if let Some(exposure) = context.settings.exposure {
        Finding::omission(&at, message, Fix::safe(edits(service, exposure)))
    } else if context.scope().is_complete() {
        let fix = || Fix::unsafe_edits(edits(service, Exposure::Internal));
        Finding::contradiction(&at, message).for_reports(|finding| finding.fix(fix()))
    } else {
        Finding::advice(&at, message)
    };
    let service_type = service.service_type();
    let labels = workload.template.path(&["metadata", "labels"]);
    let related = || Related::new(&workload.object, &labels, "the Service selects these pods");
    Some(
        finding
            .reason(reason(Some(service_type)))
            .help(HELP_TYPE)
            .for_reports(|finding| finding.label(format!("this is {}", service_type.describe())).related([related()])),
    )
}

/// The workload that has no stable address unless this Service becomes one, and the verb of the message.
fn candidate_for<'a>(context: &CheckContext<'a>, service: &Service<'_>) -> Option<(Workload<'a>, &'static str)> {
    for workload in databases(context, service)? {
        // Where only this object is checked, others need not be told apart.
        let mut services = context.view.services_beside(service, &workload).known()?;
        if context.scope() == Scope::Request {
            services.retain(|other| {
                other.is_load_balancer() || context.view.is_behind_route(other, &workload).known() == Some(true)
            });
        }
        services.push(*service);
        let address = context.view.client_address(&workload, &services).known()?;
        if matches!(address, ClientAddress::Candidate(candidate) if candidate.name() == service.name()) {
            let verb = missing_verb(context, &services, &workload);
            return Some((workload, verb));
        }
    }
    None
}

/// Whether the settings reject also where more objects may arrive.
fn is_strict(context: &CheckContext<'_>) -> bool {
    context.settings.rules.action(RULE.id) == Some(Action::Reject)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::kubernetes::service::{ANNOTATIONS, Annotation};
    use crate::settings::Settings;
    use crate::testing::{ask_in, closed, deployment, findings_of, open_index, service, settings, stateful_set, test};
    use crate::view::index::ObjectIndex;

    fn in_application(object: &Value, others: &[Value]) -> Vec<String> {
        ask_in(&RULE, object, &closed(others.iter().chain([object])), &Settings::default())
    }

    fn at_admission(object: &Value, others: &[Value]) -> Vec<String> {
        ask_in(&RULE, object, &open_index(others), &Settings::default())
    }

    pub(super) fn named(name: &str, kind: &str) -> Value {
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
        assert_eq!(in_application(&cluster_ip, &[database.clone(), node_port.clone()]), ["reject /spec/type"]);
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
        assert_eq!(in_application(&sql, &[database, metrics]), ["reject /spec/type"]);
    }

    #[test]
    fn objects_arrive_at_admission_in_any_order() {
        let labels = "warn /spec/template/metadata/labels";
        let database = stateful_set(&[]);
        let cluster_ip = named("sql", "ClusterIP");
        assert!(at_admission(&database, &[]).is_empty(), "its Service may come later");
        assert_eq!(at_admission(&database, std::slice::from_ref(&cluster_ip)), [labels]);
        assert_eq!(at_admission(&database, &[headless()]), [labels]);
        assert!(at_admission(&database, &[service(&[])]).is_empty());
        assert!(at_admission(&cluster_ip, &[]).is_empty(), "nothing is known of what it selects");
        assert_eq!(at_admission(&cluster_ip, &[database.clone(), cluster_ip.clone()]), ["warn /spec/type"]);
        let strict = settings(json!({"rules": {"load-balancer-service": "reject"}}));
        let found = ask_in(&RULE, &database, &open_index(&[headless()]), &strict);
        assert_eq!(found, ["reject /spec/template/metadata/labels"]);
        let web = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {"template": {
            "metadata": {"labels": {"app": "sql"}}, "spec": {"containers": [{"image": "nginx"}]}}}});
        assert!(at_admission(&cluster_ip, &[web]).is_empty());
    }

    #[test]
    fn a_service_in_front_of_two_databases_is_never_made_a_load_balancer() {
        let (one, other) = (deployment(&[]), stateful_set(&[]));
        let both = named("both", "ClusterIP");
        assert!(in_application(&both, &[one.clone(), other.clone()]).is_empty());
        assert_eq!(in_application(&one, &[other.clone(), both]), ["reject /spec/template/metadata/labels"]);
        // As a load balancer it counts for none of them.
        let in_front = named("both", "LoadBalancer");
        let found = in_application(&one, &[other.clone(), in_front.clone()]);
        assert_eq!(found, ["reject /spec/template/metadata/labels"]);
        let mut own = named("own", "ClusterIP");
        own["spec"]["selector"]["own"] = json!("yes");
        let mut labeled = one;
        labeled["spec"]["template"]["metadata"]["labels"]["own"] = json!("yes");
        assert_eq!(in_application(&own, &[labeled, other, in_front]), ["reject /spec/type"]);
    }

    #[test]
    fn a_load_balancer_for_metrics_is_the_address_only_if_there_is_no_other() {
        let metrics = service(&[("/metadata/name", json!("metrics")), ("/spec/ports", json!([{"port": 9399}]))]);
        let database = deployment(&[]);
        assert!(in_application(&database, std::slice::from_ref(&metrics)).is_empty());
        assert_eq!(in_application(&named("sql", "ClusterIP"), &[database, metrics]), ["reject /spec/type"]);
    }

    #[test]
    fn a_route_of_the_gateway_api_is_a_stable_address() {
        let route_with = |name: &str, parents: Value, backend: Value| {
            let mut backend = backend;
            backend["name"] = json!(name);
            json!({"apiVersion": "gateway.networking.k8s.io/v1alpha2", "kind": "TCPRoute", "metadata": {"name": "r"},
                "spec": {"parentRefs": parents, "rules": [{"backendRefs": [backend]}]}})
        };
        let route = |name: &str| route_with(name, json!([{"name": "edge"}]), json!({"port": 1433}));
        let (database, cluster_ip) = (deployment(&[]), named("sql", "ClusterIP"));
        assert!(in_application(&cluster_ip, &[database.clone(), route("sql")]).is_empty());
        assert!(at_admission(&cluster_ip, &[database.clone(), route("sql")]).is_empty());
        let gateway = || json!([{"kind": "Gateway", "name": "edge"}]);
        let mut with_metrics = cluster_ip.clone();
        with_metrics["spec"]["ports"] = json!([{"port": 1433, "name": "sql"}, {"port": 9399, "name": "metrics"}]);
        let to_metrics = route_with("sql", gateway(), json!({"port": 9399}));
        assert_eq!(in_application(&with_metrics, &[database.clone(), to_metrics]), ["reject /spec/type"]);
        for wrong in [
            route("web"),
            route_with("sql", json!([]), json!({"port": 1433})),
            route_with("sql", json!([{"kind": "Service", "name": "sql"}]), json!({"port": 1433})),
            route_with("sql", gateway(), json!({"port": 99})),
            route_with("sql", gateway(), json!({"port": 1433, "weight": 0})),
        ] {
            assert_eq!(
                in_application(&cluster_ip, &[database.clone(), wrong.clone()]),
                ["reject /spec/type"],
                "{wrong}"
            );
        }
    }

    fn route_to(backends: Value, namespace: &str) -> Value {
        json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "TCPRoute",
            "metadata": {"name": "r", "namespace": namespace},
            "spec": {"parentRefs": [{"name": "edge"}], "rules": [{"backendRefs": backends}]}})
    }

    #[test]
    fn a_route_in_another_namespace_names_that_of_the_service() {
        let (database, cluster_ip) = (deployment(&[]), named("sql", "ClusterIP"));
        let found = |backends: Value| in_application(&cluster_ip, &[database.clone(), route_to(backends, "infra")]);
        assert!(found(json!([{"name": "sql", "namespace": "default", "port": 1433}])).is_empty());
        for wrong in [
            json!([{"name": "sql", "port": 1433}]),
            json!([{"name": "sql", "namespace": "web"}]),
            json!([{"name": "sql"}, {"name": "web", "namespace": "default"}]),
        ] {
            assert_eq!(found(wrong.clone()), ["reject /spec/type"], "{wrong}");
        }
        let route = route_to(json!([{"name": "sql", "namespace": "default"}]), "infra");
        assert_eq!(at_admission(&cluster_ip, &[database, route]), ["warn /spec/type"], "only one namespace is listed");
    }

    #[test]
    fn a_route_to_several_databases_is_the_address_of_none() {
        let (one, other) = (deployment(&[]), deployment(&[("/metadata/name", json!("sql2"))]));
        let (both, route) = (named("sql", "ClusterIP"), route_to(json!([{"name": "sql"}]), "default"));
        let index = closed([&one, &other, &both, &route]);
        for database in [&one, &other] {
            let findings = findings_of(&RULE, database, &index, &Settings::default());
            let [finding] = findings.as_slice() else { panic!("{findings:?}") };
            assert_eq!(finding.reason.as_deref(), Some("the one that selects them leads to several databases"));
        }
        assert!(in_application(&one, &[both, route.clone()]).is_empty());
        let headless = service(&[("/spec/type", json!(null)), ("/spec/clusterIP", json!("None"))]);
        let findings = findings_of(&RULE, &one, &closed([&one, &headless, &route]), &Settings::default());
        let reasons: Vec<_> = findings.iter().filter_map(|finding| finding.reason.as_deref()).collect();
        assert_eq!(reasons, ["clients use the pod's IP, which changes at every failover"], "{findings:?}");
    }

    #[test]
    fn a_virtual_ip_is_enough_if_all_clients_are_inside_the_cluster() {
        let inside = settings(json!({"address": "cluster-ip"}));
        let ask =
            |object: &Value, others: &[Value]| ask_in(&RULE, object, &closed(others.iter().chain([object])), &inside);
        let (database, cluster_ip) = (deployment(&[]), named("sql", "ClusterIP"));
        assert!(ask(&database, std::slice::from_ref(&cluster_ip)).is_empty());
        assert!(ask(&cluster_ip, std::slice::from_ref(&database)).is_empty());
        assert_eq!(ask(&database, &[headless()]), ["reject /spec/template/metadata/labels"]);
        let metrics = service(&[("/spec/type", json!("ClusterIP")), ("/spec/ports", json!([{"port": 9399}]))]);
        assert_eq!(ask(&database, &[metrics]), ["reject /spec/template/metadata/labels"]);
    }

    #[test]
    fn a_part_of_an_application_is_checked_strictly_if_the_settings_say_so() {
        let (database, cluster_ip) = (deployment(&[]), named("sql", "ClusterIP"));
        let ask = |object: &Value, others: &[&Value], settings: &Settings| {
            let index = ObjectIndex::new(Scope::Part, others.iter().copied().chain([object]));
            ask_in(&RULE, object, &index, settings)
        };
        let strict = settings(json!({"rules": {"load-balancer-service": "reject"}}));
        assert_eq!(ask(&cluster_ip, &[&database], &strict), ["reject /spec/type"]);
        assert_eq!(ask(&cluster_ip, &[&database], &Settings::default()), ["warn /spec/type"]);
        assert_eq!(ask(&database, &[&headless()], &strict), ["reject /spec/template/metadata/labels"]);
        assert_eq!(ask(&database, &[], &strict), ["warn /spec/template/metadata/labels"], "it may be elsewhere");
    }

    #[test]
    fn an_internal_load_balancer_has_annotations_and_source_ranges() {
        let mutated = |changes: &[(&str, Value)], exposure: &str| {
            let (database, object) =
                (deployment(&[]), service(&[&[("/spec/type", json!("ClusterIP"))], changes].concat()));
            let settings = settings(json!({"exposure": exposure}));
            let findings = findings_of(&RULE, &object, &closed([&database]), &settings);
            let mutated = crate::rules::apply_mutations(object.clone(), &findings).expect("there is a mutation");
            assert_eq!(mutated["spec"]["type"], "LoadBalancer");
            let count = |pointer: &str| match mutated.pointer(pointer) {
                Some(Value::Object(members)) => members.len(),
                Some(Value::Array(items)) => items.len(),
                _ => 0,
            };
            (count("/metadata/annotations"), count("/spec/loadBalancerSourceRanges"))
        };
        let all = ANNOTATIONS.iter().filter(|(_, meaning)| matches!(meaning, Annotation::Internal(_))).count();
        assert_eq!(mutated(&[], "internal"), (all, 4));
        assert_eq!(mutated(&[("/spec/ipFamilies", json!(["IPv4", "IPv6"]))], "internal"), (all, 5));
        assert_eq!(mutated(&[], "public"), (0, 0));
        for (name, value) in [
            ("service.beta.kubernetes.io/azure-load-balancer-internal", "false"),
            ("cloud.google.com/load-balancer-type", "External"),
            ("service.beta.kubernetes.io/azure-allowed-service-tags", "VirtualNetwork"),
        ] {
            let decided = ("/metadata/annotations", json!({name: value}));
            assert_eq!(mutated(&[decided], "internal"), (1, 0), "{name}");
        }
        let empty = [("/spec/loadBalancerSourceRanges", json!([]))];
        assert_eq!(mutated(&empty, "internal"), (all, 4), "an empty list decides nothing");
        assert_eq!(mutated(&[("/spec/loadBalancerSourceRanges", json!(["10.1.0.0/16"]))], "internal"), (0, 1));
    }
}
