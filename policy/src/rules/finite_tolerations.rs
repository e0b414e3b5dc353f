//! # What must hold
//! Kubernetes evicts the pod from a failed node: for each of the `NoExecute` taints `node.kubernetes.io/not-ready` and
//! `node.kubernetes.io/unreachable`, the first toleration that matches has `tolerationSeconds`. More seconds than the
//! setting `failoverSeconds` (300 if unset) are a warning, and so is a toleration that names
//! `node.kubernetes.io/out-of-service`. With `failoverSeconds` set, missing tolerations are added and longer ones are
//! limited to it. One without a key or an effect also serves other taints: it is rejected, and not changed.
//!
//! # Why
//! Kubernetes evicts pods from a failed node when their tolerations end, by default 300 s after the taint. Without
//! `tolerationSeconds` the pod stays on the failed node, and there is no failover. The out-of-service taint releases
//! the volumes of a node that does not come back; a pod that tolerates it keeps its volumes.
//!
//! # Example
//! ```yaml
//! tolerations:
//!   - operator: Exists
//! ```
//!
//! # Instead
//! ```yaml
//! tolerations:
//!   - key: node.kubernetes.io/unreachable
//!     operator: Exists
//!     effect: NoExecute
//!     tolerationSeconds: 60
//! ```
//!
//! # Fix
//! Safe, with `failoverSeconds` set: adds the two tolerations, and limits longer ones.
//!
//! # Sources
//! - Kubernetes documentation, *Taints and Tolerations*: taint based evictions, the default of 300 s
//! - Kubernetes documentation, *Node Shutdowns*: non-graceful node shutdown and `node.kubernetes.io/out-of-service`

use serde_json::json;

use super::check::{Check, CheckContext, MAX_FINDINGS};
use super::{Fixable, Loss, Rule};
use crate::finding::{Action, Finding, FindingKind, Findings, Fix, push_separated};
use crate::json::cursor::Cursor;
use crate::json::edit::Edit;
use crate::kubernetes::scheduling::{NOT_READY, OUT_OF_SERVICE, Taint, UNREACHABLE};
use crate::settings::DEFAULT_FAILOVER_SECONDS;
use crate::workload::Workload;

/// The rule.
pub const RULE: Rule = Rule {
    id: "finite-tolerations",
    summary: "Kubernetes evicts the pod from a failed node",
    loss: Loss::Availability,
    default_action: Action::Reject,
    fixable: Fixable::Safe,
    sees: &[],
    checks: &[Check::Workload(check)],
    relations: &[],
};

/// The taints of a failed node.
const FAILED: [Taint<'_>; 2] = [Taint::no_execute(NOT_READY), Taint::no_execute(UNREACHABLE)];

fn check(context: &CheckContext<'_>, workload: &Workload<'_>, findings: &mut Findings) {
    let enforced = context.settings.failover_seconds;
    let tolerations = workload.pod.at("tolerations");
    let deciding = FAILED.map(|taint| tolerations.items().position(|toleration| taint.is_tolerated_by(&toleration)));
    for (position, toleration) in tolerations.items().enumerate() {
        if deciding.contains(&Some(position)) {
            findings.extend(check_seconds(&toleration, enforced));
        }
    }
    if let Some(seconds) = enforced {
        findings.extend(check_missing(workload, &tolerations, seconds));
    }
    // Last, so that many of these do not hide a finding that rejects.
    for toleration in tolerations.items() {
        if findings.len() < MAX_FINDINGS {
            findings.extend(check_out_of_service(&toleration));
        }
    }
}

/// A finding if a toleration of a failed node is missing, where the settings require one.
fn check_missing(workload: &Workload<'_>, tolerations: &Cursor<'_>, seconds: i64) -> Option<Finding> {
    let (mut edits, mut missing) = (Vec::new(), String::new());
    for taint in FAILED {
        if taint.toleration(&workload.pod).is_none() {
            let Taint { key, effect, .. } = taint;
            let toleration = json!({"key": key, "operator": "Exists", "effect": effect, "tolerationSeconds": seconds});
            edits.push(Edit::append(&workload.pod, &["tolerations"], toleration));
            push_separated(&mut missing, " and ", key);
        }
    }
    let message = "the cluster decides how long the pod stays on a failed node";
    let help = format!("tolerate {missing} for {seconds} s");
    (!edits.is_empty()).then(|| Finding::omission(tolerations, message, Fix::safe(edits)).help(help))
}

/// A finding if a toleration names the taint that releases the volumes of a failed node.
fn check_out_of_service(toleration: &Cursor<'_>) -> Option<Finding> {
    let key = toleration.at("key");
    (key.str() == Some(OUT_OF_SERVICE)).then(|| {
        Finding::advice(&key, format!("the pod tolerates `{OUT_OF_SERVICE}`"))
            .reason("this taint releases the pods and volumes of a failed node")
            .help("remove it, unless something else needs it")
    })
}

fn check_seconds(toleration: &Cursor<'_>, enforced: Option<i64>) -> Option<Finding> {
    let limit = enforced.unwrap_or(DEFAULT_FAILOVER_SECONDS);
    let seconds = toleration.at("tolerationSeconds");
    let finding = match seconds.int() {
        Some(own) if own <= limit => return None,
        Some(own) => Finding::advice(&seconds, format!("the pod stays on a failed node for {own} s"))
            .help(format!("set `tolerationSeconds` to {limit} or less")),
        None => Finding::contradiction(&seconds, "Kubernetes never evicts the pod from a failed node")
            .reason("this toleration has no `tolerationSeconds`")
            .help(help_text(toleration, limit)),
    };
    Some(match shorten(toleration, enforced) {
        Some(fix) => Finding { kind: FindingKind::Omission, ..finding.fix(fix) },
        None if enforced.is_some() => Finding { kind: FindingKind::Contradiction, ..finding },
        None => finding,
    })
}

/// How to limit a toleration. `tolerationSeconds` is valid for the effect `NoExecute` only.
fn help_text(toleration: &Cursor<'_>, limit: i64) -> String {
    let is_empty = |field: &'static str| toleration.at(field).str().unwrap_or_default().is_empty();
    match (is_empty("key"), is_empty("effect")) {
        (true, _) => format!("tolerate {NOT_READY} and {UNREACHABLE} for {limit} s before it"),
        (false, false) => format!("set `tolerationSeconds: {limit}`"),
        (false, true) => format!("set `effect: NoExecute` and `tolerationSeconds: {limit}`"),
    }
}

/// Limits a toleration to the enforced seconds. One without a key or an effect also serves other taints, which the
/// limit would take from it.
fn shorten(toleration: &Cursor<'_>, enforced: Option<i64>) -> Option<Fix> {
    let is_set = |field: &'static str| toleration.at(field).str().is_some_and(|text| !text.is_empty());
    (is_set("key") && is_set("effect")).then_some(())?;
    Some(Fix::safe([Edit::set(toleration, &["tolerationSeconds"], enforced?)]))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::settings::Settings;
    use crate::testing::{ask_in, deployment, settings, test};
    use crate::view::index::ObjectIndex;

    const AT: &str = "/spec/template/spec/tolerations";

    fn actions(tolerations: Value, settings: &Settings) -> Vec<String> {
        let object = deployment(&[(AT, tolerations)]);
        let found = ask_in(&RULE, &object, &ObjectIndex::default(), settings);
        found.iter().map(|line| line.replace(AT, "")).collect()
    }

    #[test]
    fn a_toleration_without_seconds_is_rejected() {
        let cases: [(Value, &[&str]); 10] = [
            (json!([]), &[]),
            (json!([{"key": NOT_READY, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}]), &[]),
            (
                json!([{"key": NOT_READY, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 301}]),
                &["warn /0/tolerationSeconds"],
            ),
            (
                json!([{"key": UNREACHABLE, "operator": "Exists", "effect": "NoExecute"}]),
                &["reject /0+tolerationSeconds"],
            ),
            (json!([{"key": UNREACHABLE, "operator": "Exists"}]), &["reject /0+tolerationSeconds"]),
            (json!([{"key": UNREACHABLE}]), &["reject /0+tolerationSeconds"]),
            (json!([{"key": UNREACHABLE, "value": "other"}]), &[]),
            (json!([{"key": UNREACHABLE, "operator": "Exists", "effect": "NoSchedule"}]), &[]),
            (json!([{"operator": "Exists"}]), &["reject /0+tolerationSeconds"]),
            (json!([{"key": "gpu", "operator": "Exists"}]), &[]),
        ];
        for (tolerations, expected) in cases {
            assert_eq!(actions(tolerations.clone(), &Settings::default()), expected, "{tolerations}");
        }
    }

    #[test]
    fn the_out_of_service_taint_is_not_tolerated() {
        let named =
            json!([{"key": OUT_OF_SERVICE, "operator": "Equal", "value": "nodeshutdown", "effect": "NoExecute"}]);
        assert_eq!(actions(named, &Settings::default()), ["warn /0/key"]);
        let all = json!([{"operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 60}]);
        assert!(actions(all, &Settings::default()).is_empty());
    }

    #[test]
    fn many_warnings_do_not_hide_a_rejection() {
        let mut tolerations = vec![json!({"key": OUT_OF_SERVICE, "operator": "Exists"}); 3 * MAX_FINDINGS];
        tolerations.push(json!({"key": UNREACHABLE, "operator": "Exists", "effect": "NoExecute"}));
        let found = actions(json!(tolerations), &Settings::default());
        assert_eq!((found.len(), &*found[0]), (MAX_FINDINGS, "reject /300+tolerationSeconds"));
    }

    #[test]
    fn the_first_toleration_that_matches_decides() {
        let finite = json!({"operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 60});
        let endless = json!({"operator": "Exists"});
        assert!(actions(json!([finite, endless]), &Settings::default()).is_empty());
        let later = json!([{"key": NOT_READY, "operator": "Exists"}, finite, endless]);
        assert_eq!(actions(later, &Settings::default()), ["reject /0+tolerationSeconds"]);
    }

    #[test]
    fn a_set_limit_is_enforced() {
        let minute = settings(json!({"failoverSeconds": 60}));
        let every_taint = json!([{"operator": "Exists", "effect": "NoExecute"}]);
        assert_eq!(actions(every_taint, &minute), ["reject /0+tolerationSeconds"]);
        assert_eq!(actions(json!([]), &minute), ["mutate "]);
        assert_eq!(actions(json!(null), &minute), ["mutate "]);
        let long = json!([{"key": NOT_READY, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}]);
        assert_eq!(actions(long.clone(), &minute), ["mutate /0/tolerationSeconds", "mutate "]);
        assert_eq!(actions(json!([{"operator": "Exists"}]), &minute), ["reject /0+tolerationSeconds"]);
        let object = deployment(&[(AT, long)]);
        let findings = crate::testing::findings_of(&RULE, &object, &ObjectIndex::default(), &minute);
        let mutated = crate::rules::apply_mutations(object.clone(), &findings).expect("there is a mutation");
        let seconds = |index: usize| mutated.pointer(&format!("{AT}/{index}/tolerationSeconds")).cloned();
        assert_eq!([seconds(0), seconds(1), seconds(2)], [Some(json!(60)), Some(json!(60)), None]);
        assert!(ask_in(&RULE, &mutated, &ObjectIndex::default(), &minute).is_empty());
    }

    #[test]
    fn a_set_limit_is_not_enforced_where_the_settings_say_reject() {
        let strict = settings(json!({"failoverSeconds": 60, "rules": {"finite-tolerations": "reject"}}));
        assert_eq!(actions(json!([]), &strict), ["reject "]);
    }
}
