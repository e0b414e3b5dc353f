//! A configuration file: its value, and the places of the values in its text.

use std::ops::Range;
use std::path::{Path, PathBuf};

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use serde_json::Value;

use crate::exit::CommandError;
use crate::input::{CONFIG_LIMIT, read_limited};
use crate::input_name::{directory_of, path_name};
use crate::manifest::{Document, Lines, decode};
use crate::policy_settings::{Mistake, SettingsError, single_document};
use crate::report::human::excerpt;

/// A configuration file.
#[derive(Debug)]
pub(super) struct ConfigFile {
    /// The path.
    pub(super) path: PathBuf,
    /// The text.
    pub(super) text: String,
    /// The document; `None` if the file is empty.
    document: Option<Document>,
}

/// Why a configuration file cannot be used.
#[derive(Debug)]
pub struct ConfigError {
    /// Where, and why: on one line.
    pub line: String,
    /// The same, with the lines of the file.
    pub text: String,
}

impl From<ConfigError> for CommandError {
    fn from(error: ConfigError) -> Self {
        CommandError::usage(error.text)
    }
}

/// Reads the text of a configuration file.
///
/// # Errors
/// [`ConfigError`] that names the file.
pub(super) fn read_text(path: &Path) -> Result<String, ConfigError> {
    let error = |message: String| {
        let line = format!("{}: {message}", path.display());
        ConfigError { text: line.clone(), line }
    };
    let bytes = read_limited(CONFIG_LIMIT, path).map_err(|problem| error(problem.to_string()))?;
    decode(bytes).map_err(|problem| error(problem.message))
}

impl ConfigFile {
    /// Parses the text of a file, which `kubectl` would read in the same way: settings also come from manifests.
    ///
    /// # Errors
    /// [`ConfigError`] that shows the syntax error.
    pub(super) fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        Self::parse_text(path, text).map_err(|error| show(path, text, error.span, &error.message))
    }

    /// Parses a text that a file has, or will have when it is saved.
    ///
    /// # Errors
    /// [`SettingsError`] that locates the syntax error.
    pub(super) fn parse_text(path: &Path, text: &str) -> Result<Self, SettingsError> {
        let document = single_document(text)?;
        Ok(ConfigFile { path: path.to_owned(), text: text.to_owned(), document })
    }

    /// The value; null if the file is empty.
    pub(super) fn value(&self) -> &Value {
        self.document.as_ref().map_or(&Value::Null, |document| &document.value)
    }

    /// The directory to which globs in it are relative.
    pub(super) fn directory(&self) -> &Path {
        directory_of(&self.path)
    }

    /// The bytes of the value or key that a mistake is about.
    pub(super) fn locate(&self, mistake: &Mistake) -> Range<usize> {
        mistake.locate(self.document.as_ref())
    }

    /// The error for a mistake, with its location and its line.
    pub(super) fn error(&self, mistake: &Mistake) -> ConfigError {
        show(&self.path, &self.text, self.locate(mistake), &mistake.message)
    }

    /// Where the values at some JSON Pointers are: `file:line:column`.
    pub(super) fn locations(&self, pointers: impl Iterator<Item = String>) -> Vec<String> {
        let (name, lines) = (path_name(&self.path), Lines::new(&self.text));
        let location = |pointer: String| {
            let start = self.document.as_ref().map_or(0, |document| document.locate(&pointer).start);
            let position = lines.position(start);
            format!("{name}:{}:{}", position.line, position.column)
        };
        pointers.map(location).collect()
    }
}

/// The error for a part of a text, with its location and its line.
fn show(path: &Path, text: &str, span: Range<usize>, message: &str) -> ConfigError {
    let position = Lines::new(text).position(span.start);
    let line = position.line;
    let (excerpt, within) = excerpt(text, span);
    let snippet = Snippet::source(excerpt).path(path_name(path)).line_start(line);
    let group = Level::ERROR.primary_title(message).element(snippet.annotation(AnnotationKind::Primary.span(within)));
    let text = Renderer::plain().render(&[group]);
    ConfigError {
        line: format!("{}:{line}:{}: {message}", path_name(path), position.column),
        // The caller prints the prefix.
        text: text.strip_prefix("error: ").unwrap_or(&text).to_owned(),
    }
}
