//! # What must hold
//! The LoadBalancer Service leads to the database: at least one of its ports has a `targetPort` (or else a `port`)
//! that is the port of the database, as a number or as the name of a container port. The database listens on
//! `MSSQL_TCP_PORT`, or else on 1433. Another `port` than 1433 is a warning, and so is a port of another container,
//! which may be a proxy. The selector has no `pod-template-hash` and no `controller-revision-hash`. A Service for
//! something else, such as metrics, may stand beside one that leads to the database.
//!
//! # Why
//! Clients cannot connect to a Service whose ports lead elsewhere. A selector with the hash of a revision matches the
//! pods of one rollout: after the next one the Service has no pods.
//!
//! # Example
//! ```yaml
//! kind: Service
//! spec:
//!   type: LoadBalancer
//!   ports:
//!     - port: 1433
//!       targetPort: 1401
//! ```
//!
//! # Instead
//! ```yaml
//! kind: Service
//! spec:
//!   type: LoadBalancer
//!   ports:
//!     - port: 1433
//!       targetPort: 1433
//! ```
//!
//! # Fix
//! None: either the Service or the database has the wrong port, and only a person knows which.
//!
//! # Sources
//! - Kubernetes documentation, *Service*: `port`, `targetPort`, port names
//! - Kubernetes documentation, *Deployments*: the `pod-template-hash` label

use super::check::{Check, CheckContext};
use super::{Fixable, Loss, Rule};
use crate::engine::variables::IP_ADDRESS;
use crate::finding::{Action, Finding, Findings, Related, Text, quoted};
use crate::json::cursor::Cursor;
use crate::kubernetes::environment::Variable;
use crate::kubernetes::kind::Kind;
use crate::kubernetes::kind::WorkloadKind::{Deployment, StatefulSet};
use crate::kubernetes::selector::{CONTROLLER_REVISION_HASH, POD_TEMPLATE_HASH};
use crate::kubernetes::service::Service;
use crate::view::load_balancer::ClientAddress;
use crate::workload::ports::{is_tcp, ports_to, proxied_ports};
use crate::workload::{EngineContainer, Workload};

/// The rule.
pub const RULE: Rule = Rule {
    id: "reachable-service",
    summary: "the LoadBalancer Service leads to the database",
    loss: Loss::Availability,
    default_action: Action::Reject,
    fixable: Fixable::No,
    sees: &[Kind::Service, Kind::TcpRoute, Kind::Workload(Deployment), Kind::Workload(StatefulSet)],
    checks: &[],
    relations: &[Check::Service(check_service), Check::Workload(check_workload)],
};

const REASON: &str = "clients cannot connect through this Service";

fn check_service(context: &CheckContext<'_>, service: &Service<'_>, findings: &mut Findings) {
    findings.extend(service_findings(context, service).unwrap_or_default());
}

/// The findings of a Service that is, or has to become, the address of a workload; `None` if a look-up failed.
fn service_findings(context: &CheckContext<'_>, service: &Service<'_>) -> Option<Findings> {
    let mut findings = Findings::new();
    let databases = context.view.databases_selected_by(service).known()?.into_iter();
    for workload in databases.filter(|workload| !context.exempts(&RULE, &workload.object)) {
        let wrong: Findings =
            [check_ports(service, &workload), check_selector(service, &workload), check_loopback(service, &workload)]
                .into_iter()
                .flatten()
                .collect();
        if wrong.is_empty() || !has_to_lead(context, service, &workload)? {
            continue;
        }
        for finding in wrong {
            // Several workloads of one Service can have the same finding.
            if !findings.iter().any(|known: &Finding| known.pointer == finding.pointer) {
                findings.push(finding);
            }
        }
    }
    Some(findings)
}

/// Whether a Service is, or has to become, the only address of a workload; `None` if a look-up failed.
fn has_to_lead(context: &CheckContext<'_>, service: &Service<'_>, workload: &Workload<'_>) -> Option<bool> {
    let mut services = context.view.services_beside(service, workload).known()?;
    if service.is_load_balancer() {
        return Some(!services.iter().any(|other| leads(other, workload)));
    }
    services.push(*service);
    let address = context.view.client_address(workload, &services).known()?;
    Some(matches!(address, ClientAddress::Candidate(candidate) if candidate.name() == service.name()))
}

/// Whether a Service with an address that stays leads to the database, so that another one may lead elsewhere.
fn leads(service: &Service<'_>, workload: &Workload<'_>) -> bool {
    service.has_virtual_ip() && !ports_to(service, workload).is_empty()
}

fn check_ports(service: &Service<'_>, workload: &Workload<'_>) -> Option<Finding> {
    let leading = ports_to(service, workload);
    let Some(first) = leading.first() else {
        let proxied = proxied_ports(service, workload);
        return Some(proxied.first().map_or_else(|| no_port(service, workload), |port| may_be_proxy(port, workload)));
    };
    let default_port = workload.engines.first()?.engine.port;
    let is_default = leading.iter().any(|port| port.at("port").int() == Some(default_port));
    (!is_default).then(|| {
        Finding::advice(&first.at("port"), format!("clients must know that the port is not {default_port}"))
            .help(format!("set `port: {default_port}`"))
    })
}

/// Why a port does not lead to the database.
enum Problem {
    OtherPort,
    LoopbackAddress,
}

fn no_port(service: &Service<'_>, workload: &Workload<'_>) -> Finding {
    let ports = service.spec.at("ports");
    let location = ports.items().next().map_or(ports, |port| port_location(&port));
    let product = workload.product();
    let message = format!("no port of this Service leads to {product} in {}", workload.describe());
    // A variable from `envFrom`, or an `mssql.conf`, may set another port.
    let is_sure = !workload.containers().any(|container| container.may_have_more());
    let finding =
        if is_sure { Finding::contradiction(&location, message) } else { Finding::advice(&location, message) };
    let related = |engine: &EngineContainer<'_>| {
        let ports = engine.container.at("ports");
        let location = if ports.exists() { ports } else { engine.container.at("image") };
        Related::new(&workload.object, &location, format!("{product} runs in this container"))
    };
    finding
        .problem(Problem::OtherPort as u8)
        .reason(REASON)
        .help(port_help(service, product))
        .for_reports(|finding| finding.related(workload.engines.iter().map(related)))
}

/// How a Service without a port that leads to the database gets one.
fn port_help(service: &Service<'_>, product: &str) -> Text {
    match service.spec.at("ports").items().next() {
        Some(port) if !is_tcp(&port) => "set `protocol: TCP`".into(),
        _ => format!("set `targetPort` to the port that {product} listens on").into(),
    }
}

fn may_be_proxy(port: &Cursor<'_>, workload: &Workload<'_>) -> Finding {
    let product = workload.product();
    Finding::advice(&port_location(port), format!("this port leads to another container than that of {product}"))
        .help(format!("make sure that a proxy for {product} listens there"))
}

/// The field of a port that leads it elsewhere.
fn port_location<'a>(port: &Cursor<'a>) -> Cursor<'a> {
    let target = port.at("targetPort");
    if !is_tcp(port) {
        port.at("protocol")
    } else if target.exists() {
        target
    } else {
        port.at("port")
    }
}

fn check_selector(service: &Service<'_>, workload: &Workload<'_>) -> Option<Finding> {
    let selector = service.spec.at("selector");
    let hash = selector.first_of(&[POD_TEMPLATE_HASH, CONTROLLER_REVISION_HASH])?;
    let labels = workload.template.path(&["metadata", "labels"]);
    let related = || Related::new(&workload.object, &labels, "these labels stay the same after a rollout");
    Some(
        Finding::contradiction(&hash, "the selector matches the pods of one rollout only")
            .reason("after the next rollout the Service has no pods")
            .help("remove it from the selector")
            .for_reports(|finding| finding.related([related()])),
    )
}

/// A finding if the database listens for connections from its own pod only.
fn check_loopback(service: &Service<'_>, workload: &Workload<'_>) -> Option<Finding> {
    let is_loopback = |text: &str| text.trim().starts_with("127.") || text.trim() == "::1";
    let entry = workload.engines.iter().find_map(|engine| match engine.environment().value(IP_ADDRESS) {
        Variable::Known(text) if is_loopback(&text) => engine.environment().entry(IP_ADDRESS),
        _ => None,
    })?;
    let (product, ports) = (workload.product(), service.spec.at("ports"));
    let location = ports.items().next().map_or(ports, |port| port_location(&port));
    let related = || Related::new(&workload.object, &entry.at("name"), "this is a loopback address");
    let message = format!("{product} in {} accepts no connections from this Service", workload.describe());
    Some(
        Finding::contradiction(&location, message)
            .problem(Problem::LoopbackAddress as u8)
            .reason("it listens only on a loopback address of its pod")
            .help(format!("remove {IP_ADDRESS}"))
            .for_reports(|finding| finding.related([related()])),
    )
}

fn check_workload(context: &CheckContext<'_>, workload: &Workload<'_>, findings: &mut Findings) {
    if context.view.is_reported_on_service(workload) {
        return;
    }
    let Some(mut services) = context.view.services_selecting(workload).known() else { return };
    let is_exempt = |service: &Service<'_>| context.exempts(&RULE, &service.object);
    if services.iter().any(|service| leads(service, workload) || is_exempt(service)) {
        return;
    }
    services.retain(Service::is_load_balancer);
    if services.iter().any(|service| !proxied_ports(service, workload).is_empty()) {
        return;
    }
    let Some(service) = services.first() else { return };
    let (labels, product) = (workload.template.path(&["metadata", "labels"]), workload.product());
    findings.push(
        Finding::contradiction(&labels, format!("no port of Service {} leads to {product}", quoted(service.name())))
            .reason(REASON)
            .help(port_help(service, product)),
    );
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::settings::Settings;
    use crate::testing::{ask_in, closed, deployment, findings_of, open_index, service, stateful_set, test};
    use crate::view::index::ObjectIndex;

    fn behind(database: &Value, changes: &[(&str, Value)]) -> Vec<String> {
        let object = service(changes);
        ask_in(&RULE, &object, &closed([database, &object]), &Settings::default())
    }

    #[test]
    fn a_port_leads_to_the_engine() {
        let port = |port: Value| behind(&deployment(&[]), &[("/spec/ports", json!([port]))]);
        assert!(port(json!({"port": 1433})).is_empty());
        assert!(port(json!({"port": 1433, "targetPort": "tds"})).is_empty());
        assert_eq!(port(json!({"port": 80, "targetPort": 1433})), ["warn /spec/ports/0/port"]);
        assert_eq!(port(json!({"port": 80})), ["reject /spec/ports/0/port"]);
        assert_eq!(port(json!({"port": 1433, "targetPort": 1401})), ["reject /spec/ports/0/targetPort"]);
        assert_eq!(port(json!({"port": 1433, "targetPort": "nope"})), ["reject /spec/ports/0/targetPort"]);
        assert_eq!(port(json!({"port": 1433, "protocol": "UDP"})), ["reject /spec/ports/0/protocol"]);
        let two = json!([{"port": 1401}, {"port": 1433}]);
        assert!(behind(&deployment(&[]), &[("/spec/ports", two)]).is_empty());
        assert_eq!(behind(&deployment(&[]), &[("/spec/ports", json!([]))]), ["reject /spec/ports"]);
    }

    #[test]
    fn the_help_names_the_field_that_leads_elsewhere() {
        let help = |port: Value| {
            let (database, service) = (deployment(&[]), service(&[("/spec/ports", json!([port]))]));
            let index = open_index([&database, &service]);
            [&service, &database].map(|object| findings_of(&RULE, object, &index, &Settings::default())[0].help.clone())
        };
        assert_eq!(help(json!({"port": 1433, "protocol": "UDP"})), ["set `protocol: TCP`"; 2]);
        let target = "set `targetPort` to the port that SQL Edge listens on";
        assert_eq!(help(json!({"port": 1433, "targetPort": 1401})), [target; 2]);
    }

    #[test]
    fn the_engine_may_listen_elsewhere() {
        let env = |entry: Value| deployment(&[("/spec/template/spec/containers/0/env/-", entry)]);
        let moved = env(json!({"name": "MSSQL_TCP_PORT", "value": "14330"}));
        assert_eq!(behind(&moved, &[]), ["reject /spec/ports/0/port"]);
        assert!(behind(&moved, &[("/spec/ports/0/targetPort", json!(14330))]).is_empty());
        let unseen =
            env(json!({"name": "MSSQL_TCP_PORT", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}}));
        assert!(behind(&unseen, &[("/spec/ports/0/targetPort", json!(5))]).is_empty());
        let source = json!([{"configMapRef": {"name": "c"}}]);
        let maybe = deployment(&[("/spec/template/spec/containers/0/envFrom", source)]);
        assert!(behind(&maybe, &[]).is_empty());
        assert_eq!(behind(&maybe, &[("/spec/ports/0/targetPort", json!(5))]), ["warn /spec/ports/0/targetPort"]);
    }

    #[test]
    fn the_selector_outlives_a_rollout() {
        let hash = |label: &str| format!("/spec/selector/{label}");
        assert_eq!(
            behind(&deployment(&[]), &[(&hash("pod-template-hash"), json!("5d"))]),
            ["reject /spec/selector/pod-template-hash"]
        );
        assert_eq!(
            behind(&stateful_set(&[]), &[(&hash("controller-revision-hash"), json!("5d"))]),
            ["reject /spec/selector/controller-revision-hash"]
        );
        assert!(
            behind(&stateful_set(&[]), &[(&hash("statefulset.kubernetes.io~1pod-name"), json!("sql-0"))]).is_empty()
        );
    }

    #[test]
    fn port_and_selector_are_both_checked() {
        let found = behind(
            &deployment(&[]),
            &[
                ("/spec/ports/0", json!({"port": 80, "targetPort": 1433})),
                ("/spec/selector/pod-template-hash", json!("5d")),
            ],
        );
        assert_eq!(found, ["warn /spec/ports/0/port", "reject /spec/selector/pod-template-hash"]);
    }

    #[test]
    fn services_beside_the_load_balancer_are_not_checked() {
        let metrics = service(&[
            ("/metadata/name", json!("m")),
            ("/spec/type", json!("ClusterIP")),
            ("/spec/ports", json!([{"port": 9}])),
        ]);
        let (database, right) = (deployment(&[]), service(&[]));
        let world = closed([&database, &right, &metrics]);
        assert!(ask_in(&RULE, &metrics, &world, &Settings::default()).is_empty());
        let balancer = service(&[("/metadata/name", json!("m")), ("/spec/ports", json!([{"port": 9}]))]);
        let world = closed([&database, &right, &balancer]);
        assert!(ask_in(&RULE, &balancer, &world, &Settings::default()).is_empty());
    }

    #[test]
    fn a_workload_is_checked_if_its_load_balancer_service_exists() {
        let wrong = service(&[("/spec/ports/0/targetPort", json!(1))]);
        let ask = |world: &ObjectIndex<'_>| ask_in(&RULE, &deployment(&[]), world, &Settings::default());
        assert_eq!(ask(&open_index([&wrong])), ["reject /spec/template/metadata/labels"]);
        assert!(ask(&open_index([&wrong, &service(&[])])).is_empty());
        assert!(ask(&closed([&wrong])).is_empty(), "the Service itself is checked");
    }
}
