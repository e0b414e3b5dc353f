//! The objects of a document.

use serde_json::Value;

/// An object of a document: the document itself, or an item of a List.
#[derive(Clone, Debug)]
pub(crate) struct ListItem<'d> {
    /// JSON Pointer from the document's root: empty, or that of the item.
    pub(crate) prefix: String,
    pub(crate) value: &'d Value,
}

/// The objects of a document. Lists in Lists are resolved, too.
pub(crate) fn objects_in(document: &Value) -> Vec<ListItem<'_>> {
    let mut objects = Vec::new();
    let mut open = vec![ListItem { prefix: String::new(), value: document }];
    while let Some(item) = open.pop() {
        let is_list = item.value.get("kind").and_then(Value::as_str).is_some_and(|kind| kind.ends_with("List"));
        match item.value.get("items").and_then(Value::as_array).filter(|_| is_list) {
            Some(items) => {
                let items = items.iter().enumerate().rev();
                open.extend(
                    items.map(|(index, value)| ListItem { prefix: format!("{}/items/{index}", item.prefix), value }),
                );
            }
            None => objects.push(item),
        }
    }
    objects
}
