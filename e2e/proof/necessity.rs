//! What each rule is for: a manifest that breaks only this rule, run without the webhook to the failure it causes, and
//! refused or mended with it.

mod cases;
mod dying_machines;

use std::collections::BTreeSet;

use sqledge_ha::linter::Level;
use sqledge_ha_policy::finding::Action;
use sqledge_ha_policy::rules::{RULES, Rule};
use sqledge_ha_policy::settings::Settings;

use self::cases::right;
use crate::application::Application;
use crate::ledger::{self, Table};
use crate::play::{Play, seconds};
use crate::pods::update;
use crate::promises::{Account, Promise};
use crate::registrations::list;
use crate::shared::lint_file;
use crate::site::Site;

pub(crate) use self::cases::cases;
pub(crate) use self::dying_machines::{a_machine_dies, only_arm64_is_left};

/// Where a failure can be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// On one machine: the event is something that happens to pods.
    Pods,
    /// On several machines, one of which dies.
    Machines,
    /// On two machines, of which the one of the engine's architecture dies.
    OtherArchitecture,
    /// Nowhere here: it takes what these clusters do not have.
    Elsewhere,
}

/// A rule's row.
pub(crate) struct Case {
    pub(crate) rule: &'static str,
    pub(crate) stage: Stage,
    /// What the manifest says.
    says: &'static str,
    broken: fn() -> Application,
    /// What happens, in words, and what it takes.
    event: &'static str,
    cause: fn(&Play<'_>),
    /// The promise that is broken, or why none can be seen to be.
    breaks: Result<Promise, &'static str>,
}

/// Every rule that refuses or mends has a row, and its manifest breaks this rule and no other.
pub(crate) fn every_rule_has_a_manifest_that_breaks_only_it() {
    let wanted = |rule: &&Rule| matches!(rule.default_action, Action::Mutate | Action::Reject);
    let rules: Vec<&str> = RULES.iter().filter(wanted).map(|rule| rule.id).collect();
    assert_eq!(cases().iter().map(|case| case.rule).collect::<Vec<_>>(), rules, "a row for every rule, in their order");
    for case in cases() {
        assert_eq!(errors(&(case.broken)()), BTreeSet::from([case.rule.to_owned()]), "{}", case.rule);
    }
    assert_eq!(errors(&right()), BTreeSet::new());
    assert_eq!(errors(&Application::stateful_set()), BTreeSet::new());
}

fn errors(application: &Application) -> BTreeSet<String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("application.json");
    std::fs::write(&path, list(&application.objects)).unwrap();
    let outcome = lint_file(&path, &Settings::default(), false);
    let errors = outcome.findings.into_iter().filter(|located| located.level() == Level::Error);
    errors.map(|located| located.finding.rule.to_owned()).collect()
}

impl Case {
    /// Where its row stands.
    fn place(&self) -> usize {
        cases().iter().position(|case| case.rule == self.rule).unwrap()
    }

    fn row(&self, failure: String, with: &str) {
        let cells = [format!("`{}`", self.rule), self.says.to_owned(), self.event.to_owned(), failure, with.to_owned()];
        ledger::row(Table::Necessity, self.place(), &cells);
    }

    /// What the promise's breach looked like.
    fn failure(&self, account: &Account) -> String {
        let promise = self.breaks.unwrap();
        let seen = match promise {
            Promise::OneWriter => {
                format!("{} pods write to one claim, for {}", account.writers, seconds(account.overlap))
            }
            Promise::Amd64Only => format!(
                "the engine runs on {}",
                account.architectures.iter().cloned().collect::<Vec<_>>().join(" and ")
            ),
            Promise::SameData => "the new pod finds an empty directory".to_owned(),
            Promise::SameAddress => "clients outside the cluster have no address".to_owned(),
            Promise::ComesBack => format!("nobody can be reached, for {} and on", seconds(account.outage)),
        };
        format!("**{promise}**: {seen}")
    }

    /// Runs the manifest without the webhook until it fails.
    fn fails(&self, site: &Site) -> Account {
        let namespace = format!("without-{}", self.rule);
        site.namespace(&namespace);
        let play = Play::apply(site, &namespace, &(self.broken)());
        if self.event == "it is applied" {
            play.event();
        } else {
            play.wait("it can be reached", |database, view| database.reachable(view) > 0);
        }
        (self.cause)(&play);
        play.breaks(&[self.breaks.unwrap()])
    }

    /// Applies the manifest where the webhook answers: refused, or mended and well after the same event.
    fn is_refused_or_survives(&self, site: &Site) -> String {
        let namespace = format!("with-{}", self.rule);
        site.namespace(&namespace);
        let application = (self.broken)();
        let ran = site.kubectl(&namespace, &["apply", "-f", "-"], &list(&application.objects));
        if ran.code != 0 {
            assert!(ran.said.contains(&format!("- {}: ", self.rule)), "{ran:?}");
            return "refused".to_owned();
        }
        let play = Play::start_in(site, &namespace, &application);
        let after = if self.stage == Stage::Pods {
            play.event();
            (self.cause)(&play);
            format!(", and well after the same: without endpoint for {}", seconds(play.keeps_every_promise().outage))
        } else {
            String::new()
        };
        format!("mended{after}")
    }
}

/// The failures that take one machine, and all refusals and mends.
pub(crate) fn without_and_with(case: &Case, unprotected: &Site, protected: &Site) {
    let failure = match case.breaks {
        Ok(_) => case.failure(&case.fails(unprotected)),
        Err(takes) => format!("not shown: it takes {takes}"),
    };
    case.row(failure, &case.is_refused_or_survives(protected));
}

/// Microsoft's sample as it is, and as it is admitted, when its template changes.
pub(crate) fn microsoft_updates(unprotected: &Site, protected: &Site) {
    let Some(application) = Application::microsoft() else { return };
    let before = Play::start(unprotected, "microsoft-update", &application);
    update(&before);
    before.wait("the old pod has gone", |database, view| database.pods(view).len() == 1);
    let before = before.breaks(&[Promise::OneWriter]);
    let after = Play::start(protected, "microsoft-update", &application);
    update(&after);
    let after = after.keeps_every_promise();
    let unmended =
        format!("**one writer**: {} pods write to one claim, for {}", before.writers, seconds(before.overlap));
    let mended = format!("one writer; without endpoint for {}", seconds(after.outage));
    ledger::row(Table::Microsoft, 0, &["the template changes".to_owned(), unmended, mended]);
}
