//! Which Service is the stable address of a workload.
//!
//! Several Services may select one database: a headless one for the StatefulSet, one for metrics. One has to be a
//! LoadBalancer Service. If none is, one is chosen as the candidate, so that the finding is reported, and fixed, once.

use super::View;
use super::cluster::Lookup;
use crate::kubernetes::service::Service;
use crate::workload::Workload;
use crate::workload::ports::ports_to;

/// What a Service is to a workload that it selects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceRole {
    /// It is a LoadBalancer Service.
    LoadBalancer,
    /// No LoadBalancer Service selects the workload, and this is the Service to change.
    Candidate,
    /// Another Service is the address, or has to become it.
    Other,
}

impl<'a> View<'a> {
    /// The Services beside `service` that select the pods of `workload`.
    pub fn services_beside(&self, service: &Service<'_>, workload: &Workload<'_>) -> Lookup<Vec<Service<'a>>> {
        self.services_selecting(workload).map(|mut services| {
            services.retain(|other| other.name() != service.name());
            services
        })
    }

    /// The role of `service` for `workload`, which the Services `others` select, too. Where both ends are checked, one
    /// candidate is chosen. Otherwise each Service is checked alone: it is not the candidate if its ports lead elsewhere and
    /// those of another Service lead to the database.
    pub fn service_role(&self, service: &Service<'_>, workload: &Workload<'_>, others: &[Service<'_>]) -> ServiceRole {
        if service.is_load_balancer() {
            return ServiceRole::LoadBalancer;
        }
        if !service.service_type().can_become_load_balancer() {
            return ServiceRole::Other;
        }
        let reports_once = self.scope().reports_once();
        let own = rank(service, workload);
        let is_better = |other: &Service<'_>| {
            let rank = rank(other, workload);
            let leads_better = own.0 && !rank.0;
            other.service_type().can_become_load_balancer() && (leads_better || (reports_once && rank < own))
        };
        let is_other = others.iter().any(|other| other.is_load_balancer() || is_better(other));
        if is_other { ServiceRole::Other } else { ServiceRole::Candidate }
    }
}

/// Whether no port of a Service leads to the database, and its name: the least is the candidate.
fn rank<'s>(service: &Service<'s>, workload: &Workload<'_>) -> (bool, &'s str) {
    (ports_to(service, workload).is_empty(), service.name())
}
