//! Which Service gives a workload its address.
//!
//! Several Services may select one database: a headless one for the StatefulSet, one for metrics. Exactly one has to be
//! a load balancer; where none is, one is chosen to become it, so that the lack is reported, and mended, once.

use serde_json::Value;

use crate::service::Service;
use crate::workload::Workload;

/// What a Service is to a workload that it selects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It is a load balancer.
    LoadBalancer,
    /// No load balancer selects the workload, and this is the Service to make one.
    Candidate,
    /// Something else: another Service is the address, or has to become it.
    Beside,
}

/// The role of `service` for `workload`, which `others` select too. In a closed world one candidate is chosen; in an
/// open one each Service is judged as it comes, and only one that leads nowhere gives way to one that does not.
pub fn role<'o>(
    service: &Service<'_>,
    workload: &Workload<'_>,
    others: impl IntoIterator<Item = &'o Value>,
    closed: bool,
) -> Role {
    let others: Vec<Service<'_>> = others.into_iter().map(Service::read).collect();
    if service.address() == crate::service::Address::LoadBalancer {
        return Role::LoadBalancer;
    }
    if !service.address().can_become_load_balancer() || others.iter().any(is_load_balancer) {
        return Role::Beside;
    }
    let own = rank(service, workload);
    let mut rivals = others.iter().filter(|other| other.address().can_become_load_balancer());
    let beaten = rivals.any(|rival| {
        let rival = rank(rival, workload);
        rival.0 < own.0 || (closed && rival < own)
    });
    if beaten { Role::Beside } else { Role::Candidate }
}

/// Whether a Service is a load balancer.
pub fn is_load_balancer(service: &Service<'_>) -> bool {
    service.address() == crate::service::Address::LoadBalancer
}

/// Services that lead to the engine come first, then the alphabet decides.
fn rank<'a>(service: &Service<'a>, workload: &Workload<'_>) -> (bool, &'a str) {
    (service.ports_to(workload).is_empty(), service.name())
}
