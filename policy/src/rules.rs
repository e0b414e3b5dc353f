//! The registry of rules, and the action that a finding leads to.
//!
//! Each rule is one file below `rules/`, named after its id. The list below is their order everywhere.

use serde_json::Value;

use self::check::{Check, CheckContext, CheckedObject};
use crate::finding::{Action, Finding, FindingKind, Findings, Fix};
use crate::json::edit::{Edit, apply};
use crate::kubernetes::kind::{Kind, WorkloadKind};
use crate::kubernetes::resources::{RESOURCES, Resource};
use crate::settings::{KnownRule, Mode, Settings};

pub mod check;
pub mod documentation;
pub mod exemption;
pub mod overwrites;

/// A rule.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// The id, which names the state that must hold.
    pub id: &'static str,
    /// One sentence: what must hold.
    pub summary: &'static str,
    /// What is lost without it.
    pub loss: Loss,
    /// The action of its findings, unless the settings say otherwise.
    pub default_action: Action,
    /// Whether its findings can be fixed.
    pub fixable: Fixable,
    /// The kinds of objects that it looks up beside the one that it checks.
    pub sees: &'static [Kind],
    /// What it checks in the object alone.
    pub checks: &'static [Check],
    /// What it checks by looking up others.
    pub relations: &'static [Check],
}

/// What is lost where a rule is broken, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Databases.
    Data,
    /// Time in which clients can work.
    Availability,
    /// The ease of running it: maintenance, security, diagnosis.
    Operation,
}

impl Loss {
    /// All, the worst first.
    pub const ALL: [Loss; 3] = [Loss::Data, Loss::Availability, Loss::Operation];

    /// The name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Loss::Data => "data",
            Loss::Availability => "availability",
            Loss::Operation => "operation",
        }
    }
}

/// Whether the findings of a rule can be fixed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fixable {
    /// At admission and by `fix`.
    Safe,
    /// By `fix --unsafe` only.
    Unsafe,
    /// Only by hand.
    No,
}

impl Fixable {
    /// The name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Fixable::Safe => "safe",
            Fixable::Unsafe => "unsafe",
            Fixable::No => "none",
        }
    }
}

impl Rule {
    /// Whether `mutate` is a valid action: it has safe fixes.
    pub fn can_mutate(&self) -> bool {
        self.fixable == Fixable::Safe
    }

    /// Whether the settings, or the default, switch it off.
    pub fn is_off(&self, settings: &Settings) -> bool {
        settings.rules.action(self.id).unwrap_or(self.default_action) == Action::Off
    }

    /// The action of a finding if the mode is not `warn`: from the settings or the default, and from the finding's
    /// kind.
    pub fn action_of(&self, finding: &Finding, settings: &Settings) -> Action {
        let chosen = settings.rules.action(self.id);
        let action = match (chosen.unwrap_or(self.default_action), finding.kind) {
            (Action::Off, _) => Action::Off,
            (Action::Warn, FindingKind::Severe) if chosen.is_none() => Action::Reject,
            (Action::Warn, _) | (_, FindingKind::Advice) => Action::Warn,
            (Action::Mutate, _) if finding.safe_edits().is_some() => Action::Mutate,
            // A rule that rejects by default still mutates an omission, unless the settings chose `reject`.
            (Action::Reject, FindingKind::Omission) if chosen.is_none() => Action::Mutate,
            _ => Action::Reject,
        };
        match (action, settings.mode) {
            (Action::Mutate, Mode::Validate) => Action::Reject,
            _ => action,
        }
    }

    /// Whether the mode turns all findings into warnings. An action that the settings choose wins over the mode.
    fn only_warns(&self, settings: &Settings) -> bool {
        settings.mode == Mode::Warn && settings.rules.action(self.id).is_none()
    }
}

/// A rule in the list. The module leaves the summaries out, which no answer contains.
const fn listed(rule: Rule) -> Rule {
    if cfg!(feature = "guest") { Rule { summary: "", ..rule } } else { rule }
}

/// Lists the rules in the order of the documentation. A new file below `rules/` needs one line here.
macro_rules! rules {
    ($($module:ident),* $(,)?) => {
        $(pub mod $module;)*

        /// Every rule, in the order of the documentation.
        pub static RULES: &[Rule] = &[$(listed($module::RULE)),*];

        /// The source text of every rule's file, which carries its documentation.
        #[cfg(not(feature = "guest"))]
        static SOURCES: &[&str] = &[$(include_str!(concat!("rules/", stringify!($module), ".rs"))),*];
    };
}

rules! {
    // One writer
    single_replica,
    no_autoscaling,
    recreate_strategy,
    steady_controller,
    exclusive_claim,
    single_node_claim,
    pod_exclusive_claim,
    one_engine,
    unblocked_rollout,
    // Durable data
    persistent_data,
    whole_data_root,
    writable_data,
    stable_data_path,
    existing_claim,
    retained_claim,
    retained_volume,
    portable_storage,
    supported_filesystem,
    late_binding,
    // Any amd64 node
    amd64_node_selector,
    linux_node,
    unpinned_node,
    finite_tolerations,
    free_host_port,
    kernel_compatible,
    no_self_repulsion,
    // Clean restart
    graceful_stop,
    volume_ownership,
    enough_memory,
    patient_probes,
    pinned_image,
    numeric_user,
    engine_environment,
    drainable,
    // Stable address
    load_balancer_service,
    reachable_service,
    exclusive_service,
    steady_routing,
    private_address,
    // Notices
    retired_engine,
    stable_hostname,
    priority,
}

/// The rule with this id.
pub fn find(id: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.id == id)
}

/// The resources that matter with these settings: those that rules check, and those that the rules that are on look up.
pub fn used_resources(settings: &Settings) -> Vec<&'static Resource> {
    let rules: Vec<&Rule> = RULES.iter().filter(|rule| !rule.is_off(settings)).collect();
    let is_used = |row: &&Resource| row.is_checked || rules.iter().any(|rule| rule.sees.contains(&row.kind));
    RESOURCES.iter().filter(is_used).collect()
}

/// Reads settings from a JSON value.
///
/// # Errors
/// One sentence: which setting is wrong, and which values are valid.
///
/// ```
/// use serde_json::json;
/// use sqledge_ha_policy::rules::parse_settings;
///
/// let error = parse_settings(&json!({"failoverSecond": 60})).unwrap_err();
/// assert_eq!(error, "unknown setting `failoverSecond`; did you mean `failoverSeconds`?");
/// ```
pub fn parse_settings(value: &Value) -> Result<Settings, String> {
    Settings::parse(value, &known_rules())
}

/// Sets the action of a rule, as the setting `rules` does.
///
/// # Errors
/// One sentence, if there is no such rule, or the action is not valid for it.
pub fn set_action(settings: &mut Settings, rule: &str, action: &str) -> Result<(), String> {
    settings.rules.set(rule, action, &known_rules())
}

/// The rules, as far as settings need to know them.
pub fn known_rules() -> Vec<KnownRule> {
    let known = |rule: &Rule| KnownRule {
        id: rule.id,
        summary: rule.summary,
        default_action: rule.default_action,
        can_mutate: rule.can_mutate(),
    };
    RULES.iter().map(known).collect()
}

/// Whether a rule that is on checks scale requests.
pub fn checks_scaling(settings: &Settings) -> bool {
    let is_of_scaling = |check: &Check| matches!(check, Check::Scale(_));
    RULES.iter().any(|rule| !rule.is_off(settings) && rule.checks.iter().any(is_of_scaling))
}

/// Runs every rule on an object. Findings without effect are left out.
pub fn check_all(context: &CheckContext<'_>) -> Findings {
    check_with(context, &[|rule| rule.checks, |rule| rule.relations])
}

/// Runs the checks that look only at the object itself.
pub fn check_object(context: &CheckContext<'_>) -> Findings {
    check_with(context, &[|rule| rule.checks])
}

/// Runs the checks that look up other objects.
pub fn check_relations(context: &CheckContext<'_>) -> Findings {
    check_with(context, &[|rule| rule.relations])
}

fn check_with(context: &CheckContext<'_>, lists: &[fn(&Rule) -> &'static [Check]]) -> Findings {
    let (object, exempt) = (context.object.value(), context.object.workload_or_value());
    let mut all = Findings::new();
    for rule in RULES.iter().filter(|rule| is_active(rule, exempt, context.settings)) {
        let mut findings = Findings::new();
        let checks = lists.iter().flat_map(|list| list(rule));
        checks.for_each(|check| check.run(context, &mut findings));
        if findings.iter().any(|finding| finding.replaces_others) {
            findings.retain(|finding| finding.replaces_others);
        }
        for mut finding in findings {
            finding.rule = rule.id;
            drop_inapplicable_fix(&mut finding, object, context);
            finding.enforced_action = rule.action_of(&finding, context.settings);
            finding.action = if rule.only_warns(context.settings) { Action::Warn } else { finding.enforced_action };
            all.push(finding);
        }
    }
    all
}

/// Whether a rule has an effect on an object: it is neither off, nor is the object exempt.
fn is_active(rule: &Rule, object: &Value, settings: &Settings) -> bool {
    let is_exempt = settings.exemptions && exemption::names(object, rule.id);
    !rule.is_off(settings) && !is_exempt
}

/// Fields that Knative rejects, unless its configuration has a flag for them
/// (<https://knative.dev/docs/serving/configuration/feature-flags/>).
const NOT_IN_KNATIVE: [&str; 3] =
    ["/spec/template/spec/nodeSelector", "/spec/template/spec/securityContext", "/spec/template/spec/tolerations"];

/// A value of the wrong type cannot be fixed, e.g. `strategy: Recreate` in place of an object, nor by a field that the
/// API server rejects.
fn drop_inapplicable_fix(finding: &mut Finding, object: &Value, context: &CheckContext<'_>) {
    let is_knative =
        matches!(&context.object, CheckedObject::Workload(workload) if workload.kind == WorkloadKind::KnativeService);
    let is_rejected = |edit: &Edit| is_knative && NOT_IN_KNATIVE.iter().any(|field| edit.pointer().starts_with(field));
    let fits = |fix: &Fix| fix.edits.iter().all(|edit| edit.fits(object) && !is_rejected(edit));
    if !finding.fix.as_ref().is_none_or(fits) {
        finding.fix = None;
        if finding.kind == FindingKind::Omission {
            finding.kind = FindingKind::Contradiction;
        }
    }
}

/// `object` after the mutations of `findings`; `None` if there are none.
pub fn apply_mutations(mut object: Value, findings: &[Finding]) -> Option<Value> {
    let mut has_changed = false;
    for finding in findings.iter().filter(|finding| finding.action == Action::Mutate) {
        // `check_all` keeps only fixes that fit the object.
        has_changed |= apply(&mut object, finding.safe_edits().unwrap_or_default()).is_ok();
    }
    has_changed.then_some(object)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubernetes::resources::LookUp;
    use crate::testing::test;

    #[test]
    fn every_resource_that_a_rule_sees_is_looked_up() {
        for rule in RULES {
            for kind in rule.sees {
                let row = kind.resource().unwrap_or_else(|| panic!("{}: no row for {kind:?}", rule.id));
                assert_ne!(row.look_up, LookUp::No, "{} sees {}: set `look_up` in its row", rule.id, row.name);
            }
        }
    }
}
