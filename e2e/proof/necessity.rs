//! The failures that rules prevent: a manifest that breaks only one rule fails without the webhook, and is rejected
//! or mutated with it.

mod cases;
mod failing_nodes;

use std::collections::BTreeSet;

use sqledge_ha::linter::Level;
use sqledge_ha_policy::finding::Action;
use sqledge_ha_policy::kubernetes::kind::Kind;
use sqledge_ha_policy::kubernetes::resources::LookUp;
use sqledge_ha_policy::rules::{RULES, Rule, find};
use sqledge_ha_policy::settings::Settings;
use sqledge_ha_policy::view::Scope;

use self::cases::right;
use crate::application::Application;
use crate::environment::Environment;
use crate::guarantees::{Guarantee, Observations};
use crate::pods::update;
use crate::results::{self, Table};
use crate::scenario::{Scenario, seconds};
use crate::shared::lint_file;
use crate::webhook_configurations::list;

pub(crate) use self::cases::cases;
pub(crate) use self::failing_nodes::{a_node_fails, only_arm64_nodes_remain};

/// Where a failure can be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// On one node: the event affects pods.
    Pods,
    /// On several nodes, one of which fails.
    Nodes,
    /// On an amd64 and an arm64 node, of which the first one fails.
    OtherArchitecture,
    /// Not here: these clusters lack something that the failure needs.
    Elsewhere,
}

/// A rule and the failure that it prevents.
pub(crate) struct Case {
    pub(crate) rule: &'static str,
    pub(crate) stage: Stage,
    /// What is wrong in the manifest.
    says: &'static str,
    broken: fn() -> Application,
    /// The event, as text and as code.
    event: &'static str,
    cause: fn(&Scenario<'_>),
    /// The broken guarantee, or what is needed to see it.
    breaks: Result<Guarantee, &'static str>,
}

/// Every rule that rejects or mutates has a case, and its manifest breaks only this rule.
pub(crate) fn each_case_breaks_only_its_rule() {
    // Of a rule about Nodes alone, no manifest can be broken.
    let wanted = |rule: &&Rule| {
        matches!(rule.default_action, Action::Mutate | Action::Reject) && !matches!(rule.sees, [Kind::Node])
    };
    let rules: Vec<&str> = RULES.iter().filter(wanted).map(|rule| rule.id).collect();
    let mut covered: Vec<&str> = cases().iter().map(|case| case.rule).collect();
    covered.dedup();
    assert_eq!(covered, rules, "a case for every rule, in their order");
    for case in cases() {
        assert_eq!(errors(&(case.broken)()), BTreeSet::from([case.rule.to_owned()]), "{}", case.says);
    }
    assert_eq!(errors(&right()), BTreeSet::new());
    assert_eq!(errors(&Application::stateful_set()), BTreeSet::new());
}

fn errors(application: &Application) -> BTreeSet<String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("application.json");
    std::fs::write(&path, list(&application.objects)).unwrap();
    let outcome = lint_file(&path, &Settings::default(), Scope::Application);
    let errors = outcome.findings.into_iter().filter(|located| located.level() == Level::Error);
    errors.map(|located| located.finding.rule.to_owned()).collect()
}

impl Case {
    /// The position of its row.
    fn place(&self) -> usize {
        cases().iter().position(|case| case.says == self.says).unwrap()
    }

    /// Whether the rule looks up objects that are not looked up at admission.
    fn is_seen_offline(&self) -> bool {
        let is_offline = |kind: &Kind| kind.resource().is_some_and(|resource| resource.look_up == LookUp::Offline);
        find(self.rule).unwrap().sees.iter().any(is_offline)
    }

    fn row(&self, failure: String, with: &str) {
        let cells = [format!("`{}`", self.rule), self.says.to_owned(), self.event.to_owned(), failure, with.to_owned()];
        results::row(Table::Necessity, self.place(), &cells);
    }

    /// How the guarantee was broken.
    fn failure(&self, observations: &Observations) -> String {
        let guarantee = self.breaks.unwrap();
        let seen = match guarantee {
            Guarantee::OneWriter => {
                format!("{} pods write to one claim, for {}", observations.writers, seconds(observations.overlap))
            }
            Guarantee::Amd64Only => format!(
                "SQL Edge runs on {}",
                observations.architectures.iter().cloned().collect::<Vec<_>>().join(" and ")
            ),
            Guarantee::SameData => "the new pod has another data directory, which is empty".to_owned(),
            Guarantee::SameAddress => "the Service has no external address".to_owned(),
            Guarantee::ComesBack => format!("clients cannot connect, for {} and longer", seconds(observations.outage)),
        };
        format!("**{guarantee}**: {seen}")
    }

    /// Runs the manifest without the webhook until it breaks the guarantee.
    fn fails(&self, environment: &Environment) -> Observations {
        let namespace = format!("without-{}-{}", self.rule, self.place());
        environment.namespace(&namespace);
        let scenario = Scenario::apply(environment, &namespace, &(self.broken)());
        if self.event == "it is applied" {
            scenario.event();
        } else {
            scenario.wait("it can be reached", |database, view| database.reachable(view) > 0);
        }
        (self.cause)(&scenario);
        scenario.assert_broken(&[self.breaks.unwrap()])
    }

    /// Whether the rule warns, other than about its own mutation.
    fn is_warned_about(&self, messages: &str) -> bool {
        let start = format!("Warning: {}: ", self.rule);
        let warnings = messages.lines().filter_map(|line| line.strip_prefix(&start));
        warnings.into_iter().any(|text| !["set ", "added ", "removed "].iter().any(|verb| text.starts_with(verb)))
    }

    /// Applies the manifest with the webhook: it is rejected, or mutated and then survives the same event.
    fn is_rejected_or_survives(&self, environment: &Environment) -> String {
        let namespace = format!("with-{}-{}", self.rule, self.place());
        environment.namespace(&namespace);
        let application = (self.broken)();
        let ran = environment.kubectl(&namespace, &["apply", "-f", "-"], &list(&application.objects));
        if ran.code != 0 {
            assert!(ran.stderr.contains(&format!("- {}: ", self.rule)), "{ran:?}");
            return "rejected".to_owned();
        }
        // The API server receives the Service before the database that makes it the candidate.
        if ran.stderr.contains("load-balancer-service: no LoadBalancer Service selects these pods") {
            return "a warning, because the Service is created first".to_owned();
        }
        if self.is_warned_about(&ran.stderr) {
            return "a warning".to_owned();
        }
        // PersistentVolumes, autoscalers and users of a claim that run no database are seen in files and audits.
        if self.is_seen_offline() {
            return "reported by `lint`".to_owned();
        }
        let scenario = Scenario::start_in(environment, &namespace, &application);
        let after = if self.stage == Stage::Pods {
            scenario.event();
            (self.cause)(&scenario);
            format!(
                ", and available after the same event; without endpoint for {}",
                seconds(scenario.assert_all_hold().outage)
            )
        } else {
            String::new()
        };
        format!("mutated{after}")
    }
}

/// Runs a case without and with the webhook.
pub(crate) fn run_case(case: &Case, unprotected: &Environment, protected: &Environment) {
    let failure = match case.breaks {
        Ok(_) => case.failure(&case.fails(unprotected)),
        Err(takes) => format!("not shown: needs {takes}"),
    };
    case.row(failure, &case.is_rejected_or_survives(protected));
}

/// The template of Microsoft's sample changes, without and with the webhook.
pub(crate) fn microsoft_updates(unprotected: &Environment, protected: &Environment) {
    let Some(application) = Application::microsoft() else { return };
    let before = Scenario::start(unprotected, "microsoft-update", &application);
    update(&before);
    before.wait("the old pod is deleted", |database, view| database.pods(view).len() == 1);
    let before = before.assert_broken(&[Guarantee::OneWriter]);
    let after = Scenario::start(protected, "microsoft-update", &application);
    update(&after);
    let after = after.assert_all_hold();
    let unchanged =
        format!("**one writer**: {} pods write to one claim, for {}", before.writers, seconds(before.overlap));
    let mutated = format!("one writer; without endpoint for {}", seconds(after.outage));
    results::row(Table::Microsoft, 0, &["the template changes".to_owned(), unchanged, mutated]);
}
