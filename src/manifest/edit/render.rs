//! Formats values as text.

use serde_json::Value;

use super::super::document::read;

/// Formats a scalar, with quotes only if YAML 1.1 would read the plain text differently.
pub(super) fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) if is_plain(text) => text.clone(),
        // JSON strings are valid double-quoted YAML strings.
        other => other.to_string(),
    }
}

/// Whether a string needs no quotes, also inside braces.
fn is_plain(text: &str) -> bool {
    let is_simple = |character: char| character.is_ascii_alphanumeric() || "._/-".contains(character);
    let begins_simply = text.starts_with(|first: char| first.is_ascii_alphanumeric() || "./_".contains(first));
    begins_simply && text.chars().all(is_simple) && reads_as_itself(text)
}

fn reads_as_itself(text: &str) -> bool {
    let documents = read(text);
    matches!(documents.as_slice(), [Ok(document)] if document.value == *text)
}

/// How a value is written on one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Syntax {
    /// As JSON.
    Json,
    /// As a YAML flow collection.
    Yaml,
}

/// Formats a value on one line.
pub(super) fn inline(value: &Value, syntax: Syntax) -> String {
    match value {
        Value::Object(members) => {
            let members: Vec<String> = members.iter().map(|(name, value)| entry(name, value, syntax)).collect();
            format!("{{{}}}", members.join(", "))
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(|item| inline(item, syntax)).collect();
            format!("[{}]", items.join(", "))
        }
        other => match syntax {
            Syntax::Json => other.to_string(),
            Syntax::Yaml => scalar(other),
        },
    }
}

/// Formats a key and its value on one line.
pub(super) fn entry(key: &str, value: &Value, syntax: Syntax) -> String {
    let key = Value::from(key);
    format!("{}: {}", inline(&key, syntax), inline(value, syntax))
}

/// The indentation of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Indentation {
    /// The columns by which a mapping is indented below its key.
    pub(super) mappings: usize,
    /// The columns by which the dashes of a sequence are indented below its key.
    pub(super) sequences: usize,
}

impl Indentation {
    /// The indentation that `kubectl` uses.
    pub(super) const DEFAULT: Indentation = Indentation { mappings: 2, sequences: 0 };

    /// The indentation of a collection below its key, in columns.
    pub(super) fn below_key(self, value: &Value) -> usize {
        if value.is_array() { self.sequences } else { self.mappings }
    }
}

/// Formats a key and its value in block style; returns the lines.
pub(super) fn block_entry(key: &str, value: &Value, style: Indentation) -> Vec<String> {
    let key = scalar(&Value::from(key));
    match nested(value, style) {
        None => vec![format!("{key}: {}", inline(value, Syntax::Yaml))],
        Some(lines) => {
            let indent = style.below_key(value);
            let lines = lines.into_iter().map(|line| format!("{:indent$}{line}", ""));
            [format!("{key}:")].into_iter().chain(lines).collect()
        }
    }
}

/// Formats an item of a block sequence; returns the lines.
pub(super) fn block_item(value: &Value, style: Indentation) -> Vec<String> {
    let lines = nested(value, style).unwrap_or_else(|| vec![inline(value, Syntax::Yaml)]);
    lines
        .into_iter()
        .enumerate()
        .map(|(index, line)| format!("{}{line}", if index == 0 { "- " } else { "  " }))
        .collect()
}

/// Formats a collection in block style; returns the lines, or `None` for a value that fits on one line.
pub(super) fn nested(value: &Value, style: Indentation) -> Option<Vec<String>> {
    match value {
        Value::Object(members) if !members.is_empty() => {
            Some(members.iter().flat_map(|(key, value)| block_entry(key, value, style)).collect())
        }
        Value::Array(items) if !items.is_empty() => {
            Some(items.iter().flat_map(|item| block_item(item, style)).collect())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn strings_that_yaml_would_read_differently_are_quoted() {
        for plain in ["amd64", "kubernetes.io/arch", "Recreate", "v1.2", "/var/opt/mssql", "a-b"] {
            assert_eq!(scalar(&json!(plain)), plain);
        }
        for text in [
            "true", "yes", "on", "no", "null", "~", "", "1", "0x1f", "1e3", "1:30", "-", "a: b", "# no", ".5", "é",
            "<<", "=",
        ] {
            assert_eq!(scalar(&json!(text)), serde_json::to_string(text).unwrap());
        }
        assert_eq!([json!(true), json!(30), json!(null)].map(|value| scalar(&value)), ["true", "30", "null"]);
    }

    #[test]
    fn collections_are_formatted_in_block_and_flow_style() {
        let value = json!({"name": "data", "volumes": [{"name": "x", "claim": {"name": "w"}}], "empty": {}});
        let lines = nested(&value, Indentation::DEFAULT).unwrap().join("\n");
        assert_eq!(lines, "name: data\nvolumes:\n- name: x\n  claim:\n    name: w\nempty: {}");
        assert_eq!(inline(&value, Syntax::Yaml), "{name: data, volumes: [{name: x, claim: {name: w}}], empty: {}}");
        assert_eq!(serde_json::from_str::<Value>(&inline(&value, Syntax::Json)).unwrap(), value);
    }
}
