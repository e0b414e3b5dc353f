//! Edits of single values, which apply to a JSON value and to YAML text alike.

use serde::Serialize;
use serde_json::{Map, Value};

use super::cursor::{Cursor, keys, push_key, unescaped};

/// One edit of one value, which applies to a JSON value and to YAML text alike.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "op", rename_all = "lowercase")]
pub enum Edit {
    /// Sets `value` at `pointer`. Missing or null parents are created; `-` appends to an array.
    Set {
        /// JSON Pointer of the value.
        pointer: String,
        /// The new value.
        value: Value,
    },
    /// Removes the value at `pointer`, if it exists.
    Remove {
        /// JSON Pointer of the value.
        pointer: String,
    },
}

impl Edit {
    /// Sets `value` at `path` below `at`, whether it exists or not.
    pub fn set(at: &Cursor<'_>, path: &[&str], value: impl Into<Value>) -> Self {
        Edit::Set { pointer: pointer_below(at, path), value: value.into() }
    }

    /// Appends `value` to the array at `path` below `at`, whether it exists or not.
    pub fn append(at: &Cursor<'_>, path: &[&str], value: impl Into<Value>) -> Self {
        let mut pointer = pointer_below(at, path);
        push_key(&mut pointer, "-");
        Edit::Set { pointer, value: value.into() }
    }

    /// Removes the value of `at`.
    pub fn remove(at: &Cursor<'_>) -> Self {
        Edit::Remove { pointer: at.pointer() }
    }

    /// The pointer of the edited value.
    pub fn pointer(&self) -> &str {
        match self {
            Edit::Set { pointer, .. } | Edit::Remove { pointer } => pointer,
        }
    }

    /// The path of the edited value, for messages: `spec.strategy.type`.
    pub fn path(&self) -> String {
        let mut path = String::new();
        for key in keys(self.pointer()) {
            if key.contains('.') {
                path.push_str(&format!("[\"{key}\"]"));
            } else {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(&key);
            }
        }
        path
    }

    /// What it does, for messages: `set spec.strategy.type to Recreate`.
    pub fn describe(&self) -> String {
        let path = self.path();
        match self {
            // A new item of a list.
            Edit::Set { .. } if path.ends_with(".-") => format!("added to {}", path.trim_end_matches(".-")),
            Edit::Set { value: Value::String(text), .. } => format!("set {path} to {text}"),
            Edit::Set { value, .. } => match value.as_i64() {
                Some(number) => format!("set {path} to {number}"),
                None => format!("set {path}"),
            },
            Edit::Remove { .. } => format!("removed {path}"),
        }
    }

    /// Whether every value on its path has the type that the edit expects.
    pub fn fits(&self, object: &Value) -> bool {
        let mut value = object;
        for key in keys(self.pointer()) {
            let next = match value {
                Value::Null => return true,
                Value::Object(members) if key != "-" => members.get(&*key),
                Value::Array(_) if key == "-" => return true,
                Value::Array(items) => key.parse().ok().and_then(|index: usize| items.get(index)),
                _ => return false,
            };
            match next {
                Some(next) => value = next,
                // A missing field is created, a missing item is not.
                None => return value.is_object(),
            }
        }
        true
    }
}

fn pointer_below(at: &Cursor<'_>, path: &[&str]) -> String {
    let mut pointer = at.pointer();
    path.iter().for_each(|key| push_key(&mut pointer, key));
    pointer
}

/// An edit met a value of another type than its pointer expects, e.g. a string where an object should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inapplicable;

/// Applies `edits` to `object` in order.
///
/// # Errors
/// [`Inapplicable`] when a pointer leads through a value that is neither an object nor an array; `object` may then
/// hold the edits before that one.
pub fn apply(object: &mut Value, edits: &[Edit]) -> Result<(), Inapplicable> {
    for edit in edits {
        match edit {
            Edit::Set { pointer, value } => set(object, pointer, value.clone())?,
            Edit::Remove { pointer } => remove(object, pointer),
        }
    }
    Ok(())
}

fn set(object: &mut Value, pointer: &str, new: Value) -> Result<(), Inapplicable> {
    let mut value = object;
    for key in keys(pointer) {
        if value.is_null() {
            *value = if key == "-" { Value::Array(Vec::new()) } else { Value::Object(Map::new()) };
        }
        value = match value {
            Value::Object(members) if key != "-" => members.entry(key).or_insert(Value::Null),
            Value::Array(items) => item(items, &key)?,
            _ => return Err(Inapplicable),
        };
    }
    *value = new;
    Ok(())
}

fn item<'v>(items: &'v mut Vec<Value>, key: &str) -> Result<&'v mut Value, Inapplicable> {
    if key == "-" {
        items.push(Value::Null);
        return items.last_mut().ok_or(Inapplicable);
    }
    let index: usize = key.parse().map_err(|_| Inapplicable)?;
    items.get_mut(index).ok_or(Inapplicable)
}

fn remove(object: &mut Value, pointer: &str) {
    let Some((parent, token)) = pointer.rsplit_once('/') else { return };
    let key = unescaped(token);
    match object.pointer_mut(parent) {
        // `Map::remove` would change the order of the fields where a map keeps it.
        Some(Value::Object(members)) => {
            for (name, value) in std::mem::take(members) {
                if name != key {
                    members.insert(name, value);
                }
            }
        }
        Some(Value::Array(items)) => {
            if let Some(index) = key.parse().ok().filter(|index| *index < items.len()) {
                items.remove(index);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::test;

    #[test]
    fn set_creates_missing_parents_and_nothing_else() {
        let mut object = json!({"spec": {"securityContext": null, "other": null}});
        let edits = [
            Edit::Set { pointer: "/spec/securityContext/fsGroup".into(), value: json!(10001) },
            Edit::Set { pointer: "/spec/tolerations/-".into(), value: json!({"key": "k"}) },
            Edit::Set { pointer: "/spec/nodeSelector/kubernetes.io~1arch".into(), value: json!("amd64") },
        ];
        assert_eq!(apply(&mut object, &edits), Ok(()));
        let expected = json!({"spec": {
            "securityContext": {"fsGroup": 10001}, "other": null,
            "tolerations": [{"key": "k"}], "nodeSelector": {"kubernetes.io/arch": "amd64"}}});
        assert_eq!(object, expected);
    }

    #[test]
    fn set_never_replaces_a_parent_of_another_type() {
        let mut object = json!({"strategy": "Recreate", "list": [1]});
        for pointer in ["/strategy/type", "/list/3", "/list/x", "/-"] {
            let edit = Edit::Set { pointer: pointer.into(), value: json!(1) };
            assert!(!edit.fits(&object), "{pointer}");
            assert_eq!(apply(&mut object, &[edit]), Err(Inapplicable), "{pointer}");
        }
        assert_eq!(object, json!({"strategy": "Recreate", "list": [1]}));
    }

    #[test]
    fn remove_keeps_everything_else_and_ignores_a_missing_value() {
        let mut object = json!({"a": {"b": 1, "c": 2}, "l": [1, 2]});
        let edits = ["/a/b", "/a/none/x", "/l/0", "/l/7", ""].map(|pointer| Edit::Remove { pointer: pointer.into() });
        assert_eq!(apply(&mut object, &edits), Ok(()));
        assert_eq!(object, json!({"a": {"c": 2}, "l": [2]}));
    }
}
