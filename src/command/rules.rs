//! `sqledge-ha rules`.

use std::fmt::Write;

use serde_json::json;
use sqledge_ha_policy::rules::{RULES, Rule};

use crate::cli::TableFormat;
use crate::rule_docs::PAGE_PATH;

/// Returns the table of all rules, in the order of the documentation.
pub fn table(format: TableFormat) -> String {
    match format {
        TableFormat::Human => human(),
        TableFormat::Json => json(),
        TableFormat::Markdown => markdown(),
    }
}

fn human() -> String {
    let width = RULES.iter().map(|rule| rule.id.len()).max().unwrap_or_default();
    let mut text = format!("{:width$}  {:7}  {:6}  requirement\n", "rule", "default", "fix");
    for rule in RULES {
        let (action, fix) = (rule.default_action.name(), rule.fixable.name());
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{:width$}  {action:7}  {fix:6}  {}", rule.id, rule.summary);
    }
    text.push_str("\nRun `sqledge-ha explain RULE` for the documentation of a rule.\n");
    text
}

fn json() -> String {
    let rules: Vec<_> = RULES
        .iter()
        .map(|rule| {
            json!({"id": rule.id, "summary": rule.summary, "defaultAction": rule.default_action, "fix": rule.fixable.name()})
        })
        .collect();
    format!("{:#}\n", json!({"version": 1, "rules": rules}))
}

fn markdown() -> String {
    let mut text = "| rule | requirement | default action | fix |\n|---|---|---|---|\n".to_owned();
    for rule in RULES {
        let (action, fix) = (rule.default_action.name(), rule.fixable.name());
        let Rule { id, summary, .. } = rule;
        let _ = writeln!(text, "| [`{id}`]({PAGE_PATH}#{id}) | {summary} | {action} | {fix} |");
    }
    text
}
