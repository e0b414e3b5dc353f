//! Changes the links of a page in the repository to those of the site.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use anyhow::{Result, bail};
use sqledge_ha::rule_docs;
use sqledge_ha_policy::rules;

use crate::book::{self, Page};

/// The pages and files that links can lead to.
pub(crate) struct Links<'r> {
    repository: &'r Path,
    /// The paths in the book, by those in the repository.
    pages: BTreeMap<&'static str, &'static str>,
}

impl<'r> Links<'r> {
    /// The links of a checkout.
    pub(crate) fn new(repository: &'r Path) -> Self {
        Links { repository, pages: book::pages().map(|page| (page.source, page.path)).collect() }
    }

    /// The text of a page with links to the pages of the site, and to GitHub for other files.
    ///
    /// # Errors
    /// A link that leads to no file.
    pub(crate) fn rewrite(&self, text: &str, page: &Page) -> Result<String> {
        let mut rewritten = String::with_capacity(text.len());
        let mut is_code = false;
        for line in text.split_inclusive('\n') {
            is_code ^= line.trim_start().starts_with("```");
            if is_code {
                rewritten.push_str(line);
                continue;
            }
            let mut parts = line.split("](");
            rewritten.push_str(parts.next().unwrap_or_default());
            for part in parts {
                let (target, rest) = part.split_once(')').unwrap_or((part, ""));
                rewritten.push_str(&format!("]({}){rest}", self.target(target, page)?));
            }
        }
        Ok(rewritten)
    }

    fn target(&self, target: &str, page: &Page) -> Result<String> {
        let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
        let repository = env!("CARGO_PKG_REPOSITORY");
        let own = ["blob", "tree"].iter().find_map(|kind| path.strip_prefix(&format!("{repository}/{kind}/main/")));
        if path.is_empty() || own.is_none() && path.contains("://") {
            return Ok(target.to_owned());
        }
        let from = Path::new(page.source).parent().unwrap_or(Path::new(""));
        let path = own.map_or_else(|| normal(&from.join(path)), |own| Some(PathBuf::from(own)));
        let Some(path) = path.as_deref().and_then(Path::to_str) else {
            bail!("{}: the link {target} leaves the repository", page.source);
        };
        let anchor = if anchor.is_empty() { String::new() } else { format!("#{anchor}") };
        if path == rule_docs::PAGE_PATH && rules::find(anchor.trim_start_matches('#')).is_some() {
            return Ok(relative(page.path, &book::rule_path(anchor.trim_start_matches('#'))));
        }
        if let Some(known) = self.pages.get(path) {
            return Ok(relative(page.path, known) + &anchor);
        }
        let file = self.repository.join(path);
        if !file.exists() {
            bail!("{}: the link {target} leads to no file", page.source);
        }
        let kind = if file.is_dir() { "tree" } else { "blob" };
        Ok(format!("{repository}/{kind}/main/{path}{anchor}"))
    }
}

/// The path without `..`; `None` if it leads out of the repository.
fn normal(path: &Path) -> Option<PathBuf> {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir if normal.pop() => {}
            Component::ParentDir => return None,
            other => normal.push(other),
        }
    }
    Some(normal)
}

/// The path of a page relative to another one.
pub(crate) fn relative(from: &str, to: &str) -> String {
    let levels = from.matches('/').count();
    let shared = from.split_once('/').map(|(folder, _)| format!("{folder}/"));
    match shared.and_then(|folder| to.strip_prefix(&folder)) {
        Some(rest) if levels == 1 => rest.to_owned(),
        _ => "../".repeat(levels) + to,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_to_pages_rules_and_the_repository() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let links = Links::new(&root);
        let page = |source: &str| book::pages().find(|page| page.source == source).unwrap();
        let repository = env!("CARGO_PKG_REPOSITORY");
        for (source, target, expected) in [
            ("README.md", "docs/install.md", "install.md".to_owned()),
            ("README.md", "docs/reference/rules.md#one-engine", "rules/one-engine.md".to_owned()),
            ("docs/fix.md", "reference/rules.md#one-engine", "rules/one-engine.md".to_owned()),
            ("docs/fix.md", "reference/rules.md", "rules/index.md".to_owned()),
            ("docs/reference/output.md", "../fix.md#a", "../fix.md#a".to_owned()),
            ("docs/reference/output.md", "settings.md", "settings.md".to_owned()),
            ("docs/fix.md", "../LICENSE", format!("{repository}/blob/main/LICENSE")),
            ("docs/fix.md", "../e2e/cluster", format!("{repository}/tree/main/e2e/cluster")),
            ("docs/fix.md", "#there", "#there".to_owned()),
            ("docs/fix.md", "https://kubernetes.io", "https://kubernetes.io".to_owned()),
        ] {
            let text = links.rewrite(&format!("a [b]({target}) c\n"), &page(source)).unwrap();
            assert_eq!(text, format!("a [b]({expected}) c\n"), "{source}");
        }
        assert!(links.rewrite("[b](missing.md)", &page("docs/fix.md")).is_err());
        let code = "```console\n$ a [b](missing.md)\n```\n";
        assert_eq!(links.rewrite(code, &page("docs/fix.md")).unwrap(), code);
    }
}
