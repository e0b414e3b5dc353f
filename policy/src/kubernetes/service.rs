//! A core Service: what it selects, how clients reach it, and where its ports lead.

use serde_json::Value;

use super::selector::{Pods, Selector};
use crate::json::cursor::Cursor;

/// What an annotation says about a load balancer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Annotation {
    /// With one of these values it is internal. Mutations set the first; the others are former ones.
    Internal(&'static [&'static str]),
    /// The same, only read: under a former name, or of a platform where nobody asked for mutations. Any value counts
    /// if there are none.
    OnlyReadInternal(&'static [&'static str]),
    /// Its addresses, separated by commas.
    Addresses,
    /// It limits the clients.
    Clients,
    /// It selects the AWS Load Balancer Controller, whose load balancers are internal unless the annotation for the
    /// scheme says otherwise.
    AwsType,
}

/// Every annotation that rules read: those for an internal load balancer on Azure, AWS, Google Cloud, IBM Cloud,
/// OpenStack, Baidu, Alibaba, Oracle, Tencent (Kubernetes documentation, *Service*, internal load balancer), Hetzner,
/// DigitalOcean, Scaleway and Yandex (their controllers), those that choose addresses with MetalLB, kube-vip and Cilium,
/// and those that limit the clients. An update of one of them is checked.
pub static ANNOTATIONS: [(&str, Annotation); 25] = [
    ("service.beta.kubernetes.io/azure-load-balancer-internal", Annotation::Internal(&["true"])),
    (AWS_SCHEME, Annotation::Internal(&["internal"])),
    ("service.beta.kubernetes.io/aws-load-balancer-internal", Annotation::Internal(&["true", "0.0.0.0/0"])),
    ("networking.gke.io/load-balancer-type", Annotation::Internal(&["Internal"])),
    ("service.kubernetes.io/ibm-load-balancer-cloud-provider-ip-type", Annotation::Internal(&["private"])),
    ("service.beta.kubernetes.io/openstack-internal-load-balancer", Annotation::Internal(&["true"])),
    ("service.beta.kubernetes.io/cce-load-balancer-internal-vpc", Annotation::Internal(&["true"])),
    ("service.beta.kubernetes.io/alibaba-cloud-loadbalancer-address-type", Annotation::Internal(&["intranet"])),
    ("service.beta.kubernetes.io/oci-load-balancer-internal", Annotation::Internal(&["true"])),
    ("load-balancer.hetzner.cloud/disable-public-network", Annotation::Internal(&["true"])),
    ("cloud.google.com/load-balancer-type", Annotation::OnlyReadInternal(&["Internal"])),
    ("oci-network-load-balancer.oraclecloud.com/internal", Annotation::OnlyReadInternal(&["true"])),
    ("service.beta.kubernetes.io/do-loadbalancer-network", Annotation::OnlyReadInternal(&["INTERNAL"])),
    ("service.beta.kubernetes.io/scw-loadbalancer-private", Annotation::OnlyReadInternal(&["true"])),
    ("service.kubernetes.io/qcloud-loadbalancer-internal-subnetid", Annotation::OnlyReadInternal(&[])),
    ("yandex.cloud/load-balancer-type", Annotation::OnlyReadInternal(&["internal"])),
    ("metallb.io/loadBalancerIPs", Annotation::Addresses),
    ("metallb.universe.tf/loadBalancerIPs", Annotation::Addresses),
    ("kube-vip.io/loadbalancerIPs", Annotation::Addresses),
    ("lbipam.cilium.io/ips", Annotation::Addresses),
    ("io.cilium/lb-ipam-ips", Annotation::Addresses),
    ("service.beta.kubernetes.io/load-balancer-source-ranges", Annotation::Clients),
    ("service.beta.kubernetes.io/azure-allowed-ip-ranges", Annotation::Clients),
    ("service.beta.kubernetes.io/azure-allowed-service-tags", Annotation::Clients),
    ("service.beta.kubernetes.io/aws-load-balancer-type", Annotation::AwsType),
];

/// Load balancer classes with internal addresses, the first two unless [`AWS_SCHEME`] says otherwise.
const INTERNAL_CLASSES: [&str; 3] = ["service.k8s.aws/nlb", "eks.amazonaws.com/nlb", "tailscale"];

const AWS_SCHEME: &str = "service.beta.kubernetes.io/aws-load-balancer-scheme";

/// How clients reach a Service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceType {
    /// By a virtual IP inside the cluster.
    ClusterIp,
    /// By a port of every node, and by a virtual IP.
    NodePort,
    /// By the address of a load balancer.
    LoadBalancer,
    /// By the IPs of its pods, from DNS (`clusterIP: None`).
    Headless,
    /// By another DNS name.
    ExternalName,
}

impl ServiceType {
    /// How a message names such a Service, with its article.
    pub fn describe(self) -> &'static str {
        match self {
            ServiceType::ClusterIp => "a ClusterIP Service",
            ServiceType::NodePort => "a NodePort Service",
            ServiceType::LoadBalancer => "a LoadBalancer Service",
            ServiceType::Headless => "a headless Service",
            ServiceType::ExternalName => "an ExternalName Service",
        }
    }

    /// Whether a change of its type alone makes it a LoadBalancer Service.
    pub fn can_become_load_balancer(self) -> bool {
        matches!(self, ServiceType::ClusterIp | ServiceType::NodePort)
    }
}

/// A core Service.
#[derive(Clone, Copy, Debug)]
pub struct Service<'a> {
    /// The whole object.
    pub object: Cursor<'a>,
    /// Its `spec`.
    pub spec: Cursor<'a>,
}

impl<'a> Service<'a> {
    /// Reads a core Service.
    pub fn read(object: &'a Value) -> Self {
        let object = Cursor::root(object);
        Service { spec: object.at("spec"), object }
    }

    /// `metadata.name`.
    pub fn name(&self) -> &'a str {
        self.object.path(&["metadata", "name"]).str().unwrap_or_default()
    }

    /// The pods that it sends traffic to; `None` if it selects nothing.
    pub fn selector(&self) -> Option<Selector<'a>> {
        Selector::from_map(&self.spec.at("selector"))
    }

    /// How clients reach it.
    pub fn service_type(&self) -> ServiceType {
        match self.spec.at("type").str() {
            Some("LoadBalancer") => ServiceType::LoadBalancer,
            Some("ExternalName") => ServiceType::ExternalName,
            _ if self.spec.at("clusterIP").str() == Some("None") => ServiceType::Headless,
            Some("NodePort") => ServiceType::NodePort,
            _ => ServiceType::ClusterIp,
        }
    }

    /// Whether it is a LoadBalancer Service.
    pub fn is_load_balancer(&self) -> bool {
        self.service_type() == ServiceType::LoadBalancer
    }

    /// Its annotations.
    pub fn annotations(&self) -> Cursor<'a> {
        self.object.path(&["metadata", "annotations"])
    }

    /// The name of the annotation, or of the first, that makes its load balancer internal.
    pub fn internal_annotation(&self) -> Option<&'static str> {
        let annotations = self.annotations();
        let is_internal = |(name, meaning): &&(&'static str, Annotation)| {
            annotations.at(name).str().is_some_and(|own| match meaning {
                Annotation::Internal(values) | Annotation::OnlyReadInternal(values) => {
                    (values.is_empty() && !own.is_empty()) || values.iter().any(|value| own.eq_ignore_ascii_case(value))
                }
                Annotation::Addresses => own.split(',').all(|address| is_private(address.trim())),
                Annotation::AwsType => matches!(own, "external" | "nlb-ip") && !annotations.at(AWS_SCHEME).exists(),
                Annotation::Clients => false,
            })
        };
        ANNOTATIONS.iter().find(is_internal).map(|(name, _)| *name)
    }

    /// Whether its load balancer has, or will have, a private address: by annotation, class or known addresses.
    pub fn is_internal(&self) -> bool {
        self.asks_for_internal() || self.has_private_addresses()
    }

    /// Whether an annotation, its class or its own address makes its load balancer internal.
    fn asks_for_internal(&self) -> bool {
        let class = self.spec.at("loadBalancerClass").str().unwrap_or_default();
        self.internal_annotation().is_some()
            || (INTERNAL_CLASSES.contains(&class) && !self.annotations().at(AWS_SCHEME).exists())
            || (self.spec.at("loadBalancerIP").exists() && self.has_private_addresses())
    }

    /// Whether an update of the Service `old` to this one removes what keeps its load balancer internal. The addresses
    /// in the status do not count: they are those from before the update.
    pub fn is_published_since(&self, old: &Service<'_>) -> bool {
        let has_both = self.is_load_balancer() && old.is_load_balancer();
        has_both && old.asks_for_internal() && !self.asks_for_internal()
    }

    fn has_private_addresses(&self) -> bool {
        let mut has_one = self.spec.at("loadBalancerIP").str().is_some_and(is_private);
        for entry in self.object.path(&["status", "loadBalancer", "ingress"]).items() {
            match entry.at("ip").str() {
                Some(address) if !is_private(address) => return false,
                Some(_) => has_one = true,
                None => {}
            }
        }
        has_one
    }

    /// What limits the clients of its load balancer: items of `loadBalancerSourceRanges`, or else annotations.
    pub fn client_limits(&self) -> Vec<Cursor<'a>> {
        let ranges: Vec<Cursor<'a>> = self.spec.at("loadBalancerSourceRanges").items().collect();
        if !ranges.is_empty() {
            return ranges;
        }
        let of_clients = ANNOTATIONS.iter().filter(|(_, meaning)| *meaning == Annotation::Clients);
        let annotations = of_clients.map(|(name, _)| self.annotations().at(name));
        annotations.filter(|annotation| annotation.str().is_some_and(|value| !value.is_empty())).collect()
    }

    /// Whether clients inside the cluster can reach it at an address that stays.
    pub fn has_virtual_ip(&self) -> bool {
        matches!(self.service_type(), ServiceType::ClusterIp | ServiceType::NodePort | ServiceType::LoadBalancer)
    }

    /// Whether it sends traffic to `pods`, which are in its namespace.
    pub fn selects(&self, pods: &Pods<'_>) -> bool {
        self.service_type() != ServiceType::ExternalName
            && self.selector().is_some_and(|selector| selector.matches(pods))
    }
}

/// Whether an IP address is private (RFC 1918, RFC 6598, RFC 4193).
fn is_private(address: &str) -> bool {
    let second = |first: &str| -> Option<i64> { address.strip_prefix(first)?.split_once('.')?.0.parse().ok() };
    ["10.", "192.168.", "fc", "fd"].iter().any(|prefix| address.starts_with(prefix))
        || second("172.").is_some_and(|octet| (16..32).contains(&octet))
        || second("100.").is_some_and(|octet| (64..128).contains(&octet))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::kubernetes::kind::Kind;
    use crate::testing::test;

    #[test]
    fn the_type_follows_from_type_and_cluster_ip() {
        let cases = [
            (json!({}), ServiceType::ClusterIp),
            (json!({"type": ""}), ServiceType::ClusterIp),
            (json!({"clusterIP": "None"}), ServiceType::Headless),
            (json!({"clusterIP": "10.0.0.1"}), ServiceType::ClusterIp),
            (json!({"type": "NodePort"}), ServiceType::NodePort),
            (json!({"type": "LoadBalancer", "loadBalancerIP": ""}), ServiceType::LoadBalancer),
            (json!({"type": "ExternalName"}), ServiceType::ExternalName),
        ];
        for (spec, expected) in cases {
            let object = json!({"spec": spec});
            assert_eq!(Service::read(&object).service_type(), expected, "{object}");
        }
    }

    #[test]
    fn an_update_of_an_annotation_that_rules_read_is_checked() {
        let checked = Kind::Service.resource().unwrap().body_annotations;
        for (name, value) in [
            ("service.beta.kubernetes.io/azure-load-balancer-internal", "True"),
            ("cloud.google.com/load-balancer-type", "Internal"),
            ("service.beta.kubernetes.io/aws-load-balancer-internal", "0.0.0.0/0"),
            ("service.beta.kubernetes.io/aws-load-balancer-type", "external"),
            ("service.beta.kubernetes.io/load-balancer-source-ranges", "10.0.0.0/8"),
            ("service.beta.kubernetes.io/azure-allowed-ip-ranges", "10.0.0.0/8"),
            ("service.beta.kubernetes.io/azure-allowed-service-tags", "VirtualNetwork"),
        ] {
            let object = json!({"metadata": {"annotations": {name: value}}});
            let service = Service::read(&object);
            assert!(service.is_internal() != (service.client_limits().len() == 1), "{name} is read");
            assert!(checked.iter().any(|(known, _)| *known == name), "{name}");
        }
    }
}
