//! Which nodes a pod may run on: node selector and required node affinity, as the scheduler reads them.
//!
//! Node selector and affinity must both hold; the terms of the affinity are alternatives; the expressions of a term
//! must all hold. A term without expressions matches no node
//! (<https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/>).

use serde_json::{Map, Value};

use super::selector::{Pods, Selector};
use super::volumes::ByName;
use crate::json::cursor::Cursor;

/// The label of a node's processor architecture.
pub const ARCH: &str = "kubernetes.io/arch";
/// The same under the name that Kubernetes 1.14 deprecated.
pub const BETA_ARCH: &str = "beta.kubernetes.io/arch";
/// The label of a node's operating system.
pub const OS: &str = "kubernetes.io/os";
/// The same under the name that Kubernetes 1.14 deprecated.
pub const BETA_OS: &str = "beta.kubernetes.io/os";

/// The label of a node's host name.
pub const HOST_NAME: &str = "kubernetes.io/hostname";
/// The label of a node's zone.
pub const ZONE: &str = "topology.kubernetes.io/zone";
/// The same under the name that Kubernetes 1.17 deprecated.
pub const BETA_ZONE: &str = "failure-domain.beta.kubernetes.io/zone";

/// The taint of a node whose kubelet says that it is not ready.
pub const NOT_READY: &str = "node.kubernetes.io/not-ready";
/// The taint of a node whose kubelet does not answer.
pub const UNREACHABLE: &str = "node.kubernetes.io/unreachable";
/// The taint of a cordoned node.
pub const UNSCHEDULABLE: &str = "node.kubernetes.io/unschedulable";
/// The taint that tells Kubernetes that a node is off, so that it removes the node's pods and detaches its volumes
/// (<https://kubernetes.io/docs/concepts/cluster-administration/node-shutdown/#non-graceful-node-shutdown>).
pub const OUT_OF_SERVICE: &str = "node.kubernetes.io/out-of-service";

/// The field of a node that `matchFields` compares.
const NODE_NAME: &str = "metadata.name";

/// The nodes that a pod can be scheduled on.
#[derive(Clone, Debug)]
pub struct Placement<'a> {
    /// `spec.nodeSelector`.
    pub selector: Cursor<'a>,
    /// `nodeSelectorTerms` of the required node affinity.
    pub terms: Cursor<'a>,
}

impl<'a> Placement<'a> {
    /// The placement in a pod's `spec`.
    pub fn new(pod: &Cursor<'a>) -> Self {
        let required = pod.path(&["affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution"]);
        Placement { selector: pod.at("nodeSelector"), terms: required.at("nodeSelectorTerms") }
    }

    /// Whether the required affinity admits a node whose label has `value`. `label` is a label's current and former
    /// names; nodes have both with the same value.
    pub fn affinity_admits(&self, label: &[&str], value: &str) -> bool {
        let admits = |term: Cursor<'_>| !is_empty(&term) && may_be(&term, label, value);
        !self.terms.exists() || self.terms.items().any(admits)
    }

    /// Whether the pod can run on the node with this name and these labels, as far as node selector and required
    /// affinity say.
    pub fn admits(&self, name: &str, labels: &Map<String, Value>) -> bool {
        let label = |key: &str| if key == NODE_NAME { Some(name) } else { labels.get(key).and_then(Value::as_str) };
        let selected = self.selector.members().all(|(key, value)| label(key) == value.str());
        let matches = |term: Cursor<'_>| {
            !is_empty(&term) && expressions(&term).all(|expression| matches_labels(&expression, label))
        };
        selected && (!self.terms.exists() || self.terms.items().any(matches))
    }

    /// Whether every node that the pod can run on has `label` with `value`.
    pub fn forces(&self, label: &str, value: &str) -> bool {
        self.selector.at(label).str() == Some(value)
            || self.affinity_values(&[label]).is_some_and(|values| values == [value])
    }

    /// The values of `label` that the required affinity admits, each once; `None` if a term admits any value.
    /// `metadata.name` in `label` stands for the node's name (`matchFields`).
    pub fn affinity_values(&self, label: &[&str]) -> Option<Vec<&'a str>> {
        let (mut values, mut known) = (Vec::new(), Map::new());
        let mut restricted = false;
        for term in self.terms.items().filter(|term| !is_empty(term)) {
            for value in term_values(&term, label)? {
                if known.insert(value.to_owned(), Value::Null).is_none() {
                    values.push(value);
                }
            }
            restricted = true;
        }
        restricted.then_some(values)
    }

    /// The first expression that lists values of `label`, and the number of expressions in its term.
    pub fn listing(&self, label: &[&str]) -> Option<(Cursor<'a>, usize)> {
        self.terms.items().find_map(|term| Some((listing(&term, label)?, expressions(&term).count())))
    }
}

/// A taint of a node.
#[derive(Clone, Copy, Debug)]
pub struct Taint<'a> {
    /// Its key, such as [`UNREACHABLE`].
    pub key: &'a str,
    /// Its value; most taints have none.
    pub value: &'a str,
    /// `NoSchedule`, `PreferNoSchedule` or `NoExecute`.
    pub effect: &'a str,
}

impl<'a> Taint<'a> {
    /// Reads an item of a node's `spec.taints`.
    pub fn new(taint: &Cursor<'a>) -> Self {
        let text = |field: &'static str| taint.at(field).str().unwrap_or_default();
        Taint { key: text("key"), value: text("value"), effect: text("effect") }
    }

    /// A taint without a value that evicts pods.
    pub const fn no_execute(key: &'a str) -> Self {
        Taint { key, value: "", effect: "NoExecute" }
    }

    /// Whether Kubernetes itself sets it, because of the node's condition.
    pub fn is_condition(&self) -> bool {
        self.key.starts_with("node.kubernetes.io/")
    }

    /// Whether a toleration matches it.
    pub fn is_tolerated_by(&self, toleration: &Cursor<'_>) -> bool {
        let text = |field: &'static str| toleration.at(field).str().unwrap_or_default();
        let (key, effect) = (text("key"), text("effect"));
        let has_value = text("operator") == "Exists" || (!key.is_empty() && text("value") == self.value);
        has_value && (key.is_empty() || key == self.key) && (effect.is_empty() || effect == self.effect)
    }

    /// The first of the tolerations in a pod's `spec` that matches it. Of several, Kubernetes follows the first
    /// (`GetMatchingTolerations`, which the taint eviction controller uses).
    pub fn toleration<'p>(&self, pod: &Cursor<'p>) -> Option<Cursor<'p>> {
        pod.at("tolerations").items().find(|toleration| self.is_tolerated_by(toleration))
    }
}

/// The expression of a term that lists values of `label`.
fn listing<'a>(term: &Cursor<'a>, label: &[&str]) -> Option<Cursor<'a>> {
    on(term, label).find(|expression| expression.at("operator").str() == Some("In"))
}

/// The most expressions of a term on one label that its values have to satisfy. One is usual, and each is compared with
/// all values.
const MAX_EXPRESSIONS: usize = 16;

/// The values of `label` that satisfy every expression of a term, if the term lists values.
fn term_values<'a>(term: &Cursor<'a>, label: &[&str]) -> Option<Vec<&'a str>> {
    let listing = listing(term, label)?;
    let mut values: Vec<&str> = listing.at("values").items().filter_map(|value| value.str()).collect();
    for expression in on(term, label).take(MAX_EXPRESSIONS) {
        let listed = ByName::new(expression.at("values").items(), &[]);
        values.retain(|value| holds(&expression, value, |value| listed.get(value).is_some()) != Some(false));
    }
    Some(values)
}

/// Whether no expression of a term excludes `value`.
fn may_be(term: &Cursor<'_>, label: &[&str], value: &str) -> bool {
    on(term, label).all(|expression| holds_for(&expression, value) != Some(false))
}

fn is_empty(term: &Cursor<'_>) -> bool {
    expressions(term).next().is_none()
}

fn expressions<'a>(term: &Cursor<'a>) -> impl Iterator<Item = Cursor<'a>> + use<'a> {
    term.at("matchExpressions").items().chain(term.at("matchFields").items())
}

/// The expressions of a term on one label, under its current or former name.
fn on<'a>(term: &Cursor<'a>, label: &[&str]) -> impl Iterator<Item = Cursor<'a>> {
    expressions(term).filter(move |expression| expression.at("key").str().is_some_and(|key| label.contains(&key)))
}

/// Whether an expression holds for an object with these labels.
pub(super) fn matches_labels<'l>(expression: &Cursor<'_>, label: impl Fn(&str) -> Option<&'l str>) -> bool {
    match (expression.at("key").str().and_then(label), expression.at("operator").str()) {
        (None, operator) => matches!(operator, Some("NotIn" | "DoesNotExist")),
        (Some(own), _) => holds_for(expression, own) == Some(true),
    }
}

/// Whether an expression holds for a node whose label has `value`; `None` for an operator that does not exist.
fn holds_for(expression: &Cursor<'_>, value: &str) -> Option<bool> {
    holds(expression, value, |value| expression.at("values").items().any(|item| item.str() == Some(value)))
}

/// The same with a way to know whether the expression lists a value.
fn holds(expression: &Cursor<'_>, value: &str, is_listed: impl Fn(&str) -> bool) -> Option<bool> {
    Some(match expression.at("operator").str()? {
        "In" => is_listed(value),
        "NotIn" => !is_listed(value),
        "Exists" => true,
        "DoesNotExist" => false,
        operator @ ("Gt" | "Lt") => {
            let bound = expression.at("values").items().next()?.str()?.parse::<i64>().ok()?;
            // The scheduler compares whole numbers; any other label value never matches.
            value.parse::<i64>().is_ok_and(|own| if operator == "Gt" { own > bound } else { own < bound })
        }
        _ => return None,
    })
}

/// The label with the name of a namespace, which every namespace has.
const NAMESPACE_NAME: &str = "kubernetes.io/metadata.name";

/// Whether a term of a pod anti-affinity repels other pods of the same workload, of the same revision. The API server
/// adds the labels in `mismatchLabelKeys` that the pod has, also from its controller, as values that others must not
/// have.
pub fn repels_itself(term: &Cursor<'_>, pods: &Pods<'_>) -> bool {
    let selector = Selector::from_label_selector(&term.at("labelSelector"));
    let excludes_itself =
        || term.at("mismatchLabelKeys").items().any(|key| key.str().is_some_and(|key| pods.has_key(key)));
    is_in_namespace(term, pods.namespace)
        && selector.is_some_and(|selector| selector.matches(pods))
        && !excludes_itself()
}

/// Whether a term of a pod affinity is about the pods of `namespace`. Which namespaces a selector selects is not in the
/// manifest, except by their names.
fn is_in_namespace(term: &Cursor<'_>, namespace: &str) -> bool {
    let (names, selector) = (term.at("namespaces"), term.at("namespaceSelector"));
    let mut pairs = selector.at("matchLabels").members();
    let is_selected = selector.map().is_some()
        && pairs.all(|(key, value)| key == NAMESPACE_NAME && value.str() == Some(namespace))
        && selector.at("matchExpressions").items().all(|expression| {
            expression.at("key").str() == Some(NAMESPACE_NAME) && holds_for(&expression, namespace) == Some(true)
        });
    let is_default = names.items().next().is_none() && !selector.exists();
    is_selected || is_default || names.items().any(|name| name.str() == Some(namespace))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::test;

    /// `(admits amd64, forces amd64)` of a required affinity with these terms.
    fn verdict(terms: Value) -> (bool, bool) {
        let pod = json!({"affinity": {"nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}});
        let placement = Placement::new(&Cursor::root(&pod));
        (placement.affinity_admits(&[ARCH, BETA_ARCH], "amd64"), placement.forces(ARCH, "amd64"))
    }

    fn term(expressions: &[(&str, &str, &[&str])]) -> Value {
        let expressions: Vec<Value> = expressions
            .iter()
            .map(|(key, operator, values)| json!({"key": key, "operator": operator, "values": values}))
            .collect();
        json!({"matchExpressions": expressions})
    }

    #[test]
    fn terms_are_alternatives_and_expressions_add_up() {
        let amd64 = || term(&[(ARCH, "In", &["amd64"])]);
        let arm64 = || term(&[(ARCH, "In", &["arm64"])]);
        let both: &[&str] = &["amd64", "arm64"];
        let cases = [
            ("one term forces", json!([amd64()]), (true, true)),
            ("every term forces", json!([amd64(), amd64()]), (true, true)),
            ("one of two forces", json!([amd64(), arm64()]), (true, false)),
            ("none admits", json!([arm64()]), (false, false)),
            ("a list leaves both", json!([term(&[(ARCH, "In", both)])]), (true, false)),
            ("a list cut to one", json!([term(&[(ARCH, "In", both), (ARCH, "NotIn", &["arm64"])])]), (true, true)),
            (
                "a list cut to none",
                json!([term(&[(ARCH, "In", &["amd64"]), (ARCH, "NotIn", &["amd64"])])]),
                (false, false),
            ),
            ("NotIn amd64", json!([term(&[(ARCH, "NotIn", &["amd64"])])]), (false, false)),
            ("NotIn arm64", json!([term(&[(ARCH, "NotIn", &["arm64"])])]), (true, false)),
            ("Exists", json!([term(&[(ARCH, "Exists", &[])])]), (true, false)),
            ("DoesNotExist", json!([term(&[(ARCH, "DoesNotExist", &[])])]), (false, false)),
            ("Gt compares numbers", json!([term(&[(ARCH, "Gt", &["1"])])]), (false, false)),
            ("the former name", json!([term(&[(BETA_ARCH, "In", &["amd64"])])]), (true, false)),
            ("the former name, arm64", json!([term(&[(BETA_ARCH, "In", &["arm64"])])]), (false, false)),
            ("another label", json!([term(&[("disk", "In", &["ssd"])])]), (true, false)),
            ("an empty term matches nothing", json!([{}, amd64()]), (true, true)),
            ("only empty terms", json!([{}]), (false, false)),
            ("no terms", json!([]), (false, false)),
            ("an operator that does not exist", json!([term(&[(ARCH, "Is", &["amd64"])])]), (true, false)),
        ];
        for (name, terms, expected) in cases {
            assert_eq!(verdict(terms), expected, "{name}");
        }
        assert_eq!(verdict(Value::Null), (true, false), "no affinity");
    }

    #[test]
    fn the_values_of_a_label_are_gathered_over_all_terms() {
        let host = HOST_NAME;
        let values = |terms: Value| {
            let pod = json!({"affinity": {"nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}});
            let values = Placement::new(&Cursor::root(&pod)).affinity_values(&[host, "metadata.name"]);
            values.map(|values| values.into_iter().map(str::to_owned).collect::<Vec<_>>())
        };
        let in_hosts = |hosts: &[&str]| term(&[(host, "In", hosts)]);
        assert_eq!(values(json!([in_hosts(&["a"]), in_hosts(&["b"])])), Some(vec!["a".into(), "b".into()]));
        assert_eq!(values(json!([in_hosts(&["a"]), term(&[("disk", "Exists", &[])])])), None);
        let by_name = json!([{"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n1"]}]}]);
        assert_eq!(values(by_name), Some(vec!["n1".into()]));
    }

    #[test]
    fn a_node_is_admitted_by_its_labels_and_its_name() {
        let admits = |terms: Value, name: &str| {
            let pod = json!({"affinity": {"nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}});
            let labels = json!({"disk": "ssd"});
            Placement::new(&Cursor::root(&pod)).admits(name, labels.as_object().unwrap())
        };
        let by_name = json!([{"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n1"]}]}]);
        assert!(admits(by_name.clone(), "n1") && !admits(by_name, "n2"));
        assert!(admits(json!([term(&[("disk", "In", &["ssd"])])]), "n1"));
        assert!(!admits(json!([term(&[("disk", "In", &["hdd"])])]), "n1"));
    }
}
