//! `sqledge-ha policy settings-schema`: the settings as JSON Schema, made from the names that the settings know.

use serde_json::{Map, Value, json};
use sqledge_ha_policy::engine::Engine;
use sqledge_ha_policy::finding::Action;
use sqledge_ha_policy::rules::{RULES, Rule};
use sqledge_ha_policy::settings::{DEFAULT_FAILOVER_SECONDS, EXPOSURES, KEYS, MODES, Settings};

/// The schema, pretty-printed.
pub fn text() -> String {
    format!("{:#}\n", schema())
}

/// The schema (draft 2020-12). Empty values are allowed everywhere, because forms submit them for what is unset.
pub fn schema() -> Value {
    let properties: Map<String, Value> = KEYS.iter().map(|key| ((*key).to_owned(), property(key))).collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Settings of the policy sqledge-ha",
        "type": ["object", "null"],
        "additionalProperties": false,
        "properties": properties,
    })
}

fn names<T>(choices: &[(&'static str, T)]) -> Vec<&'static str> {
    choices.iter().map(|(name, _)| *name).collect()
}

/// One of these names, or unset.
fn choice(names: &[&str]) -> Vec<Value> {
    names.iter().map(|name| json!(name)).chain([json!(""), Value::Null]).collect()
}

/// The schema of one setting, with its description and default.
pub fn property(key: &str) -> Value {
    let defaults = Settings::default();
    match key {
        "engines" => json!({"description": "The engines that the rules govern", "default": ["sql-edge"],
            "type": ["array", "null"], "items": {"enum": names(&Engine::NAMES)}}),
        "images" => json!({"description": "Image repositories that carry an engine under another name", "default": [],
            "type": ["array", "null"], "items": {"type": "object", "additionalProperties": false,
                "required": ["repository", "engine"], "properties": {
                    "repository": {"type": "string", "description": "The end of the path, without registry, tag and digest"},
                    "engine": {"enum": names(&Engine::NAMES)}}}}),
        "mode" => json!({"description": "Whether objects are mended or only judged", "default": "mutate",
            "enum": choice(&names(&MODES))}),
        "rules" => json!({"description": "Actions that differ from the rules' defaults", "default": {},
            "type": ["object", "null"], "additionalProperties": false,
            "properties": RULES.iter().map(|rule| (rule.id.to_owned(), action(rule))).collect::<Map<_, _>>()}),
        "exposure" => json!({"description": "How a Service that is made a load balancer is published",
            "default": "internal", "enum": choice(&names(&EXPOSURES))}),
        "failoverSeconds" => json!({
            "description": format!("How long a pod may stay bound to a node that stopped answering; set, it is enforced. \
                Unset, more than {DEFAULT_FAILOVER_SECONDS} s are a warning"),
            "default": null, "anyOf": [{"type": "integer", "minimum": 1, "maximum": 86400}, {"enum": ["", null]}]}),
        "fsGroup" => {
            json!({"description": "The group that owns the database files, or none where the platform assigns one",
            "default": defaults.fs_group, "anyOf": [{"type": "integer", "minimum": 0, "maximum": i32::MAX},
                {"type": "string", "pattern": "^[0-9]{1,10}$"}, {"enum": ["none", "", null]}]})
        }
        "exemptions" => {
            json!({"description": "Whether objects may switch rules off by the annotation sqledge-ha/ignore",
            "default": false, "enum": [true, false, "", null]})
        }
        _ => {
            json!({"description": "The size of a claim that an unsafe fix adds to a file", "default": defaults.claim_size,
            "type": ["string", "null"]})
        }
    }
}

fn action(rule: &Rule) -> Value {
    let actions = Action::NAMES.iter().filter(|(_, action)| *action != Action::Mutate || rule.is_mendable());
    let actions: Vec<&str> = actions.map(|(name, _)| *name).collect();
    // For YAML 1.1, which `kubectl` and Helm read, `off` without quotes is false.
    let choices: Vec<Value> = choice(&actions).into_iter().chain([Value::Bool(false)]).collect();
    json!({"description": rule.summary, "default": rule.default_action.name(), "enum": choices})
}
