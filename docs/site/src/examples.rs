//! Links that open an example of the corpus in the playground.

use std::fs;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use serde_json::json;

/// The most examples of a rule.
const MAX_EXAMPLES: usize = 6;
/// The name of the playground on the site.
const PLAYGROUND: &str = "sqledge-ha-playground.html";
/// The first line of a manifest that needs options.
const OPTIONS: &str = "# lint: ";

/// An example.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Example {
    /// What it shows.
    pub(crate) title: String,
    /// The playground with it, relative to the root of the site.
    pub(crate) address: String,
}

/// The first manifests of the corpus that break a rule.
pub(crate) fn of_rule(repository: &Path, rule: &str) -> Result<Vec<Example>> {
    let folder = repository.join("e2e/corpus").join(rule).join("fail");
    let entries = fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.sort();
    let mut examples = Vec::new();
    for path in paths {
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
        let Some(state) = State::of(&text).filter(|_| examples.len() < MAX_EXAMPLES) else { continue };
        examples.push(Example { title: name.replace('-', " "), address: format!("{PLAYGROUND}{}", state.fragment()?) });
    }
    Ok(examples)
}

/// What the playground shows.
struct State<'t> {
    text: &'t str,
    settings: String,
    partial: bool,
}

impl<'t> State<'t> {
    /// The state for a manifest of the corpus; `None` if it needs other options than the playground has.
    fn of(text: &'t str) -> Option<Self> {
        let mut state = State { text, settings: String::new(), partial: false };
        let Some(rest) = text.strip_prefix(OPTIONS) else { return Some(state) };
        let (options, manifest) = rest.split_once('\n')?;
        state.text = manifest;
        let mut words = options.split_whitespace();
        while let Some(option) = words.next() {
            match (option, words.next()) {
                ("--engine", Some("all")) => state.settings.push_str("engines: [sql-edge, sql-server]\n"),
                ("--rule", Some(action)) => {
                    let (rule, action) = action.split_once('=')?;
                    state.settings.push_str(&format!("rules: {{{rule}: {action}}}\n"));
                }
                _ => return None,
            }
        }
        Some(state)
    }

    /// As `docs/playground/page/link.ts` reads it.
    fn fragment(&self) -> Result<String> {
        let State { text, settings, partial } = self;
        let json = json!({"text": text, "settings": settings, "partial": partial}).to_string();
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(json.as_bytes())?;
        Ok(format!("#v1.{}", BASE64_URL_SAFE_NO_PAD.encode(encoder.finish()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_of_the_corpus_become_settings() {
        let state = State::of("# lint: --engine all --rule priority=reject\nkind: Pod\n").unwrap();
        assert_eq!(state.text, "kind: Pod\n");
        assert_eq!(state.settings, "engines: [sql-edge, sql-server]\nrules: {priority: reject}\n");
        assert!(State::of("# lint: --config settings/a.yaml\nkind: Pod\n").is_none());
        assert_eq!(State::of("kind: Pod\n").unwrap().settings, "");
    }
}
