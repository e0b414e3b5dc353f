//! The policy's settings: what Kubewarden hands over, and the `policy:` part of the linter's configuration.
//!
//! Every field may be left out or empty (`""`, `[]`, `{}`, `null`): forms submit empty values for what nobody filled
//! in. Whatever else is not understood is refused, with the nearest right name.

use serde_json::{Map, Value};

use crate::engine::Engine;
use crate::finding::{Action, push_part, quoted};
use crate::rules;

/// How the rules are applied.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The engines that the rules govern.
    pub engines: Vec<Engine>,
    /// Image repositories that carry an engine under another name.
    pub images: Vec<ImageMapping>,
    /// Whether objects are mended or only judged.
    pub mode: Mode,
    /// Actions that differ from the rules' defaults, by rule id.
    pub rules: Vec<(&'static str, Action)>,
    /// How a Service that is made a load balancer is published.
    pub exposure: Exposure,
    /// How long a pod may stay bound to a node that stopped answering, in seconds; set, it is enforced by mutation.
    pub failover_seconds: Option<i64>,
    /// The group that owns the database files; `None` where the platform assigns one (OpenShift).
    pub fs_group: Option<i64>,
    /// Whether objects may switch rules off by the annotation `sqledge-ha/ignore`.
    pub exemptions: bool,
    /// The size of a claim that `fix --unsafe` adds, a Kubernetes quantity.
    pub claim_size: String,
}

/// One image repository of the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageMapping {
    /// Path components at the end of the repository, without registry, tag and digest.
    pub repository: String,
    /// The engine in it.
    pub engine: Engine,
}

/// Whether objects are mended or only judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Omissions are mended.
    Mutate,
    /// Nothing is patched; what would be mended is refused.
    Validate,
}

/// How a Service that is made a load balancer is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exposure {
    /// With the annotations that keep it inside the network.
    Internal,
    /// Open to the internet, on purpose.
    Public,
    /// With the annotations it has, whatever they say.
    Keep,
}

/// How long Kubernetes leaves a pod on a node that stopped answering unless told otherwise, in seconds: the admission
/// plugin DefaultTolerationSeconds.
pub const DEFAULT_FAILOVER_SECONDS: i64 = 300;

impl Default for Settings {
    fn default() -> Self {
        Settings {
            engines: vec![Engine::SqlEdge],
            images: Vec::new(),
            mode: Mode::Mutate,
            rules: Vec::new(),
            exposure: Exposure::Internal,
            failover_seconds: None,
            fs_group: Some(10001),
            exemptions: false,
            claim_size: "8Gi".to_owned(),
        }
    }
}

/// The names of all settings, in the order of the documentation.
pub const KEYS: [&str; 9] =
    ["engines", "images", "mode", "rules", "exposure", "failoverSeconds", "fsGroup", "exemptions", "claimSize"];
/// The values of `mode`.
pub const MODES: [(&str, Mode); 2] = [("mutate", Mode::Mutate), ("validate", Mode::Validate)];
/// The values of `exposure`.
pub const EXPOSURES: [(&str, Exposure); 3] =
    [("internal", Exposure::Internal), ("public", Exposure::Public), ("keep", Exposure::Keep)];

impl Settings {
    /// Reads settings from a JSON value.
    ///
    /// # Errors
    /// One sentence for a person: which setting is wrong and what would be right.
    ///
    /// ```
    /// use serde_json::json;
    /// use sqledge_ha_policy::settings::Settings;
    ///
    /// let error = Settings::from_value(&json!({"failoverSecond": 60})).unwrap_err();
    /// assert_eq!(error, "there is no setting `failoverSecond`; did you mean `failoverSeconds`?");
    /// ```
    pub fn from_value(value: &Value) -> Result<Settings, String> {
        let mut settings = Settings::default();
        let empty = Map::new();
        let members = match value {
            Value::Null => &empty,
            Value::Object(members) => members,
            _ => return Err("settings are a mapping of names to values".to_owned()),
        };
        for (key, value) in members {
            must_be_one_of("setting", key, &KEYS)?;
            if !is_unset(value) {
                settings.read(key, value)?;
            }
        }
        Ok(settings)
    }

    fn read(&mut self, key: &str, value: &Value) -> Result<(), String> {
        match key {
            "engines" => {
                self.engines.clear();
                for item in list(key, value)? {
                    self.engines.push(choice("engine", item, &Engine::NAMES)?);
                }
            }
            "images" => {
                for item in list(key, value)? {
                    self.images.push(image(item)?);
                }
            }
            "mode" => self.mode = choice("mode", value, &MODES)?,
            "rules" => {
                let members = value.as_object().ok_or("`rules` maps rule ids to mutate, reject, warn or off")?;
                for (rule, action) in members.iter().filter(|(_, action)| !is_unset(action)) {
                    // For YAML 1.1, which `kubectl` and Helm read, `off` without quotes is false.
                    let is_off = *action == Value::Bool(false);
                    self.set_action(rule, if is_off { "off" } else { action.as_str().unwrap_or_default() })?;
                }
            }
            "exposure" => self.exposure = choice("exposure", value, &EXPOSURES)?,
            "failoverSeconds" => {
                let seconds = value.as_i64().filter(|seconds| (1..=86_400).contains(seconds));
                self.failover_seconds = Some(seconds.ok_or("`failoverSeconds` is a whole number from 1 to 86400")?);
            }
            "fsGroup" => self.fs_group = group(value)?,
            "exemptions" => self.exemptions = value.as_bool().ok_or("`exemptions` is true or false")?,
            _ => {
                let size = value.as_str().filter(|size| size.starts_with(|first: char| first.is_ascii_digit()));
                self.claim_size = size.ok_or("`claimSize` is a quantity such as 8Gi")?.to_owned();
            }
        }
        Ok(())
    }

    /// The action that the settings give to a rule, if they do.
    pub fn action(&self, rule: &str) -> Option<Action> {
        self.rules.iter().find(|(id, _)| *id == rule).map(|(_, action)| *action)
    }

    /// Gives `rule` an action, as the member `rules` does.
    ///
    /// # Errors
    /// One sentence for a person, if there is no such rule or it cannot act so.
    pub fn set_action(&mut self, rule: &str, action: &str) -> Result<(), String> {
        let Some(known) = rules::find(rule) else {
            let ids: Vec<&str> = rules::RULES.iter().map(|rule| rule.id).collect();
            return Err(unknown("rule", rule, &ids));
        };
        let action = named("action", action, &Action::NAMES)?;
        if action == Action::Mutate && !known.is_mendable() {
            return Err(format!(
                "rule `{rule}` has no safe fix, so it cannot be set to `mutate`; use `reject` or `warn`"
            ));
        }
        match self.rules.iter_mut().find(|(id, _)| *id == known.id) {
            Some((_, chosen)) => *chosen = action,
            None => self.rules.push((known.id, action)),
        }
        Ok(())
    }
}

/// Whether a value says no more than an absent one.
fn is_unset(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    }
}

fn list<'v>(key: &str, value: &'v Value) -> Result<&'v [Value], String> {
    let items = value.as_array().ok_or_else(|| format!("`{key}` is a list"))?;
    Ok(items)
}

fn choice<T: Copy>(what: &str, value: &Value, choices: &[(&'static str, T)]) -> Result<T, String> {
    named(what, value.as_str().unwrap_or_default(), choices)
}

/// The choice with this name.
fn named<T: Copy>(what: &str, name: &str, choices: &[(&'static str, T)]) -> Result<T, String> {
    for (known, choice) in choices {
        if *known == name {
            return Ok(*choice);
        }
    }
    Err(unknown(what, name, &names(choices)))
}

fn names<T>(choices: &[(&'static str, T)]) -> Vec<&'static str> {
    choices.iter().map(|(name, _)| *name).collect()
}

/// Makes sure that `name` is one of the `known`.
fn must_be_one_of(what: &str, name: &str, known: &[&str]) -> Result<(), String> {
    if known.contains(&name) { Ok(()) } else { Err(unknown(what, name, known)) }
}

fn image(value: &Value) -> Result<ImageMapping, String> {
    let members = value.as_object().ok_or("`images` lists objects with `repository` and `engine`")?;
    for key in members.keys() {
        must_be_one_of("member of `images`", key, &["repository", "engine"])?;
    }
    let repository = members.get("repository").and_then(Value::as_str).unwrap_or_default().trim_matches('/');
    if repository.is_empty() || repository.contains(['@', ':', ' ']) {
        return Err("`repository` in `images` is an image's path without registry, tag and digest".to_owned());
    }
    let Some(engine) = members.get("engine").filter(|engine| !is_unset(engine)) else {
        let mut message = "`engine` in `images` is missing; ".to_owned();
        push_known(&mut message, &names(&Engine::NAMES));
        return Err(message);
    };
    let engine = choice("engine", engine, &Engine::NAMES)?;
    Ok(ImageMapping { repository: repository.to_owned(), engine })
}

fn group(value: &Value) -> Result<Option<i64>, String> {
    // Where a word may stand in place of a number, forms submit the number as text.
    let id = value.as_i64().or_else(|| value.as_str()?.parse().ok());
    match (id, value.as_str()) {
        (Some(id), _) if (0..=i64::from(i32::MAX)).contains(&id) => Ok(Some(id)),
        (_, Some("none")) => Ok(None),
        _ => Err("`fsGroup` is a group id from 0 to 2147483647, or none".to_owned()),
    }
}

/// Says that `name` does not exist, and what comes nearest to it.
fn unknown(what: &str, name: &str, known: &[&str]) -> String {
    let shown: String = name.chars().take(60).collect();
    let shown = quoted(&shown);
    let mut message = format!("there is no {what} {shown}; ");
    let nearest = known.iter().map(|other| (strsim::levenshtein(&shown, &format!("`{other}`")), *other)).min();
    match nearest {
        Some((distance, other)) if distance <= other.len().div_ceil(3) => {
            message.push_str("did you mean `");
            message.push_str(other);
            message.push_str("`?");
        }
        _ => push_known(&mut message, known),
    }
    message
}

/// Adds which names there are.
fn push_known(message: &mut String, known: &[&str]) {
    let mut names = String::new();
    known.iter().for_each(|name| push_part(&mut names, ", ", name));
    message.push_str("known are ");
    message.push_str(&names);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::test;

    #[test]
    fn empty_values_are_unset() {
        let forms = json!({"engines": [], "images": [], "mode": "", "rules": {}, "exposure": null,
            "failoverSeconds": "", "fsGroup": "", "exemptions": null, "claimSize": ""});
        assert_eq!(Settings::from_value(&forms), Ok(Settings::default()));
        assert_eq!(Settings::from_value(&Value::Null), Ok(Settings::default()));
        assert_eq!(Settings::from_value(&json!({"rules": {"persistent-data": ""}})), Ok(Settings::default()));
    }

    #[test]
    fn a_group_may_be_text_as_forms_submit_it() {
        let group = |value: Value| Settings::from_value(&json!({"fsGroup": value})).map(|settings| settings.fs_group);
        assert_eq!(group(json!("0")), Ok(Some(0)));
        assert_eq!(group(json!("10002")), Ok(Some(10002)));
        assert_eq!(group(json!("none")), Ok(None));
    }

    #[test]
    fn off_without_quotes_is_off() {
        let settings = Settings::from_value(&json!({"rules": {"one-engine": false}})).expect("kubectl writes it so");
        assert_eq!(settings.action("one-engine"), Some(Action::Off));
        assert!(Settings::from_value(&json!({"rules": {"one-engine": true}})).is_err());
    }

    #[test]
    fn every_setting_is_read() {
        let value = json!({"engines": ["sql-server"], "images": [{"repository": "team/edge", "engine": "sql-edge"}],
            "mode": "validate", "rules": {"single-replica": "warn", "graceful-stop": "mutate"}, "exposure": "keep",
            "failoverSeconds": 60, "fsGroup": "none", "exemptions": true, "claimSize": "20Gi"});
        let settings = Settings::from_value(&value).expect("these settings are right");
        assert_eq!(settings.engines, [Engine::SqlServer]);
        assert_eq!(settings.images, [ImageMapping { repository: "team/edge".into(), engine: Engine::SqlEdge }]);
        assert_eq!(settings.mode, Mode::Validate);
        assert_eq!(settings.action("single-replica"), Some(Action::Warn));
        assert_eq!(settings.action("persistent-data"), None);
        assert_eq!((settings.exposure, settings.failover_seconds), (Exposure::Keep, Some(60)));
        assert_eq!((settings.fs_group, settings.exemptions), (None, true));
        assert_eq!(settings.claim_size, "20Gi");
    }

    #[test]
    fn what_is_not_understood_is_refused_with_the_nearest_right_name() {
        let cases = [
            (json!({"engine": ["sql-edge"]}), "there is no setting `engine`; did you mean `engines`?"),
            (json!({"engines": ["sqledge"]}), "there is no engine `sqledge`; did you mean `sql-edge`?"),
            (json!({"engines": "sql-edge"}), "`engines` is a list"),
            (
                json!({"rules": {"single-replicas": "warn"}}),
                "there is no rule `single-replicas`; did you mean `single-replica`?",
            ),
            (
                json!({"rules": {"single-replica": "warning"}}),
                "there is no action `warning`; known are mutate, reject, warn, off",
            ),
            (
                json!({"rules": {"single-replica": "mutate"}}),
                "rule `single-replica` has no safe fix, so it cannot be set to `mutate`; use `reject` or `warn`",
            ),
            (json!({"mode": "monitor"}), "there is no mode `monitor`; known are mutate, validate"),
            (json!({"failoverSeconds": 0}), "`failoverSeconds` is a whole number from 1 to 86400"),
            (json!({"failoverSeconds": "60"}), "`failoverSeconds` is a whole number from 1 to 86400"),
            (json!({"fsGroup": "wheel"}), "`fsGroup` is a group id from 0 to 2147483647, or none"),
            (json!({"fsGroup": "-1"}), "`fsGroup` is a group id from 0 to 2147483647, or none"),
            (json!({"exemptions": "yes"}), "`exemptions` is true or false"),
            (json!({"claimSize": "big"}), "`claimSize` is a quantity such as 8Gi"),
            (json!({"images": ["x"]}), "`images` lists objects with `repository` and `engine`"),
            (
                json!({"images": [{"repository": "r.io:5/x", "engine": "sql-edge"}]}),
                "`repository` in `images` is an image's path without registry, tag and digest",
            ),
            (
                json!({"images": [{"repository": "team/edge"}]}),
                "`engine` in `images` is missing; known are sql-edge, sql-server",
            ),
            (
                json!({"images": [{"repository": "team/edge", "engine": ""}]}),
                "`engine` in `images` is missing; known are sql-edge, sql-server",
            ),
            (
                json!({"images": [{"repository": "team/edge", "engine": "mssql"}]}),
                "there is no engine `mssql`; known are sql-edge, sql-server",
            ),
            (json!(["x"]), "settings are a mapping of names to values"),
        ];
        for (value, message) in cases {
            assert_eq!(Settings::from_value(&value), Err(message.to_owned()), "{value}");
        }
    }
}
