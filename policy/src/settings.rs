//! The settings of the policy: what Kubewarden passes to the module, and the `policy:` part of the linter's
//! configuration.
//!
//! Every setting is one line of the table below. The struct, the reader, the JSON schema, the form for Rancher and the
//! documentation follow from it. Empty values (`""`, `[]`, `{}`, `null`) mean unset, because forms submit them.

mod values;

use serde_json::{Map, Value};

use self::values::{
    Choice, ClaimSize, Engines, Flag, GroupId, Images, LookUps, Names, RuleActions, Seconds, SettingType,
};
use crate::engine::SQL_EDGE;
use crate::finding::{Action, push_separated, quoted};

pub use self::values::{ChosenActions, looked_up_kinds};

/// One line of the table of settings.
pub struct Setting {
    /// The name in settings.
    pub key: &'static str,
    /// The name in forms.
    pub label: &'static str,
    /// One sentence for users.
    pub description: &'static str,
    /// The type of its field in Rancher's form.
    pub form_type: &'static str,
    /// Its default as JSON.
    pub default: fn() -> Value,
    /// The JSON schema of its values, without description and default.
    pub schema: fn(&[KnownRule]) -> Value,
}

/// A rule, as far as settings need to know it.
#[derive(Clone, Copy, Debug)]
pub struct KnownRule {
    /// Its id.
    pub id: &'static str,
    /// What must hold.
    pub summary: &'static str,
    /// The action of its findings, unless the settings say otherwise.
    pub default_action: Action,
    /// Whether `mutate` is a valid action.
    pub can_mutate: bool,
}

/// Defines the settings: `key field: type = default, "label", "description";`, where `type` is a [`SettingType`].
macro_rules! settings {
    ($($key:literal $field:ident: $type:ty = $default:expr, $label:literal, $description:literal;)*) => {
        /// How the rules are applied.
        #[derive(Clone, Debug, PartialEq)]
        pub struct Settings {
            $(#[doc = $description] pub $field: <$type as SettingType>::Value,)*
        }

        impl Default for Settings {
            fn default() -> Self {
                Settings { $($field: $default,)* }
            }
        }

        /// Every setting, in the order of the documentation.
        pub static SETTINGS: &[Setting] = &[$(Setting {
            key: $key,
            label: $label,
            description: $description,
            form_type: <$type as SettingType>::FORM_TYPE,
            default: || <$type as SettingType>::to_json(&$default),
            schema: <$type as SettingType>::schema,
        },)*];

        const KEYS: &[&str] = &[$($key),*];

        impl Settings {
            /// Reads the value of the setting `key`.
            fn read(&mut self, key: &str, value: &Value, rules: &[KnownRule]) -> Result<(), String> {
                if is_unset(value) && KEYS.contains(&key) {
                    return Ok(());
                }
                match key {
                    $($key => self.$field = <$type as SettingType>::read($key, value, rules)?,)*
                    _ => return Err(unknown("setting", key, KEYS)),
                }
                Ok(())
            }
        }
    };
}

settings! {
    "engines" engines: Engines = vec![&SQL_EDGE],
        "Databases", "Databases to check";
    "images" images: Images = Vec::new(),
        "Image repositories", "Image repositories that contain a database under another name";
    "mode" mode: Choice<Mode> = Mode::Mutate,
        "Mode", "mutate; validate: reject objects that need a mutation; or warn: only warn";
    "rules" rules: RuleActions = ChosenActions::default(),
        "Rules", "Actions other than the defaults, by rule id: mutate, reject, warn or off";
    "address" address: Choice<Address> = Address::LoadBalancer,
        "Address", "What clients need: load-balancer, or cluster-ip if all of them are inside the cluster";
    "exposure" exposure: Choice<Option<Exposure>> = None,
        "Exposure", "How a Service is made a load balancer: internal (where the platform supports it), public, or not at all if unset";
    "operators" operators: Choice<Operators> = Operators::Warn,
        "Operators", "Objects of operators: warn, because an operator would undo a mutation, or enforce";
    "announce" announce: Flag = true,
        "Announce", "Whether each mutation is also a warning";
    "failoverSeconds" failover_seconds: Seconds = None,
        "Failover seconds", "Seconds until a pod is evicted from a failed node; if set, tolerations are added and limited";
    "fsGroup" fs_group: GroupId = Some(SQL_EDGE.uid),
        "Group of the database files", "Group that owns the database files, or none if the platform assigns one (OpenShift)";
    "exemptions" exemptions: Flag = false,
        "Exemptions", "Whether the annotation sqledge-ha/ignore on an object can switch rules off";
    "lookUps" look_ups: LookUps = Vec::new(),
        "Look-ups", "Kinds that the policy server may list; rules that need others are not checked";
    "localStorageClasses" local_storage_classes: Names = Vec::new(),
        "Local StorageClasses", "StorageClasses whose volumes stay on one node, beside the known ones";
    "claimSize" claim_size: ClaimSize = "8Gi".to_owned(),
        "Claim size", "Size of a claim that an unsafe fix adds to a file";
}

/// Whether objects are mutated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Omissions are mutated.
    Mutate,
    /// Nothing is mutated; an object that needs a mutation is rejected.
    Validate,
    /// Nothing is mutated or rejected, unless `rules` says so: every finding is a warning.
    Warn,
}

/// What clients need to find a database again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Address {
    /// The address of a load balancer.
    LoadBalancer,
    /// A virtual IP: all clients are inside the cluster.
    ClusterIp,
}

/// What happens to an object that an operator made for a custom resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operators {
    /// Findings are warnings: the operator would undo a mutation, and repeat what is rejected.
    Warn,
    /// Findings count as for other objects.
    Enforce,
}

/// How a Service that becomes a load balancer is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exposure {
    /// Inside: with the annotations for an internal load balancer, and for clients with private addresses only.
    Internal,
    /// Without either: the address may be public.
    Public,
}

/// A setting that is one of several names.
pub trait Named: Copy + PartialEq + 'static {
    /// Every value with its name.
    const NAMES: &'static [(&'static str, Self)];

    /// Its name; `None` if it is unset.
    fn name(self) -> Option<&'static str> {
        Self::NAMES.iter().find(|(_, value)| *value == self).map(|(name, _)| *name)
    }
}

impl Named for Mode {
    const NAMES: &'static [(&'static str, Self)] =
        &[("mutate", Mode::Mutate), ("validate", Mode::Validate), ("warn", Mode::Warn)];
}

impl Named for Address {
    const NAMES: &'static [(&'static str, Self)] =
        &[("load-balancer", Address::LoadBalancer), ("cluster-ip", Address::ClusterIp)];
}

/// `None` if unset.
impl Named for Option<Exposure> {
    const NAMES: &'static [(&'static str, Self)] =
        &[("internal", Some(Exposure::Internal)), ("public", Some(Exposure::Public))];
}

impl Named for Operators {
    const NAMES: &'static [(&'static str, Self)] = &[("warn", Operators::Warn), ("enforce", Operators::Enforce)];
}

/// The default of Kubernetes for the seconds until a pod is evicted from a failed node, set by the admission plugin
/// DefaultTolerationSeconds.
pub const DEFAULT_FAILOVER_SECONDS: i64 = 300;

impl Settings {
    /// Reads settings from a JSON value.
    ///
    /// # Errors
    /// One sentence: which setting is wrong, and which values are valid.
    pub(crate) fn parse(value: &Value, rules: &[KnownRule]) -> Result<Settings, String> {
        let mut settings = Settings::default();
        let empty = Map::new();
        let members = match value {
            Value::Null => &empty,
            Value::Object(members) => members,
            _ => return Err("settings must be an object".to_owned()),
        };
        for (key, value) in members {
            settings.read(key, value, rules)?;
        }
        Ok(settings)
    }

    /// Adapts them to OpenShift, which assigns a group to each namespace and rejects pods with another one.
    pub fn adapt_to_openshift(&mut self) {
        self.fs_group = None;
    }
}

/// Whether a value means that a setting is unset, as forms submit it.
pub fn is_unset(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    }
}

/// The error for an unknown name, with the nearest valid one.
pub fn unknown(subject: &str, name: &str, known: &[&str]) -> String {
    let shown: String = name.chars().take(60).collect();
    let shown = quoted(&shown);
    let mut message = format!("unknown {subject} {shown}; ");
    let nearest = known.iter().map(|other| (strsim::levenshtein(&shown, &format!("`{other}`")), *other)).min();
    match nearest {
        Some((distance, other)) if distance <= other.len().div_ceil(3) => {
            message.push_str(&format!("did you mean `{other}`?"));
        }
        _ => message.push_str(&valid_values(known)),
    }
    message
}

fn valid_values(known: &[&str]) -> String {
    let mut names = String::new();
    known.iter().for_each(|name| push_separated(&mut names, ", ", name));
    format!("valid values: {names}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::engine::{ImageMapping, SQL_SERVER};
    use crate::rules::parse_settings;
    use crate::testing::test;

    #[test]
    fn empty_values_are_unset() {
        let forms = json!({"engines": [], "images": [], "mode": "", "rules": {}, "exposure": null,
            "failoverSeconds": "", "fsGroup": "", "exemptions": null, "lookUps": [], "claimSize": ""});
        assert_eq!(parse_settings(&forms), Ok(Settings::default()));
        assert_eq!(parse_settings(&Value::Null), Ok(Settings::default()));
        assert_eq!(parse_settings(&json!({"rules": {"persistent-data": ""}})), Ok(Settings::default()));
    }

    #[test]
    fn a_group_can_be_text_as_forms_submit_it() {
        let group = |value: Value| parse_settings(&json!({"fsGroup": value})).map(|settings| settings.fs_group);
        assert_eq!(group(json!("0")), Ok(Some(0)));
        assert_eq!(group(json!("10002")), Ok(Some(10002)));
        assert_eq!(group(json!("none")), Ok(None));
    }

    #[test]
    fn unquoted_off_is_off() {
        let settings = parse_settings(&json!({"rules": {"one-engine": false}})).expect("kubectl writes it so");
        assert_eq!(settings.rules.action("one-engine"), Some(Action::Off));
        assert!(parse_settings(&json!({"rules": {"one-engine": true}})).is_err());
    }

    #[test]
    fn every_setting_is_read() {
        let value = json!({"engines": ["sql-server"], "images": [{"repository": "team/edge", "engine": "sql-edge"}],
            "mode": "validate", "rules": {"single-replica": "warn", "graceful-stop": "mutate"}, "exposure": "public",
            "address": "cluster-ip", "operators": "enforce", "announce": false,
            "failoverSeconds": 60, "fsGroup": "none", "exemptions": true, "lookUps": ["Service", "TCPRoute"], "claimSize": "20Gi"});
        let settings = parse_settings(&value).expect("these settings are right");
        assert_eq!(settings.engines, [&SQL_SERVER]);
        assert_eq!(settings.images, [ImageMapping { repository: "team/edge".into(), engine: &SQL_EDGE }]);
        assert_eq!(settings.mode, Mode::Validate);
        assert_eq!(settings.rules.action("single-replica"), Some(Action::Warn));
        assert_eq!(settings.rules.action("persistent-data"), None);
        assert_eq!((settings.exposure, settings.failover_seconds), (Some(Exposure::Public), Some(60)));
        assert_eq!(
            (settings.address, settings.operators, settings.announce),
            (Address::ClusterIp, Operators::Enforce, false)
        );
        assert_eq!((settings.fs_group, settings.exemptions), (None, true));
        assert_eq!(
            settings.look_ups.iter().map(|resource| resource.plural).collect::<Vec<_>>(),
            ["services", "tcproutes"]
        );
        assert_eq!(settings.claim_size, "20Gi");
    }

    #[test]
    fn an_invalid_setting_is_an_error_with_the_nearest_valid_name() {
        let cases = [
            (json!({"engine": ["sql-edge"]}), "unknown setting `engine`; did you mean `engines`?"),
            (json!({"engines": ["sqledge"]}), "unknown database `sqledge`; did you mean `sql-edge`?"),
            (json!({"engines": "sql-edge"}), "`engines` must be a list"),
            (
                json!({"rules": {"single-replicas": "warn"}}),
                "unknown rule `single-replicas`; did you mean `single-replica`?",
            ),
            (
                json!({"rules": {"single-replica": "warning"}}),
                "unknown action `warning`; valid values: mutate, reject, warn, off",
            ),
            (
                json!({"rules": {"single-replica": "mutate"}}),
                "rule `single-replica` has no safe fix, so `mutate` is not valid; use `reject` or `warn`",
            ),
            (json!({"mode": "monitor"}), "unknown mode `monitor`; valid values: mutate, validate, warn"),
            (json!({"failoverSeconds": 0}), "`failoverSeconds` must be a whole number from 1 to 86400"),
            (json!({"failoverSeconds": "60"}), "`failoverSeconds` must be a whole number from 1 to 86400"),
            (json!({"fsGroup": "wheel"}), "`fsGroup` must be a group id from 0 to 2147483647, or none"),
            (json!({"fsGroup": "-1"}), "`fsGroup` must be a group id from 0 to 2147483647, or none"),
            (json!({"exemptions": "yes"}), "`exemptions` must be true or false"),
            (json!({"mode": 1}), "`mode` must be a text; valid values: mutate, validate, warn"),
            (json!({"claimSize": "big"}), "`claimSize` must be a quantity, for example 8Gi"),
            (json!({"claimSize": "8GB"}), "`claimSize` must be a quantity, for example 8Gi"),
            (json!({"claimSize": "8.Gi"}), "`claimSize` must be a quantity, for example 8Gi"),
            (json!({"claimSize": "0Gi"}), "`claimSize` must be a quantity, for example 8Gi"),
            (json!({"lookUps": ["Services"]}), "unknown kind `Services`; did you mean `Service`?"),
            (json!({"lookUps": true}), "`lookUps` must be a list of kinds"),
            (json!({"images": ["x"]}), "`images` must list objects with `repository` and `engine`"),
            (
                json!({"images": [{"repository": "r.io:5/x", "engine": "sql-edge"}]}),
                "`repository` in `images` must be the path of an image, without registry, tag and digest",
            ),
            (
                json!({"images": [{"repository": "registry.example.com/team/edge", "engine": "sql-edge"}]}),
                "`repository` in `images` must be the path of an image, without registry, tag and digest",
            ),
            (
                json!({"images": [{"repository": "team/edge"}]}),
                "`engine` in `images` is missing; valid values: sql-edge, sql-server",
            ),
            (
                json!({"images": [{"repository": "team/edge", "engine": ""}]}),
                "`engine` in `images` is missing; valid values: sql-edge, sql-server",
            ),
            (
                json!({"images": [{"repository": "team/edge", "engine": "mssql"}]}),
                "unknown database `mssql`; valid values: sql-edge, sql-server",
            ),
            (json!(["x"]), "settings must be an object"),
        ];
        for (value, message) in cases {
            assert_eq!(parse_settings(&value), Err(message.to_owned()), "{value}");
        }
    }
}
