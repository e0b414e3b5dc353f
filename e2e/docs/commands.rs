//! Runs the commands in the documentation.

use super::sandbox::Sandbox;
use super::{Block, NOT_RUN_HERE, blocks, pages};

/// A command with the output that the page shows.
pub(super) struct Step {
    /// The page and the line.
    pub(super) at: String,
    /// The command, also of several lines.
    pub(super) command: String,
    /// The output; empty if the page shows none.
    pub(super) output: String,
}

fn steps(page: &str, block: &Block) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for (number, line) in block.lines.iter().enumerate() {
        let at = format!("{page}:{}", block.line + number);
        match (line.strip_prefix("$ "), steps.last_mut()) {
            (Some(command), _) => steps.push(Step { at, command: command.to_owned(), output: String::new() }),
            (None, Some(step)) if step.output.is_empty() && line.starts_with("> ") => {
                step.command.push_str(&format!("\n{}", line.trim_start_matches("> ")));
            }
            (None, Some(step)) => step.output.push_str(&format!("{line}\n")),
            (None, None) => panic!("{at}: not a command"),
        }
    }
    steps
}

/// The commands of a page that are run, by heading.
fn sections(page: &str) -> Vec<(String, Vec<Step>)> {
    let mut sections: Vec<(String, Vec<Step>)> = Vec::new();
    for block in blocks(page).iter().filter(|block| block.language == "console") {
        if NOT_RUN_HERE.iter().any(|mark| block.below.starts_with(mark)) {
            continue;
        }
        match sections.last_mut().filter(|(heading, _)| *heading == block.heading) {
            Some((_, known)) => known.extend(steps(page, block)),
            None => sections.push((block.heading.clone(), steps(page, block))),
        }
    }
    sections
}

/// Runs the commands below each heading, in a cluster of their own.
fn try_page(page: &str) {
    let sandbox = Sandbox::new();
    for (heading, steps) in sections(page) {
        sandbox.run(&heading, &steps);
    }
}

macro_rules! try_pages {
    ($($test:ident: $page:literal,)*) => {
        $(#[test]
        fn $test() {
            try_page($page);
        })*

        const TRIED: &[&str] = &[$($page),*];
    };
}

try_pages! {
    commands_of_the_readme: "README.md",
    commands_to_audit: "docs/audit.md",
    commands_to_use_certificates: "docs/certificates.md",
    commands_to_fix: "docs/fix.md",
    commands_for_gitops: "docs/gitops.md",
    commands_to_install_with_kubewarden: "docs/install-kubewarden.md",
    commands_to_install_the_webhook: "docs/install-webhook.md",
    commands_to_lint_in_ci: "docs/lint-in-ci.md",
    commands_to_migrate: "docs/migrate-to-sql-server.md",
    commands_to_measure: "docs/reference/performance.md",
    commands_about_security: "docs/reference/security.md",
    commands_with_settings: "docs/reference/settings.md",
    commands_for_registries: "docs/registries.md",
}

#[test]
fn every_page_with_commands_is_tried() {
    let with_commands: Vec<String> = pages().into_iter().filter(|page| !sections(page).is_empty()).collect();
    let mut tried = TRIED.to_vec();
    tried.sort_unstable();
    assert_eq!(with_commands, tried);
}
