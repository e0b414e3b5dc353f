//! Label selectors, and the labels that the pods of a workload will have.

use serde_json::{Map, Value};

use super::claim::ordinals;
use super::kind::{Kind, WorkloadKind, has_checked_owner};
use super::scheduling::matches_labels;
use super::{DEFAULT_NAMESPACE, name_of, namespace_of};
use crate::engine::variables::HADR;
use crate::json::cursor::{Cursor, get_field, get_path};

/// The label by which a Deployment distinguishes its ReplicaSets: it changes with every rollout.
pub const POD_TEMPLATE_HASH: &str = "pod-template-hash";
/// The label by which StatefulSets and DaemonSets distinguish their revisions.
pub const CONTROLLER_REVISION_HASH: &str = "controller-revision-hash";
/// The label with the name of a StatefulSet's pod.
pub const POD_NAME: &str = "statefulset.kubernetes.io/pod-name";
/// The label of a StatefulSet's pod with its ordinal.
pub const POD_INDEX: &str = "apps.kubernetes.io/pod-index";

/// The label with the name of the DeploymentConfig that made a pod.
const DEPLOYMENT_CONFIG: &str = "deploymentconfig";

/// The labels that controllers add to pods, so that no pod template contains them.
pub const ADDED_BY_CONTROLLERS: [&str; 5] =
    [POD_TEMPLATE_HASH, CONTROLLER_REVISION_HASH, POD_NAME, POD_INDEX, DEPLOYMENT_CONFIG];

/// Whether controllers add this label to pods.
pub fn is_added_by_controllers(label: &str) -> bool {
    ADDED_BY_CONTROLLERS.contains(&label)
}

/// The pods of a workload, as selectors see them.
#[derive(Clone, Copy, Debug)]
pub struct Pods<'a> {
    /// The workload.
    pub object: &'a Value,
    /// Its kind.
    pub kind: WorkloadKind,
    /// Its namespace.
    pub namespace: &'a str,
    /// Its name; empty where the server will generate one.
    pub name: &'a str,
    /// The labels of its pod template.
    pub labels: Option<&'a Map<String, Value>>,
}

impl<'a> Pods<'a> {
    /// The pods of a workload; `None` for other objects, and for those whose owner runs the same pods.
    pub fn read(object: &'a Value) -> Option<Self> {
        let kind = Kind::from_object(object).filter(|kind| !has_checked_owner(*kind, object))?.workload()?;
        let template = get_path(object, kind.template_path());
        let labels = template.and_then(|template| get_path(template, &["metadata", "labels"]));
        Some(Pods {
            object,
            kind,
            namespace: namespace_of(object).unwrap_or(DEFAULT_NAMESPACE),
            name: name_of(object),
            labels: labels.and_then(Value::as_object),
        })
    }

    fn label(&self, key: &str) -> Option<&'a Value> {
        get_field(self.labels?, key)
    }

    /// Whether its pods have this label, from the template or the controller.
    pub fn has_key(&self, label: &str) -> bool {
        self.label(label).is_some() || self.gets(label)
    }

    /// Whether the controller adds this label, with a value that the template does not show.
    fn gets(&self, label: &str) -> bool {
        use WorkloadKind::{DaemonSet, Deployment, DeploymentConfig, ReplicaSet, Rollout, StatefulSet};
        match label {
            POD_TEMPLATE_HASH => matches!(self.kind, Deployment | ReplicaSet | Rollout),
            CONTROLLER_REVISION_HASH => matches!(self.kind, StatefulSet | DaemonSet),
            POD_INDEX | POD_NAME => self.kind == StatefulSet,
            DEPLOYMENT_CONFIG => self.kind == DeploymentConfig,
            _ => false,
        }
    }

    /// Whether the controller may add this label with this value.
    fn may_get(&self, label: &str, value: &str) -> bool {
        let is_possible = match label {
            POD_INDEX => self.has_ordinal(value),
            DEPLOYMENT_CONFIG => value == self.name,
            POD_NAME => {
                let ordinal = value.strip_prefix(self.name).and_then(|rest| rest.strip_prefix('-'));
                ordinal.is_some_and(|ordinal| self.has_ordinal(ordinal))
            }
            _ => true,
        };
        is_possible && self.gets(label)
    }

    /// Whether one of its pods has this ordinal.
    fn has_ordinal(&self, text: &str) -> bool {
        let ordinal = text.parse::<i64>().ok().filter(|ordinal| ordinal.to_string() == text);
        ordinal.is_some_and(|ordinal| ordinals(self.object).contains(&ordinal))
    }

    /// Whether the pods get labels while they run: the agent of an availability group marks the primary replica.
    pub fn get_labels_at_run_time(&self) -> bool {
        if self.kind != WorkloadKind::StatefulSet || get_path(self.object, &["spec", "volumeClaimTemplates"]).is_none()
        {
            return false;
        }
        let containers = Cursor::root(self.object).path(self.kind.template_path()).path(&["spec", "containers"]);
        containers.items().any(|container| {
            container
                .at("env")
                .items()
                .any(|variable| variable.at("name").str() == Some(HADR) && variable.at("value").str() == Some("1"))
        })
    }

    /// Whether its pods have, or may get, this label with this value.
    fn has(&self, key: &str, wanted: &Value) -> bool {
        match self.label(key) {
            Some(own) => own == wanted,
            None => self.may_get(key, wanted.as_str().unwrap_or_default()),
        }
    }
}

/// A selector of objects by their labels, mostly of pods.
#[derive(Clone, Copy, Debug)]
pub struct Selector<'a> {
    labels: Option<&'a Map<String, Value>>,
    expressions: Option<Cursor<'a>>,
}

impl<'a> Selector<'a> {
    /// The selector of a Service or a ReplicationController, a map of labels. `None` if it is absent or empty: it then
    /// selects nothing.
    pub fn from_map(selector: &Cursor<'a>) -> Option<Self> {
        let labels = selector.map().filter(|labels| !labels.is_empty())?;
        Some(Selector { labels: Some(labels), expressions: None })
    }

    /// A LabelSelector with `matchLabels` and `matchExpressions`. `None` if it is absent: it then selects nothing. An
    /// empty one selects everything.
    pub fn from_label_selector(selector: &Cursor<'a>) -> Option<Self> {
        selector.map()?;
        let labels = selector.at("matchLabels");
        // A value of the wrong type selects nothing.
        if labels.exists() && labels.map().is_none() {
            return None;
        }
        Some(Selector {
            labels: labels.map(),
            expressions: Some(selector.at("matchExpressions")).filter(Cursor::exists),
        })
    }

    /// The label pairs that it requires.
    pub fn pairs(&self) -> impl Iterator<Item = (&'a str, &'a Value)> + Clone + use<'a> {
        self.labels.into_iter().flatten().map(|(key, value)| (key.as_str(), value))
    }

    /// Whether it selects `pods`. Labels that controllers will add count as present, and beside a label of the template
    /// also those that pods get while they run.
    pub fn matches(&self, pods: &Pods<'_>) -> bool {
        let has_pairs = self.pairs().all(|(key, value)| pods.has(key, value));
        let may_have_pairs = || {
            let mut pairs = self.pairs();
            pairs.clone().any(|(key, _)| pods.label(key).is_some())
                && pairs.all(|(key, value)| pods.label(key).is_none() || pods.has(key, value))
                && pods.get_labels_at_run_time()
        };
        (has_pairs || may_have_pairs())
            && self.expressions.is_none_or(|expressions| expressions.items().all(|expression| holds(&expression, pods)))
    }

    /// Whether it selects an object with exactly these labels, such as a node.
    pub fn matches_labels(&self, labels: Option<&Map<String, Value>>) -> bool {
        let label = |key: &str| get_field(labels?, key);
        let text = |key: &str| label(key)?.as_str();
        self.pairs().all(|(key, value)| label(key) == Some(value))
            && self.expressions.is_none_or(|expressions| expressions.items().all(|one| matches_labels(&one, text)))
    }
}

/// Whether an expression of `matchExpressions` holds for pods; one that the API server would reject does not.
fn holds(expression: &Cursor<'_>, pods: &Pods<'_>) -> bool {
    let Some(key) = expression.at("key").str() else { return false };
    let own = pods.label(key);
    let mut values = expression.at("values").items().filter_map(|value| value.value());
    match expression.at("operator").str() {
        Some("In") => values.any(|value| pods.has(key, value)),
        Some("NotIn") => own.is_none_or(|own| !values.any(|value| value == own)),
        Some("Exists") => pods.has_key(key),
        Some("DoesNotExist") => !pods.has_key(key),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::test;

    fn workload(kind: &str) -> Value {
        json!({"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "mssql"}, "spec": {"template": {
            "metadata": {"labels": {"app": "sql", "tier": "db"}}}}})
    }

    #[test]
    fn all_pairs_must_match_and_an_empty_map_selects_nothing() {
        let cases = [
            (json!({"app": "sql"}), "Deployment", true),
            (json!({"app": "sql", "tier": "db"}), "Deployment", true),
            (json!({"app": "sql", "tier": "web"}), "Deployment", false),
            (json!({}), "Deployment", false),
            (json!({"app": "sql", "pod-template-hash": "1"}), "Deployment", true),
            (json!({"app": "sql", "pod-template-hash": "1"}), "StatefulSet", false),
            (json!({"statefulset.kubernetes.io/pod-name": "mssql-0"}), "StatefulSet", true),
            (json!({"statefulset.kubernetes.io/pod-name": "other-0"}), "StatefulSet", false),
            (json!({"statefulset.kubernetes.io/pod-name": "mssql-0"}), "Deployment", false),
            (json!({"app": "sql", "apps.kubernetes.io/pod-index": "0"}), "StatefulSet", true),
            (json!({"app": "sql", "apps.kubernetes.io/pod-index": "1"}), "StatefulSet", false),
            (json!({"app": "sql", "apps.kubernetes.io/pod-index": "00"}), "StatefulSet", false),
        ];
        for (selector, kind, expected) in cases {
            let object = workload(kind);
            let pods = Pods::read(&object).unwrap();
            let selected = Selector::from_map(&Cursor::root(&selector)).is_some_and(|selector| selector.matches(&pods));
            assert_eq!(selected, expected, "{selector} {kind}");
        }
    }

    #[test]
    fn ordinals_are_counted_from_their_start() {
        let mut object = workload("StatefulSet");
        object["spec"]["ordinals"] = json!({"start": 5});
        object["spec"]["replicas"] = json!(2);
        let matches = |name: &str| {
            let selector = json!({"statefulset.kubernetes.io/pod-name": name});
            Selector::from_map(&Cursor::root(&selector)).unwrap().matches(&Pods::read(&object).unwrap())
        };
        assert!(matches("mssql-5") && matches("mssql-6"));
        assert!(!matches("mssql-0") && !matches("mssql-7"));
    }

    #[test]
    fn the_agent_of_an_availability_group_adds_labels() {
        let mut object = workload("StatefulSet");
        object["spec"]["volumeClaimTemplates"] = json!([{"metadata": {"name": "data"}}]);
        object["spec"]["template"]["spec"] = json!({"containers": [{"env": [{"name": HADR, "value": "1"}]}]});
        let matches = |object: &Value, selector: Value| {
            Selector::from_map(&Cursor::root(&selector)).unwrap().matches(&Pods::read(object).unwrap())
        };
        assert!(matches(&object, json!({"app": "sql", "role": "primary"})));
        assert!(!matches(&object, json!({"role": "primary"})), "nothing says that it is this one");
        assert!(!matches(&object, json!({"app": "web", "role": "primary"})));
        object["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"] = json!("0");
        assert!(!matches(&object, json!({"app": "sql", "role": "primary"})));
    }

    #[test]
    fn labels_of_other_objects_are_all_that_counts() {
        let labels = json!({"disk": "ssd"});
        let expression =
            |operator: &str| json!({"matchExpressions": [{"key": "disk", "operator": operator, "values": ["ssd"]}]});
        let cases = [
            (json!({}), true, true),
            (json!({"matchLabels": {"disk": "ssd"}}), true, false),
            (json!({"matchLabels": {"disk": "hdd"}}), false, false),
            (json!({"matchLabels": {"pod-template-hash": "1"}}), false, false),
            (expression("In"), true, false),
            (expression("NotIn"), false, true),
            (expression("DoesNotExist"), false, true),
        ];
        for (selector, with_labels, without) in cases {
            let matches = |labels: Option<&Map<String, Value>>| {
                Selector::from_label_selector(&Cursor::root(&selector)).unwrap().matches_labels(labels)
            };
            assert_eq!((matches(labels.as_object()), matches(None)), (with_labels, without), "{selector}");
        }
    }

    #[test]
    fn a_label_selector_has_pairs_and_expressions() {
        let expression = |operator: &str, key: &str, values: Value| json!({"matchExpressions": [{"key": key, "operator": operator, "values": values}]});
        let cases = [
            (json!({}), true),
            (json!({"matchLabels": {"app": "sql"}}), true),
            (json!({"matchLabels": {"app": "web"}}), false),
            (expression("In", "app", json!(["web", "sql"])), true),
            (expression("In", "app", json!(["web"])), false),
            (expression("NotIn", "app", json!(["web"])), true),
            (expression("NotIn", "none", json!(["web"])), true),
            (expression("Exists", "tier", json!(null)), true),
            (expression("Exists", "none", json!(null)), false),
            (expression("DoesNotExist", "tier", json!(null)), false),
            (expression("DoesNotExist", "none", json!(null)), true),
            (expression("Exists", "pod-template-hash", json!(null)), true),
            (expression("NotIn", "pod-template-hash", json!(["x"])), true),
            (expression("Exists", "statefulset.kubernetes.io/pod-name", json!(null)), false),
            (expression("Like", "app", json!(["sql"])), false),
        ];
        for (selector, expected) in cases {
            let object = workload("Deployment");
            let selector = Cursor::root(&selector);
            let selected = Selector::from_label_selector(&selector).unwrap().matches(&Pods::read(&object).unwrap());
            assert_eq!(selected, expected, "{}", selector.value().unwrap());
        }
        assert!(Selector::from_label_selector(&Cursor::root(&Value::Null)).is_none());
    }
}
