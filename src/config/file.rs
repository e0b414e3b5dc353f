//! A configuration file: its value, and the places of the values in its text.

use std::ops::Range;
use std::path::{Path, PathBuf};

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use serde_json::Value;

use crate::exit::Failure;
use crate::input::{CONFIG_LIMIT, read_limited};
use crate::input_name::path_name;
use crate::manifest::{Document, Lines, decode, read};
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

/// A wrong value, or an unknown key.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mistake {
    /// JSON Pointer of the value.
    pub(super) pointer: String,
    /// Whether it is about the key, not about the value.
    pub(super) is_key: bool,
    /// One sentence.
    pub(super) message: String,
}

impl Mistake {
    /// A wrong value.
    pub(super) fn value(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Mistake { pointer: pointer.into(), is_key: false, message: message.into() }
    }

    /// An unknown key.
    pub(super) fn key(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Mistake { pointer: pointer.into(), is_key: true, message: message.into() }
    }
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
        let mut documents = read(&text).into_iter();
        let document = documents.next().transpose().map_err(|error| {
            let help = error.help.map(|help| format!("; {help}")).unwrap_or_default();
            failure(path, &text, error.byte..error.byte, &format!("{}{help}", error.message))
        })?;
        if let Some(second) = documents.next() {
            let span = second.map_or_else(|error| error.byte..error.byte, |document| document.locate(""));
            return Err(failure(path, &text, span, "the file has a second document"));
        }
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
        let Mistake { pointer, is_key, message } = mistake;
        let span = self
            .document
            .as_ref()
            .map_or(0..0, |document| if *is_key { document.locate_key(pointer) } else { document.locate(pointer) });
        failure(&self.path, &self.text, span, message)
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
