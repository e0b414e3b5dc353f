//! The annotation `sqledge-ha/ignore`: the rules from which an object is exempt, where the settings allow it. A rule on
//! the relation of two objects has no findings if either of them is exempt.

use serde_json::Value;

use super::RULES;
use crate::json::cursor::get_path;
use crate::settings::unknown;

const ANNOTATION: &str = "sqledge-ha/ignore";

/// Whether `object` names `rule`.
pub(super) fn names(object: &Value, rule: &str) -> bool {
    named(object).any(|name| name == rule)
}

/// One sentence for each name in the annotation that is no rule.
pub fn mistakes(object: &Value) -> Vec<String> {
    let ids: Vec<&str> = RULES.iter().map(|rule| rule.id).collect();
    let mistakes = named(object).filter(|name| !ids.contains(name)).map(|name| {
        let message = unknown("rule", name, &ids);
        // All ids do not fit into a warning.
        format!("{ANNOTATION}: {}", message.split("; valid").next().unwrap_or_default())
    });
    mistakes.collect()
}

fn named(object: &Value) -> impl Iterator<Item = &str> {
    let list = get_path(object, &["metadata", "annotations", ANNOTATION]).and_then(Value::as_str).unwrap_or_default();
    list.split([',', ' ']).filter(|name| !name.is_empty())
}
