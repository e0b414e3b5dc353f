//! From the values in a configuration file to settings, exclusions and ignore entries.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Map, Value};
use sqledge_ha_policy::rules::{self, RULES};
use sqledge_ha_policy::settings::{SETTINGS, Settings, unknown};

#[cfg(feature = "serve")]
use super::file::read_text;
use super::file::{ConfigError, ConfigFile};
use crate::input::Exclusion;
use crate::linter::{IgnoreEntry, ObjectPattern, PathFilter, Validity, parse_date};
use crate::policy_settings::{Mistake, SettingsError, settings};

/// The keys of a configuration file.
pub(super) const KEYS: [&str; 3] = ["policy", "exclude", "ignore"];
/// The keys of an ignore entry.
pub(super) const ENTRY_KEYS: [&str; 5] = ["rules", "paths", "objects", "reason", "until"];
/// The keys of an object in an ignore entry.
pub(super) const OBJECT_KEYS: [&str; 3] = ["kind", "namespace", "name"];

/// What a configuration file says, beside exclusions.
#[derive(Debug, Default)]
pub(super) struct Configuration {
    pub(super) settings: Settings,
    pub(super) entries: Vec<IgnoreEntry>,
}

/// Reads a configuration file, and adds its exclusions.
///
/// # Errors
/// [`ConfigError`] that locates the mistake.
pub(super) fn read(file: &ConfigFile, exclusion: &mut Exclusion) -> Result<Configuration, ConfigError> {
    read_value(file, exclusion).map_err(|mistake| file.error(&mistake))
}

/// What is wrong with the text of a configuration file; `None` if nothing is.
pub fn find_mistake(path: &Path, text: &str) -> Option<SettingsError> {
    let file = match ConfigFile::parse_text(path, text) {
        Ok(file) => file,
        Err(error) => return Some(error),
    };
    let mistake = read_value(&file, &mut Exclusion::default()).err()?;
    Some(SettingsError { span: file.locate(&mistake), message: mistake.message })
}

fn read_value(file: &ConfigFile, exclusion: &mut Exclusion) -> Result<Configuration, Mistake> {
    reject_settings_at_top(file.value())?;
    let file_members = members(file.value(), "", "the configuration", &KEYS)?;
    let member = |key: &str| file_members.and_then(|members| members.get(key)).unwrap_or(&Value::Null);
    let settings = settings(member("policy"), "/policy")?;
    add_globs(file, member("exclude"), "/exclude", exclusion)?;
    let ignored = items(member("ignore"), "/ignore", "a list of entries")?;
    let pointers = (0..ignored.len()).map(|index| format!("/ignore/{index}"));
    let locations = file.locations(pointers.clone());
    let mut entries = Vec::new();
    for ((item, pointer), location) in ignored.iter().zip(pointers).zip(locations) {
        entries.push(entry(file, item, &pointer, location)?);
    }
    Ok(Configuration { settings, entries })
}

/// A file of settings alone, as the webhook reads it, does not say that they are settings.
fn reject_settings_at_top(value: &Value) -> Result<(), Mistake> {
    let is_setting = |key: &&String| SETTINGS.iter().any(|setting| setting.key == key.as_str());
    match value.as_object().and_then(|members| members.keys().find(is_setting)) {
        Some(key) => Err(Mistake::key(format!("/{key}"), format!("`{key}` is a setting; write it below `policy:`"))),
        None => Ok(()),
    }
}

fn entry(file: &ConfigFile, value: &Value, pointer: &str, location: String) -> Result<IgnoreEntry, Mistake> {
    let missing = || Mistake::value(pointer, "the entry names no rule; write `rules: [RULE]`");
    let entry = members(value, pointer, "an entry of `ignore`", &ENTRY_KEYS)?.ok_or_else(missing)?;
    let member = |key: &str| entry.get(key).unwrap_or(&Value::Null);
    let at = |key: &str| format!("{pointer}/{key}");
    let rules = rules(member("rules"), &at("rules"))?;
    if rules.is_empty() {
        return Err(missing());
    }
    let mut globs = Exclusion::default();
    add_globs(file, member("paths"), &at("paths"), &mut globs)?;
    let paths = (!globs.is_empty()).then(|| Arc::new(globs) as Arc<dyn PathFilter>);
    let mut objects = Vec::new();
    for (index, item) in items(member("objects"), &at("objects"), "a list of objects")?.iter().enumerate() {
        objects.push(object(item, &format!("{}/{index}", at("objects")))?);
    }
    let reason = text(member("reason"), &at("reason"), "reason")?.unwrap_or_default();
    let until = text(member("until"), &at("until"), "until")?;
    let until = until.map(|until| parse_date(&until)).transpose();
    let until = until.map_err(|message| Mistake::value(at("until"), message))?;
    let validity = Validity { until, reason };
    Ok(IgnoreEntry { rules, paths, objects, validity, location })
}

fn rules(value: &Value, pointer: &str) -> Result<Vec<&'static str>, Mistake> {
    let ids: Vec<&str> = RULES.iter().map(|rule| rule.id).collect();
    let mut found = Vec::new();
    for (index, item) in items(value, pointer, "a list of rules")?.iter().enumerate() {
        let at = format!("{pointer}/{index}");
        let name = item.as_str().ok_or_else(|| Mistake::value(&at, "a rule must be a text"))?;
        let rule = rules::find(name).ok_or_else(|| Mistake::value(&at, unknown("rule", name, &ids)))?;
        found.push(rule.id);
    }
    Ok(found)
}

fn object(value: &Value, pointer: &str) -> Result<ObjectPattern, Mistake> {
    let members = members(value, pointer, "an object of an entry", &OBJECT_KEYS)?;
    let part = |key: &str| {
        let value = members.and_then(|members| members.get(key)).unwrap_or(&Value::Null);
        text(value, &format!("{pointer}/{key}"), key)
    };
    let pattern = ObjectPattern { kind: part("kind")?, namespace: part("namespace")?, name: part("name")? };
    if pattern == ObjectPattern::default() {
        return Err(Mistake::value(pointer, "the object names neither `kind`, `namespace` nor `name`"));
    }
    Ok(pattern)
}

/// Adds globs relative to the directory of the file.
fn add_globs(file: &ConfigFile, value: &Value, pointer: &str, globs: &mut Exclusion) -> Result<(), Mistake> {
    let mut texts = Vec::new();
    for (index, item) in items(value, pointer, "a list of globs")?.iter().enumerate() {
        let at = format!("{pointer}/{index}");
        let glob = item.as_str().ok_or_else(|| Mistake::value(&at, "a glob must be a text"))?.to_owned();
        let add = Exclusion::default().add(file.directory(), std::slice::from_ref(&glob));
        add.map_err(|message| Mistake::value(&at, message))?;
        texts.push(glob);
    }
    globs.add(file.directory(), &texts).map_err(|message| Mistake::value(pointer, message))
}

/// The members of an object whose keys are all known; `None` if it is unset.
fn members<'v>(
    value: &'v Value,
    pointer: &str,
    subject: &str,
    keys: &[&str],
) -> Result<Option<&'v Map<String, Value>>, Mistake> {
    let members = match value {
        Value::Null => return Ok(None),
        Value::Object(members) => members,
        _ => return Err(Mistake::value(pointer, format!("{subject} must be an object; valid keys: {}", listed(keys)))),
    };
    match members.keys().find(|key| !keys.contains(&key.as_str())) {
        Some(key) => {
            let at = format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"));
            Err(Mistake::key(at, unknown("key", key, keys)))
        }
        None => Ok(Some(members)),
    }
}

fn listed(keys: &[&str]) -> String {
    keys.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ")
}

/// The items of a list; none if it is unset.
fn items<'v>(value: &'v Value, pointer: &str, subject: &str) -> Result<&'v [Value], Mistake> {
    match value {
        Value::Null => Ok(&[]),
        Value::Array(items) => Ok(items),
        _ => Err(Mistake::value(pointer, format!("this must be {subject}"))),
    }
}

/// A text; `None` if it is unset.
fn text(value: &Value, pointer: &str, key: &str) -> Result<Option<String>, Mistake> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok((!text.is_empty()).then(|| text.clone())),
        _ => Err(Mistake::value(pointer, format!("`{key}` must be a text"))),
    }
}

/// A file with the policy's settings: alone, or under `policy:` as for the linter.
#[cfg(feature = "serve")]
#[derive(Debug)]
pub struct SettingsFile {
    /// The text of the file.
    pub text: String,
    /// The settings as JSON.
    pub value: Value,
    /// The settings.
    pub policy: Settings,
}

/// Reads a file with the policy's settings: alone, or under `policy:` as for the linter.
///
/// # Errors
/// [`ConfigError`] that names the file and locates the mistake.
#[cfg(feature = "serve")]
pub fn read_settings_file(path: &Path) -> Result<SettingsFile, ConfigError> {
    let file = ConfigFile::parse(path, &read_text(path)?)?;
    let (value, policy) = match file.value().get("policy") {
        Some(settings) => {
            let policy = read_value(&file, &mut Exclusion::default()).map(|configuration| configuration.settings);
            (settings.clone(), policy)
        }
        None => (file.value().clone(), settings(file.value(), "")),
    };
    let policy = policy.map_err(|mistake| file.error(&mistake))?;
    Ok(SettingsFile { text: file.text, value, policy })
}
