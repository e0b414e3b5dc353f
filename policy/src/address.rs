//! Which Service gives a workload its address.
//!
//! Several Services may select one database: a headless one for the StatefulSet, one for metrics. Exactly one has to be
//! a load balancer; where none is, one is chosen to become it, so that the lack is reported, and mended, once.

use std::borrow::Cow;

use serde_json::Value;

use crate::service::{Address, Service};
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

/// The role of `service` for `workload`, which `others` select too. Where all are judged `together` one candidate is
/// chosen; otherwise each Service is judged as it comes, and only one that leads nowhere gives way to one that does not.
pub fn role(service: &Service<'_>, workload: &Workload<'_>, others: &[Cow<'_, Value>], together: bool) -> Role {
    if is_load_balancer(service) {
        return Role::LoadBalancer;
    }
    if !service.address().can_become_load_balancer() {
        return Role::Beside;
    }
    let own = rank(service, workload);
    for other in others {
        let rival = Service::read(other);
        if is_load_balancer(&rival) {
            return Role::Beside;
        }
        if rival.address().can_become_load_balancer() {
            let rival = rank(&rival, workload);
            let leads_better = own.0 && !rival.0;
            if leads_better || (together && rival < own) {
                return Role::Beside;
            }
        }
    }
    Role::Candidate
}

/// Whether a Service is a load balancer.
pub fn is_load_balancer(service: &Service<'_>) -> bool {
    service.address() == Address::LoadBalancer
}

/// Whether a Service leads nowhere, and its name: those that lead to the engine come first, then the alphabet decides.
fn rank<'a>(service: &Service<'a>, workload: &Workload<'_>) -> (bool, &'a str) {
    (service.ports_to(workload).is_empty(), service.name())
}
