//! Label selectors of Services against the labels that a workload's pods will have.

use serde_json::{Map, Value};

use crate::kind::Kind;

/// The label by which a Deployment tells its ReplicaSets apart: it changes with every rollout.
pub const POD_TEMPLATE_HASH: &str = "pod-template-hash";
/// The same of StatefulSets and DaemonSets.
pub const CONTROLLER_REVISION_HASH: &str = "controller-revision-hash";
const POD_NAME: &str = "statefulset.kubernetes.io/pod-name";
const POD_INDEX: &str = "apps.kubernetes.io/pod-index";

/// The labels that controllers put on pods, so that no pod template shows them.
pub const ADDED_BY_CONTROLLERS: [&str; 4] = [POD_TEMPLATE_HASH, CONTROLLER_REVISION_HASH, POD_NAME, POD_INDEX];

/// Whether controllers put this label on pods.
pub fn is_added_by_controllers(label: &str) -> bool {
    ADDED_BY_CONTROLLERS.contains(&label)
}

/// Whether a Service's `selector` matches the pods of a workload with these pod `labels`. An empty selector matches
/// nothing, as with Services. Labels that controllers add count as present.
pub fn matches(selector: &Map<String, Value>, labels: Option<&Map<String, Value>>, kind: Kind, name: &str) -> bool {
    !selector.is_empty()
        && selector.iter().all(|(key, wanted)| {
            let own = labels.and_then(|labels| labels.get(key));
            own == Some(wanted) || (own.is_none() && controller_may_add(key, wanted, kind, name))
        })
}

fn controller_may_add(label: &str, value: &Value, kind: Kind, workload: &str) -> bool {
    let value = value.as_str().unwrap_or_default();
    let is_ordinal = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match label {
        POD_TEMPLATE_HASH => matches!(kind, Kind::Deployment | Kind::ReplicaSet | Kind::Rollout),
        CONTROLLER_REVISION_HASH => matches!(kind, Kind::StatefulSet | Kind::DaemonSet),
        POD_INDEX => kind == Kind::StatefulSet && is_ordinal(value),
        POD_NAME => {
            let ordinal = value.strip_prefix(workload).and_then(|rest| rest.strip_prefix('-'));
            kind == Kind::StatefulSet && ordinal.is_some_and(is_ordinal)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::test;

    #[test]
    fn all_pairs_must_match_and_an_empty_selector_matches_nothing() {
        let labels = json!({"app": "sql", "tier": "db"});
        let cases = [
            (json!({"app": "sql"}), Kind::Deployment, true),
            (json!({"app": "sql", "tier": "db"}), Kind::Deployment, true),
            (json!({"app": "sql", "tier": "web"}), Kind::Deployment, false),
            (json!({}), Kind::Deployment, false),
            (json!({"app": "sql", "pod-template-hash": "1"}), Kind::Deployment, true),
            (json!({"app": "sql", "pod-template-hash": "1"}), Kind::StatefulSet, false),
            (json!({"statefulset.kubernetes.io/pod-name": "mssql-0"}), Kind::StatefulSet, true),
            (json!({"statefulset.kubernetes.io/pod-name": "other-0"}), Kind::StatefulSet, false),
            (json!({"statefulset.kubernetes.io/pod-name": "mssql-0"}), Kind::Deployment, false),
            (json!({"app": "sql", "apps.kubernetes.io/pod-index": "0"}), Kind::StatefulSet, true),
        ];
        for (selector, kind, expected) in cases {
            let selected =
                selector.as_object().is_some_and(|selector| matches(selector, labels.as_object(), kind, "mssql"));
            assert_eq!(selected, expected, "{selector} {kind:?}");
        }
        assert!(!json!({"a": "b"}).as_object().is_some_and(|selector| matches(selector, None, Kind::Pod, "p")));
    }
}
