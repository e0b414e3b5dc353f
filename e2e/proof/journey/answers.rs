//! What the API server answers to a request, and what it must answer by the rules.

use std::collections::BTreeSet;
use std::fmt;

use http_body_util::BodyExt;
use kube::Client;
use kube::core::request::Error;
use serde_json::{Value, json};
use sqledge_ha::linter::Level;
use sqledge_ha_policy::finding::Action;
use sqledge_ha_policy::rules::{self, parse_settings};
use sqledge_ha_policy::view::Scope;

use crate::shared::lint_file;
use crate::webhook_configurations::list;

/// Rule ids.
pub(super) type Rules = BTreeSet<String>;

/// What the webhook does in a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Absent,
    Warn,
    Enforce,
}

/// What became of a request, and the rules that say so.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Outcome {
    Accepted,
    Warned(Rules),
    Mutated(Rules),
    Rejected(Rules),
    /// An error that is no rule's.
    Failed(String),
}

impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, rules) = match self {
            Outcome::Accepted => return formatter.write_str("accepted"),
            Outcome::Failed(error) => return write!(formatter, "failed: {error}"),
            Outcome::Warned(rules) => ("warning", rules),
            Outcome::Mutated(rules) => ("**mutated**", rules),
            Outcome::Rejected(rules) => ("**rejected**", rules),
        };
        let rules: Vec<String> = rules.iter().map(|rule| format!("`{rule}`")).collect();
        write!(formatter, "{word}: {}", rules.join(", "))
    }
}

/// The answer to a request: the object, or the message of an error.
pub(super) struct Answer {
    pub(super) stored: Result<Value, String>,
    warned: Rules,
}

/// The rules that a text names at the start of its lines.
fn rules_in<'t>(lines: impl Iterator<Item = &'t str>) -> Rules {
    let names = lines.filter_map(|line| line.trim_start_matches("- ").split(": ").next());
    names.filter(|name| rules::find(name).is_some()).map(str::to_owned).collect()
}

/// Sends a request.
pub(super) async fn send(client: &Client, request: Result<axum::http::Request<Vec<u8>>, Error>) -> Answer {
    let response = client.send(request.unwrap().map(Into::into)).await.unwrap();
    let warnings = response.headers().get_all("warning").iter().filter_map(|value| value.to_str().ok());
    let warned = rules_in(warnings.filter_map(|warning| warning.split('"').nth(1)));
    let is_stored = response.status().is_success();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let body: Value = serde_json::from_slice(&body).unwrap();
    Answer {
        stored: if is_stored { Ok(body) } else { Err(body["message"].as_str().unwrap_or_default().to_owned()) },
        warned,
    }
}

impl Answer {
    /// The outcome. `is_as_sent` says whether the object has what was sent, and nothing more than without the webhook.
    pub(super) fn outcome(&self, is_as_sent: impl FnOnce(&Value) -> bool) -> Outcome {
        match &self.stored {
            Err(message) if message.contains("sqledge-ha.github.io\" denied the request") => {
                Outcome::Rejected(rules_in(message.lines().filter(|line| line.starts_with("- "))))
            }
            Err(message) => Outcome::Failed(message.clone()),
            Ok(stored) if !is_as_sent(stored) => Outcome::Mutated(self.warned.clone()),
            Ok(_) if self.warned.is_empty() => Outcome::Accepted,
            Ok(_) => Outcome::Warned(self.warned.clone()),
        }
    }
}

/// What the linter says of objects: the rules that reject them, and those that only add something.
#[derive(Clone, Debug, Default)]
pub(super) struct Verdict {
    rejecting: Rules,
    mutating: Rules,
}

impl Verdict {
    /// The linter's errors, with the settings of the webhook.
    pub(super) fn of(objects: &[Value]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("application.json");
        std::fs::write(&path, list(objects)).unwrap();
        let settings = parse_settings(&json!({"exposure": "internal"})).unwrap();
        let mut verdict = Verdict::default();
        for located in lint_file(&path, &settings, Scope::Application).findings {
            let rule = rules::find(located.finding.rule).unwrap();
            match rule.action_of(&located.finding, &settings) {
                _ if located.level() != Level::Error => {}
                Action::Mutate => _ = verdict.mutating.insert(rule.id.to_owned()),
                _ => _ = verdict.rejecting.insert(rule.id.to_owned()),
            }
        }
        verdict
    }

    /// What a scale request above one replica must lead to.
    pub(super) fn of_scaling() -> Self {
        Verdict { rejecting: Rules::from(["single-replica".to_owned()]), mutating: Rules::new() }
    }

    /// The outcome of a request whose object has these findings.
    pub(super) fn outcome(&self, mode: Mode) -> Outcome {
        let all: Rules = self.all();
        match mode {
            _ if all.is_empty() => Outcome::Accepted,
            Mode::Absent => Outcome::Accepted,
            Mode::Warn => Outcome::Warned(all),
            Mode::Enforce if self.rejecting.is_empty() => Outcome::Mutated(all),
            Mode::Enforce => Outcome::Rejected(self.rejecting.clone()),
        }
    }

    /// The outcome of an update of an object that was stored with these findings, for the first time in this mode or
    /// again.
    pub(super) fn outcome_of_update(&self, mode: Mode, is_first: bool) -> Outcome {
        match mode {
            Mode::Enforce if is_first && !self.mutating.is_empty() => Outcome::Mutated(self.all()),
            Mode::Enforce if self.rejecting.is_empty() => Outcome::Accepted,
            Mode::Enforce => Outcome::Warned(self.rejecting.clone()),
            mode => self.outcome(mode),
        }
    }

    pub(super) fn all(&self) -> Rules {
        self.rejecting.union(&self.mutating).cloned().collect()
    }

    pub(super) fn rejecting(&self) -> &Rules {
        &self.rejecting
    }

    pub(super) fn mutating(&self) -> &Rules {
        &self.mutating
    }
}
