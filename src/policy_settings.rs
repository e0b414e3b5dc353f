//! The policy's settings as text, with the place of a mistake. The configuration file and the playground share it.

use std::ops::Range;

use serde_json::{Value, json};
use sqledge_ha_policy::rules::parse_settings;
use sqledge_ha_policy::settings::{SETTINGS, Settings};

use crate::manifest::{Document, read};

/// The policy's settings.
#[derive(Clone, Debug, Default)]
pub struct PolicySettings {
    /// As JSON, for the module.
    pub value: Value,
    /// As the rules read them.
    pub settings: Settings,
}

/// Why settings cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsError {
    /// The bytes of the text that are wrong.
    pub span: Range<usize>,
    /// One sentence.
    pub message: String,
}

/// Reads settings in YAML: alone, or under `policy:` as in the configuration file, whose other keys are not read.
///
/// # Errors
/// [`SettingsError`] that locates the mistake.
///
/// ```
/// use sqledge_ha::policy_settings::read_settings;
///
/// assert_eq!(read_settings("policy: {mode: warn}").unwrap().value["mode"], "warn");
/// assert_eq!(read_settings("mode: warm").unwrap_err().span, 6..10);
/// ```
pub fn read_settings(text: &str) -> Result<PolicySettings, SettingsError> {
    let document = single_document(text)?;
    let whole = document.as_ref().map_or(&Value::Null, |document| &document.value);
    let (value, pointer) = whole.get("policy").map_or((whole, ""), |policy| (policy, "/policy"));
    match settings(value, pointer) {
        Ok(settings) => Ok(PolicySettings { value: value.clone(), settings }),
        Err(mistake) => Err(SettingsError { span: mistake.locate(document.as_ref()), message: mistake.message }),
    }
}

/// The settings with their defaults as YAML, one line each, with a comment.
pub fn yaml() -> String {
    let lines: Vec<(String, &str)> = SETTINGS
        .iter()
        .map(|setting| (format!("{}: {}", setting.key, flow((setting.default)())), setting.description))
        .collect();
    let width = lines.iter().map(|(line, _)| line.len()).max().unwrap_or_default();
    lines.iter().map(|(line, description)| format!("{line:width$}  # {description}\n")).collect()
}

/// A default in YAML's flow style.
fn flow(value: Value) -> String {
    match value {
        Value::String(text) => text,
        Value::Array(items) => format!("[{}]", items.into_iter().map(flow).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}

/// Parses a text of one document, which `kubectl` would read in the same way: settings also come from manifests. `None`
/// if it is empty.
///
/// # Errors
/// [`SettingsError`] for a syntax error, and for a second document.
pub(crate) fn single_document(text: &str) -> Result<Option<Document>, SettingsError> {
    let mut documents = read(text).into_iter();
    let document = documents.next().transpose().map_err(|error| {
        let help = error.help.map(|help| format!("; {help}")).unwrap_or_default();
        SettingsError { span: error.byte..error.byte, message: format!("{}{help}", error.message) }
    })?;
    if let Some(second) = documents.next() {
        let span = second.map_or_else(|error| error.byte..error.byte, |document| document.locate(""));
        return Err(SettingsError { span, message: "the file has a second document".to_owned() });
    }
    Ok(document)
}

/// A wrong value, or an unknown key.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Mistake {
    /// JSON Pointer of the value.
    pub(crate) pointer: String,
    /// Whether it is about the key, not about the value.
    pub(crate) is_key: bool,
    /// One sentence.
    pub(crate) message: String,
}

#[cfg(not(target_family = "wasm"))]
impl Mistake {
    /// A wrong value.
    pub(crate) fn value(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Mistake { pointer: pointer.into(), is_key: false, message: message.into() }
    }

    /// An unknown key.
    pub(crate) fn key(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Mistake { pointer: pointer.into(), is_key: true, message: message.into() }
    }
}

impl Mistake {
    /// The bytes of the value or key in the text of a document; none if the text has no document.
    pub(crate) fn locate(&self, document: Option<&Document>) -> Range<usize> {
        let locate = |document: &Document| match self.is_key {
            true => document.locate_key(&self.pointer),
            false => document.locate(&self.pointer),
        };
        document.map_or(0..0, locate)
    }
}

/// Reads settings; `pointer` is where they are in the document.
///
/// # Errors
/// [`Mistake`] at the smallest part that is as wrong alone.
pub(crate) fn settings(value: &Value, pointer: &str) -> Result<Settings, Mistake> {
    parse_settings(value).map_err(|message| {
        let is_wrong = |value: &Value| parse_settings(value).is_err_and(|other| other == message);
        let (below, is_key) = wrong_part(value, &is_wrong);
        // No action is valid for a rule that does not exist.
        let is_rule = below.rsplit('/').next().is_some_and(|key| message.starts_with(&format!("unknown rule `{key}`")));
        Mistake { pointer: format!("{pointer}{below}"), is_key: is_key || is_rule, message }
    })
}

/// The JSON Pointer of the smallest part of a value that is as wrong alone, and whether its key is.
fn wrong_part(value: &Value, is_wrong: &dyn Fn(&Value) -> bool) -> (String, bool) {
    let below = |token: &str, child: &Value, is_wrong: &dyn Fn(&Value) -> bool| {
        let (rest, is_key) = wrong_part(child, is_wrong);
        (format!("/{}{rest}", token.replace('~', "~0").replace('/', "~1")), is_key)
    };
    match value {
        Value::Array(_) if is_wrong(&json!([])) => {}
        Value::Object(_) if is_wrong(&json!({})) => {}
        Value::Object(members) => {
            for (key, child) in members {
                let is_wrong = |child: &Value| is_wrong(&json!({key.as_str(): child}));
                if is_wrong(&Value::Null) {
                    return (below(key, &Value::Null, &|_| false).0, true);
                }
                if is_wrong(child) {
                    return below(key, child, &is_wrong);
                }
            }
        }
        Value::Array(items) => {
            for (index, child) in items.iter().enumerate() {
                let is_wrong = |child: &Value| is_wrong(&json!([child]));
                if is_wrong(child) {
                    return below(&index.to_string(), child, &is_wrong);
                }
            }
        }
        _ => {}
    }
    (String::new(), false)
}
