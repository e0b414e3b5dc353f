//! A borrowed JSON value that knows its JSON Pointer.
//!
//! Rules read an object by field name and never build pointers by hand: a [`Cursor`] is a value, or the position of a
//! missing value. Only a finding or an edit needs the pointer, and only then it is computed.

use std::borrow::Cow;
use std::ptr;

use serde_json::{Map, Value};

/// A position in an object: a value, or the absence of one.
///
/// A cursor is three references and `Copy`. Its pointer is computed on demand by a search from the root, so that
/// reading costs nothing.
///
/// ```
/// use serde_json::json;
/// use sqledge_ha_policy::json::cursor::Cursor;
///
/// let deployment = json!({"spec": {"replicas": 3}});
/// let spec = Cursor::root(&deployment).at("spec");
/// assert_eq!(spec.at("replicas").int(), Some(3));
/// assert_eq!(spec.at("replicas").pointer(), "/spec/replicas");
/// assert_eq!(spec.at("strategy").at("type").pointer(), "/spec");
/// assert_eq!(spec.at("strategy").at("type").missing(), Some("strategy"));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Cursor<'a> {
    root: &'a Value,
    /// The value itself, or the nearest ancestor that exists.
    value: &'a Value,
    /// The first key that is missing below `value`.
    missing: Option<&'a str>,
}

/// The value at `path`, one field name per item; `None` if it does not exist.
///
/// ```
/// use serde_json::json;
/// use sqledge_ha_policy::json::cursor::get_path;
///
/// let service = json!({"metadata": {"name": "sql"}});
/// assert_eq!(get_path(&service, &["metadata", "name"]), Some(&json!("sql")));
/// assert_eq!(get_path(&service, &["spec", "selector"]), None);
/// ```
pub fn get_path<'v>(value: &'v Value, path: &[&str]) -> Option<&'v Value> {
    path.iter().try_fold(value, |value, name| get_field(value.as_object()?, name))
}

/// The maps up to this length are searched.
const SHORT_MAP: usize = 12;

/// The field `name` of an object. Where maps keep the order of their fields they are hashed, and a short one is
/// searched faster: files in which Services select many databases are linted in about half the time.
pub(crate) fn get_field<'v>(fields: &'v Map<String, Value>, name: &str) -> Option<&'v Value> {
    if fields.len() > SHORT_MAP {
        return fields.get(name);
    }
    fields.iter().find(|(own, _)| *own == name).map(|(_, value)| value)
}

impl<'a> Cursor<'a> {
    /// The whole object.
    pub fn root(value: &'a Value) -> Self {
        Cursor { root: value, value, missing: None }
    }

    /// The field `name`, which may be missing.
    pub fn at(&self, name: &'a str) -> Cursor<'a> {
        match self.get(name) {
            Some(value) => Cursor { value, ..*self },
            None => Cursor { missing: self.missing.or(Some(name)), ..*self },
        }
    }

    /// The field at `path`, one name per item.
    pub fn path(&self, path: &[&'a str]) -> Cursor<'a> {
        path.iter().fold(*self, |cursor, name| cursor.at(name))
    }

    /// The first of the fields `names` that exists.
    pub fn first_of(&self, names: &[&'a str]) -> Option<Cursor<'a>> {
        names.iter().map(|name| self.at(name)).find(Cursor::exists)
    }

    /// The field `name` as a plain value.
    pub fn get(&self, name: &str) -> Option<&'a Value> {
        get_field(self.map()?, name)
    }

    /// The items of an array; empty for any other value.
    pub fn items(&self) -> impl Iterator<Item = Cursor<'a>> + Clone + use<'a> {
        let root = self.root;
        let items = self.present().and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        items.iter().map(move |value| Cursor { root, value, missing: None })
    }

    /// The fields of an object with their names; empty for any other value.
    pub fn members(&self) -> impl Iterator<Item = (&'a str, Cursor<'a>)> + use<'a> {
        let cursor = *self;
        self.map().into_iter().flatten().map(move |(name, value)| (name.as_str(), Cursor { value, ..cursor }))
    }

    fn present(&self) -> Option<&'a Value> {
        self.missing.is_none().then_some(self.value)
    }

    /// The value, unless it is missing or null. The API server treats the two alike.
    pub fn value(&self) -> Option<&'a Value> {
        self.present().filter(|value| !value.is_null())
    }

    /// Whether there is a value other than null.
    pub fn exists(&self) -> bool {
        self.value().is_some()
    }

    /// The text of a string.
    pub fn str(&self) -> Option<&'a str> {
        self.present()?.as_str()
    }

    /// The value of an integer.
    pub fn int(&self) -> Option<i64> {
        self.present()?.as_i64()
    }

    /// Whether the value is the boolean `true`.
    pub fn is_true(&self) -> bool {
        self.present().and_then(Value::as_bool) == Some(true)
    }

    /// The fields of an object.
    pub fn map(&self) -> Option<&'a Map<String, Value>> {
        self.present()?.as_object()
    }

    /// JSON Pointer (RFC 6901) of the value or, where it is missing, of the nearest ancestor that exists.
    pub fn pointer(&self) -> String {
        let (mut steps, mut pointer) = (Vec::new(), String::new());
        if !ptr::eq(self.root, self.value) {
            find(self.root, self.value, &mut steps);
        }
        steps.iter().rev().for_each(|step| step.push_to(&mut pointer));
        pointer
    }

    /// The first missing key on the path to this cursor; `None` if the value exists.
    pub fn missing(&self) -> Option<&'a str> {
        self.missing
    }

    /// Whether both point at the same value in memory, not at equal ones.
    pub fn is_same(&self, other: &Cursor<'_>) -> bool {
        ptr::eq(self.value, other.value) && self.missing == other.missing
    }
}

/// One step on the path to a value.
enum Step<'a> {
    Member(&'a str),
    Item(usize),
}

impl Step<'_> {
    fn push_to(&self, pointer: &mut String) {
        match self {
            Step::Member(name) => push_key(pointer, name),
            Step::Item(index) => push_key(pointer, &index.to_string()),
        }
    }
}

/// Finds `wanted` below `here` by its address in memory, not by equality, and writes the path into `steps`, last step
/// first.
fn find<'a>(here: &'a Value, wanted: &Value, steps: &mut Vec<Step<'a>>) -> bool {
    let mut leads = |value: &'a Value| {
        ptr::eq(value, wanted) || (matches!(value, Value::Object(_) | Value::Array(_)) && find(value, wanted, steps))
    };
    let step = match here {
        Value::Object(members) => members.iter().find(|(_, value)| leads(value)).map(|(name, _)| Step::Member(name)),
        Value::Array(items) => items.iter().position(leads).map(Step::Item),
        _ => None,
    };
    let is_found = step.is_some();
    steps.extend(step);
    is_found
}

/// Appends one reference token to a JSON Pointer, escaped as RFC 6901 requires.
pub fn push_key(pointer: &mut String, key: &str) {
    pointer.push('/');
    let mut rest = key;
    while let Some((before, after)) = rest.split_once(['~', '/']) {
        pointer.push_str(before);
        pointer.push_str(if rest.as_bytes().get(before.len()) == Some(&b'~') { "~0" } else { "~1" });
        rest = after;
    }
    pointer.push_str(rest);
}

/// The reference tokens of a JSON Pointer, unescaped.
pub fn keys(pointer: &str) -> impl Iterator<Item = Cow<'_, str>> {
    pointer.split('/').skip(1).map(unescaped)
}

/// The key that a reference token of a JSON Pointer stands for.
pub fn unescaped(token: &str) -> Cow<'_, str> {
    if !token.as_bytes().contains(&b'~') {
        return Cow::Borrowed(token);
    }
    let mut parts = token.split('~');
    let mut key = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (character, rest) = match part.split_at_checked(1) {
            Some(("1", rest)) => ('/', rest),
            Some(("0", rest)) => ('~', rest),
            _ => ('~', part),
        };
        key.push(character);
        key.push_str(rest);
    }
    Cow::Owned(key)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::test;

    #[test]
    fn fields_are_found_in_short_and_long_maps() {
        for length in [1, SHORT_MAP, SHORT_MAP + 1, 3 * SHORT_MAP] {
            let object: Value = (0..length).map(|number| (format!("field-{number}"), json!(number))).collect();
            for number in 0..length {
                assert_eq!(get_path(&object, &[&format!("field-{number}")]), Some(&json!(number)), "of {length}");
            }
            assert_eq!(get_path(&object, &["field"]), None, "of {length}");
        }
    }

    #[test]
    fn a_pointer_is_escaped_as_in_rfc_6901() {
        let object = json!({"nodeSelector": {"kubernetes.io/arch": "amd64", "a~b": 1}});
        let selector = Cursor::root(&object).at("nodeSelector");
        assert_eq!(selector.at("kubernetes.io/arch").pointer(), "/nodeSelector/kubernetes.io~1arch");
        assert_eq!(selector.at("a~b").pointer(), "/nodeSelector/a~0b");
        assert_eq!(keys("/nodeSelector/kubernetes.io~1arch").last().as_deref(), Some("kubernetes.io/arch"));
        assert_eq!(keys("/a~1b~0c~01").next().as_deref(), Some("a/b~c~1"));
    }

    #[test]
    fn a_missing_key_is_reported_on_the_nearest_ancestor_that_exists() {
        let object = json!({"spec": {"containers": [{"name": "sql"}, {"name": "sql"}], "strategy": null}});
        let spec = Cursor::root(&object).at("spec");
        let affinity = spec.path(&["affinity", "nodeAffinity"]);
        assert_eq!((affinity.pointer().as_str(), affinity.missing()), ("/spec", Some("affinity")));
        let null = spec.at("strategy").at("type");
        assert_eq!((null.pointer().as_str(), null.missing()), ("/spec/strategy", Some("type")));
        // Equal values have different pointers.
        let pointers: Vec<String> = spec.at("containers").items().map(|container| container.pointer()).collect();
        assert_eq!(pointers, ["/spec/containers/0", "/spec/containers/1"]);
    }

    #[test]
    fn a_value_of_the_wrong_type_counts_as_absent() {
        let object = json!({"containers": {}, "replicas": "3", "volumes": null});
        let root = Cursor::root(&object);
        assert_eq!(root.at("containers").items().count(), 0);
        assert_eq!(root.at("replicas").int(), None);
        assert!(!root.at("volumes").exists());
    }
}
