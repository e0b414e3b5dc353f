//! # What must hold
//! The database can write to a new volume. Where a claim is mounted, the pod's `securityContext.fsGroup` is set, or
//! the container runs as root (uid 0), or an init container changes the owner of the volume. The setting `fsGroup:
//! none` switches the rule off, for platforms that assign a group themselves, such as OpenShift.
//!
//! # Why
//! The images run as uid 10001, and root owns a new volume: the first start fails with `Permission denied`. So does
//! the first start after the volume was restored or replaced.
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
//! Safe: sets `securityContext.fsGroup` to the group in the settings (10001).
//!
//! # Sources
//! - <https://github.com/Azure/AKS/issues/1319>, <https://github.com/microsoft/mssql-docker/issues/735>: permission denied
//! - Kubernetes documentation, *Configure a Security Context*: `fsGroup` and volume ownership

use super::check::{Check, CheckContext};
use super::{Fixable, Rule};
use crate::finding::{Action, Finding, Findings, Fix};
use crate::json::cursor::Cursor;
use crate::json::edit::Edit;
use crate::kubernetes::volumes::Mount;
use crate::workload::{EngineContainer, Workload};

/// The rule.
pub const RULE: Rule = Rule {
    id: "volume-ownership",
    summary: "the database can write to a new volume",
    default_action: Action::Mutate,
    fixable: Fixable::Safe,
    sees: &[],
    checks: &[Check::Workload(check)],
};

fn check(context: &CheckContext<'_>, workload: &Workload<'_>, findings: &mut Findings) {
    let Some(group) = context.settings.fs_group else { return };
    let current = workload.pod.path(&["securityContext", "fsGroup"]);
    let Some(container) = workload.engines.iter().find(|engine| lacks_ownership(workload, engine)) else { return };
    if current.exists() {
        return;
    }
    let (product, uid) = (container.engine.product, container.engine.uid);
    let message =
        format!("{product} does not start on a new volume: root owns it, and the container runs as uid {uid}");
    let fix = Fix::safe([Edit::set(&workload.pod, &["securityContext", "fsGroup"], group)]);
    let help = format!("set `securityContext.fsGroup: {group}` in the pod");
    findings.push(Finding::omission(&current, message, fix).help(help));
}

/// Whether the container mounts a claim that its user may not write.
fn lacks_ownership<'a>(workload: &Workload<'a>, engine: &EngineContainer<'a>) -> bool {
    let own = engine.container.path(&["securityContext", "runAsUser"]);
    let user = if own.exists() { own } else { workload.pod.path(&["securityContext", "runAsUser"]) };
    user.int() != Some(0)
        && workload.storage(engine).mounts.iter().any(|mount| mount.source.is_claim() && !is_prepared(workload, mount))
}

/// Whether an init container with the same volume changes its ownership.
fn is_prepared(workload: &Workload<'_>, mount: &Mount<'_>) -> bool {
    workload.pod.at("initContainers").items().any(|container| {
        let has_mount = container.at("volumeMounts").items().any(|other| other.at("name").str() == Some(mount.volume));
        has_mount && changes_ownership(&container)
    })
}

fn changes_ownership(container: &Cursor<'_>) -> bool {
    let changes = |word: Cursor<'_>| word.str().is_some_and(|word| word.contains("chown") || word.contains("chgrp"));
    ["command", "args"].iter().any(|field| container.at(field).items().any(changes))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::{ask, ask_in, deployment, settings, stateful_set, test};
    use crate::view::index::ObjectIndex;

    const POD: &str = "/spec/template/spec";

    fn without_group(changes: &[(&str, Value)]) -> Value {
        let group = format!("{POD}/securityContext/fsGroup");
        deployment(&[&[(group.as_str(), json!(null))], changes].concat())
    }

    #[test]
    fn any_group_is_right_and_a_missing_one_is_mutated() {
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
        // After writable-data is fixed, the group is needed.
        let read_only = without_group(&[(&format!("{POD}/containers/0/volumeMounts/0/readOnly"), json!(true))]);
        assert_eq!(ask(&RULE, &read_only), expected);
        let open_shift = settings(json!({"fsGroup": "none"}));
        assert!(ask_in(&RULE, &without_group(&[]), &ObjectIndex::default(), &open_shift).is_empty());
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
