//! An edit made by the crate `yaml-edit`: in its own tree, that its own parser makes.

use std::panic::catch_unwind;
use std::str::FromStr;

use serde_json::Value;
use sqledge_ha_policy::finding::Edit;
use yaml_edit::{Mapping, ScalarValue, Sequence, YamlFile, YamlNode, YamlValue};

/// The text with an edit, or why there is none.
pub(super) fn edit(text: &str, edit: &Edit) -> Result<String, String> {
    catch_unwind(|| edit_in_tree(text, edit)).unwrap_or_else(|_| Err("it panics".to_owned()))
}

fn edit_in_tree(text: &str, edit: &Edit) -> Result<String, String> {
    let file = YamlFile::from_str(text).map_err(|_| "it cannot read the text".to_owned())?;
    let document = file.document().ok_or("it sees no document")?;
    let root = document.as_mapping().map(YamlNode::Mapping).or_else(|| document.as_sequence().map(YamlNode::Sequence));
    let mut node = root.ok_or("it sees no collection")?;
    let keys: Vec<String> = edit.pointer().split('/').skip(1).map(unescaped).collect();
    let (last, way) = keys.split_last().ok_or("the root cannot be edited")?;
    for key in way {
        node = child(&node, key).ok_or("it sees nothing there")?;
    }
    let is_made = match (&node, edit) {
        (YamlNode::Mapping(mapping), edit) => in_mapping(mapping, last, edit),
        (YamlNode::Sequence(sequence), Edit::Set { value, .. }) => in_sequence(sequence, last, value),
        _ => false,
    };
    if is_made { Ok(file.to_string()) } else { Err("it sees nothing there".to_owned()) }
}

fn unescaped(key: &str) -> String {
    key.replace("~1", "/").replace("~0", "~")
}

fn child(node: &YamlNode, key: &str) -> Option<YamlNode> {
    match node {
        YamlNode::Mapping(mapping) => mapping.get(key),
        YamlNode::Sequence(sequence) => sequence.get(key.parse().ok()?),
        _ => None,
    }
}

fn in_mapping(mapping: &Mapping, key: &str, edit: &Edit) -> bool {
    match edit {
        Edit::Set { value, .. } => {
            mapping.set(key, theirs(value));
            true
        }
        Edit::Remove { .. } => mapping.remove(key).is_some(),
    }
}

fn in_sequence(sequence: &Sequence, key: &str, value: &Value) -> bool {
    if key == "-" {
        sequence.push(theirs(value));
        return true;
    }
    key.parse().is_ok_and(|index| sequence.set(index, theirs(value)))
}

fn theirs(value: &Value) -> YamlValue {
    match value {
        Value::Null => ScalarValue::null().into(),
        Value::Bool(value) => (*value).into(),
        Value::Number(number) => match number.as_i64() {
            Some(integer) => integer.into(),
            None => number.as_f64().unwrap().into(),
        },
        Value::String(text) => text.as_str().into(),
        Value::Array(items) => YamlValue::Sequence(items.iter().map(theirs).collect()),
        Value::Object(members) => {
            YamlValue::Mapping(members.iter().map(|(key, value)| (key.clone(), theirs(value))).collect())
        }
    }
}
