//! The documentation of all rules as one page, and its URL.

use sqledge_ha_policy::rules::documentation::{HEADINGS, documentation};
use sqledge_ha_policy::rules::{RULES, Rule};

use crate::other_tools;

/// The path of the page in the repository.
pub const PAGE_PATH: &str = "docs/reference/rules.md";

/// The URL of a rule's section, for this version.
///
/// ```
/// use sqledge_ha::rule_docs::url;
/// assert!(url("one-engine").ends_with("/docs/reference/rules.md#one-engine"));
/// ```
pub fn url(id: &str) -> String {
    format!("{}/blob/v{}/{PAGE_PATH}#{id}", env!("CARGO_PKG_REPOSITORY"), env!("CARGO_PKG_VERSION"))
}

/// The page in Markdown: every rule, in the order of the registry.
pub fn page() -> String {
    let sections = RULES.iter().map(section);
    let head = "# Rules\n\nEach rule prevents one cause of data loss or downtime. `sqledge-ha explain RULE` prints the same text.\n";
    std::iter::once(format!("{head}\n{}", overview())).chain(sections).collect::<Vec<_>>().join("\n")
}

/// The table of all rules.
fn overview() -> String {
    let mut text =
        "| rule | requirement | lost without it | default action | fix |\n|---|---|---|---|---|\n".to_owned();
    for Rule { id, summary, loss, default_action, fixable, .. } in RULES {
        let (loss, action, fix) = (loss.name(), default_action.name(), fixable.name());
        text.push_str(&format!("| [`{id}`](#{id}) | {summary} | {loss} | {action} | {fix} |\n"));
    }
    text
}

fn section(rule: &Rule) -> String {
    let Rule { id, summary, .. } = rule;
    let (action, fix) = (rule.default_action.name(), rule.fixable.name());
    let text = nest_headings(&format!("{}\n{}", documentation(rule).trim_end(), other_tools::section(id)));
    format!(
        "## {id}\n\n{summary}. Lost without it: {}. Default action: {action}. Fix: {fix}.\n\n{}\n",
        rule.loss.name(),
        text.trim()
    )
}

/// Changes a documentation's headings to level 3. Other lines that begin with `#` are comments in examples.
fn nest_headings(documentation: &str) -> String {
    let mut text = String::new();
    for line in documentation.lines() {
        match line.strip_prefix("# ").filter(|heading| HEADINGS.contains(heading) || *heading == other_tools::HEADING) {
            Some(heading) => text.push_str(&format!("### {heading}\n\n")),
            None => text.push_str(&format!("{line}\n")),
        }
    }
    text
}
