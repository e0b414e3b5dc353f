//! The fields that a mutation sets although the manifest states another value. A GitOps controller that compares the
//! manifest with the live object sees a difference in them. (`writable-data`, if the settings make it mutate, changes
//! an item of a list, which has no fixed JSON Pointer.)

use super::{Rule, finite_tolerations, graceful_stop, load_balancer_service, recreate_strategy};
use crate::finding::Action;
use crate::settings::{Mode, Settings};

/// A field that a mutation can set although the manifest states another value.
#[derive(Debug)]
pub struct Overwrite {
    /// The rule that sets it.
    pub rule: &'static Rule,
    /// The API group of the object, empty for the core group.
    pub group: &'static str,
    /// The kind of the object.
    pub kind: &'static str,
    /// The JSON Pointer of the field.
    pub pointer: &'static str,
    needs: fn(&Settings) -> bool,
}

const TOLERATIONS: &str = "/spec/template/spec/tolerations";
const GRACE_PERIOD: &str = "/spec/template/spec/terminationGracePeriodSeconds";

/// Every such field, by rule.
static OVERWRITES: [Overwrite; 6] = [
    in_apps(&recreate_strategy::RULE, "Deployment", "/spec/strategy", |_| true),
    in_apps(&finite_tolerations::RULE, "Deployment", TOLERATIONS, limits_tolerations),
    in_apps(&finite_tolerations::RULE, "StatefulSet", TOLERATIONS, limits_tolerations),
    in_apps(&graceful_stop::RULE, "Deployment", GRACE_PERIOD, sets_grace_period),
    in_apps(&graceful_stop::RULE, "StatefulSet", GRACE_PERIOD, sets_grace_period),
    Overwrite {
        rule: &load_balancer_service::RULE,
        group: "",
        kind: "Service",
        pointer: "/spec/type",
        needs: |settings| settings.exposure.is_some(),
    },
];

const fn in_apps(
    rule: &'static Rule,
    kind: &'static str,
    pointer: &'static str,
    needs: fn(&Settings) -> bool,
) -> Overwrite {
    Overwrite { rule, group: "apps", kind, pointer, needs }
}

fn limits_tolerations(settings: &Settings) -> bool {
    settings.failover_seconds.is_some()
}

fn sets_grace_period(settings: &Settings) -> bool {
    settings.rules.action(graceful_stop::RULE.id) == Some(Action::Mutate)
}

/// The fields that mutations can set with these settings although the manifest states another value.
pub fn overwrites(settings: &Settings) -> impl Iterator<Item = &'static Overwrite> {
    OVERWRITES.iter().filter(|overwrite| {
        let chosen = settings.rules.action(overwrite.rule.id);
        let mutates = match settings.mode {
            Mode::Mutate => matches!(chosen, None | Some(Action::Mutate)),
            Mode::Warn => chosen == Some(Action::Mutate),
            Mode::Validate => false,
        };
        mutates && (overwrite.needs)(settings)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::overwrites;
    use crate::testing::{settings, test};

    #[test]
    fn settings_decide_which_fields_are_overwritten() {
        let of = |value: Value| {
            let settings = settings(value);
            overwrites(&settings)
                .map(|overwrite| format!("{} {}", overwrite.kind, overwrite.pointer))
                .collect::<Vec<_>>()
        };
        assert_eq!(of(json!({})), ["Deployment /spec/strategy"]);
        assert_eq!(of(json!({"exposure": "internal"})), ["Deployment /spec/strategy", "Service /spec/type"]);
        assert_eq!(of(json!({"failoverSeconds": 60, "rules": {"graceful-stop": "mutate"}})).len(), 5);
        assert!(of(json!({"mode": "validate", "exposure": "internal"})).is_empty());
        assert!(of(json!({"mode": "warn"})).is_empty());
        assert_eq!(of(json!({"mode": "warn", "rules": {"recreate-strategy": "mutate"}})).len(), 1);
        assert!(of(json!({"rules": {"recreate-strategy": "reject"}})).is_empty());
    }
}
