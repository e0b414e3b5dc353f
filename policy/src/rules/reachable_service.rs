//! # What must hold
//! The load balancer in front of a workload leads to the engine: at least one of its ports has a `targetPort` (or,
//! without one, a `port`) that is the engine's TCP port, by number or by the name of a container port. The engine's port
//! is `MSSQL_TCP_PORT`, 1433 if unset. The Service's own `port` other than 1433 is a warning. The selector has no
//! `pod-template-hash` and no `controller-revision-hash`.
//!
//! # Why
//! A load balancer whose ports lead nowhere has an address that never answers. A selector with a revision's hash
//! matches the pods of one rollout: after the next one the address is still there and nothing is behind it.
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
//! None: whether the Service or the engine has the wrong port is for a person to say.
//!
//! # Sources
//! - Kubernetes documentation, *Service*: `port`, `targetPort`, port names
//! - Kubernetes documentation, *Deployments*: the `pod-template-hash` label

use super::{Fixable, Rule};
use crate::address::{Role, is_load_balancer, role};
use crate::finding::{Action, Finding, Findings, Related, quoted};
use crate::selector::{CONTROLLER_REVISION_HASH, POD_TEMPLATE_HASH};
use crate::service::Service;
use crate::subject::{Subject, governed};
use crate::workload::{DEFAULT_PORT, Workload};

/// The rule.
pub const RULE: Rule = Rule {
    id: "reachable-service",
    summary: "the load balancer's ports lead to the engine",
    default_action: Action::Reject,
    fixable: Fixable::No,
    is_relational: true,
    check,
};

fn check(subject: &Subject<'_>, findings: &mut Findings) {
    if let Some(service) = subject.service() {
        findings.extend(judge_service(subject, service).unwrap_or_default());
    } else if let Some(workload) = subject.workload().filter(|_| !subject.together) {
        // Where both are judged the Service itself has it.
        findings.extend(judge_workload(subject, workload));
    }
}

/// What is wrong with a Service that is, or has to become, a load balancer; `None` if nobody can tell.
fn judge_service(subject: &Subject<'_>, service: &Service<'_>) -> Option<Findings> {
    let mut findings = Findings::new();
    let objects = subject.selected_by(service)?;
    for workload in governed(&objects, service, subject.settings) {
        let others = subject.services_of(&workload, Some(service.name()))?;
        let is_beside = role(service, &workload, &others, subject.together) == Role::Beside;
        if is_beside || others.iter().any(|other| leads(&Service::read(other), &workload)) {
            continue;
        }
        for finding in ports(service, &workload).into_iter().chain(selector(service, &workload)) {
            // Several workloads behind one Service have the same to say of it.
            if !findings.iter().any(|known| known.pointer == finding.pointer) {
                findings.push(finding);
            }
        }
    }
    Some(findings)
}

/// Whether a load balancer leads to the engine, so that another one beside it may lead elsewhere.
fn leads(service: &Service<'_>, workload: &Workload<'_>) -> bool {
    is_load_balancer(service) && !service.ports_to(workload).is_empty()
}

fn ports(service: &Service<'_>, workload: &Workload<'_>) -> Option<Finding> {
    let leading = service.ports_to(workload);
    let Some(first) = leading.first() else {
        let ports = service.spec.at("ports");
        let shown = ports.items().next().map_or(ports, |port| shown(&port));
        let message = format!("no port of this Service leads to the engine in {}", workload.describe());
        // What envFrom brings may move the engine to another port.
        let is_sure = !workload.engines.iter().any(|engine| engine.environment().has_unseen_source());
        let finding = if is_sure { Finding::contradiction(&shown, message) } else { Finding::advice(&shown, message) };
        let help =
            "lead a TCP port to the one the engine listens on: by its number, or its name in the container's ports";
        return Some(finding.because("the address answers nobody").help(help).about(containers(workload)));
    };
    let usual = leading.iter().any(|port| port.at("port").int() == Some(DEFAULT_PORT));
    (!usual).then(|| {
        Finding::advice(&first.at("port"), format!("clients have to know that the port is not {DEFAULT_PORT}"))
            .help(format!("set port: {DEFAULT_PORT}"))
    })
}

fn shown<'a>(port: &crate::node::Node<'a>) -> crate::node::Node<'a> {
    let (protocol, target) = (port.at("protocol"), port.at("targetPort"));
    match protocol.str() {
        None | Some("" | "TCP") if target.exists() => target,
        None | Some("" | "TCP") => port.at("port"),
        // The engine speaks TCP only.
        Some(_) => protocol,
    }
}

/// Where the engines are that a port should lead to.
fn containers(workload: &Workload<'_>) -> Vec<Related> {
    let mut related = Vec::new();
    for engine in &workload.engines {
        let ports = engine.node.at("ports");
        let place = if ports.exists() { ports } else { engine.node.at("image") };
        Related::add(&mut related, &workload.object, &place, "the engine is in this container");
    }
    related
}

fn selector(service: &Service<'_>, workload: &Workload<'_>) -> Option<Finding> {
    let selector = service.spec.at("selector");
    let hash = selector.first_of(&[POD_TEMPLATE_HASH, CONTROLLER_REVISION_HASH])?;
    let (labels, mut related) = (workload.template.path(&["metadata", "labels"]), Vec::new());
    Related::add(&mut related, &workload.object, &labels, "these labels outlast a rollout");
    Some(
        Finding::contradiction(&hash, "this selects the pods of one rollout only")
            .because("after the next rollout nothing is behind the address")
            .help("remove it from the selector")
            .about(related),
    )
}

fn judge_workload(subject: &Subject<'_>, workload: &Workload<'_>) -> Option<Finding> {
    let objects = subject.services_of(workload, None)?;
    let mut first = None;
    for service in objects.iter().map(|object| Service::read(object)).filter(is_load_balancer) {
        if !service.ports_to(workload).is_empty() {
            return None;
        }
        first = first.or(Some(service));
    }
    let service = first?;
    let labels = workload.template.path(&["metadata", "labels"]);
    Some(
        Finding::contradiction(&labels, format!("no port of Service {} leads to the engine", quoted(service.name())))
            .because("the address answers nobody")
            .help("let the Service's targetPort and the engine's port agree"),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::objects::Objects;
    use crate::settings::Settings;
    use crate::testing::{ask_in, deployment, service, stateful_set, test};

    fn behind(database: &Value, changes: &[(&str, Value)]) -> Vec<String> {
        let object = service(changes);
        ask_in(&RULE, &object, &Objects::closed([database, &object]), &Settings::default())
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
    fn port_and_selector_are_both_judged() {
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
    fn services_beside_the_load_balancer_are_not_asked() {
        let metrics = service(&[
            ("/metadata/name", json!("m")),
            ("/spec/type", json!("ClusterIP")),
            ("/spec/ports", json!([{"port": 9}])),
        ]);
        let (database, right) = (deployment(&[]), service(&[]));
        let world = Objects::closed([&database, &right, &metrics]);
        assert!(ask_in(&RULE, &metrics, &world, &Settings::default()).is_empty());
        let balancer = service(&[("/metadata/name", json!("m")), ("/spec/ports", json!([{"port": 9}]))]);
        let world = Objects::closed([&database, &right, &balancer]);
        assert!(ask_in(&RULE, &balancer, &world, &Settings::default()).is_empty());
    }

    #[test]
    fn a_workload_is_asked_when_its_load_balancer_came_first() {
        let wrong = service(&[("/spec/ports/0/targetPort", json!(1))]);
        let ask = |world: &Objects<'_>| ask_in(&RULE, &deployment(&[]), world, &Settings::default());
        assert_eq!(ask(&Objects::open([&wrong])), ["reject /spec/template/metadata/labels"]);
        assert!(ask(&Objects::open([&wrong, &service(&[])])).is_empty());
        assert!(ask(&Objects::closed([&wrong])).is_empty(), "the Service itself is judged");
    }
}
