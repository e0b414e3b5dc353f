//! `sqledge-ha rules`.

use std::fmt::Write;

use serde_json::json;
use sqledge_ha_policy::rules::{Loss, RULES, Rule};

use crate::cli::TableFormat;
use crate::rule_docs::{CONDITIONAL_FIXES, PAGE_PATH};

/// Returns the table of all rules by what is lost without them, in the order of the documentation.
pub fn table(format: TableFormat) -> String {
    match format {
        TableFormat::Human => human(),
        TableFormat::Json => json(),
        TableFormat::Markdown => markdown(),
    }
}

/// The rules whose breach costs the same, in the order of the documentation.
fn rules_against(loss: Loss) -> impl Iterator<Item = &'static Rule> {
    RULES.iter().filter(move |rule| rule.loss == loss)
}

/// What is lost, in a few words.
fn explained(loss: Loss) -> &'static str {
    match loss {
        Loss::Data => "databases can be lost or damaged",
        Loss::Availability => "the database can stay down, or out of reach",
        Loss::Operation => "maintenance, security or diagnosis suffers",
    }
}

fn human() -> String {
    let width = RULES.iter().map(|rule| rule.id.len()).max().unwrap_or_default();
    let mut text = String::new();
    for loss in Loss::ALL {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{}: without these, {}", loss.name(), explained(loss));
        let _ = writeln!(text, "  {:width$}  {:7}  {:6}  requirement", "rule", "default", "fix");
        for rule in rules_against(loss) {
            let (action, fix) = (rule.default_action.name(), rule.fixable.name());
            let _ = writeln!(text, "  {:width$}  {action:7}  {fix:6}  {}", rule.id, rule.summary);
        }
        text.push('\n');
    }
    let _ = writeln!(text, "{CONDITIONAL_FIXES}\n\nRun `sqledge-ha explain RULE` for the documentation of a rule.");
    text
}

fn json() -> String {
    let rules: Vec<_> = RULES
        .iter()
        .map(|rule| {
            json!({"id": rule.id, "summary": rule.summary, "loss": rule.loss.name(), "defaultAction": rule.default_action, "fix": rule.fixable.name()})
        })
        .collect();
    format!("{:#}\n", json!({"version": 1, "rules": rules}))
}

fn markdown() -> String {
    let mut text = "| without them | rules |\n|---|---|\n".to_owned();
    for loss in Loss::ALL {
        let links: Vec<String> =
            rules_against(loss).map(|Rule { id, .. }| format!("[`{id}`]({PAGE_PATH}#{id})")).collect();
        let _ = writeln!(text, "| {} | {} |", explained(loss), links.join(" · "));
    }
    text
}
