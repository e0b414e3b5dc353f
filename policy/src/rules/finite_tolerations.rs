//! # What must hold
//! The pod leaves a node that stopped answering: no toleration of the `NoExecute` taints `node.kubernetes.io/not-ready`
//! and `node.kubernetes.io/unreachable` is without `tolerationSeconds`, and none of `node.kubernetes.io/out-of-service`
//! exists. More seconds than the setting `failoverSeconds` (300 if unset) are a warning. With `failoverSeconds` set,
//! missing tolerations are added and longer ones cut to it.
//!
//! # Why
//! Kubernetes evicts pods from a dead node when their tolerations run out, 300 s after the taint unless the pod says
//! otherwise. A toleration without an end keeps the pod on the dead node forever: no failover. The out-of-service taint
//! is how an operator or a cloud controller releases the volumes of a node that will not come back; who tolerates it
//! keeps them.
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
//! Safe, with `failoverSeconds` set: adds the two tolerations, and cuts longer ones.
//!
//! # Sources
//! - Kubernetes documentation, *Taints and Tolerations*: taint based evictions, the default of 300 s
//! - Kubernetes documentation, *Node Shutdowns*: non-graceful node shutdown and `node.kubernetes.io/out-of-service`

use super::{Fixable, Rule};
use crate::finding::{Action, Edit, Finding, Findings, Fix, Grade, push_part};
use crate::node::Node;
use crate::settings::DEFAULT_FAILOVER_SECONDS;
use crate::subject::Subject;
use serde_json::json;

/// The rule.
pub const RULE: Rule = Rule {
    id: "finite-tolerations",
    summary: "the pod leaves a node that stopped answering",
    default_action: Action::Reject,
    fixable: Fixable::Safe,
    is_relational: false,
    check,
};

const NOT_READY: &str = "node.kubernetes.io/not-ready";
const UNREACHABLE: &str = "node.kubernetes.io/unreachable";
const OUT_OF_SERVICE: &str = "node.kubernetes.io/out-of-service";

fn check(subject: &Subject<'_>, findings: &mut Findings) {
    let Some(workload) = subject.workload() else { return };
    let enforced = subject.settings.failover_seconds;
    let tolerations = workload.pod.at("tolerations");
    for toleration in tolerations.items() {
        findings.extend(out_of_service(&toleration));
        if [NOT_READY, UNREACHABLE].iter().any(|taint| tolerates(&toleration, taint, "")) {
            findings.extend(too_long(&toleration, enforced));
        }
    }
    let Some(seconds) = enforced else { return };
    let (mut edits, mut missing) = (Vec::new(), String::new());
    for taint in [NOT_READY, UNREACHABLE] {
        if !tolerations.items().any(|toleration| tolerates(&toleration, taint, "")) {
            let toleration =
                json!({"key": taint, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": seconds});
            edits.push(Edit::append(&workload.pod, &["tolerations"], toleration));
            push_part(&mut missing, " and ", taint);
        }
    }
    if !edits.is_empty() {
        findings.push(
            Finding::omission(
                &tolerations,
                "how long the pod stays on a dead node is left to the cluster",
                Fix::safe(edits),
            )
            .help(format!("tolerate {missing} for {seconds} s")),
        );
    }
}

/// Whether a toleration matches a `NoExecute` taint with this key and value.
fn tolerates(toleration: &Node<'_>, taint: &str, value: &str) -> bool {
    let text = |name: &'static str| toleration.get(name).and_then(|field| field.as_str()).unwrap_or_default();
    let exists = text("operator") == "Exists";
    matches!(text("effect"), "" | "NoExecute")
        && (text("key") == taint || (text("key").is_empty() && exists))
        && (exists || text("value") == value)
}

fn out_of_service(toleration: &Node<'_>) -> Option<Finding> {
    // The taint's value is free; `nodeshutdown` is what the documentation uses.
    let own_value = toleration.at("value").str().unwrap_or_default();
    if !tolerates(toleration, OUT_OF_SERVICE, own_value) {
        return None;
    }
    let (key, ends) = (toleration.at("key"), toleration.at("tolerationSeconds").exists());
    if key.str().is_some_and(|key| !key.is_empty()) {
        return Some(
            Finding::contradiction(&key, "the pod tolerates the taint that releases a dead node's volumes")
                .because("whoever marks a node as out of service wants its pods and volumes to move")
                .help("remove this toleration"),
        );
    }
    // Without an end it is reported for the other two taints as well, which says all there is to say.
    ends.then(|| {
        Finding::advice(toleration, "this also delays the release of volumes from a node that is out of service")
            .help(format!("name the taints: {NOT_READY} and {UNREACHABLE}"))
    })
}

fn too_long(toleration: &Node<'_>, enforced: Option<i64>) -> Option<Finding> {
    let limit = enforced.unwrap_or(DEFAULT_FAILOVER_SECONDS);
    let seconds = toleration.at("tolerationSeconds");
    let finding = match seconds.int() {
        Some(own) if own <= limit => return None,
        Some(own) => Finding::advice(&seconds, format!("the pod stays on a dead node for {own} s"))
            .help(format!("set tolerationSeconds to {limit} or less")),
        None => Finding::contradiction(&seconds, "the pod stays on a dead node forever")
            .because("without an end to the toleration nothing ever moves the pod to another node")
            .help(end(toleration, limit)),
    };
    Some(match cut(toleration, enforced) {
        Some(fix) => Finding { grade: Grade::Omission, ..finding.fix(fix) },
        None if enforced.is_some() => Finding { grade: Grade::Contradiction, ..finding },
        None => finding,
    })
}

/// How to give a toleration an end: the API allows `tolerationSeconds` for the effect `NoExecute` only.
fn end(toleration: &Node<'_>, limit: i64) -> String {
    let is_empty = |field: &'static str| toleration.at(field).str().unwrap_or_default().is_empty();
    match (is_empty("effect"), is_empty("key")) {
        (false, _) => format!("set tolerationSeconds to {limit}"),
        (true, false) => format!("set effect to NoExecute and tolerationSeconds to {limit}"),
        (true, true) => {
            format!("name the taints to tolerate; {NOT_READY} and {UNREACHABLE} with tolerationSeconds {limit}")
        }
    }
}

/// Cuts a toleration to the enforced seconds. One for every taint and every effect cannot be cut: the API allows
/// `tolerationSeconds` for `NoExecute` only, and naming the effect would take the others away.
fn cut(toleration: &Node<'_>, enforced: Option<i64>) -> Option<Fix> {
    let effect = toleration.at("effect");
    let mut edits = vec![Edit::set(toleration, &["tolerationSeconds"], enforced?)];
    if effect.str().unwrap_or_default().is_empty() {
        toleration.at("key").str().filter(|key| !key.is_empty())?;
        edits.push(Edit::set(toleration, &["effect"], "NoExecute"));
    }
    Some(Fix::safe(edits))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::objects::Objects;
    use crate::settings::Settings;
    use crate::testing::{ask_in, deployment, settings, test};

    const AT: &str = "/spec/template/spec/tolerations";

    fn actions(tolerations: Value, settings: &Settings) -> Vec<String> {
        let object = deployment(&[(AT, tolerations)]);
        let found = ask_in(&RULE, &object, &Objects::default(), settings);
        found.iter().map(|line| line.replace(AT, "")).collect()
    }

    #[test]
    fn a_toleration_without_an_end_is_refused() {
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
        assert_eq!(actions(named, &Settings::default()), ["reject /0/key"]);
        let all = json!([{"operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 60}]);
        assert_eq!(actions(all, &Settings::default()), ["warn /0"]);
    }

    #[test]
    fn a_set_limit_is_enforced() {
        let minute = settings(json!({"failoverSeconds": 60}));
        assert_eq!(actions(json!([]), &minute), ["mutate "]);
        assert_eq!(actions(json!(null), &minute), ["mutate "]);
        let long = json!([{"key": NOT_READY, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}]);
        assert_eq!(actions(long.clone(), &minute), ["mutate /0/tolerationSeconds", "mutate "]);
        assert_eq!(actions(json!([{"operator": "Exists"}]), &minute), ["reject /0+tolerationSeconds"]);
        let object = deployment(&[(AT, long)]);
        let findings = crate::testing::findings_of(&RULE, &object, &Objects::default(), &minute);
        let mended = crate::rules::mended(object.clone(), &findings).expect("there is something to mend");
        let seconds = |index: usize| mended.pointer(&format!("{AT}/{index}/tolerationSeconds")).cloned();
        assert_eq!([seconds(0), seconds(1), seconds(2)], [Some(json!(60)), Some(json!(60)), None]);
        assert!(ask_in(&RULE, &mended, &Objects::default(), &minute).is_empty());
    }

    #[test]
    fn a_set_limit_is_not_enforced_where_the_settings_say_reject() {
        let strict = settings(json!({"failoverSeconds": 60, "rules": {"finite-tolerations": "reject"}}));
        assert_eq!(actions(json!([]), &strict), ["reject "]);
    }
}
