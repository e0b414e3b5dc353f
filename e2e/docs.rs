//! The documentation: its links lead somewhere, its examples can be read, and its commands work.

mod commands;
mod first_answer;
mod links;
mod sandbox;

use std::fs;

use sqledge_ha::manifest::read;

use crate::shared::{root, text_of};

/// The line below a block of commands that no test runs.
const NOT_TRIED: &str = "Not tried by our tests.";

/// Lines below blocks of commands that this module does not run.
const NOT_RUN_HERE: [&str; 3] =
    [NOT_TRIED, "`make test-release` runs these commands", "`make test-packages` runs this command"];

/// The README, and the pages in `docs`, as paths in the repository.
fn pages() -> Vec<String> {
    let folder = |folder: &str| -> Vec<String> {
        let entries = fs::read_dir(root().join(folder)).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.ends_with(".md")).map(|name| format!("{folder}/{name}")).collect()
    };
    let mut pages = [vec!["README.md".to_owned()], folder("docs"), folder("docs/reference")].concat();
    pages.sort();
    pages
}

/// A fenced block.
struct Block {
    language: String,
    /// The number of its first line, from 1.
    line: usize,
    /// That of its fence.
    indentation: String,
    /// Its lines, without the indentation of its fence.
    lines: Vec<String>,
    /// The nearest heading above.
    heading: String,
    /// The first line with text below.
    below: String,
}

impl Block {
    fn text(&self) -> String {
        self.lines.iter().map(|line| format!("{line}\n")).collect()
    }
}

fn blocks(page: &str) -> Vec<Block> {
    let (mut blocks, mut open, mut heading): (Vec<Block>, Option<Block>, String) = (vec![], None, String::new());
    for (number, line) in text_of(page).lines().enumerate() {
        let text = line.trim_start();
        match (text.strip_prefix("```"), open.take()) {
            (Some(_), Some(block)) => blocks.push(block),
            (Some(language), None) => {
                open = Some(Block {
                    language: language.to_owned(),
                    line: number + 2,
                    indentation: " ".repeat(line.len() - text.len()),
                    lines: vec![],
                    heading: heading.clone(),
                    below: String::new(),
                });
            }
            (None, Some(mut block)) => {
                block.lines.push(line.strip_prefix(&block.indentation).unwrap_or(line).to_owned());
                open = Some(block);
            }
            (None, None) if text.starts_with('#') => heading = text.trim_start_matches(['#', ' ']).to_owned(),
            (None, None) => {
                if let Some(block) = blocks.last_mut().filter(|block| block.below.is_empty()) {
                    block.below = text.to_owned();
                }
            }
        }
    }
    assert!(open.is_none(), "{page}: a block has no end");
    blocks
}

#[test]
fn the_readme_has_at_most_150_lines() {
    assert!(text_of("README.md").lines().count() <= 150);
}

#[test]
fn examples_in_the_documentation_can_be_read() {
    for page in pages() {
        for block in blocks(&page) {
            let at = format!("{page}:{}", block.line);
            match block.language.as_str() {
                "json" => _ = serde_json::from_str::<serde_json::Value>(&block.text()).expect(&at),
                "yaml" => assert!(read(&block.text()).iter().all(Result::is_ok), "{at}"),
                // The tests of the language server run the Lua.
                "console" | "lua" | "sql" | "text" | "toml" => {}
                other => panic!("{at}: {other}"),
            }
        }
    }
}
