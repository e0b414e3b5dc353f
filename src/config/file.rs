//! A configuration file: its value, and the places of the values in its text.

use std::ops::Range;
use std::path::{Path, PathBuf};

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use serde_json::Value;

use crate::exit::Failure;
use crate::input::{CONFIG_LIMIT, read_limited};
use crate::input_name::path_name;
use crate::manifest::{Document, Lines, decode};
use crate::policy_settings::{Mistake, single_document};
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

/// Reads the text of a configuration file.
///
/// # Errors
/// [`Failure`] with exit code 2 that names the file.
pub(super) fn read_text(path: &Path) -> Result<String, Failure> {
    let failure = |message: String| Failure::usage(format!("{}: {message}", path.display()));
    let bytes = read_limited(CONFIG_LIMIT, path).map_err(|error| failure(error.to_string()))?;
    decode(bytes).map_err(|error| failure(error.message))
}

impl ConfigFile {
    /// Parses the text of a file, which `kubectl` would read in the same way: settings also come from manifests.
    ///
    /// # Errors
    /// [`Failure`] with exit code 2 that shows the syntax error.
    pub(super) fn parse(path: &Path, text: String) -> Result<Self, Failure> {
        let document =
            single_document(&text).map_err(|error| failure(path, &text, error.span.clone(), &error.message))?;
        Ok(ConfigFile { path: path.to_owned(), text, document })
    }

    /// The value; null if the file is empty.
    pub(super) fn value(&self) -> &Value {
        self.document.as_ref().map_or(&Value::Null, |document| &document.value)
    }

    /// The directory to which globs in it are relative.
    pub(super) fn directory(&self) -> &Path {
        self.path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
    }

    /// The error for a mistake, with its location and its line.
    pub(super) fn failure(&self, mistake: &Mistake) -> Failure {
        failure(&self.path, &self.text, mistake.locate(self.document.as_ref()), &mistake.message)
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
fn failure(path: &Path, text: &str, span: Range<usize>, message: &str) -> Failure {
    let line = Lines::new(text).position(span.start).line;
    let (excerpt, within) = excerpt(text, span);
    let snippet = Snippet::source(excerpt).path(path_name(path)).line_start(line);
    let group = Level::ERROR.primary_title(message).element(snippet.annotation(AnnotationKind::Primary.span(within)));
    let text = Renderer::plain().render(&[group]);
    // The caller prints the prefix.
    Failure::usage(text.strip_prefix("error: ").unwrap_or(&text))
}
