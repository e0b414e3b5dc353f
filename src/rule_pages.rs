//! The rules' documentation as a page, and where it is published.

use sqledge_ha_policy::rules::documentation::{HEADINGS, documentation};
use sqledge_ha_policy::rules::{RULES, Rule};

/// Where the page lies in the repository.
pub const PAGE: &str = "policy/RULES.md";

/// The address of a rule's part of the page, as of this version.
///
/// ```
/// use sqledge_ha::rule_pages::address;
/// assert!(address("one-engine").ends_with("/policy/RULES.md#one-engine"));
/// ```
pub fn address(id: &str) -> String {
    format!("{}/blob/v{}/{PAGE}#{id}", env!("CARGO_PKG_REPOSITORY"), env!("CARGO_PKG_VERSION"))
}

/// The page: every rule, in the order of the registry, as Markdown.
pub fn page() -> String {
    let parts = RULES.iter().map(part);
    let head = "# The rules\n\nEach protects one link of the chain that lets another node take over. `sqledge-ha explain RULE` prints the same.\n";
    std::iter::once(head.to_owned()).chain(parts).collect::<Vec<_>>().join("\n")
}

fn part(rule: &Rule) -> String {
    let Rule { id, summary, .. } = rule;
    let (action, fix) = (rule.default_action.name(), rule.fixable.name());
    let text = below_a_heading(&documentation(rule));
    format!("## {id}\n\n{summary}. Default action: {action}. Fix: {fix}.\n\n{}\n", text.trim())
}

/// A documentation whose headings stand below that of the rule. A `#` may also begin a comment of an example.
fn below_a_heading(documentation: &str) -> String {
    let mut text = String::new();
    for line in documentation.lines() {
        match line.strip_prefix("# ").filter(|heading| HEADINGS.contains(heading)) {
            Some(heading) => text.push_str(&format!("### {heading}\n\n")),
            None => text.push_str(&format!("{line}\n")),
        }
    }
    text
}
