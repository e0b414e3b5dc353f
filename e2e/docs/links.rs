//! Links between the pages, and to files and headings.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use sqledge_ha::rule_docs;
use sqledge_ha_policy::rules::RULES;

use super::pages;
use crate::shared::{root, text_of};

/// Other pages with links into the repository.
const OTHERS: [&str; 8] = [
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "artifacthub/README.md",
    "artifacthub/chart/README.md",
    "e2e/PROOF.md",
    "e2e/cluster/README.md",
    "policy/USAGE.md",
];

/// The lines outside of fenced blocks.
fn prose(page: &str) -> Vec<String> {
    let mut is_code = false;
    let text = text_of(page);
    let lines = text.lines().filter(|line| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    });
    lines.map(str::to_owned).collect()
}

/// The targets of the links.
fn targets(page: &str) -> Vec<String> {
    let lines = prose(page);
    let links = lines.iter().flat_map(|line| line.split("](").skip(1));
    links.map(|rest| rest.split(')').next().unwrap().to_owned()).collect()
}

/// The anchors that GitHub gives to the headings.
fn anchors(page: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    for line in prose(page) {
        let Some((_, heading)) = line.split_once("# ").filter(|(start, _)| start.chars().all(|char| char == '#'))
        else {
            continue;
        };
        let kept = heading.to_lowercase().replace(' ', "-");
        let anchor: String = kept.chars().filter(|char| char.is_alphanumeric() || "-_".contains(*char)).collect();
        let numbered = (1..).map(|number| format!("{anchor}-{number}"));
        let free = std::iter::once(anchor.clone()).chain(numbered).find(|anchor| !anchors.contains(anchor));
        anchors.extend(free);
    }
    anchors
}

/// The path in the repository and the anchor of a link; `None` if it leads elsewhere.
fn resolve(page: &str, target: &str) -> Option<(PathBuf, Option<String>)> {
    let (path, anchor) =
        target.split_once('#').map_or((target, None), |(path, anchor)| (path, Some(anchor.to_owned())));
    let repository = env!("CARGO_PKG_REPOSITORY");
    let own = ["blob", "tree"].iter().find_map(|kind| path.strip_prefix(&format!("{repository}/{kind}/main/")));
    if own.is_none() && path.contains("://") {
        return None;
    }
    let joined = match own {
        Some(path) => PathBuf::from(path),
        None if path.is_empty() => PathBuf::from(page),
        None => Path::new(page).parent().unwrap().join(path),
    };
    let mut normal = PathBuf::new();
    for component in joined.components() {
        match component {
            Component::ParentDir => assert!(normal.pop(), "{page}: {target}"),
            other => normal.push(other),
        }
    }
    Some((normal, anchor))
}

#[test]
fn every_link_leads_to_a_file_and_a_heading() {
    for page in pages().into_iter().chain(OTHERS.map(str::to_owned)) {
        for target in targets(&page) {
            let Some((path, anchor)) = resolve(&page, &target) else { continue };
            assert!(root().join(&path).exists(), "{page}: {target}");
            if let Some(anchor) = anchor {
                assert!(anchors(path.to_str().unwrap()).contains(&anchor), "{page}: {target}");
            }
        }
    }
}

#[test]
fn the_readme_leads_to_every_page() {
    let linked: BTreeSet<PathBuf> =
        targets("README.md").iter().filter_map(|target| Some(resolve("README.md", target)?.0)).collect();
    for page in pages().into_iter().filter(|page| page != "README.md") {
        assert!(linked.contains(Path::new(&page)), "{page}");
    }
}

#[test]
fn the_urls_in_reports_lead_to_the_rules() {
    let anchors = anchors(rule_docs::PAGE_PATH);
    for rule in RULES {
        let url = rule_docs::url(rule.id);
        let (page, anchor) = url.split_once('#').unwrap();
        assert!(page.ends_with(rule_docs::PAGE_PATH) && anchors.contains(anchor), "{url}");
    }
}
