//! Which pages there are, and in what order.

use sqledge_ha_policy::rules::RULES;

/// The configuration of mdBook. Assets have stable names, so that old pages in a cache still find them.
pub(crate) const CONFIGURATION: &str = r#"[book]
title = "sqledge-ha"
description = "Keeps Azure SQL Edge highly available on Kubernetes"
language = "en"
src = "src"

[build]
create-missing = false

[output.html]
default-theme = "light"
preferred-dark-theme = "navy"
git-repository-url = "https://github.com/sqledge-ha/sqledge-ha"
no-section-label = true
hash-files = false
additional-css = ["theme/extra.css"]

[output.html.print]
enable = false

[output.html.fold]
enable = true

[output.html.search]
limit-results = 20
boost-title = 4
"#;

/// A page of the repository on the site.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Page {
    title: &'static str,
    /// Its path in the repository.
    pub(crate) source: &'static str,
    /// Its path in the book.
    pub(crate) path: &'static str,
}

const fn page(title: &'static str, source: &'static str, path: &'static str) -> Page {
    Page { title, source, path }
}

/// The first page.
const INTRODUCTION: Page = page("Introduction", "README.md", "index.md");

/// The heading above the pages of the rules.
const RULES_PART: &str = "Rules";

/// The pages, by their headings.
const PARTS: [(&str, &[Page]); 4] = [
    (
        "Tasks",
        &[
            page("Install", "docs/install.md", "install.md"),
            page("Playground", "docs/playground.md", "playground.md"),
            page("Lint in CI", "docs/lint-in-ci.md", "lint-in-ci.md"),
            page("Fix", "docs/fix.md", "fix.md"),
            page("Editors", "docs/editors.md", "editors.md"),
            page("Install with Kubewarden", "docs/install-kubewarden.md", "install-kubewarden.md"),
            page("Install the webhook", "docs/install-webhook.md", "install-webhook.md"),
            page("Audit a cluster", "docs/audit.md", "audit.md"),
            page("Before maintenance", "docs/before-maintenance.md", "before-maintenance.md"),
            page("After a node failure", "docs/after-a-node-failure.md", "after-a-node-failure.md"),
            page("GitOps", "docs/gitops.md", "gitops.md"),
            page("Certificates", "docs/certificates.md", "certificates.md"),
            page("Registries and air-gapped clusters", "docs/registries.md", "registries.md"),
            page("Verify a release", "docs/verify-a-release.md", "verify-a-release.md"),
            page("Migrate to SQL Server", "docs/migrate-to-sql-server.md", "migrate-to-sql-server.md"),
            page("When other tools disagree", "docs/other-tools.md", "other-tools.md"),
        ],
    ),
    (
        RULES_PART,
        &[page("All rules", "docs/reference/rules.md", "rules/index.md"), page("Proof", "e2e/PROOF.md", "proof.md")],
    ),
    (
        "Reference",
        &[
            page("Settings", "docs/reference/settings.md", "reference/settings.md"),
            page("Command line", "docs/reference/command-line.md", "reference/command-line.md"),
            page("Output", "docs/reference/output.md", "reference/output.md"),
            page("Audit", "docs/reference/audit.md", "reference/audit.md"),
            page("Performance", "docs/reference/performance.md", "reference/performance.md"),
            page("Security", "docs/reference/security.md", "reference/security.md"),
            page("Architecture", "docs/reference/architecture.md", "reference/architecture.md"),
        ],
    ),
    (
        "Project",
        &[
            page("Contributing", "CONTRIBUTING.md", "contributing.md"),
            page("Security policy", "SECURITY.md", "security-policy.md"),
            page("Changelog", "CHANGELOG.md", "changelog.md"),
        ],
    ),
];

/// Every page except those of single rules.
pub(crate) fn pages() -> impl Iterator<Item = Page> {
    std::iter::once(INTRODUCTION).chain(PARTS.into_iter().flat_map(|(_, pages)| pages.iter().copied()))
}

/// The path of a rule's page in the book.
///
/// It gives the address that `sqledge_ha::rule_docs::page_path` names.
pub(crate) fn rule_path(id: &str) -> String {
    format!("rules/{id}.md")
}

/// The table of contents.
pub(crate) fn summary() -> String {
    let mut text = format!("# Summary\n\n[{}]({})\n", INTRODUCTION.title, INTRODUCTION.path);
    for (heading, pages) in PARTS {
        text.push_str(&format!("\n# {heading}\n\n"));
        for (index, Page { title, path, .. }) in pages.iter().enumerate() {
            text.push_str(&format!("- [{title}]({path})\n"));
            if heading == RULES_PART && index == 0 {
                RULES.iter().for_each(|rule| text.push_str(&format!("  - [{0}](rules/{0}.md)\n", rule.id)));
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use sqledge_ha::rule_docs::page_path;

    use super::*;

    #[test]
    fn the_address_of_a_rule_is_the_one_in_reports() {
        assert_eq!(rule_path("one-engine").replace(".md", ".html"), page_path("one-engine"));
    }
}
