//! Updates of a LoadBalancer Service: they keep it, and who reaches it.

use super::exposure::{SOURCE_RANGES, is_decided};
use super::{databases, is_wanted, wanted};
use crate::finding::{Finding, Findings, Fix, push_separated};
use crate::json::edit::Edit;
use crate::kubernetes::service::{ANNOTATIONS, Service};
use crate::rules::check::CheckContext;
use crate::settings::{Address, Exposure};
use crate::workload::Workload;

/// What an update keeps of a load balancer where it leaves it out, beside the annotations.
const KEPT: [&str; 4] = ["loadBalancerClass", "allocateLoadBalancerNodePorts", "externalTrafficPolicy", SOURCE_RANGES];

/// Adds a finding if an UPDATE takes a database's load balancer away, and one if it publishes a database.
pub(super) fn check(context: &CheckContext<'_>, service: &Service<'_>, old: &Service<'_>, findings: &mut Findings) {
    findings.extend(check_removed(context, service, old).or_else(|| check_left_over(context, service, old)));
    findings.extend(check_published(context, service, old));
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

/// A finding if an UPDATE takes away what keeps a database's load balancer internal.
fn check_published(context: &CheckContext<'_>, service: &Service<'_>, old: &Service<'_>) -> Option<Finding> {
    if !service.is_published_since(old) || databases(context, service)?.is_empty() {
        return None;
    }
    let message = "this update removes what keeps the load balancer internal";
    let Some(name) = old.internal_annotation() else {
        let help = "keep its class or address; without it the database can be reachable from the internet";
        return Some(Finding::advice(&service.spec.at("type"), message).help(help));
    };
    let at = service.annotations().at(name);
    let is_kept = context.settings.exposure == Some(Exposure::Internal) && !at.exists() && !is_decided(service);
    let finding = if is_kept {
        Finding::omission(&at, message, Fix::safe(kept(service, old)))
    } else {
        Finding::advice(&at, message)
    };
    Some(finding.help("keep the annotation; without it the database can be reachable from the internet"))
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
    for (name, _) in ANNOTATIONS.iter().filter(|(name, _)| !service.annotations().at(name).exists()) {
        if let Some(value) = old.annotations().at(name).value() {
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
        let annotated = json!({"service.beta.kubernetes.io/azure-load-balancer-internal": "true"});
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
    fn an_update_that_publishes_the_database_is_found() {
        let (internal, unset) = (settings(json!({"exposure": "internal"})), Settings::default());
        let database = [deployment(&[])];
        let ask = |old: &Value, new: &Value, settings: &Settings| update(old, new, &database, settings);
        let annotated = |name: &str, value: &str| service(&[("/metadata/annotations", json!({name: value}))]);
        let azure = "service.beta.kubernetes.io/azure-load-balancer-internal";
        let at_azure = "warn /metadata/annotations/service.beta.kubernetes.io~1azure-load-balancer-internal";
        let changed = annotated(azure, "false");
        for settings in [&internal, &unset] {
            assert_eq!(ask(&annotated(azure, "True"), &changed, settings), [at_azure], "somebody has decided");
            for (field, value) in [("loadBalancerClass", "tailscale"), ("loadBalancerIP", "10.0.0.9")] {
                let old = service(&[(&format!("/spec/{field}"), json!(value))]);
                assert_eq!(ask(&old, &service(&[]), settings), ["warn /spec/type"], "{field}");
            }
        }
        let aws = "service.beta.kubernetes.io/aws-load-balancer-type";
        for old in [annotated("cloud.google.com/load-balancer-type", "Internal"), annotated(aws, "external")] {
            assert_eq!(ask(&old, &service(&[]), &internal), ["mutate /metadata"], "{old}");
        }
        assert_eq!(ask(&annotated(aws, "external"), &annotated(aws, "nlb"), &internal).len(), 1);
        // Beside a change of the selector.
        let other = deployment(&[("/metadata/name", json!("b")), ("/spec/template/metadata/labels/app", json!("b"))]);
        let retargeted = service(&[("/spec/selector/app", json!("b"))]);
        let found = update(&annotated(azure, "true"), &retargeted, &[deployment(&[]), other], &unset);
        assert_eq!(found, ["warn /spec/selector", "warn /metadata"]);
    }

    #[test]
    fn a_load_balancer_that_is_kept_keeps_its_annotations() {
        let limit = json!({"service.beta.kubernetes.io/azure-allowed-ip-ranges": "10.0.0.0/8"});
        let (old, new) = (service(&[("/metadata/annotations", limit.clone())]), named("sql", "ClusterIP"));
        let (settings, others) = (settings(json!({"exposure": "internal"})), [deployment(&[]), old.clone()]);
        let index = open_index(&others);
        let context = CheckContext::read(&new, Kind::Service, &settings, &index).expect("Services are checked");
        let findings = crate::rules::check_all(&context.with_old_object(Some(&old)));
        let mutated = crate::rules::apply_mutations(new.clone(), &findings).expect("there is a mutation");
        assert_eq!(mutated["metadata"]["annotations"], limit);
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
