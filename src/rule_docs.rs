//! The documentation of all rules as one page, and its URL.

use sqledge_ha_policy::rules::documentation::{HEADINGS, documentation};
use sqledge_ha_policy::rules::{RULES, Rule};

/// The path of the page in the repository.
pub const PAGE_PATH: &str = "policy/RULES.md";

/// The URL of a rule's section, for this version.
///
/// ```
/// use sqledge_ha::rule_docs::url;
/// assert!(url("one-engine").ends_with("/policy/RULES.md#one-engine"));
/// ```
pub fn url(id: &str) -> String {
    format!("{}/blob/v{}/{PAGE_PATH}#{id}", env!("CARGO_PKG_REPOSITORY"), env!("CARGO_PKG_VERSION"))
}

/// The page in Markdown: every rule, in the order of the registry.
pub fn page() -> String {
    let sections = RULES.iter().map(section);
    let head = "# The rules\n\nEach rule prevents one cause of data loss or downtime. `sqledge-ha explain RULE` prints the same text.\n";
    std::iter::once(head.to_owned()).chain(sections).collect::<Vec<_>>().join("\n")
}

fn section(rule: &Rule) -> String {
    let Rule { id, summary, .. } = rule;
    let (action, fix) = (rule.default_action.name(), rule.fixable.name());
    let text = nest_headings(&documentation(rule));
    format!("## {id}\n\n{summary}. Default action: {action}. Fix: {fix}.\n\n{}\n", text.trim())
}

/// Changes a documentation's headings to level 3. Other lines that begin with `#` are comments in examples.
fn nest_headings(documentation: &str) -> String {
    let mut text = String::new();
    for line in documentation.lines() {
        match line.strip_prefix("# ").filter(|heading| HEADINGS.contains(heading)) {
            Some(heading) => text.push_str(&format!("### {heading}\n\n")),
            None => text.push_str(&format!("{line}\n")),
        }
    }
    text
}
