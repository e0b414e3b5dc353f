//! `sqledge-ha rules`.

use std::fmt::Write;

use serde_json::json;
use sqledge_ha_policy::rules::{RULES, Rule};

use crate::cli::TableFormat;
use crate::rule_pages::PAGE;

/// Every rule, in the order of the documentation.
pub fn table(format: TableFormat) -> String {
    match format {
        TableFormat::Human => human(),
        TableFormat::Json => machine(),
        TableFormat::Markdown => markdown(),
    }
}

fn human() -> String {
    let width = RULES.iter().map(|rule| rule.id.len()).max().unwrap_or_default();
    let mut text = format!("{:width$}  {:7}  {:6}  what must hold\n", "rule", "default", "fix");
    for rule in RULES {
        let (action, fix) = (rule.default_action.name(), rule.fixable.name());
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{:width$}  {action:7}  {fix:6}  {}", rule.id, rule.summary);
    }
    text.push_str("\nsqledge-ha explain RULE tells more.\n");
    text
}

fn machine() -> String {
    let rules: Vec<_> = RULES
        .iter()
        .map(|rule| {
            json!({"id": rule.id, "summary": rule.summary, "defaultAction": rule.default_action, "fix": rule.fixable.name()})
        })
        .collect();
    format!("{:#}\n", json!({"version": 1, "rules": rules}))
}

fn markdown() -> String {
    let mut text = "| rule | must hold | default | fix |\n|---|---|---|---|\n".to_owned();
    for rule in RULES {
        let (action, fix) = (rule.default_action.name(), rule.fixable.name());
        let Rule { id, summary, .. } = rule;
        let _ = writeln!(text, "| [`{id}`]({PAGE}#{id}) | {summary} | {action} | {fix} |");
    }
    text
}
