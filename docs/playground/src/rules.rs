//! The documentation of the rules.

use serde::Serialize;
use sqledge_ha::other_tools;
use sqledge_ha::rule_docs;
use sqledge_ha_policy::rules::documentation::documentation;
use sqledge_ha_policy::rules::{RULES, Rule};

/// A rule, as `explain` describes it.
#[derive(Debug, Serialize)]
pub(crate) struct RuleText {
    id: &'static str,
    summary: &'static str,
    loss: &'static str,
    action: &'static str,
    fix: &'static str,
    /// In Markdown: headings of the first level, paragraphs, lists, code and links.
    documentation: String,
    /// The page of the rule, once the site is published.
    url: Option<String>,
}

/// Every rule, in the order of the registry.
pub(crate) fn all() -> Vec<RuleText> {
    RULES.iter().map(rule_text).collect()
}

fn rule_text(rule: &Rule) -> RuleText {
    RuleText {
        id: rule.id,
        summary: rule.summary,
        loss: rule.loss.name(),
        action: rule.default_action.name(),
        fix: rule.fixable.name(),
        documentation: format!("{}\n{}", documentation(rule).trim_end(), other_tools::section(rule.id)),
        url: rule_docs::page_url(rule.id),
    }
}
