//! The objects of a document: itself, the items of a List, or those of an OpenShift Template.

use std::ops::Range;

use serde_json::{Map, Value};
use sqledge_ha_policy::kubernetes::group_of;

use crate::manifest::read;

/// An object of a document: the document itself, or an item of a List.
#[derive(Clone, Debug)]
pub(crate) struct ListItem<'d> {
    /// JSON Pointer from the document's root: empty, or that of the item.
    pub(crate) prefix: String,
    pub(crate) value: &'d Value,
}

/// An object of a text.
#[derive(Clone, Debug)]
pub struct TextObject {
    /// The object.
    pub value: Value,
    /// Its bytes in the text.
    pub span: Range<usize>,
}

/// The objects of a text, as they are checked. Documents that cannot be read have none.
pub fn objects_of_text(text: &str) -> Vec<TextObject> {
    let mut objects = Vec::new();
    for mut document in read(text).into_iter().flatten() {
        complete(&mut document.value);
        let found = objects_in(&document.value).into_iter();
        objects.extend(found.map(|item| TextObject { value: item.value.clone(), span: document.locate(&item.prefix) }));
    }
    objects
}

/// The objects of a document. Lists in Lists are resolved, too.
pub(crate) fn objects_in(document: &Value) -> Vec<ListItem<'_>> {
    let mut objects = Vec::new();
    let mut open = vec![ListItem { prefix: String::new(), value: document }];
    while let Some(item) = open.pop() {
        match items_key(item.value).and_then(|key| Some((key, item.value.get(key)?.as_array()?))) {
            Some((key, items)) => {
                let items = items.iter().enumerate().rev();
                open.extend(
                    items.map(|(index, value)| ListItem { prefix: format!("{}/{key}/{index}", item.prefix), value }),
                );
            }
            None => objects.push(item),
        }
    }
    objects
}

const TEMPLATE: &str = "Template";

/// Whether a pointer leads to an object in a Template.
pub(crate) fn is_in_template(prefix: &str) -> bool {
    prefix.starts_with("/objects/")
}

/// The key of the objects in a List or a Template; `None` for other objects.
fn items_key(object: &Value) -> Option<&'static str> {
    match text(object, "kind")? {
        kind if kind.ends_with("List") => Some("items"),
        TEMPLATE if is_template(object) => Some("objects"),
        _ => None,
    }
}

/// Whether it is a Template of OpenShift, whose group was the core group.
fn is_template(object: &Value) -> bool {
    let group = text(object, "apiVersion").map(group_of);
    text(object, "kind") == Some(TEMPLATE) && matches!(group, Some("" | "template.openshift.io"))
}

/// Completes the objects of a document as kubectl and `oc process` do: items of a typed List, such as a DeploymentList,
/// may leave out what they are; a Template has parameters with default values.
pub(crate) fn complete(document: &mut Value) {
    if is_template(document) {
        substitute_parameters(document);
        return;
    }
    let list = text(document, "kind").and_then(|kind| kind.strip_suffix("List")).filter(|kind| !kind.is_empty());
    let fields = [("apiVersion", text(document, "apiVersion")), ("kind", list)];
    let [Some(version), Some(kind)] = fields.map(|(key, value)| Some((key, value?.to_owned()))) else { return };
    for item in document.get_mut("items").and_then(Value::as_array_mut).into_iter().flatten() {
        let Some(members) = item.as_object_mut() else { continue };
        for (key, value) in [&version, &kind] {
            members.entry(*key).or_insert_with(|| Value::from(value.clone()));
        }
    }
}

/// The default values of parameters, by name.
type Parameters = Map<String, Value>;

fn substitute_parameters(template: &mut Value) {
    let listed = template.get("parameters").and_then(Value::as_array).into_iter().flatten();
    let named = listed.filter_map(|parameter| {
        let value = parameter.get("value").filter(|value| value.is_string() || value.is_number() || value.is_boolean());
        Some((text(parameter, "name")?.to_owned(), value?.clone()))
    });
    let parameters: Parameters = named.collect();
    for object in template.get_mut("objects").and_then(Value::as_array_mut).into_iter().flatten() {
        substitute(object, &parameters);
    }
}

/// Replaces `${NAME}` in texts, and a whole text `${{NAME}}` by the value that it stands for. One without a value is
/// null.
fn substitute(value: &mut Value, parameters: &Parameters) {
    match value {
        Value::String(text) => {
            if let Some(name) = text.strip_prefix("${{").and_then(|rest| rest.strip_suffix("}}")) {
                *value = typed(parameters.get(name));
            } else if text.contains("${") {
                *text = with_values(text, parameters);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| substitute(item, parameters)),
        Value::Object(members) => members.values_mut().for_each(|member| substitute(member, parameters)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// A value without its quotes.
fn typed(value: Option<&Value>) -> Value {
    match value {
        Some(Value::String(text)) => serde_json::from_str(text).unwrap_or_else(|_| Value::from(text.clone())),
        Some(value) => value.clone(),
        None => Value::Null,
    }
}

fn with_values(text: &str, parameters: &Parameters) -> String {
    let (mut replaced, mut rest) = (String::new(), text);
    while let Some((before, reference)) = rest.split_once("${") {
        replaced.push_str(before);
        let known = reference.split_once('}').and_then(|(name, after)| Some((parameters.get(name)?, after)));
        rest = match known {
            Some((Value::String(value), after)) => {
                replaced.push_str(value);
                after
            }
            Some((value, after)) => {
                replaced.push_str(&value.to_string());
                after
            }
            None => {
                replaced.push_str("${");
                reference
            }
        };
        if replaced.len() > MAX_TEXT {
            break;
        }
    }
    replaced.push_str(rest);
    replaced
}

/// The longest text with values, in bytes: a short one can repeat a long value many times.
const MAX_TEXT: usize = 1 << 16;

fn text<'v>(object: &'v Value, key: &str) -> Option<&'v str> {
    object.get(key)?.as_str()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn items_of_a_typed_list_are_of_its_kind() {
        let mut list = json!({"apiVersion": "apps/v1", "kind": "DeploymentList", "items": [
            {"metadata": {"name": "a"}}, {"apiVersion": "v1", "kind": "Service"}, 5]});
        complete(&mut list);
        let found = objects_in(&list);
        let kinds: Vec<&Value> = found.iter().map(|item| &item.value["kind"]).collect();
        assert_eq!(kinds, [&json!("Deployment"), &json!("Service"), &Value::Null]);
        assert_eq!((found[0].prefix.as_str(), &found[0].value["apiVersion"]), ("/items/0", &json!("apps/v1")));
    }

    #[test]
    fn parameters_of_a_template_have_their_default_values() {
        let mut template = json!({"apiVersion": "template.openshift.io/v1", "kind": "Template", "objects": [
            {"kind": "Pod", "image": "${HOST}/azure-sql-edge:${TAG}", "replicas": "${{COUNT}}", "none": "${{NONE}}"}],
            "parameters": [{"name": "HOST", "value": "mcr"}, {"name": "COUNT", "value": "3"}, {"name": "TAG"}]});
        complete(&mut template);
        let found = objects_in(&template);
        assert_eq!(found[0].prefix, "/objects/0");
        let expected = json!({"kind": "Pod", "image": "mcr/azure-sql-edge:${TAG}", "replicas": 3, "none": null});
        assert_eq!(*found[0].value, expected);
        let other = json!({"apiVersion": "example.com/v1", "kind": "Template", "objects": [{"kind": "Pod"}]});
        assert_eq!(objects_in(&other).len(), 1);
        assert_eq!(objects_in(&other)[0].prefix, "");
    }
}
