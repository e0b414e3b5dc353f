//! A core Service: what it selects, what kind of address it gives, and where its ports lead.

use serde_json::{Map, Value};

use crate::node::Node;
use crate::selector;
use crate::workload::Workload;

/// The kind of address a Service gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Address {
    /// A virtual IP inside the cluster.
    ClusterIp,
    /// A port of every node, beside a virtual IP.
    NodePort,
    /// An address of its own, outside the cluster's, that stays.
    LoadBalancer,
    /// DNS records of the pods, no address (`clusterIP: None`).
    Headless,
    /// Another DNS name.
    ExternalName,
}

impl Address {
    /// How a message speaks of it.
    pub fn describe(self) -> &'static str {
        match self {
            Address::ClusterIp => "a ClusterIP Service",
            Address::NodePort => "a NodePort Service",
            Address::LoadBalancer => "a load balancer",
            Address::Headless => "a headless Service",
            Address::ExternalName => "an ExternalName Service",
        }
    }

    /// Whether changing its type alone makes the Service a load balancer.
    pub fn can_become_load_balancer(self) -> bool {
        matches!(self, Address::ClusterIp | Address::NodePort)
    }
}

/// A core Service.
#[derive(Clone, Debug)]
pub struct Service<'a> {
    /// The whole object.
    pub object: Node<'a>,
    /// Its `spec`.
    pub spec: Node<'a>,
}

impl<'a> Service<'a> {
    /// Reads a core Service.
    pub fn read(object: &'a Value) -> Self {
        let object = Node::root(object);
        Service { spec: object.at("spec"), object }
    }

    /// `metadata.name`.
    pub fn name(&self) -> &'a str {
        self.object.path(&["metadata", "name"]).str().unwrap_or_default()
    }

    /// The pod labels it selects by; `None` if there are none.
    pub fn selector(&self) -> Option<&'a Map<String, Value>> {
        self.spec.at("selector").map().filter(|selector| !selector.is_empty())
    }

    /// The kind of address it gives.
    pub fn address(&self) -> Address {
        match self.spec.at("type").str() {
            Some("LoadBalancer") => Address::LoadBalancer,
            Some("ExternalName") => Address::ExternalName,
            _ if self.spec.at("clusterIP").str() == Some("None") => Address::Headless,
            Some("NodePort") => Address::NodePort,
            _ => Address::ClusterIp,
        }
    }

    /// Whether it sends traffic to the pods of `workload`, which is in the same namespace.
    pub fn selects(&self, workload: &Workload<'_>) -> bool {
        self.address() != Address::ExternalName
            && self
                .selector()
                .is_some_and(|selector| selector::matches(selector, workload.labels(), workload.kind, workload.name()))
    }

    /// Its ports that lead to an engine of `workload`. An engine whose own port the manifest does not show may be
    /// behind any of them.
    pub fn ports_to(&self, workload: &Workload<'_>) -> Vec<Node<'a>> {
        let engines: Vec<Option<i64>> = workload.engines.iter().map(|engine| engine.port()).collect();
        let mut leading = Vec::new();
        for port in self.spec.at("ports").items().filter(is_tcp) {
            let target = target_number(&port, workload);
            if engines.iter().any(|engine| engine.is_none() || *engine == target) {
                leading.push(port);
            }
        }
        leading
    }
}

fn is_tcp(port: &Node<'_>) -> bool {
    matches!(port.at("protocol").str(), None | Some("" | "TCP"))
}

/// The pod port to which a Service port leads: `targetPort`, or `port` where that is absent; a name is looked up among
/// the ports of the pod's containers.
fn target_number(port: &Node<'_>, workload: &Workload<'_>) -> Option<i64> {
    let target = port.at("targetPort");
    match target.str().filter(|name| !name.is_empty()) {
        Some(name) => {
            let is_meant = |own: &Node<'_>| own.at("name").str() == Some(name) && is_tcp(own);
            for containers in ["containers", "initContainers"] {
                for container in workload.pod.at(containers).items() {
                    if let Some(own) = container.at("ports").items().find(is_meant) {
                        return own.at("containerPort").int();
                    }
                }
            }
            None
        }
        // The API reads 0 as absent.
        None => target.int().filter(|number| *number != 0).or_else(|| port.at("port").int()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::kind::Kind;
    use crate::settings::Settings;
    use crate::testing::test;

    #[test]
    fn the_address_follows_type_and_cluster_ip() {
        let cases = [
            (json!({}), Address::ClusterIp),
            (json!({"type": ""}), Address::ClusterIp),
            (json!({"clusterIP": "None"}), Address::Headless),
            (json!({"clusterIP": "10.0.0.1"}), Address::ClusterIp),
            (json!({"type": "NodePort"}), Address::NodePort),
            (json!({"type": "LoadBalancer", "loadBalancerIP": ""}), Address::LoadBalancer),
            (json!({"type": "ExternalName"}), Address::ExternalName),
        ];
        for (spec, address) in cases {
            let object = json!({"spec": spec});
            assert_eq!(Service::read(&object).address(), address, "{object}");
        }
    }

    #[test]
    fn ports_lead_to_the_engine_by_number_or_name_over_tcp() {
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
        let workload = Workload::read(&pod, Kind::Pod, &Settings::default()).expect("the pod runs the engine");
        for (port, leads) in cases {
            let object = json!({"spec": {"ports": [port]}});
            assert_eq!(!Service::read(&object).ports_to(&workload).is_empty(), leads, "{object}");
        }
    }
}
