//! A workload that no Service gives a stable address.

use super::{RULE, is_strict, missing_verb, reason, wanted};
use crate::finding::{Finding, Findings, Related, quoted};
use crate::kubernetes::service::Service;
use crate::rules::check::CheckContext;
use crate::view::Scope;
use crate::view::load_balancer::ClientAddress;
use crate::workload::Workload;
use crate::workload::ports::ports_to;

/// Adds a finding if clients of a workload have no stable address.
pub(super) fn check_workload(context: &CheckContext<'_>, workload: &Workload<'_>, findings: &mut Findings) {
    if workload.kind.is_long_running() {
        findings.extend(workload_finding(context, workload));
    }
}

/// A finding if no Service is the stable address of a workload, and none can become it.
fn workload_finding(context: &CheckContext<'_>, workload: &Workload<'_>) -> Option<Finding> {
    let services = context.view.services_selecting(workload).known()?;
    if services.iter().any(|service| context.exempts(&RULE, &service.object)) {
        return None;
    }
    match context.view.client_address(workload, &services).known()? {
        ClientAddress::Stable => return None,
        // A finding that the Service can fix is reported on the Service.
        ClientAddress::Candidate(_) if context.view.is_reported_on_service(workload) => return None,
        ClientAddress::Candidate(_) | ClientAddress::None => {}
    }
    let is_proof = match context.scope() {
        Scope::Application | Scope::LiveCluster => true,
        // More objects may arrive.
        Scope::Request if services.is_empty() => return None,
        Scope::Request | Scope::Part => !services.is_empty() && is_strict(context),
    };
    let labels = workload.template.path(&["metadata", "labels"]);
    let message = format!("no {} {} these pods", wanted(context), missing_verb(context, &services, workload));
    let finding = if is_proof { Finding::contradiction(&labels, message) } else { Finding::advice(&labels, message) };
    Some(match services.first() {
        Some(service) => beside(finding, context, service, workload),
        None => alone(finding, context, workload),
    })
}

/// Adds what is said where another Service selects the pods.
fn beside(finding: Finding, context: &CheckContext<'_>, service: &Service<'_>, workload: &Workload<'_>) -> Finding {
    let service_type = service.service_type();
    let has_route = || {
        let may_count = context.scope().reports_once() && service.has_virtual_ip();
        may_count && context.view.is_behind_route(service, workload).known() == Some(true)
    };
    let reason = if ports_to(service, workload).is_empty() {
        "the ports of the Service that selects them lead elsewhere"
    } else if service.is_load_balancer() || has_route() {
        "the one that selects them leads to several databases"
    } else {
        reason(Some(service_type))
    };
    let related = || Related::new(&service.object, &service.spec.at("type"), "this Service selects the pods");
    finding.reason(reason).help(format!("create a {} that selects these pods only", wanted(context))).for_reports(
        |finding| {
            finding
                .label(format!("{}, {}, selects them", service_type.describe(), quoted(service.name())))
                .related([related()])
        },
    )
}

/// Adds what is said where no Service selects the pods.
fn alone(finding: Finding, context: &CheckContext<'_>, workload: &Workload<'_>) -> Finding {
    let finding = finding.reason(reason(None));
    let near = context
        .view
        .idle_load_balancers()
        .into_iter()
        .find_map(|service| Some((service, difference(context, &service, workload)?)));
    match near {
        Some((service, difference)) => {
            let related = || Related::new(&service.object, &service.spec.at("selector"), "this one selects nothing");
            finding
                .help(format!("Service {} {difference}", quoted(service.name())))
                .for_reports(|finding| finding.related([related()]))
        }
        None => finding.help(format!("create a {} that selects these labels", wanted(context))),
    }
}

/// What to change in a LoadBalancer Service so that it selects a workload: its namespace, or one label. `None` if more,
/// or if its ports do not lead to a database.
fn difference<'a>(context: &CheckContext<'a>, service: &Service<'a>, workload: &Workload<'_>) -> Option<String> {
    if ports_to(service, workload).is_empty() {
        return None;
    }
    let (selector, labels) = (service.selector()?, workload.labels()?);
    let namespace = context.view.namespace();
    let is_near = context.view.namespace_of(&service.object) == namespace;
    let mut wrong = selector.pairs().filter(|(key, value)| labels.get(*key) != Some(value));
    match (wrong.next(), wrong.next()) {
        (None, _) => Some(format!("selects them, but is not in namespace {}", quoted(namespace))),
        (Some((key, value)), None) if is_near => {
            let (written, own) = (value.as_str()?, labels.get(key)?.as_str()?);
            Some(format!("selects {}; the pods have {}", quoted(&pair(key, written)), quoted(&pair(key, own))))
        }
        _ => None,
    }
}

fn pair(key: &str, value: &str) -> String {
    format!("{key}: {value}")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::settings::Settings;
    use crate::testing::{closed, deployment, findings_of, service, test};

    #[test]
    fn a_near_miss_is_named() {
        let help = |other: Value| {
            let database = deployment(&[]);
            let findings = findings_of(&RULE, &database, &closed([&database, &other]), &Settings::default());
            findings.first().map(|finding| finding.help.to_string()).unwrap_or_default()
        };
        assert_eq!(
            help(service(&[("/spec/selector/app", json!("mssql"))])),
            "Service `sql` selects `app: mssql`; the pods have `app: sql`"
        );
        let elsewhere = help(service(&[("/metadata/namespace", json!("other"))]));
        assert_eq!(elsewhere, "Service `sql` selects them, but is not in namespace `default`");
        assert!(help(service(&[("/spec/selector", json!({"app": "x", "tier": "y"}))])).starts_with("create"));
        let wrong_twice = [("/metadata/namespace", json!("other")), ("/spec/selector/app", json!("mssql"))];
        assert!(help(service(&wrong_twice)).starts_with("create"));
        let of_a_web_server = [("/spec/selector/app", json!("web")), ("/spec/ports/0/port", json!(80))];
        assert!(help(service(&of_a_web_server)).starts_with("create"));
    }
}
