//! The JSON schema of the configuration.

use serde_json::{Value, json};
use sqledge_ha_policy::rules::RULES;

use crate::settings_schema;

/// The schema (draft 2020-12), pretty-printed.
pub fn text() -> String {
    format!("{:#}\n", schema())
}

fn schema() -> Value {
    let mut policy = settings_schema::schema();
    if let Some(members) = policy.as_object_mut() {
        members.remove("$schema");
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Configuration of sqledge-ha",
        "type": ["object", "null"],
        "additionalProperties": false,
        "properties": {
            "policy": policy,
            "exclude": globs("Paths that are not checked"),
            "ignore": {
                "description": "Findings that are ignored",
                "type": ["array", "null"],
                "items": entry(),
            },
        },
    })
}

/// The schema of an ignore entry.
pub fn entry() -> Value {
    let rules: Vec<&str> = RULES.iter().map(|rule| rule.id).collect();
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["rules"],
        "properties": {
            "rules": {
                "description": "Rules whose findings are ignored",
                "type": "array",
                "minItems": 1,
                "items": {"enum": rules},
            },
            "paths": globs("Files in which they are ignored; all if unset"),
            "objects": {
                "description": "Objects in which they are ignored; all if unset",
                "type": ["array", "null"],
                "items": {
                    "type": "object",
                    "additionalProperties": false,
                    "minProperties": 1,
                    "properties": {
                        "kind": {"type": ["string", "null"]},
                        "namespace": {"type": ["string", "null"]},
                        "name": {"type": ["string", "null"]},
                    },
                },
            },
            "reason": {"description": "Why they are ignored", "type": ["string", "null"]},
            "until": {
                "description": "The day on which the entry expires (YYYY-MM-DD, UTC)",
                "type": ["string", "null"],
                "format": "date",
                "pattern": "^([0-9]{4}-[0-9]{2}-[0-9]{2})?$",
            },
        },
    })
}

fn globs(subject: &str) -> Value {
    let description = format!("{subject}: globs with the syntax of .gitignore, relative to the directory of this file");
    json!({"description": description, "type": ["array", "null"], "items": {"type": "string", "minLength": 1}})
}
