//! `sqledge-ha policy settings-schema`: the settings as JSON Schema.

use serde_json::{Map, Value, json};
use sqledge_ha_policy::rules::known_rules;
use sqledge_ha_policy::settings::{SETTINGS, Setting};

pub use crate::policy_settings::yaml;

/// The schema, pretty-printed.
pub fn text() -> String {
    format!("{:#}\n", schema())
}

/// The schema (draft 2020-12). Empty values are valid everywhere, because forms submit them for what is unset.
pub fn schema() -> Value {
    let properties: Map<String, Value> =
        SETTINGS.iter().map(|setting| (setting.key.to_owned(), property(setting))).collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Settings of the policy sqledge-ha",
        "type": ["object", "null"],
        "additionalProperties": false,
        "properties": properties,
    })
}

/// The schema of one setting, with its description and default.
pub fn property(setting: &Setting) -> Value {
    let mut property = json!({"description": setting.description, "default": (setting.default)()});
    if let (Some(members), Value::Object(schema)) = (property.as_object_mut(), (setting.schema)(&known_rules())) {
        members.extend(schema);
    }
    property
}
