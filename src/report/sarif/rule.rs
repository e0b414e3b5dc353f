//! The rules as SARIF reporting descriptors, from their documentation.

use sqledge_ha_policy::finding::Action;
use sqledge_ha_policy::rules::documentation::{documentation, section};
use sqledge_ha_policy::rules::{RULES, Rule};

use super::log::{Configuration, MarkdownMessage, Message, Properties, ReportingDescriptor};
use crate::rule_docs::{more, url};

/// Every rule, in the order of the registry.
pub(super) fn all() -> Vec<ReportingDescriptor> {
    RULES.iter().map(describe).collect()
}

/// The index of a rule in that order.
pub(super) fn index(id: &str) -> Option<usize> {
    RULES.iter().position(|rule| rule.id == id)
}

fn describe(rule: &Rule) -> ReportingDescriptor {
    let documentation = documentation(rule);
    let help = format!("{}\n\n{}\n", documentation.trim_end(), more(rule.id));
    let is_warning = rule.default_action == Action::Warn;
    let level = if is_warning { "warning" } else { "error" };
    ReportingDescriptor {
        id: rule.id,
        name: pascal_case(rule.id),
        short_description: Message::new(rule.summary),
        full_description: Message::new(&first_paragraph(&section(&documentation, "What must hold"))),
        help_uri: url(rule.id),
        help: MarkdownMessage { text: help.clone(), markdown: help },
        default_configuration: Configuration { level },
        properties: Properties {
            tags: ["availability", "kubernetes", "reliability", "sql-edge"],
            precision: if is_warning { "high" } else { "very-high" },
            problem_severity: level,
        },
    }
}

/// Converts `persistent-data` to `PersistentData`.
fn pascal_case(id: &str) -> String {
    let capital = |word: &str| {
        let mut letters = word.chars();
        letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect::<String>()
    };
    id.split('-').map(capital).collect()
}

/// The first paragraph on one line.
fn first_paragraph(text: &str) -> String {
    text.split("\n\n").next().unwrap_or_default().replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptions_are_within_the_limits_of_code_scanning() {
        for rule in all() {
            assert_eq!(RULES[index(rule.id).unwrap()].id, rule.id);
            for text in [&rule.short_description.text, &rule.full_description.text] {
                assert!(!text.is_empty() && text.chars().count() <= 1024, "{}: {text}", rule.id);
            }
            assert!(rule.help.markdown.starts_with("# What must hold"), "{}", rule.id);
        }
        assert_eq!(pascal_case("amd64-node-selector"), "Amd64NodeSelector");
    }
}
