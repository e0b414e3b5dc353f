//! The ports of a Service that lead to a database container.

use super::{EngineContainer, Workload, long_running_containers};
use crate::json::cursor::Cursor;
use crate::kubernetes::service::Service;

/// The ports of `service` that lead to a database container of `workload`. A container whose port is outside the
/// manifest may listen on any of them.
pub fn ports_to<'s>(service: &Service<'s>, workload: &Workload<'_>) -> Vec<Cursor<'s>> {
    let listening: Vec<Option<i64>> = workload.engines.iter().map(EngineContainer::port).collect();
    let leads = |port: &Cursor<'_>| {
        let target = target_number(port, workload);
        listening.iter().any(|port| port.is_none() || *port == target)
    };
    service.spec.at("ports").items().filter(|port| is_tcp(port) && leads(port)).collect()
}

/// The ports of `service` that lead to a port of another container, which may be a proxy in front of the database.
pub fn proxied_ports<'s>(service: &Service<'s>, workload: &Workload<'_>) -> Vec<Cursor<'s>> {
    let is_engine = |container: &Cursor<'_>| workload.engines.iter().any(|engine| engine.container.is_same(container));
    let others: Vec<Cursor<'_>> =
        long_running_containers(&workload.pod).filter(|container| !is_engine(container)).collect();
    let declares = |target: i64| {
        let mut ports = others.iter().flat_map(|container| container.at("ports").items());
        ports.any(|port| is_tcp(&port) && port.at("containerPort").int() == Some(target))
    };
    let leads = |port: &Cursor<'_>| target_number(port, workload).is_some_and(declares);
    service.spec.at("ports").items().filter(|port| is_tcp(port) && leads(port)).collect()
}

/// Whether a port is for TCP, which the protocol of the database (TDS) needs.
pub fn is_tcp(port: &Cursor<'_>) -> bool {
    matches!(port.at("protocol").str(), None | Some("" | "TCP"))
}

/// The pod port that a Service port leads to: `targetPort`, or `port` if that is absent. A name is looked up in the
/// ports of the containers that keep running, as the endpoints controller does.
fn target_number(port: &Cursor<'_>, workload: &Workload<'_>) -> Option<i64> {
    let target = port.at("targetPort");
    match target.str().filter(|name| !name.is_empty()) {
        Some(name) => {
            let has_name = |own: &Cursor<'_>| own.at("name").str() == Some(name) && is_tcp(own);
            let mut containers = long_running_containers(&workload.pod);
            containers.find_map(|container| container.at("ports").items().find(has_name))?.at("containerPort").int()
        }
        // The API treats 0 as absent.
        None => target.int().filter(|number| *number != 0).or_else(|| port.at("port").int()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::kubernetes::kind::WorkloadKind;
    use crate::settings::Settings;
    use crate::testing::test;

    #[test]
    fn a_port_leads_to_the_database_by_number_or_name_over_tcp() {
        let pod = json!({"spec": {"containers": [
            {"image": "azure-sql-edge", "ports": [{"name": "tds", "containerPort": 1433}, {"name": "web", "containerPort": 80}]}]}});
        let cases = [
            (json!({"port": 1433}), true),
            (json!({"port": 80, "targetPort": 1433}), true),
            (json!({"port": 1433, "targetPort": "tds"}), true),
            (json!({"port": 1433, "targetPort": "web"}), false),
            (json!({"port": 1433, "targetPort": "none"}), false),
            (json!({"port": 1433, "targetPort": 1434}), false),
            (json!({"port": 1433, "protocol": "UDP"}), false),
            (json!({"port": 1433, "targetPort": 0}), true),
        ];
        let workload = Workload::read(&pod, WorkloadKind::Pod, &Settings::default()).expect("the pod runs a database");
        for (port, leads) in cases {
            let object = json!({"spec": {"ports": [port]}});
            assert_eq!(!ports_to(&Service::read(&object), &workload).is_empty(), leads, "{object}");
        }
    }
}
