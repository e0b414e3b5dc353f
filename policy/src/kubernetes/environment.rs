//! The environment variables of a container, as far as a manifest shows them.

use serde_json::{Map, Value};

use crate::json::cursor::Cursor;

/// The value of a variable, as far as a manifest shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Variable {
    /// `env` does not set it; `envFrom` may.
    Absent,
    /// Its value, with references to other variables expanded.
    Known(String),
    /// It is set to a value outside the manifest: by `valueFrom`, or by a reference to such a variable.
    Unresolved,
}

/// A view of a container's `env`.
#[derive(Clone, Debug)]
pub struct Environment<'a> {
    container: Cursor<'a>,
}

impl<'a> Environment<'a> {
    /// The environment of `container`.
    pub fn new(container: &Cursor<'a>) -> Self {
        Environment { container: *container }
    }

    /// Whether `envFrom` adds all variables of a ConfigMap or Secret.
    pub fn has_env_from(&self) -> bool {
        self.container.at("envFrom").items().any(|source| source.exists())
    }

    /// The entry that sets `name`: the last one, as for the kubelet.
    pub fn entry(&self, name: &str) -> Option<Cursor<'a>> {
        self.last(name).map(|(_, entry)| entry)
    }

    /// The last entry that sets `name`, and the number of entries before it.
    pub fn last(&self, name: &str) -> Option<(usize, Cursor<'a>)> {
        let mut last = None;
        for (preceding, entry) in self.container.at("env").items().enumerate() {
            if entry.at("name").str() == Some(name) {
                last = Some((preceding, entry));
            }
        }
        last
    }

    /// The value of `name`. An empty value counts as absent, as for SQL Server.
    pub fn value(&self, name: &str) -> Variable {
        let Some((last, entry)) = self.last(name) else { return Variable::Absent };
        // As in the kubelet, a reference sees only preceding variables, so that references cannot form a loop.
        let mut preceding = PrecedingVariables::new();
        if entry.at("value").str().is_some_and(|text| text.contains("$(")) {
            let names = self.container.at("env").items().filter_map(|entry| entry.at("name").str());
            names.for_each(|name| drop(preceding.insert(name.to_owned(), LATER)));
            for entry in self.container.at("env").items().take(last) {
                if let Some(name) = entry.at("name").str() {
                    let value = match read(&entry, &preceding) {
                        Variable::Known(text) => Value::String(text),
                        Variable::Absent => Value::String(String::new()),
                        Variable::Unresolved => Value::Null,
                    };
                    preceding.insert(name.to_owned(), value);
                }
            }
        }
        read(&entry, &preceding)
    }
}

/// The values before an entry, by name; null for those outside the manifest, and [`LATER`] for variables that follow.
type PrecedingVariables = Map<String, Value>;

/// In place of the value of a variable that is set later.
const LATER: Value = Value::Bool(true);

fn read(entry: &Cursor<'_>, preceding: &PrecedingVariables) -> Variable {
    if entry.at("valueFrom").exists() {
        return Variable::Unresolved;
    }
    match entry.at("value").str() {
        None | Some("") => Variable::Absent,
        Some(text) => expand(text, preceding),
    }
}

/// Replaces `$(NAME)` by the value of a preceding variable; `$$(NAME)` becomes `$(NAME)`, and one that is set later
/// stays as it is.
fn expand(text: &str, preceding: &PrecedingVariables) -> Variable {
    let mut expanded = String::new();
    let mut rest = text;
    while let Some((literal, name, after)) = split_reference(rest) {
        expanded.push_str(literal);
        match name.map(|name| (name, preceding.get(name))) {
            None => expanded.push('$'),
            Some((_, Some(Value::String(value)))) => expanded.push_str(value),
            Some((name, Some(Value::Bool(_)))) => ["$(", name, ")"].iter().for_each(|part| expanded.push_str(part)),
            // It is outside of the manifest, e.g. the address of a Service.
            Some(_) => return Variable::Unresolved,
        }
        rest = after;
        // Values that refer to values can double with every entry.
        if expanded.len() > MAX_VALUE_LENGTH {
            return Variable::Unresolved;
        }
    }
    expanded.push_str(rest);
    Variable::Known(expanded)
}

/// The longest value, in bytes. No path is longer.
const MAX_VALUE_LENGTH: usize = 4096;

/// The variables that `text` refers to as `$(NAME)`.
pub fn references(text: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut rest = text;
    while let Some((_, name, after)) = split_reference(rest) {
        names.extend(name);
        rest = after;
    }
    names
}

/// Splits a text at its first `$`: what is before it, the variable that `$(NAME)` refers to, and what follows. Without
/// a variable, `$` and `$$` stand for the character.
fn split_reference(text: &str) -> Option<(&str, Option<&str>, &str)> {
    let (before, rest) = text.split_once('$')?;
    Some(match rest.strip_prefix('(').and_then(|inner| inner.split_once(')')) {
        Some((name, after)) => (before, Some(name), after),
        None => (before, None, rest.strip_prefix('$').unwrap_or(rest)),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::test;

    fn value_of(name: &str, env: Value) -> Variable {
        let container = json!({"env": env});
        Environment::new(&Cursor::root(&container)).value(name)
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
    fn references_are_expanded_as_in_the_kubelet() {
        let with = |value: &str| {
            json!([{"name": "ROOT", "value": "/sql"}, {"name": "SECRET", "valueFrom": {"secretKeyRef": {}}},
                   {"name": "A", "value": value}, {"name": "LATER", "value": "/later"}])
        };
        assert_eq!(value_of("A", with("$(ROOT)/data")), known("/sql/data"));
        assert_eq!(value_of("A", with("$$(ROOT)/data")), known("$(ROOT)/data"));
        assert_eq!(value_of("A", with("cost $5 $")), known("cost $5 $"));
        assert_eq!(value_of("A", with("$(SECRET)/x")), Variable::Unresolved);
        assert_eq!(value_of("A", with("$(LATER)/x")), known("$(LATER)/x"));
        assert_eq!(value_of("A", with("$(A)")), known("$(A)"));
        assert_eq!(value_of("A", with("$(SQL_SERVICE_HOST)")), Variable::Unresolved);
        assert_eq!(value_of("A", with("")), Variable::Absent);
        assert_eq!(value_of("B", with("x")), Variable::Absent);
    }

    #[test]
    fn values_that_double_with_every_reference_are_bounded() {
        for (seed, end) in [("xxxxxxxxxxxxxxxx", Variable::Unresolved), ("", known(""))] {
            let mut env = vec![json!({"name": "V0", "value": seed})];
            for index in 1..900 {
                let doubled = format!("$(V{0})$(V{0})", index - 1);
                env.push(json!({"name": format!("V{index}"), "value": doubled}));
            }
            assert_eq!(value_of("V899", Value::Array(env)), end);
        }
    }

    #[test]
    fn references_are_listed_without_escaped_ones() {
        assert_eq!(references("$(A)/$$(B)/$(C)$"), ["A", "C"]);
    }
}
