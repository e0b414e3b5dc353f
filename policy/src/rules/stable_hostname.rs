//! # What must hold
//! A Deployment, or another workload whose pods change their names, sets `hostname`. The rule is off unless the
//! settings switch it on.
//!
//! # Why
//! Without `hostname`, the name of the pod is the host's name, so that `@@SERVERNAME` is another one after every
//! failover. Scripts, linked servers and monitoring that use the name find another server.
//!
//! # Example
//! ```yaml
//! kind: Deployment
//! spec:
//!   template:
//!     spec:
//!       containers: []
//! ```
//!
//! # Instead
//! ```yaml
//! kind: Deployment
//! spec:
//!   template:
//!     spec:
//!       hostname: harbour-sql
//!       containers: []
//! ```
//!
//! # Fix
//! None: only a person knows which name clients use.
//!
//! # Sources
//! - Kubernetes documentation, *DNS for Services and Pods*: the pod's `hostname`
//! - Microsoft, *Deploy Azure SQL Edge with Docker*: `@@SERVERNAME` is the host's name

use super::check::{Check, CheckContext};
use super::{Fixable, Loss, Rule};
use crate::finding::{Action, Finding, Findings};
use crate::kubernetes::kind::WorkloadKind;
use crate::workload::Workload;

/// The rule.
pub const RULE: Rule = Rule {
    id: "stable-hostname",
    summary: "the name of the server is the same after a failover",
    loss: Loss::Operation,
    default_action: Action::Off,
    fixable: Fixable::No,
    sees: &[],
    checks: &[Check::Workload(check)],
    relations: &[],
};

fn check(_: &CheckContext<'_>, workload: &Workload<'_>, findings: &mut Findings) {
    let names_stay = matches!(workload.kind, WorkloadKind::StatefulSet | WorkloadKind::Pod);
    if names_stay || workload.pod.first_of(&["hostname", "hostnameOverride"]).is_some() {
        return;
    }
    findings.push(
        Finding::contradiction(&workload.pod.at("hostname"), "`@@SERVERNAME` is another one after every failover")
            .help("set `hostname`, at most 15 characters"),
    );
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::{ask, ask_in, closed, deployment, settings, stateful_set, test};

    #[test]
    fn the_host_has_a_name_of_its_own() {
        let on = settings(json!({"rules": {"stable-hostname": "reject"}}));
        let found = |object| ask_in(&RULE, &object, &closed([]), &on);
        let with = |value| found(deployment(&[("/spec/template/spec/hostname", value)]));
        assert_eq!(found(deployment(&[])), ["reject /spec/template/spec+hostname"]);
        assert!(with(json!("harbour-sql")).is_empty());
        assert!(found(stateful_set(&[])).is_empty());
        assert!(ask(&RULE, &deployment(&[])).is_empty(), "off by default");
    }
}
