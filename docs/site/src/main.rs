//! Writes the pages of the site for mdBook: `sqledge-ha-site REPOSITORY DIRECTORY`.
//!
//! The pages are those of `docs/`, which also work on GitHub, and one for each rule. DIRECTORY is replaced.
//!
//! | file | contents |
//! |---|---|
//! | `book` | which pages there are, and in what order |
//! | `links` | links of a page in the repository -> links of the site |
//! | `rule_page` | the page of a rule, with its proof and its examples |
//! | `proof` | the rows of `e2e/PROOF.md` |
//! | `examples` | links that open an example in the playground |

#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        reason = "a test fails when it panics"
    )
)]

mod book;
mod examples;
mod links;
mod proof;
mod rule_page;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use sqledge_ha_policy::rules::RULES;

use self::links::Links;

fn main() -> Result<()> {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [repository, directory] = arguments.as_slice() else {
        bail!("usage: sqledge-ha-site REPOSITORY DIRECTORY");
    };
    write_site(repository, directory)
}

/// Writes the configuration of mdBook and all pages below `directory`.
fn write_site(repository: &Path, directory: &Path) -> Result<()> {
    if directory.exists() {
        fs::remove_dir_all(directory).with_context(|| format!("cannot remove {}", directory.display()))?;
    }
    let write = |path: &str, text: &str| -> Result<()> {
        let path = directory.join(path);
        fs::create_dir_all(path.parent().unwrap_or(directory))?;
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    };
    let read = |path: &str| fs::read_to_string(repository.join(path)).with_context(|| format!("cannot read {path}"));
    write("book.toml", book::CONFIGURATION)?;
    write("src/SUMMARY.md", &book::summary())?;
    write("theme/extra.css", include_str!("extra.css"))?;
    let links = Links::new(repository);
    for page in book::pages() {
        let text = if page.source == sqledge_ha::rule_docs::PAGE_PATH {
            rule_page::overview()
        } else {
            links.rewrite(&read(page.source)?, &page)?
        };
        write(&format!("src/{}", page.path), &with_edit_link(&text, page.source))?;
    }
    let proofs = proof::rows(&read("e2e/PROOF.md")?);
    for rule in RULES {
        let source = rule_page::source(rule.id);
        let examples = examples::of_rule(repository, rule.id)?;
        let text = rule_page::text(rule, &proofs, &examples);
        write(&format!("src/{}", book::rule_path(rule.id)), &with_edit_link(&text, &source))?;
    }
    Ok(())
}

/// The page with a link to edit its source.
fn with_edit_link(text: &str, source: &str) -> String {
    let repository = env!("CARGO_PKG_REPOSITORY");
    format!("{}\n\n---\n\n[Edit this page]({repository}/edit/main/{source})\n", text.trim_end())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn repository() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
    }

    #[test]
    fn every_page_in_the_documentation_is_on_the_site() {
        let files = |folder: &str| -> Vec<String> {
            let entries = fs::read_dir(repository().join(folder)).unwrap();
            let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
            names.filter(|name| name.ends_with(".md")).map(|name| format!("{folder}/{name}")).collect()
        };
        let expected: BTreeSet<String> = files("docs").into_iter().chain(files("docs/reference")).collect();
        let actual: BTreeSet<String> = book::pages().map(|page| page.source.to_owned()).collect();
        assert_eq!(expected.difference(&actual).collect::<Vec<_>>(), Vec::<&String>::new());
    }

    #[test]
    fn every_rule_has_a_page_with_its_documentation() {
        let directory = std::env::temp_dir().join(format!("sqledge-ha-site-{}", std::process::id()));
        write_site(&repository(), &directory).unwrap();
        let page = |path: &str| fs::read_to_string(directory.join("src").join(path)).unwrap();
        let recreate = page("rules/recreate-strategy.md");
        for part in [
            "# recreate-strategy\n",
            "## Why\n",
            "## Proof\n",
            "one writer",
            "kube-score",
            "sqledge-ha-playground.html#v1.",
        ] {
            assert!(recreate.contains(part), "{part}: {recreate}");
        }
        assert!(recreate.contains("/edit/main/policy/src/rules/recreate_strategy.rs"));
        for rule in RULES {
            let text = page(&book::rule_path(rule.id));
            // It begins with a capital letter there.
            assert!(text.contains(rule.summary.get(1..).unwrap()), "{}", rule.id);
        }
        assert!(page("SUMMARY.md").contains("(rules/one-engine.md)"));
        assert!(page("index.md").contains("(rules/single-replica.md)"));
        fs::remove_dir_all(directory).unwrap();
    }
}
