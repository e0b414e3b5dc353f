//! # What must hold
//! Where `runAsNonRoot` is true for the container, it also has a numeric `runAsUser` other than 0. With the setting
//! `fsGroup: none`, for OpenShift, the rule has no findings: the platform assigns a user.
//!
//! # Why
//! The images name their user `mssql`. The kubelet cannot tell whether that is root, and does not start the container.
//!
//! # Example
//! ```yaml
//! securityContext:
//!   runAsNonRoot: true
//! ```
//!
//! # Instead
//! ```yaml
//! securityContext:
//!   runAsNonRoot: true
//!   runAsUser: 10001
//! ```
//!
//! # Fix
//! None: another user cannot write files of the former one.
//!
//! # Sources
//! - Kubernetes documentation, *Configure a Security Context for a Pod or Container*
//! - <https://github.com/microsoft/mssql-docker/issues/732>: "image has non-numeric user (mssql), cannot verify user is
//!   non-root"

use super::check::{Check, CheckContext, Reported};
use super::{Fixable, Loss, Rule};
use crate::finding::{Action, Finding, Findings};
use crate::json::cursor::Cursor;
use crate::workload::{DatabaseContainer, Workload};

/// The rule.
pub const RULE: Rule = Rule {
    id: "numeric-user",
    summary: "with `runAsNonRoot`, the user is a number",
    loss: Loss::Operation,
    default_action: Action::Warn,
    fixable: Fixable::No,
    sees: &[],
    checks: &[Check::Workload(check)],
    relations: &[],
};

fn check(context: &CheckContext<'_>, workload: &Workload<'_>, findings: &mut Findings) {
    let mut reported = Reported::default();
    for container in workload.containers() {
        findings.extend(check_container(context, &container, &mut reported));
    }
}

fn check_container<'a>(
    context: &CheckContext<'_>,
    container: &DatabaseContainer<'_, 'a>,
    reported: &mut Reported<'a>,
) -> Option<Finding> {
    let contexts = [container.container, container.workload.pod].map(|parent| parent.at("securityContext"));
    let effective = |field| contexts.iter().map(|context| context.at(field)).find(Cursor::exists);
    let flag = effective("runAsNonRoot").filter(Cursor::is_true)?;
    let user = effective("runAsUser");
    let reason = match user.and_then(|user| user.int()) {
        Some(0) => "`runAsNonRoot` forbids root",
        // A custom image may have a numeric user, and OpenShift sets one.
        None if container.by_image && context.settings.fs_group.is_some() => "the user of its image is not a number",
        _ => return None,
    };
    let at = user.unwrap_or(flag);
    // Several containers may have the security context of the pod.
    reported.insert(&at).then(|| {
        Finding::contradiction(&at, format!("{} does not start", container.engine.product))
            .reason(reason)
            .help(format!("set `runAsUser: {}`", container.engine.uid))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::{ask, ask_in, closed, deployment, settings, test};

    const POD: &str = "/spec/template/spec/securityContext";
    const CONTAINER: &str = "/spec/template/spec/containers/0/securityContext";

    fn with(pod: Value, container: Value) -> Vec<String> {
        ask(&RULE, &deployment(&[(POD, pod), (CONTAINER, container)]))
    }

    #[test]
    fn a_user_that_is_not_root_is_a_number() {
        let non_root = || json!({"runAsNonRoot": true});
        assert_eq!(with(non_root(), json!(null)), [format!("warn {POD}/runAsNonRoot")]);
        assert_eq!(with(json!({}), non_root()), [format!("warn {CONTAINER}/runAsNonRoot")]);
        assert!(with(json!({"runAsUser": 10001}), non_root()).is_empty());
        assert!(with(non_root(), json!({"runAsUser": 10001})).is_empty());
        assert!(with(non_root(), json!({"runAsNonRoot": false})).is_empty());
        assert!(with(json!({"runAsNonRoot": "true"}), json!(null)).is_empty());
        assert_eq!(with(json!({"runAsNonRoot": true, "runAsUser": 0}), json!(null)), [format!("warn {POD}/runAsUser")]);
        assert_eq!(
            with(json!({"runAsNonRoot": true, "runAsUser": 10001}), json!({"runAsUser": 0})),
            [format!("warn {CONTAINER}/runAsUser")]
        );
        assert_eq!(
            with(json!({"runAsNonRoot": true, "runAsUser": "mssql"}), json!({})),
            [format!("warn {POD}/runAsUser")]
        );
    }

    #[test]
    fn the_platform_may_set_the_user() {
        let object = deployment(&[(POD, json!({"runAsNonRoot": true}))]);
        assert!(ask_in(&RULE, &object, &closed([]), &settings(json!({"fsGroup": "none"}))).is_empty());
    }
}
