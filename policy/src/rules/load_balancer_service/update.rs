//! Updates of a LoadBalancer Service: they keep it, and who reaches it.

use super::exposure::{SOURCE_RANGES, annotations, is_decided};
use super::{databases, is_wanted, wanted};
use crate::finding::{Finding, Fix, push_separated};
use crate::json::edit::Edit;
use crate::kubernetes::service::{INTERNAL_ANNOTATIONS, Service};
use crate::rules::check::CheckContext;
use crate::settings::{Address, Exposure};
use crate::workload::Workload;

/// What an update keeps of a load balancer where it leaves it out.
const KEPT: [&str; 4] = ["loadBalancerClass", "allocateLoadBalancerNodePorts", "externalTrafficPolicy", SOURCE_RANGES];

/// A finding if an UPDATE takes a database's load balancer away, or publishes it.
pub(super) fn check(context: &CheckContext<'_>, service: &Service<'_>, old: &Service<'_>) -> Option<Finding> {
    check_removed(context, service, old)
        .or_else(|| check_left_over(context, service, old))
        .or_else(|| check_published(context, service, old))
}

/// A finding if an UPDATE takes the last stable address of a workload away.
fn check_removed(context: &CheckContext<'_>, service: &Service<'_>, old: &Service<'_>) -> Option<Finding> {
    let mut workloads = Vec::new();
    for workload in databases(context, old)? {
        let is_address = |service: &Service<'_>| {
            is_wanted(context, service) || context.view.is_behind_route(service, &workload).known() == Some(true)
        };
        let is_kept = service.selects(&workload.pods(context.view.namespace())) && is_address(service);
        let others = context.view.services_beside(service, &workload).known()?;
        if !is_kept && !others.iter().any(is_address) {
            workloads.push(workload);
        }
    }
    if workloads.is_empty() {
        return None;
    }
    let is_stopped = |workload: &Workload<'_>| workload.object.path(&["spec", "replicas"]).int() == Some(0);
    let all_are_stopped = workloads.iter().all(is_stopped);
    let wanted = wanted(context);
    let message = format!("this update removes the only {wanted} of {}", listed(&workloads));
    let selector = service.spec.at("selector");
    if selector.value() == old.spec.at("selector").value() {
        let service_type = service.spec.at("type");
        // The API server would reject a headless load balancer.
        let exposure = context.settings.exposure.filter(|_| service.service_type().can_become_load_balancer());
        return Some(match exposure {
            Some(_) => Finding::omission(&service_type, message, Fix::safe(kept(service, old)))
                .help("set `type: LoadBalancer` in the manifest"),
            None if all_are_stopped => Finding::advice(&service_type, message),
            None => Finding::contradiction(&service_type, message)
                .reason("clients lose the address they connect to")
                .help(match context.settings.address {
                    Address::LoadBalancer if context.settings.exposure.is_none() => {
                        "keep `type: LoadBalancer`, create another LoadBalancer Service first, or set `exposure`"
                    }
                    Address::LoadBalancer => "keep `type: LoadBalancer`, or create another LoadBalancer Service first",
                    Address::ClusterIp => "keep the virtual IP, or create another Service with a virtual IP first",
                }),
        });
    }
    let leads_to_database = context.view.selects_any_database(service).known()?;
    let finding = if leads_to_database || all_are_stopped {
        Finding::advice(&selector, message)
    } else {
        Finding::contradiction(&selector, message)
    };
    Some(
        finding
            .reason("clients no longer reach this database at the address they connect to")
            .help(format!("keep the selector, or create another {wanted} for the database first")),
    )
}

/// A finding if an UPDATE takes the type away and leaves the source ranges of the load balancer, as the second apply of
/// a manifest with `type: ClusterIP` does.
fn check_left_over(context: &CheckContext<'_>, service: &Service<'_>, old: &Service<'_>) -> Option<Finding> {
    context.settings.exposure?;
    let is_left_over = !service.is_load_balancer() && service.spec.at(SOURCE_RANGES).exists();
    if !is_left_over || !service.service_type().can_become_load_balancer() {
        return None;
    }
    if databases(context, service)?.is_empty() {
        return None;
    }
    let message = "the API server rejects `loadBalancerSourceRanges` in a Service of another type";
    Some(
        Finding::omission(&service.spec.at("type"), message, Fix::safe(kept(service, old)))
            .help("set `type: LoadBalancer` in the manifest, or remove `loadBalancerSourceRanges` from the Service"),
    )
}

/// A finding if an UPDATE takes the annotations away that keep a database's load balancer inside.
fn check_published(context: &CheckContext<'_>, service: &Service<'_>, old: &Service<'_>) -> Option<Finding> {
    let is_internal = |service: &Service<'_>| {
        INTERNAL_ANNOTATIONS.iter().any(|(name, value)| annotations(service).at(name).str() == Some(value))
    };
    if !service.is_load_balancer() || !is_internal(old) || is_internal(service) {
        return None;
    }
    if databases(context, service)?.is_empty() {
        return None;
    }
    let at = annotations(service);
    let message = "this update removes the annotation that keeps the load balancer internal";
    let help = "keep the annotation; without it the database can be reachable from the internet";
    Some(match context.settings.exposure {
        Some(Exposure::Internal) if !is_decided(service) => {
            Finding::omission(&at, message, Fix::safe(kept(service, old))).help(help)
        }
        _ => Finding::advice(&at, message).help(help),
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

/// The edits that leave a Service the load balancer that it was.
fn kept(service: &Service<'_>, old: &Service<'_>) -> Vec<Edit> {
    let mut edits = Vec::new();
    if !service.is_load_balancer() {
        edits.push(Edit::set(&service.object, &["spec", "type"], "LoadBalancer"));
    }
    for field in KEPT.iter().filter(|field| !service.spec.at(field).exists()) {
        if let Some(value) = old.spec.at(field).value() {
            edits.push(Edit::set(&service.object, &["spec", field], value.clone()));
        }
    }
    for (name, _) in INTERNAL_ANNOTATIONS.iter().filter(|(name, _)| !annotations(service).at(name).exists()) {
        if let Some(value) = annotations(old).at(name).value() {
            edits.push(Edit::set(&service.object, &["metadata", "annotations", name], value.clone()));
        }
    }
    edits
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::RULE;
    use super::super::tests::named;
    use super::*;
    use crate::kubernetes::kind::Kind;
    use crate::settings::Settings;
    use crate::testing::{deployment, open_index, service, settings, test};

    fn update(old: &Value, new: &Value, others: &[Value], settings: &Settings) -> Vec<String> {
        let index = open_index(others);
        let context = CheckContext::read(new, Kind::Service, settings, &index).expect("Services are checked");
        let findings = crate::rules::check_all(&context.with_old_object(Some(old)));
        let own = findings.iter().filter(|finding| finding.rule == RULE.id);
        own.map(|finding| format!("{} {}", finding.action.name(), finding.pointer)).collect()
    }

    #[test]
    fn an_update_keeps_the_load_balancer() {
        let internal = settings(json!({"exposure": "internal"}));
        let unset = Settings::default();
        let annotated = json!({INTERNAL_ANNOTATIONS[0].0: INTERNAL_ANNOTATIONS[0].1});
        let old = service(&[("/metadata/annotations", annotated)]);
        let database = deployment(&[]);
        let objects = [database.clone(), old.clone()];
        let to_cluster_ip = named("sql", "ClusterIP");
        assert_eq!(update(&old, &to_cluster_ip, &objects, &internal), ["mutate /spec/type"]);
        assert_eq!(update(&old, &to_cluster_ip, &objects, &unset), ["reject /spec/type"]);
        let no_address = service(&[("/spec/type", json!("ClusterIP")), ("/spec/clusterIP", json!("None"))]);
        assert_eq!(update(&old, &no_address, &objects, &internal), ["reject /spec/type"]);
        let bare = service(&[]);
        assert_eq!(update(&old, &bare, &objects, &internal), ["mutate /metadata"]);
        assert_eq!(update(&old, &bare, &objects, &unset), ["warn /metadata"]);
        assert!(update(&bare, &service(&[("/spec/ports/0/port", json!(1))]), &objects, &unset).is_empty());
        // Another load balancer is left.
        let other = named("other", "LoadBalancer");
        assert!(update(&old, &to_cluster_ip, &[database.clone(), old.clone(), other], &unset).is_empty());
        // Nor is it rejected by the API server because of what the mutation added.
        let ranges = ("/spec/loadBalancerSourceRanges", json!(["10.0.0.0/8"]));
        let (made, again) =
            (service(std::slice::from_ref(&ranges)), service(&[ranges, ("/spec/type", json!("ClusterIP"))]));
        let both = [database.clone(), made.clone(), named("other", "LoadBalancer")];
        assert_eq!(update(&made, &again, &both, &internal), ["mutate /spec/type"]);
        assert!(update(&made, &again, &both, &unset).is_empty());
        assert!(update(&made, &again, &both[1..], &internal).is_empty());
        // An update is no order for a load balancer.
        let headed = service(&[("/spec/type", json!("ClusterIP")), ("/spec/sessionAffinity", json!("ClientIP"))]);
        assert_eq!(update(&to_cluster_ip, &headed, &objects[..1], &internal), ["warn /spec/type"]);
    }

    #[test]
    fn behind_a_route_of_the_gateway_api_the_type_can_change() {
        let (old, to_cluster_ip) = (service(&[]), named("sql", "ClusterIP"));
        let ask = |port: u16| {
            let route = json!({"apiVersion": "gateway.networking.k8s.io/v1alpha2", "kind": "TCPRoute",
                "metadata": {"name": "sql"}, "spec": {"parentRefs": [{"name": "edge"}],
                "rules": [{"backendRefs": [{"name": "sql", "port": port}]}]}});
            update(&old, &to_cluster_ip, &[deployment(&[]), old.clone(), route], &Settings::default())
        };
        assert!(ask(1433).is_empty());
        assert_eq!(ask(9399), ["reject /spec/type"], "the route leads elsewhere");
    }

    #[test]
    fn a_stopped_database_needs_no_load_balancer() {
        let (old, to_cluster_ip) = (service(&[]), named("sql", "ClusterIP"));
        let stopped = deployment(&[("/spec/replicas", json!(0))]);
        let found = update(&old, &to_cluster_ip, &[stopped, old.clone()], &Settings::default());
        assert_eq!(found, ["warn /spec/type"]);
    }

    #[test]
    fn an_update_of_the_selector_is_a_cut_over_if_it_leads_to_another_database() {
        let old = service(&[]);
        let retargeted = service(&[("/spec/selector/app", json!("web"))]);
        let ask = |database: Value, target: Value| {
            update(&old, &retargeted, &[database, old.clone(), target], &Settings::default())
        };
        let target = |image: &str| {
            deployment(&[
                ("/metadata/name", json!("web")),
                ("/spec/template/metadata/labels/app", json!("web")),
                ("/spec/template/spec/containers/0", json!({"image": image})),
            ])
        };
        assert_eq!(ask(deployment(&[]), target("nginx")), ["reject /spec/selector"]);
        assert_eq!(ask(deployment(&[]), target("mcr.microsoft.com/mssql/server:2022-latest")), ["warn /spec/selector"]);
        assert_eq!(ask(deployment(&[("/spec/replicas", json!(0))]), target("nginx")), ["warn /spec/selector"]);
    }
}
