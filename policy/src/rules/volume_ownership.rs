//! # What must hold
//! The engine can write to a fresh volume: where a claim is mounted, the pod's `securityContext.fsGroup` is set, or the
//! engine runs as root (uid 0), or an init container changes the ownership of the volume. With the setting
//! `fsGroup: none`, for platforms that assign a group of their own such as OpenShift, this is not asked.
//!
//! # Why
//! The images run as uid 10001, and a new volume belongs to root: the first start ends with `Permission denied`. So
//! does the first start after the volume was restored or replaced.
//!
//! # Example
//! ```yaml
//! spec:
//!   containers:
//!     - name: sql
//!       image: mcr.microsoft.com/azure-sql-edge:1.0.7
//! ```
//!
//! # Instead
//! ```yaml
//! spec:
//!   securityContext:
//!     fsGroup: 10001
//!   containers:
//!     - name: sql
//!       image: mcr.microsoft.com/azure-sql-edge:1.0.7
//! ```
//!
//! # Fix
//! Safe: sets `securityContext.fsGroup` to the group of the settings (10001).
//!
//! # Sources
//! - <https://github.com/Azure/AKS/issues/1319>, <https://github.com/microsoft/mssql-docker/issues/735>: permission denied
//! - Kubernetes documentation, *Configure a Security Context*: `fsGroup` and volume ownership

use super::{Fixable, Rule};
use crate::finding::{Action, Edit, Finding, Findings, Fix};
use crate::node::Node;
use crate::subject::Subject;
use crate::volumes::Mount;
use crate::workload::{EngineContainer, Workload};

/// The rule.
pub const RULE: Rule = Rule {
    id: "volume-ownership",
    summary: "the engine can write to a fresh volume",
    default_action: Action::Mutate,
    fixable: Fixable::Safe,
    is_relational: false,
    check,
};

fn check(subject: &Subject<'_>, findings: &mut Findings) {
    let (Some(workload), Some(group)) = (subject.workload(), subject.settings.fs_group) else { return };
    let current = workload.pod.path(&["securityContext", "fsGroup"]);
    if current.exists() || !workload.engines.iter().any(|engine| lacks_ownership(workload, engine)) {
        return;
    }
    findings.push(
        Finding::omission(
            &current,
            "nothing lets the engine write to a fresh volume",
            Fix::safe([Edit::set(&workload.pod, &["securityContext", "fsGroup"], group)]),
        )
        .because("a new volume belongs to root, and the engine runs as uid 10001: permission denied")
        .help(format!("set the pod's securityContext.fsGroup to {group}")),
    );
}

/// Whether a claim is mounted in the container, and nothing makes it the engine's own.
fn lacks_ownership<'a>(workload: &Workload<'a>, engine: &EngineContainer<'a>) -> bool {
    let own = engine.node.path(&["securityContext", "runAsUser"]);
    let user = if own.exists() { own } else { workload.pod.path(&["securityContext", "runAsUser"]) };
    user.int() != Some(0)
        && workload.files(engine).mounts.iter().any(|mount| mount.backing.is_claim() && !is_prepared(workload, mount))
}

/// Whether an init container that mounts the same volume changes ownership.
fn is_prepared(workload: &Workload<'_>, mount: &Mount<'_>) -> bool {
    workload.pod.at("initContainers").items().any(|container| {
        let mounts_it = container.at("volumeMounts").items().any(|other| other.at("name").str() == Some(mount.volume));
        mounts_it && changes_ownership(&container)
    })
}

fn changes_ownership(container: &Node<'_>) -> bool {
    let changes = |word: Node<'_>| word.str().is_some_and(|word| word.contains("chown") || word.contains("chgrp"));
    ["command", "args"].iter().any(|field| container.at(field).items().any(changes))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::objects::Objects;
    use crate::testing::{ask, ask_in, deployment, settings, stateful_set, test};

    const POD: &str = "/spec/template/spec";

    fn without_group(changes: &[(&str, Value)]) -> Value {
        let group = format!("{POD}/securityContext/fsGroup");
        deployment(&[&[(group.as_str(), json!(null))], changes].concat())
    }

    #[test]
    fn any_group_will_do_and_none_is_mended() {
        let expected = [format!("mutate {POD}/securityContext/fsGroup")];
        assert!(ask(&RULE, &deployment(&[])).is_empty());
        assert!(ask(&RULE, &deployment(&[(&format!("{POD}/securityContext/fsGroup"), json!(0))])).is_empty());
        assert_eq!(ask(&RULE, &without_group(&[])), expected);
        assert_eq!(
            ask(&RULE, &stateful_set(&[(&format!("{POD}/securityContext"), json!({}))])),
            [format!("mutate {POD}/securityContext+fsGroup")]
        );
        let unmounted = without_group(&[(&format!("{POD}/containers/0/volumeMounts"), json!([]))]);
        assert!(ask(&RULE, &unmounted).is_empty(), "no claim is mounted");
        // Whoever mends that wants to write.
        let read_only = without_group(&[(&format!("{POD}/containers/0/volumeMounts/0/readOnly"), json!(true))]);
        assert_eq!(ask(&RULE, &read_only), expected);
        let open_shift = settings(json!({"fsGroup": "none"}));
        assert!(ask_in(&RULE, &without_group(&[]), &Objects::default(), &open_shift).is_empty());
    }

    #[test]
    fn root_needs_no_group() {
        let own = format!("{POD}/containers/0/securityContext/runAsUser");
        let pods = format!("{POD}/securityContext/runAsUser");
        assert!(ask(&RULE, &without_group(&[(&own, json!(0))])).is_empty());
        assert!(ask(&RULE, &without_group(&[(&pods, json!(0))])).is_empty());
        assert_eq!(ask(&RULE, &without_group(&[(&pods, json!(0)), (&own, json!(10001))])).len(), 1);
    }

    #[test]
    fn an_init_container_may_prepare_the_volume() {
        let init = |volume: &str, command: &str| {
            let container = json!({"name": "own", "image": "busybox", "command": ["sh", "-c", command],
                "volumeMounts": [{"name": volume, "mountPath": "/v"}]});
            ask(&RULE, &without_group(&[(&format!("{POD}/initContainers"), json!([container]))])).len()
        };
        assert_eq!(init("data", "chown -R 10001:0 /v"), 0);
        assert_eq!(init("data", "ls /v"), 1);
        assert_eq!(init("other", "chown -R 10001:0 /v"), 1);
    }
}
