//! The documentation of all rules as one page, and its URL.

use std::sync::OnceLock;

use sqledge_ha_policy::rules::documentation::{HEADINGS, documentation};
use sqledge_ha_policy::rules::{RULES, Rule, finite_tolerations, load_balancer_service};

use crate::other_tools;

/// What `explain` prints: the documentation of a rule in Markdown.
///
/// ```
/// use sqledge_ha::rule_docs::explanation;
/// use sqledge_ha_policy::rules::find;
/// assert!(explanation(find("one-engine").unwrap()).starts_with("one-engine: "));
/// ```
pub fn explanation(rule: &Rule) -> String {
    let Rule { id, summary, .. } = rule;
    let (loss, action, fix) = (rule.loss.name(), rule.default_action.name(), describe_fix(rule));
    let (text, other_tools) = (documentation(rule), other_tools::section(id));
    format!(
        "{id}: {summary}\n\nLost without it: {loss}. Default action: {action}. Fix: {fix}.\n\n{}\n{other_tools}",
        text.trim_end()
    )
}

/// The fixes that depend on settings.
pub const CONDITIONAL_FIXES: &str = "The fix of `load-balancer-service` is safe only if the setting `exposure` is set, \
    and `finite-tolerations` has a fix only if `failoverSeconds` is set.";

/// Whether a rule has a fix, and with which setting.
fn describe_fix(rule: &Rule) -> &'static str {
    if rule.id == load_balancer_service::RULE.id {
        "safe with the setting `exposure`, else unsafe"
    } else if rule.id == finite_tolerations::RULE.id {
        "safe with the setting `failoverSeconds`, else none"
    } else {
        rule.fixable.name()
    }
}

/// The path of the page in the repository.
pub const PAGE_PATH: &str = "docs/reference/rules.md";

/// The base address of the site, without a slash at the end; `None` until it is published.
const SITE: Option<&str> = None;

/// The base address that a flag gives for this run.
static CHOSEN_SITE: OnceLock<String> = OnceLock::new();

/// Makes links lead to a copy of the site at this address, with or without a slash at the end. The first address stays.
pub fn choose_site(base: &str) {
    // A second one is the same flag, read again.
    let _ = CHOSEN_SITE.set(base.trim_end_matches('/').to_owned());
}

/// The URL of a rule's page on the site; `None` if there is no site.
pub fn page_url(id: &str) -> Option<String> {
    let base = CHOSEN_SITE.get().map(String::as_str).or(SITE)?;
    Some(format!("{base}/{}", page_path(id)))
}

/// The path of a rule's page on the site.
///
/// ```
/// assert_eq!(sqledge_ha::rule_docs::page_path("one-engine"), "rules/one-engine.html");
/// ```
pub fn page_path(id: &str) -> String {
    format!("rules/{id}.html")
}

/// Where else a rule is explained: its page on the site, which also has the proof, or the command.
///
/// ```
/// assert!(sqledge_ha::rule_docs::more("one-engine").contains("`sqledge-ha explain one-engine`"));
/// ```
pub fn more(id: &str) -> String {
    match page_url(id) {
        Some(url) => format!("The page of this rule, with its proof: <{url}>"),
        None => format!("`sqledge-ha explain {id}` prints this text."),
    }
}

/// The URL of a rule's documentation: its page on the site, or its section in the repository of this version.
///
/// ```
/// use sqledge_ha::rule_docs::url;
/// assert!(url("one-engine").ends_with("/docs/reference/rules.md#one-engine"));
/// ```
pub fn url(id: &str) -> String {
    page_url(id).unwrap_or_else(|| {
        format!("{}/blob/v{}/{PAGE_PATH}#{id}", env!("CARGO_PKG_REPOSITORY"), env!("CARGO_PKG_VERSION"))
    })
}

/// The page in Markdown: every rule, in the order of the registry.
pub fn page() -> String {
    let sections = RULES.iter().map(|rule| format!("## {}\n\n{}", rule.id, body(rule, "###")));
    let overview = overview_page(|id| format!("#{id}"));
    std::iter::once(overview).chain(sections).collect::<Vec<_>>().join("\n")
}

/// A page with the table of all rules; `target` gives the link of a rule.
pub fn overview_page(target: impl Fn(&str) -> String) -> String {
    let mut text = format!(
        "# Rules\n\nEach rule prevents one cause of data loss or downtime. `sqledge-ha explain RULE` prints the same \
        text.\n\n{CONDITIONAL_FIXES}\n\n\
        | rule | requirement | lost without it | default action | fix |\n|---|---|---|---|---|\n"
    );
    for Rule { id, summary, loss, default_action, fixable, .. } in RULES {
        let (loss, action, fix) = (loss.name(), default_action.name(), fixable.name());
        text.push_str(&format!("| [`{id}`]({}) | {summary} | {loss} | {action} | {fix} |\n", target(id)));
    }
    text
}

/// The documentation of a rule in Markdown, without its id. `level` is the start of its headings.
pub fn body(rule: &Rule, level: &str) -> String {
    let Rule { id, summary, .. } = rule;
    let (loss, action, fix) = (rule.loss.name(), rule.default_action.name(), describe_fix(rule));
    let text = nest_headings(&format!("{}\n{}", documentation(rule).trim_end(), other_tools::section(id)), level);
    let mut summary = (*summary).to_owned();
    if let Some(initial) = summary.get_mut(..1) {
        initial.make_ascii_uppercase();
    }
    format!("{summary}. Lost without it: {loss}. Default action: {action}. Fix: {fix}.\n\n{}\n", text.trim())
}

/// Changes the level of a documentation's headings. Other lines that begin with `#` are comments in examples.
fn nest_headings(documentation: &str, level: &str) -> String {
    let mut text = String::new();
    for line in documentation.lines() {
        match line.strip_prefix("# ").filter(|heading| HEADINGS.contains(heading) || *heading == other_tools::HEADING) {
            Some(heading) => text.push_str(&format!("{level} {heading}\n\n")),
            None => text.push_str(&format!("{line}\n")),
        }
    }
    text
}
