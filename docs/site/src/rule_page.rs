//! The page of a rule.

use sqledge_ha::rule_docs;
use sqledge_ha_policy::rules::Rule;

use crate::examples::Example;
use crate::proof::{self, Row};

/// The source of a rule in the repository.
pub(crate) fn source(id: &str) -> String {
    format!("policy/src/rules/{}.rs", id.replace('-', "_"))
}

/// The table of all rules.
pub(crate) fn overview() -> String {
    rule_docs::overview_page(|id| format!("{id}.md"))
}

/// The documentation, the proof and the examples of a rule.
pub(crate) fn text(rule: &Rule, proofs: &[Row], examples: &[Example]) -> String {
    let mut text = format!("# {}\n\n{}\n", rule.id, rule_docs::body(rule, "##"));
    let table = proof::table(proofs, rule.id);
    if !table.is_empty() {
        text.push_str(&format!(
            "\n## Proof\n\nOn a Kubernetes control plane, with a manifest that breaks only this rule ([how it is tested](../proof.md)):\n\n{table}"
        ));
    }
    if !examples.is_empty() {
        text.push_str("\n## Try it\n\nExamples that break this rule, in the [playground](../playground.md):\n\n");
        let lines = examples.iter().map(|Example { title, address }| format!("- [{title}](../{address})\n"));
        text.extend(lines);
    }
    text.push_str(&format!("\n`sqledge-ha explain {}` prints this page on the command line.\n", rule.id));
    text
}
