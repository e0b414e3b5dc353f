//! Which Service is the stable address of a workload.
//!
//! Several Services may select one database: a headless one for the StatefulSet, one for metrics. One has to be a
//! LoadBalancer Service. If none is, one is chosen as the candidate, so that the finding is reported, and fixed, once.

use super::cluster::Lookup;
use super::{Scope, View};
use crate::kubernetes::service::Service;
use crate::settings::Address;
use crate::workload::Workload;
use crate::workload::ports::ports_to;

/// Where the clients of a workload find it.
#[derive(Clone, Copy, Debug)]
pub enum ClientAddress<'s> {
    /// At an address that stays.
    Stable,
    /// No address stays, but that of this Service would if it became a LoadBalancer Service.
    Candidate(Service<'s>),
    /// No address stays.
    None,
}

impl<'a> View<'a> {
    /// The Services beside `service` that select the pods of `workload`.
    pub fn services_beside(&self, service: &Service<'_>, workload: &Workload<'_>) -> Lookup<Vec<Service<'a>>> {
        self.services_selecting(workload).map(|mut services| {
            services.retain(|other| other.name() != service.name());
            services
        })
    }

    /// Where clients find `workload`, if `services` are all that select its pods. Of several candidates the one with
    /// the least name.
    pub fn client_address<'s>(&self, workload: &Workload<'_>, services: &[Service<'s>]) -> Lookup<ClientAddress<'s>> {
        let leads = |service: &Service<'_>| !ports_to(service, workload).is_empty();
        let is_enough = |service: &Service<'_>| match self.settings.address {
            Address::ClusterIp => service.has_virtual_ip() && leads(service),
            Address::LoadBalancer => service.is_load_balancer() && leads(service) && !self.is_shared(service),
        };
        if services.iter().any(is_enough) {
            return Lookup::Known(ClientAddress::Stable);
        }
        let can_change = |service: &&Service<'s>| service.service_type().can_become_load_balancer() && leads(service);
        let leading: Vec<Service<'s>> = services.iter().filter(can_change).copied().collect();
        // A load balancer for metrics is the address only if there is no other.
        let is_own = |service: &Service<'_>| service.is_load_balancer() && !self.is_shared(service);
        if leading.is_empty() && services.iter().any(is_own) {
            return Lookup::Known(ClientAddress::Stable);
        }
        let mut candidates = Vec::new();
        for service in leading {
            match (self.is_behind_route(&service, workload), self.selects_one_workload(&service)) {
                (Lookup::Known(true), _) if !self.is_shared(&service) => {
                    return Lookup::Known(ClientAddress::Stable);
                }
                (Lookup::Known(false), Lookup::Known(true)) => candidates.push(service),
                (Lookup::Known(_), Lookup::Known(_)) => {}
                (Lookup::Unavailable(reason), _) | (_, Lookup::Unavailable(reason)) => {
                    return Lookup::Unavailable(reason);
                }
            }
        }
        let first = candidates.into_iter().min_by_key(Service::name);
        Lookup::Known(first.map_or(ClientAddress::None, ClientAddress::Candidate))
    }

    /// Whether a Service leads to several databases, where all are checked.
    fn is_shared(&self, service: &Service<'_>) -> bool {
        let is_known = self.scope() != Scope::Request;
        is_known && self.databases_selected_by(service).known().is_some_and(|databases| databases.len() > 1)
    }

    /// Whether a Service selects the pods of one workload only: a load balancer in front of several databases leads
    /// each connection to another one.
    fn selects_one_workload(&self, service: &Service<'_>) -> Lookup<bool> {
        let selected = self.pods_selected_by(service);
        selected.map(|selected| selected.iter().filter(|pods| pods.kind.is_long_running()).count() <= 1)
    }

    /// Whether a TCPRoute of the Gateway API, whose Gateway has an address that stays, leads through a Service to
    /// `workload`.
    pub fn is_behind_route(&self, service: &Service<'_>, workload: &Workload<'_>) -> Lookup<bool> {
        let ports: Vec<i64> = ports_to(service, workload).iter().filter_map(|port| port.at("port").int()).collect();
        let routes = self.tcp_routes();
        routes.map(|routes| routes.iter().any(|route| route.leads_to(service.name(), self.namespace(), &ports)))
    }
}
