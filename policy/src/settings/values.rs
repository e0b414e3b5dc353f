//! The types of settings: how each is read, and the JSON schema of its values.

use std::marker::PhantomData;

use serde_json::{Map, Value, json};

use super::{KnownRule, Named, is_unset, unknown, valid_values};
use crate::engine::{ENGINES, Engine, ImageMapping};
use crate::finding::Action;
use crate::kubernetes::resources::{RESOURCES, Resource};

/// The type of a setting.
pub trait SettingType {
    /// Its values.
    type Value;

    /// The type of its field in Rancher's form.
    const FORM_TYPE: &'static str;

    /// Reads a value of the setting `key`, which is not empty.
    ///
    /// # Errors
    /// One sentence: what is wrong, and which values are valid.
    fn read(key: &str, value: &Value, rules: &[KnownRule]) -> Result<Self::Value, String>;

    /// A value as JSON.
    fn to_json(value: &Self::Value) -> Value;

    /// The JSON schema of its values. Empty values are valid.
    fn schema(rules: &[KnownRule]) -> Value;
}

/// The products to check.
pub struct Engines;

impl SettingType for Engines {
    type Value = Vec<&'static Engine>;
    const FORM_TYPE: &'static str = "array[";

    fn read(key: &str, value: &Value, _: &[KnownRule]) -> Result<Self::Value, String> {
        let items = value.as_array().ok_or_else(|| format!("`{key}` must be a list"))?;
        items.iter().map(|item| engine(key, item)).collect()
    }

    fn to_json(engines: &Self::Value) -> Value {
        engines.iter().map(|engine| Value::from(engine.name)).collect()
    }

    fn schema(_: &[KnownRule]) -> Value {
        json!({"type": ["array", "null"], "items": {"enum": engine_names()}})
    }
}

fn engine_names() -> Vec<&'static str> {
    ENGINES.iter().map(|engine| engine.name).collect()
}

fn engine(key: &str, value: &Value) -> Result<&'static Engine, String> {
    let name = read_name(key, value, &engine_names())?;
    let found = ENGINES.into_iter().find(|engine| engine.name == name);
    found.ok_or_else(|| unknown("database", name, &engine_names()))
}

/// The text of a value in the setting `key` that should be one of the names `known`.
fn read_name<'v>(key: &str, value: &'v Value, known: &[&str]) -> Result<&'v str, String> {
    value.as_str().ok_or_else(|| format!("a value in `{key}` is not a name; {}", valid_values(known)))
}

/// Image repositories with the product in each.
pub struct Images;

impl SettingType for Images {
    type Value = Vec<ImageMapping>;
    const FORM_TYPE: &'static str = "sequence[";

    fn read(_: &str, value: &Value, _: &[KnownRule]) -> Result<Self::Value, String> {
        value.as_array().ok_or(IMAGES)?.iter().map(image).collect()
    }

    fn to_json(images: &Self::Value) -> Value {
        let image = |image: &ImageMapping| json!({"repository": image.repository, "engine": image.engine.name});
        images.iter().map(image).collect()
    }

    fn schema(_: &[KnownRule]) -> Value {
        json!({"type": ["array", "null"], "items": {"type": "object", "additionalProperties": false,
            "required": ["repository", "engine"], "properties": {
                "repository": {"type": "string", "description": "The end of the path, without registry, tag and digest"},
                "engine": {"enum": engine_names(), "description": "The database in it"}}}})
    }
}

const IMAGES: &str = "`images` must list objects with `repository` and `engine`";

fn image(value: &Value) -> Result<ImageMapping, String> {
    let members = value.as_object().ok_or(IMAGES)?;
    if let Some(key) = members.keys().find(|key| !matches!(key.as_str(), "repository" | "engine")) {
        return Err(unknown("field in `images`", key, &["repository", "engine"]));
    }
    let repository = members.get("repository").and_then(Value::as_str).unwrap_or_default().trim_matches('/');
    // The first part of a path with a registry has a dot or a port, or is this name.
    let has_registry = repository.split_once('/').is_some_and(|(first, _)| first.contains('.') || first == "localhost");
    if repository.is_empty() || repository.contains(['@', ':', ' ']) || has_registry {
        return Err(
            "`repository` in `images` must be the path of an image, without registry, tag and digest".to_owned()
        );
    }
    let Some(name) = members.get("engine").filter(|engine| !is_unset(engine)) else {
        return Err(format!("`engine` in `images` is missing; {}", valid_values(&engine_names())));
    };
    Ok(ImageMapping { repository: repository.to_owned(), engine: engine("images", name)? })
}

/// Kinds of objects that the host may list.
pub struct LookUps;

impl SettingType for LookUps {
    type Value = Vec<&'static Resource>;
    const FORM_TYPE: &'static str = "array[";

    fn read(key: &str, value: &Value, _: &[KnownRule]) -> Result<Self::Value, String> {
        let items = value.as_array().ok_or_else(|| format!("`{key}` must be a list of kinds"))?;
        let resource = |item: &Value| {
            let name = read_name(key, item, &looked_up_kinds())?;
            let found = looked_up().find(|resource| resource.name == name);
            found.ok_or_else(|| unknown("kind", name, &looked_up_kinds()))
        };
        items.iter().map(resource).collect()
    }

    fn to_json(resources: &Self::Value) -> Value {
        resources.iter().map(|resource| Value::from(resource.name)).collect()
    }

    fn schema(_: &[KnownRule]) -> Value {
        json!({"type": ["array", "null"], "items": {"enum": looked_up_kinds()}})
    }
}

fn looked_up() -> impl Iterator<Item = &'static Resource> {
    RESOURCES.iter().filter(|resource| resource.look_up.at_admission())
}

/// Every kind that the setting `lookUps` can name.
pub fn looked_up_kinds() -> Vec<&'static str> {
    looked_up().map(|resource| resource.name).collect()
}

/// One of several names.
pub struct Choice<T>(PhantomData<T>);

impl<T: Named> SettingType for Choice<T> {
    type Value = T;
    const FORM_TYPE: &'static str = "enum";

    fn read(key: &str, value: &Value, _: &[KnownRule]) -> Result<T, String> {
        match value.as_str() {
            Some(name) => named(key, name, T::NAMES),
            None => Err(format!("`{key}` must be a text; {}", valid_values(&names(T::NAMES)))),
        }
    }

    fn to_json(value: &T) -> Value {
        value.name().map_or(Value::Null, Value::from)
    }

    fn schema(_: &[KnownRule]) -> Value {
        json!({"enum": or_unset(&names(T::NAMES))})
    }
}

fn names<T>(choices: &[(&'static str, T)]) -> Vec<&'static str> {
    choices.iter().map(|(name, _)| *name).collect()
}

fn named<T: Copy>(subject: &str, name: &str, choices: &[(&'static str, T)]) -> Result<T, String> {
    let found = choices.iter().find(|(known, _)| *known == name);
    found.map(|(_, choice)| *choice).ok_or_else(|| unknown(subject, name, &names(choices)))
}

/// One of these names, or unset.
fn or_unset(names: &[&str]) -> Vec<Value> {
    names.iter().map(|name| json!(name)).chain([json!(""), Value::Null]).collect()
}

/// Actions other than the defaults, by rule id.
pub struct RuleActions;

/// The actions that the settings give to rules.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ChosenActions(Vec<(&'static str, Action)>);

impl ChosenActions {
    /// The action of a rule; `None` for the default.
    pub fn action(&self, rule: &str) -> Option<Action> {
        self.0.iter().find(|(id, _)| *id == rule).map(|(_, action)| *action)
    }

    /// Sets the action of a rule.
    ///
    /// # Errors
    /// One sentence, if there is no such rule, or the action is not valid for it.
    pub fn set(&mut self, rule: &str, action: &str, rules: &[KnownRule]) -> Result<(), String> {
        let Some(known) = rules.iter().find(|known| known.id == rule) else {
            let ids: Vec<&str> = rules.iter().map(|known| known.id).collect();
            return Err(unknown("rule", rule, &ids));
        };
        let action = named("action", action, &Action::NAMES)?;
        if action == Action::Mutate && !known.can_mutate {
            return Err(format!("rule `{rule}` has no safe fix, so `mutate` is not valid; use `reject` or `warn`"));
        }
        self.0.retain(|(id, _)| *id != known.id);
        self.0.push((known.id, action));
        Ok(())
    }
}

impl SettingType for RuleActions {
    type Value = ChosenActions;
    const FORM_TYPE: &'static str = "map[";

    fn read(key: &str, value: &Value, rules: &[KnownRule]) -> Result<ChosenActions, String> {
        let members =
            value.as_object().ok_or_else(|| format!("`{key}` must map rule ids to mutate, reject, warn or off"))?;
        let mut chosen = ChosenActions::default();
        for (rule, action) in members.iter().filter(|(_, action)| !is_unset(action)) {
            // In YAML 1.1, which kubectl and Helm read, unquoted `off` is false.
            let is_off = *action == Value::Bool(false);
            let name = if is_off { "off" } else { read_name(key, action, &names(&Action::NAMES))? };
            chosen.set(rule, name, rules)?;
        }
        Ok(chosen)
    }

    fn to_json(chosen: &ChosenActions) -> Value {
        let actions = chosen.0.iter().map(|(rule, action)| ((*rule).to_owned(), Value::from(action.name())));
        Value::Object(actions.collect())
    }

    fn schema(rules: &[KnownRule]) -> Value {
        let actions = |rule: &KnownRule| {
            let valid = Action::NAMES.iter().filter(|(_, action)| *action != Action::Mutate || rule.can_mutate);
            let names: Vec<&str> = valid.map(|(name, _)| *name).collect();
            // In YAML 1.1, which kubectl and Helm read, unquoted `off` is false.
            or_unset(&names).into_iter().chain([Value::Bool(false)]).collect::<Vec<_>>()
        };
        let properties: Map<String, Value> = rules
            .iter()
            .map(|rule| {
                (
                    rule.id.to_owned(),
                    json!({"description": rule.summary, "default": rule.default_action.name(), "enum": actions(rule)}),
                )
            })
            .collect();
        json!({"type": ["object", "null"], "additionalProperties": false, "properties": properties})
    }
}

/// A number of seconds, at most a day.
pub struct Seconds;

impl SettingType for Seconds {
    type Value = Option<i64>;
    const FORM_TYPE: &'static str = "int";

    fn read(key: &str, value: &Value, _: &[KnownRule]) -> Result<Self::Value, String> {
        let seconds = value.as_i64().filter(|seconds| (1..=86_400).contains(seconds));
        Ok(Some(seconds.ok_or_else(|| format!("`{key}` must be a whole number from 1 to 86400"))?))
    }

    fn to_json(seconds: &Self::Value) -> Value {
        json!(seconds)
    }

    fn schema(_: &[KnownRule]) -> Value {
        json!({"anyOf": [{"type": "integer", "minimum": 1, "maximum": 86400}, {"enum": ["", null]}]})
    }
}

/// A group id; `None` if it is the word `none`.
pub struct GroupId;

impl SettingType for GroupId {
    type Value = Option<i64>;
    /// A word may stand in place of the number.
    const FORM_TYPE: &'static str = "string";

    fn read(key: &str, value: &Value, _: &[KnownRule]) -> Result<Self::Value, String> {
        // Forms submit the number as text.
        let id = value.as_i64().or_else(|| value.as_str()?.parse().ok());
        match (id, value.as_str()) {
            (Some(id), _) if (0..=i64::from(i32::MAX)).contains(&id) => Ok(Some(id)),
            (_, Some("none")) => Ok(None),
            _ => Err(format!("`{key}` must be a group id from 0 to 2147483647, or none")),
        }
    }

    fn to_json(group: &Self::Value) -> Value {
        group.map_or_else(|| json!("none"), |id| json!(id))
    }

    fn schema(_: &[KnownRule]) -> Value {
        json!({"anyOf": [{"type": "integer", "minimum": 0, "maximum": i32::MAX},
            {"type": "string", "pattern": "^[0-9]{1,10}$"}, {"enum": ["none", "", null]}]})
    }
}

/// True or false.
pub struct Flag;

impl SettingType for Flag {
    type Value = bool;
    const FORM_TYPE: &'static str = "boolean";

    fn read(key: &str, value: &Value, _: &[KnownRule]) -> Result<bool, String> {
        value.as_bool().ok_or_else(|| format!("`{key}` must be true or false"))
    }

    fn to_json(flag: &bool) -> Value {
        json!(flag)
    }

    fn schema(_: &[KnownRule]) -> Value {
        json!({"enum": [true, false, "", null]})
    }
}

/// Names of objects.
pub struct Names;

impl SettingType for Names {
    type Value = Vec<String>;
    const FORM_TYPE: &'static str = "array[";

    fn read(key: &str, value: &Value, _: &[KnownRule]) -> Result<Self::Value, String> {
        let items = value.as_array().into_iter().flatten().map(|item| item.as_str().map(str::to_owned));
        let names: Option<Vec<String>> = items.collect();
        names.filter(|_| value.is_array()).ok_or_else(|| format!("`{key}` must be a list of names"))
    }

    fn to_json(names: &Self::Value) -> Value {
        json!(names)
    }

    fn schema(_: &[KnownRule]) -> Value {
        json!({"type": ["array", "null"], "items": {"type": "string"}})
    }
}

/// A Kubernetes quantity of storage.
pub struct ClaimSize;

impl SettingType for ClaimSize {
    type Value = String;
    const FORM_TYPE: &'static str = "string";

    fn read(key: &str, value: &Value, _: &[KnownRule]) -> Result<String, String> {
        let size = value.as_str().filter(|size| is_quantity(size));
        Ok(size.ok_or_else(|| format!("`{key}` must be a quantity, for example 8Gi"))?.to_owned())
    }

    fn to_json(size: &String) -> Value {
        json!(size)
    }

    fn schema(_: &[KnownRule]) -> Value {
        json!({"type": ["string", "null"], "pattern": "^$|^[0-9]+([.][0-9]+)?([KMGTPE]i|[kMGTPE])?$"})
    }
}

/// Whether a text is a positive quantity of bytes: a decimal number with a suffix of `resource.Quantity`.
fn is_quantity(text: &str) -> bool {
    let suffix = text.trim_start_matches(|char: char| char.is_ascii_digit() || char == '.');
    let number = text.strip_suffix(suffix).unwrap_or_default();
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let are_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_positive = number.bytes().any(|byte| matches!(byte, b'1'..=b'9'));
    let suffixes = ["", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
    are_digits(whole) && are_digits(fraction) && is_positive && suffixes.contains(&suffix)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::rules::parse_settings;
    use crate::testing::test;

    #[test]
    fn a_value_that_is_no_text_is_not_called_an_unknown_name() {
        let cases = [
            (json!({"engines": [5]}), "a value in `engines` is not a name; valid values: sql-edge, sql-server"),
            (json!({"engines": [null]}), "a value in `engines` is not a name; valid values: sql-edge, sql-server"),
            (
                json!({"images": [{"repository": "a", "engine": 5}]}),
                "a value in `images` is not a name; valid values: sql-edge, sql-server",
            ),
            (
                json!({"rules": {"single-replica": 5}}),
                "a value in `rules` is not a name; valid values: mutate, reject, warn, off",
            ),
        ];
        for (value, message) in cases {
            assert_eq!(parse_settings(&value), Err(message.to_owned()), "{value}");
        }
        let message = parse_settings(&json!({"lookUps": [5]})).unwrap_err();
        assert!(message.starts_with("a value in `lookUps` is not a name; valid values: "), "{message}");
    }
}
