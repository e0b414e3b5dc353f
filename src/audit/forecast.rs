//! What each failure does to a database: computed from the objects of the cluster alone.
//!
//! | file | failures |
//! |---|---|
//! | `pod` | the container ends, the pod is deleted, the pod template changes |
//! | `node` | the node is drained, restarted, fails, loses its network, or is replaced; the zone fails |
//! | `help` | what to do about risks that several failures have |
//! | `situation` | what the failures have in common: the pod, its storage, the nodes that can take it |

mod help;
mod node;
mod pod;
mod situation;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;

use sqledge_ha_policy::finding::quoted;

pub use self::situation::Situation;
use super::remediation::Remediator;
use super::timers::{Seconds, Sourced, Timers};

/// An event that ends the database's pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Failure {
    /// The process or the container ends.
    ContainerExit,
    /// The pod is deleted.
    PodDeletion,
    /// The pod template changes.
    Rollout,
    /// `kubectl drain` empties the node.
    Drain,
    /// The node is restarted.
    Reboot,
    /// The node's machine fails and stays off.
    NodeFailure,
    /// The node loses its network, and its pods run on.
    NodeIsolation,
    /// All nodes of the zone fail.
    ZoneFailure,
    /// All nodes are replaced by nodes with a new image.
    NodeReplacement,
}

impl Failure {
    /// Every failure, the smallest first.
    pub const ALL: [Failure; 9] = [
        Failure::ContainerExit,
        Failure::PodDeletion,
        Failure::Rollout,
        Failure::Drain,
        Failure::Reboot,
        Failure::NodeFailure,
        Failure::NodeIsolation,
        Failure::ZoneFailure,
        Failure::NodeReplacement,
    ];

    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Failure::ContainerExit => "container-exit",
            Failure::PodDeletion => "pod-deletion",
            Failure::Rollout => "rollout",
            Failure::Drain => "drain",
            Failure::Reboot => "reboot",
            Failure::NodeFailure => "node-failure",
            Failure::NodeIsolation => "node-isolation",
            Failure::ZoneFailure => "zone-failure",
            Failure::NodeReplacement => "node-replacement",
        }
    }

    /// The event in a sentence that starts with *if*.
    pub fn event(self) -> &'static str {
        match self {
            Failure::ContainerExit => "the container ends",
            Failure::PodDeletion => "the pod is deleted",
            Failure::Rollout => "the pod template changes",
            Failure::Drain => "the node is drained",
            Failure::Reboot => "the node restarts",
            Failure::NodeFailure => "the node fails",
            Failure::NodeIsolation => "the node loses its network",
            Failure::ZoneFailure => "the zone fails",
            Failure::NodeReplacement => "all nodes get a new image",
        }
    }
}

/// What becomes of the database, the worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It is not affected.
    StaysUp,
    /// It is available again without help.
    ComesBack,
    /// The cluster does not show enough.
    Unknown,
    /// It stays down until a person acts.
    Waits,
    /// No node can start it again.
    NeverStarts,
    /// Two pods may use the same database files at the same time.
    TwoServers,
    /// It starts without its data, or with a part of it.
    LosesData,
}

impl Outcome {
    /// Every outcome, the worst first.
    pub const WORST_FIRST: [Outcome; 7] = [
        Outcome::LosesData,
        Outcome::TwoServers,
        Outcome::NeverStarts,
        Outcome::Waits,
        Outcome::Unknown,
        Outcome::ComesBack,
        Outcome::StaysUp,
    ];

    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Outcome::StaysUp => "stays-up",
            Outcome::ComesBack => "comes-back",
            Outcome::Unknown => "unknown",
            Outcome::Waits => "waits",
            Outcome::NeverStarts => "never-starts",
            Outcome::TwoServers => "two-servers",
            Outcome::LosesData => "loses-data",
        }
    }

    /// The words for people, for an outcome that is certain or only possible.
    pub fn words(self, is_certain: bool) -> &'static str {
        match (self, is_certain) {
            (Outcome::StaysUp, _) => "stays up",
            (Outcome::ComesBack, _) => "comes back",
            (Outcome::Unknown, _) => "unknown",
            (Outcome::Waits, true) => "waits for a person",
            (Outcome::Waits, false) => "may wait for a person",
            (Outcome::NeverStarts, true) => "never starts",
            (Outcome::NeverStarts, false) => "may never start",
            (Outcome::TwoServers, true) => "two servers run",
            (Outcome::TwoServers, false) => "two servers may run",
            (Outcome::LosesData, true) => "loses data",
            (Outcome::LosesData, false) => "may lose data",
        }
    }

    /// The same before *if a failure happens*.
    pub fn words_before_if(self, is_certain: bool) -> &'static str {
        match self {
            Outcome::Unknown => "unknown what happens",
            known => known.words(is_certain),
        }
    }
}

/// What a failure does to a database.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Forecast {
    /// The failure.
    pub failure: Failure,
    /// The worst outcome that can happen.
    pub outcome: Outcome,
    /// Whether it happens for certain; else it depends on what the cluster decides, e.g. on the node that the scheduler
    /// chooses.
    pub certain: bool,
    /// Everything that can happen, the worst first.
    pub possible: Vec<Outcome>,
    /// What happens, in a sentence.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// How long the database is not available; `None` if it waits, or if that is not known.
    pub seconds: Option<Seconds>,
    /// The steps, in their order, as far as they happen without help.
    pub steps: Vec<Step>,
    /// What else can happen, or what the answer depends on.
    pub also: Vec<String>,
    /// The objects that show it.
    pub evidence: Vec<Evidence>,
}

impl Forecast {
    /// The forecast for a database whose pods are on other nodes than the failed one.
    pub fn unaffected(failure: Failure, nodes: &[&str]) -> Self {
        let message = match nodes {
            [node] => format!("its pod is on node {}", quoted(node)),
            _ => "its pods are on other nodes".to_owned(),
        };
        Draft::default().finish(failure, Outcome::StaysUp, &message)
    }

    /// The forecast for a database with several pods, from those of the pods by name: the worst, with what is different
    /// for others. `None` without pods.
    pub fn of_several(mut of_pods: Vec<(&str, Forecast)>) -> Option<Self> {
        of_pods.sort_by_key(|(_, forecast)| Reverse((forecast.outcome, forecast.certain)));
        let mut of_pods = of_pods.into_iter();
        let (name, mut chosen) = of_pods.next()?;
        let others = of_pods.filter(|(_, other)| other.outcome != chosen.outcome);
        let others: Vec<(&str, Forecast)> = others.collect();
        chosen.also.extend(others.iter().map(|(name, other)| {
            format!("pod {}: {}: {}", quoted(name), other.outcome.words(other.certain), other.message)
        }));
        chosen.message = format!("pod {}: {}", quoted(name), chosen.message);
        Some(chosen)
    }
}

/// A step on the way back.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Step {
    /// What happens.
    pub what: String,
    /// How long it takes.
    pub seconds: Seconds,
    /// Where the time comes from.
    pub source: String,
}

/// An object, and what it shows.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Evidence {
    /// Its kind.
    pub kind: String,
    /// Its namespace; `None` for kinds without one.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// What it shows.
    pub shows: String,
}

/// A forecast under construction: the worst of what can happen is its outcome.
#[derive(Debug, Default)]
struct Draft {
    risks: Vec<Risk>,
    steps: Vec<Step>,
    also: Vec<String>,
    evidence: Vec<Evidence>,
}

/// Whether something happens in any case, or depends on what the cluster decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Certainty {
    Possible,
    Certain,
}

impl Certainty {
    fn certain_if(condition: bool) -> Self {
        if condition { Certainty::Certain } else { Certainty::Possible }
    }
}

/// Something that can happen.
#[derive(Debug)]
struct Risk {
    outcome: Outcome,
    certainty: Certainty,
    message: String,
    help: Option<String>,
}

impl Draft {
    /// Adds what happens in any case.
    fn certainly(&mut self, outcome: Outcome, message: impl Into<String>, help: impl Into<String>) {
        self.add(outcome, Certainty::Certain, message, help);
    }

    /// Adds what can happen.
    fn possibly(&mut self, outcome: Outcome, message: impl Into<String>, help: impl Into<String>) {
        self.add(outcome, Certainty::Possible, message, help);
    }

    fn add(&mut self, outcome: Outcome, certainty: Certainty, message: impl Into<String>, help: impl Into<String>) {
        let help = Some(help.into()).filter(|help| !help.is_empty());
        self.risks.push(Risk { outcome, certainty, message: message.into(), help });
    }

    fn step(&mut self, what: impl Into<String>, (seconds, source): Sourced) {
        self.steps.push(Step { what: what.into(), seconds, source });
    }

    fn shows(&mut self, kind: &str, namespace: &str, name: &str, shows: impl Into<String>) {
        let namespace = Some(namespace.to_owned()).filter(|namespace| !namespace.is_empty());
        let evidence = Evidence { kind: kind.to_owned(), namespace, name: name.to_owned(), shows: shows.into() };
        if !self.evidence.contains(&evidence) {
            self.evidence.push(evidence);
        }
    }

    /// The forecast: the worst risk, or what happens `otherwise`, with its message.
    fn finish(mut self, failure: Failure, otherwise: Outcome, message: &str) -> Forecast {
        let mut possible: Vec<Outcome> = self.risks.iter().map(|risk| risk.outcome).collect();
        if !self.risks.iter().any(|risk| risk.certainty == Certainty::Certain) {
            self.certainly(otherwise, message, "");
            possible.push(otherwise);
        }
        possible.sort_by_key(|outcome| Reverse(*outcome));
        possible.dedup();
        let worst = self.risks.iter().enumerate().max_by_key(|(at, risk)| (risk.outcome, risk.certainty, Reverse(*at)));
        let at = worst.map(|(at, _)| at).unwrap_or_default();
        let chosen = self.risks.remove(at);
        let others =
            self.risks.into_iter().filter(|risk| risk.outcome > Outcome::ComesBack && risk.message != chosen.message);
        let also = others.map(|risk| risk.message).chain(self.also).collect();
        let is_timed = matches!(chosen.outcome, Outcome::ComesBack | Outcome::TwoServers | Outcome::LosesData);
        let total = self.steps.iter().fold(Seconds::default(), |total, step| total.plus(step.seconds));
        Forecast {
            failure,
            outcome: chosen.outcome,
            certain: chosen.certainty == Certainty::Certain,
            possible,
            message: chosen.message,
            help: chosen.help,
            seconds: (is_timed && !self.steps.is_empty()).then_some(total),
            steps: self.steps,
            also,
            evidence: self.evidence,
        }
    }
}

/// What the forecasts of all databases have in common.
#[derive(Debug)]
pub struct Conditions {
    /// The times of steps.
    pub timers: Timers,
    /// Who removes failed nodes.
    pub remediators: Vec<Remediator>,
}

/// The forecast of one failure.
pub fn forecast(situation: &Situation<'_, '_>, failure: Failure) -> Forecast {
    match failure {
        Failure::ContainerExit => pod::container_exit(situation),
        Failure::PodDeletion => pod::deletion(situation),
        Failure::Rollout => pod::rollout(situation),
        Failure::Drain => node::drain(situation),
        Failure::Reboot => node::reboot(situation),
        Failure::NodeFailure => node::failure(situation),
        Failure::NodeIsolation => node::isolation(situation),
        Failure::ZoneFailure => node::zone_failure(situation),
        Failure::NodeReplacement => node::replacement(situation),
    }
}
