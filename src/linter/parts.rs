//! The objects of a document.

use serde_json::Value;

/// An object of a document.
#[derive(Clone, Debug)]
pub(crate) struct Part<'d> {
    /// The way to it from the document's root: empty, or that of a List's item.
    pub(crate) prefix: String,
    pub(crate) value: &'d Value,
}

/// The objects of a document: itself, or the items of a List, also of Lists in Lists.
pub(crate) fn parts(document: &Value) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut open = vec![Part { prefix: String::new(), value: document }];
    while let Some(part) = open.pop() {
        let is_list = part.value.get("kind").and_then(Value::as_str).is_some_and(|kind| kind.ends_with("List"));
        match part.value.get("items").and_then(Value::as_array).filter(|_| is_list) {
            Some(items) => open.extend(
                items
                    .iter()
                    .enumerate()
                    .rev()
                    .map(|(index, value)| Part { prefix: format!("{}/items/{index}", part.prefix), value }),
            ),
            None => parts.push(part),
        }
    }
    parts
}
