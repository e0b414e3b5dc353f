//! The environment variables of a container, as far as a manifest shows them.

use crate::node::Node;

/// What a manifest says of one variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Variable {
    /// It is not set by name; whether `envFrom` sets it cannot be seen.
    Absent,
    /// Its value, with references to other variables expanded.
    Known(String),
    /// It is set, but the value lies elsewhere: `valueFrom`, or a reference to such a variable.
    Unseen,
}

/// A view of a container's `env`.
#[derive(Clone, Debug)]
pub struct Environment<'a> {
    container: Node<'a>,
}

impl<'a> Environment<'a> {
    /// The environment of `container`.
    pub fn of(container: &Node<'a>) -> Self {
        Environment { container: *container }
    }

    /// Whether variables come from ConfigMaps or Secrets as a whole.
    pub fn has_unseen_source(&self) -> bool {
        self.container.at("envFrom").items().next().is_some()
    }

    /// The entry that sets `name`: the last one, as the kubelet lets it win.
    pub fn entry(&self, name: &str) -> Option<Node<'a>> {
        self.last(name).map(|(_, entry)| entry)
    }

    /// The last entry that sets `name`, and how many stand above it.
    fn last(&self, name: &str) -> Option<(usize, Node<'a>)> {
        let mut last = None;
        for (above, entry) in self.container.at("env").items().enumerate() {
            if entry.at("name").str() == Some(name) {
                last = Some((above, entry));
            }
        }
        last
    }

    /// The value of `name`. An empty value counts as absent, as the engine treats it.
    pub fn value(&self, name: &str) -> Variable {
        let Some((last, entry)) = self.last(name) else { return Variable::Absent };
        // The kubelet expands from top to bottom, so that a reference sees only what stands above it. Going the same
        // way ends, whatever refers to whatever.
        let mut above = Above::new();
        if entry.at("value").str().is_some_and(|text| text.contains("$(")) {
            for entry in self.container.at("env").items().take(last.min(LONGEST_ENVIRONMENT)) {
                if let Some(name) = entry.at("name").str() {
                    let value = read(&entry, &above);
                    above.push((name, value));
                }
            }
        }
        read(&entry, &above)
    }
}

/// The variables above one, by name.
type Above<'a> = Vec<(&'a str, Variable)>;

fn read(entry: &Node<'_>, above: &Above<'_>) -> Variable {
    if entry.at("valueFrom").exists() {
        return Variable::Unseen;
    }
    match entry.at("value").str() {
        None | Some("") => Variable::Absent,
        Some(text) => expand(text, above),
    }
}

/// Replaces `$(NAME)` by the value of a variable set above; `$$(NAME)` stays `$(NAME)`.
fn expand(text: &str, above: &Above<'_>) -> Variable {
    let mut expanded = String::new();
    let mut rest = text;
    while let Some((literal, reference)) = rest.split_once('$') {
        expanded.push_str(literal);
        rest = if let Some(escaped) = reference.strip_prefix('$') {
            expanded.push('$');
            escaped
        } else if let Some((name, after)) = reference.strip_prefix('(').and_then(|inner| inner.split_once(')')) {
            match above.iter().rev().find(|(known, _)| *known == name).map(|(_, value)| value) {
                Some(Variable::Known(value)) => expanded.push_str(value),
                Some(Variable::Absent) => {}
                Some(Variable::Unseen) | None => return Variable::Unseen,
            }
            after
        } else {
            expanded.push('$');
            reference
        };
        // Values that refer to values can double with every line.
        if expanded.len() > LONGEST_VALUE {
            return Variable::Unseen;
        }
    }
    expanded.push_str(rest);
    Variable::Known(expanded)
}

/// As many variables as references are looked up in; no real container has so many.
const LONGEST_ENVIRONMENT: usize = 1000;

/// Longer than any path, shorter than trouble; bytes.
const LONGEST_VALUE: usize = 4096;

/// The variables that `text` refers to as `$(NAME)`.
pub fn references(text: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut rest = text;
    while let Some((_, reference)) = rest.split_once('$') {
        rest = if let Some(escaped) = reference.strip_prefix('$') {
            escaped
        } else if let Some((name, after)) = reference.strip_prefix('(').and_then(|inner| inner.split_once(')')) {
            names.push(name);
            after
        } else {
            reference
        };
    }
    names
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::test;

    fn value_of(name: &str, env: Value) -> Variable {
        let container = json!({"env": env});
        Environment::of(&Node::root(&container)).value(name)
    }

    fn known(text: &str) -> Variable {
        Variable::Known(text.into())
    }

    #[test]
    fn the_last_entry_of_a_name_wins() {
        let env = json!([{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]);
        assert_eq!(value_of("A", env), known("2"));
    }

    #[test]
    fn references_are_expanded_as_the_kubelet_does() {
        let with = |value: &str| {
            json!([{"name": "ROOT", "value": "/sql"}, {"name": "SECRET", "valueFrom": {"secretKeyRef": {}}},
                   {"name": "A", "value": value}, {"name": "LATER", "value": "/later"}])
        };
        assert_eq!(value_of("A", with("$(ROOT)/data")), known("/sql/data"));
        assert_eq!(value_of("A", with("$$(ROOT)/data")), known("$(ROOT)/data"));
        assert_eq!(value_of("A", with("cost $5 $")), known("cost $5 $"));
        assert_eq!(value_of("A", with("$(SECRET)/x")), Variable::Unseen);
        assert_eq!(value_of("A", with("$(LATER)/x")), Variable::Unseen);
        assert_eq!(value_of("A", with("$(A)")), Variable::Unseen);
        assert_eq!(value_of("A", with("")), Variable::Absent);
        assert_eq!(value_of("B", with("x")), Variable::Absent);
    }

    #[test]
    fn a_long_chain_of_doublings_ends() {
        for (seed, end) in [("xxxxxxxxxxxxxxxx", Variable::Unseen), ("", known(""))] {
            let mut env = vec![json!({"name": "V0", "value": seed})];
            for index in 1..900 {
                let doubled = format!("$(V{0})$(V{0})", index - 1);
                env.push(json!({"name": format!("V{index}"), "value": doubled}));
            }
            assert_eq!(value_of("V899", Value::Array(env)), end);
        }
    }

    #[test]
    fn references_are_listed() {
        assert_eq!(references("$(A)/$$(B)/$(C)$"), ["A", "C"]);
    }
}
