//! A cursor over a JSON object that knows its own JSON Pointer.
//!
//! Rules walk an object by name and never build paths by hand: a [`Node`] is a borrowed value, or the place where a
//! value is missing, together with the way it was reached. Only a finding or an edit turns that way into text.

use std::ptr;

use serde_json::{Map, Value};

/// A place in an object: a value, or the absence of one.
///
/// A node is three references and free to copy. Where it stands in the object is found out only when somebody asks for
/// its pointer: going around costs nothing, and a finding pays for the search.
///
/// ```
/// use serde_json::json;
/// use sqledge_ha_policy::node::Node;
///
/// let deployment = json!({"spec": {"replicas": 3}});
/// let spec = Node::root(&deployment).at("spec");
/// assert_eq!(spec.at("replicas").int(), Some(3));
/// assert_eq!(spec.at("replicas").pointer(), "/spec/replicas");
/// assert_eq!(spec.at("strategy").at("type").pointer(), "/spec");
/// assert_eq!(spec.at("strategy").at("type").missing(), Some("strategy"));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Node<'a> {
    root: &'a Value,
    /// The value itself, or the nearest ancestor that exists.
    value: &'a Value,
    /// The first key that is missing below `value`.
    missing: Option<&'a str>,
}

/// The member that is reached by `names`, one after the other; `None` if there is none. Faster than a JSON Pointer, which
/// has to be taken apart.
///
/// ```
/// use serde_json::json;
/// use sqledge_ha_policy::node::reach;
///
/// let service = json!({"metadata": {"name": "sql"}});
/// assert_eq!(reach(&service, &["metadata", "name"]), Some(&json!("sql")));
/// assert_eq!(reach(&service, &["spec", "selector"]), None);
/// ```
pub fn reach<'v>(value: &'v Value, names: &[&str]) -> Option<&'v Value> {
    names.iter().try_fold(value, |value, name| member(value.as_object()?, name))
}

/// Up to so many members are looked through.
const FEW_MEMBERS: usize = 12;

/// The member of a name. The maps of the command, unlike those of the module, hash names to find them, which takes longer
/// than to compare a name with a few others.
fn member<'v>(map: &'v Map<String, Value>, name: &str) -> Option<&'v Value> {
    if cfg!(target_arch = "wasm32") || map.len() > FEW_MEMBERS {
        return map.get(name);
    }
    map.iter().find(|(own, _)| *own == name).map(|(_, value)| value)
}

impl<'a> Node<'a> {
    /// The whole object.
    pub fn root(value: &'a Value) -> Self {
        Node { root: value, value, missing: None }
    }

    /// The member `name`, which may be missing.
    #[inline(never)]
    pub fn at(&self, name: &'a str) -> Node<'a> {
        match self.get(name) {
            Some(value) => Node { value, ..*self },
            None => Node { missing: self.missing.or(Some(name)), ..*self },
        }
    }

    /// The member reached by `names`, one after the other.
    pub fn path(&self, names: &[&'a str]) -> Node<'a> {
        names.iter().fold(*self, |node, name| node.at(name))
    }

    /// The first of the members `names` that exists.
    pub fn first_of(&self, names: &[&'a str]) -> Option<Node<'a>> {
        names.iter().map(|name| self.at(name)).find(Node::exists)
    }

    /// The member `name` as a bare value.
    pub fn get(&self, name: &str) -> Option<&'a Value> {
        member(self.map()?, name)
    }

    /// The items of an array; nothing for anything else.
    pub fn items(&self) -> Items<'a> {
        let items = self.present().and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        Items { root: self.root, rest: items.iter() }
    }

    /// The members of an object with their names; nothing for anything else.
    pub fn members(&self) -> impl Iterator<Item = (&'a str, Node<'a>)> + use<'a> {
        let node = *self;
        self.map().into_iter().flatten().map(move |(name, value)| (name.as_str(), Node { value, ..node }))
    }

    fn present(&self) -> Option<&'a Value> {
        self.missing.is_none().then_some(self.value)
    }

    /// The value, unless it is missing or null: the API server treats the two alike.
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

    /// The value of a whole number.
    pub fn int(&self) -> Option<i64> {
        self.present()?.as_i64()
    }

    /// Whether this is the boolean `true`.
    pub fn is_true(&self) -> bool {
        self.present().and_then(Value::as_bool) == Some(true)
    }

    /// The members of an object.
    pub fn map(&self) -> Option<&'a Map<String, Value>> {
        self.present()?.as_object()
    }

    /// JSON Pointer (RFC 6901) of this node or, where it is missing, of its nearest ancestor that exists.
    pub fn pointer(&self) -> String {
        let (mut way, mut pointer) = (Vec::new(), String::new());
        if !ptr::eq(self.root, self.value) {
            find(self.root, self.value, &mut way);
        }
        way.iter().rev().for_each(|step| step.push_to(&mut pointer));
        pointer
    }

    /// The first key that is missing on the way to this node; `None` if it exists.
    pub fn missing(&self) -> Option<&'a str> {
        self.missing
    }
}

/// The items of an array. A type of its own, compiled once: rules go over arrays all the time, and the module is small.
#[derive(Clone, Debug)]
pub struct Items<'a> {
    root: &'a Value,
    rest: std::slice::Iter<'a, Value>,
}

impl<'a> Iterator for Items<'a> {
    type Item = Node<'a>;

    #[inline(never)]
    fn next(&mut self) -> Option<Node<'a>> {
        self.rest.next().map(|value| Node { root: self.root, value, missing: None })
    }
}

/// One step of the way to a value.
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

/// Finds `wanted` below `here`: the same place in memory, not an equal value. `way` gets the steps that lead there, the
/// last one first: most values are passed by, and nothing is written down of them.
fn find<'a>(here: &'a Value, wanted: &Value, way: &mut Vec<Step<'a>>) -> bool {
    let mut leads = |value: &'a Value| {
        ptr::eq(value, wanted) || (matches!(value, Value::Object(_) | Value::Array(_)) && find(value, wanted, way))
    };
    let step = match here {
        Value::Object(members) => members.iter().find(|(_, value)| leads(value)).map(|(name, _)| Step::Member(name)),
        Value::Array(items) => items.iter().position(leads).map(Step::Item),
        _ => None,
    };
    let is_found = step.is_some();
    way.extend(step);
    is_found
}

/// Appends one reference token to a JSON Pointer, escaped as RFC 6901 demands.
pub fn push_key(pointer: &mut String, key: &str) {
    pointer.push('/');
    if key.bytes().any(|byte| matches!(byte, b'~' | b'/')) {
        pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
    } else {
        pointer.push_str(key);
    }
}

/// The reference tokens of a JSON Pointer, unescaped.
pub fn keys(pointer: &str) -> impl Iterator<Item = String> {
    pointer.split('/').skip(1).map(unescaped)
}

/// What one reference token of a JSON Pointer stands for.
pub fn unescaped(token: &str) -> String {
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
    key
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::test;

    #[test]
    fn members_are_found_in_short_and_in_long_maps() {
        for members in [1, FEW_MEMBERS, FEW_MEMBERS + 1, 3 * FEW_MEMBERS] {
            let object: Value = (0..members).map(|number| (format!("member-{number}"), json!(number))).collect();
            for number in 0..members {
                let name = format!("member-{number}");
                assert_eq!(Node::root(&object).get(&name), Some(&json!(number)), "of {members}");
                assert_eq!(reach(&object, &[&name]), Some(&json!(number)), "of {members}");
            }
            assert_eq!(reach(&object, &["member"]), None, "of {members}");
        }
    }

    #[test]
    fn a_pointer_escapes_what_rfc_6901_says() {
        let object = json!({"nodeSelector": {"kubernetes.io/arch": "amd64", "a~b": 1}});
        let selector = Node::root(&object).at("nodeSelector");
        assert_eq!(selector.at("kubernetes.io/arch").pointer(), "/nodeSelector/kubernetes.io~1arch");
        assert_eq!(selector.at("a~b").pointer(), "/nodeSelector/a~0b");
        assert_eq!(keys("/nodeSelector/kubernetes.io~1arch").last().as_deref(), Some("kubernetes.io/arch"));
        assert_eq!(keys("/a~01").next().as_deref(), Some("a~1"));
    }

    #[test]
    fn a_missing_key_is_reported_on_the_nearest_ancestor_that_exists() {
        let object = json!({"spec": {"containers": [{"name": "sql"}, {"name": "sql"}], "strategy": null}});
        let spec = Node::root(&object).at("spec");
        let affinity = spec.path(&["affinity", "nodeAffinity"]);
        assert_eq!((affinity.pointer().as_str(), affinity.missing()), ("/spec", Some("affinity")));
        let null = spec.at("strategy").at("type");
        assert_eq!((null.pointer().as_str(), null.missing()), ("/spec/strategy", Some("type")));
        // Equal values are told apart.
        let pointers: Vec<String> = spec.at("containers").items().map(|container| container.pointer()).collect();
        assert_eq!(pointers, ["/spec/containers/0", "/spec/containers/1"]);
    }

    #[test]
    fn wrong_types_look_like_absence() {
        let object = json!({"containers": {}, "replicas": "3", "volumes": null});
        let root = Node::root(&object);
        assert_eq!(root.at("containers").items().count(), 0);
        assert_eq!(root.at("replicas").int(), None);
        assert!(!root.at("volumes").exists());
    }
}
