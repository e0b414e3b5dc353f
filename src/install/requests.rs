//! The kinds of requests that have a webhook of their own, so that each has its own `failurePolicy`.

use serde_json::Value;
use sqledge_ha_policy::kubernetes::resources::RESOURCES;

/// The requests that a webhook gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requests {
    /// All that rules check.
    All,
    /// For workloads.
    Workloads,
    /// For Services.
    Services,
    /// For the sub-resource `scale`.
    Scale,
    /// For claims, autoscalers, disruption budgets, and Argo Rollouts that run the pods of a Deployment.
    Related,
}

impl Requests {
    /// The kinds that together are [`Requests::All`].
    pub const SEPARATE: [Requests; 4] = [Requests::Workloads, Requests::Services, Requests::Scale, Requests::Related];
    /// Those for the mutating stage. Rules mutate no related object.
    pub const MUTATED: [Requests; 3] = [Requests::Workloads, Requests::Services, Requests::Scale];

    /// The name in names of webhooks and templates.
    pub fn name(self) -> &'static str {
        match self {
            Requests::All => "all",
            Requests::Workloads => "workloads",
            Requests::Services => "services",
            Requests::Scale => "scale",
            Requests::Related => "related",
        }
    }

    /// Whether they include requests for a resource: the API groups of an admission rule, and a resource in it.
    pub fn include(self, groups: &[Value], resource: &str) -> bool {
        let is_workload = || groups.iter().all(|group| is_workload(group, resource));
        let of_resource = match resource.ends_with("/scale") {
            true => Requests::Scale,
            false if is_workload() => Requests::Workloads,
            false if resource == "services" => Requests::Services,
            false => Requests::Related,
        };
        // A Rollout that runs the pods of a Deployment does not show whether they are a database's.
        let may_run_other_pods = || resource == "rollouts";
        self == Requests::All || self == of_resource || (self == Requests::Related && may_run_other_pods())
    }
}

fn is_workload(group: &Value, plural: &str) -> bool {
    let mut resources = RESOURCES.iter().filter(|resource| group == resource.group && resource.plural == plural);
    resources.any(|resource| resource.kind.workload().is_some())
}
