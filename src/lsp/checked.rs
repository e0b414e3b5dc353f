//! The result of a check, with the texts that it is about.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use gen_lsp_types as lsp;

use super::buffer::Buffer;
use super::position::{Encoding, LineIndex};
use crate::linter::{InputError, LintResult, LocatedFinding};

/// The result of a check.
pub(super) struct Checked {
    /// The result. Its files are those of `files`.
    pub(super) result: LintResult,
    /// What is known of the files beside their texts.
    pub(super) files: Vec<CheckedFile>,
    /// The revisions of the open texts.
    pub(super) revisions: Vec<u64>,
}

/// A file that was checked.
pub(super) struct CheckedFile {
    /// Its URI.
    pub(super) uri: String,
    /// Its text in the editor; `None` if it is not open.
    pub(super) buffer: Option<Arc<Buffer>>,
    /// The lines of the text on disk, once they are needed.
    lines: OnceLock<LineIndex>,
}

impl CheckedFile {
    /// A file that is not open.
    pub(super) fn on_disk(uri: String) -> Self {
        CheckedFile { uri, buffer: None, lines: OnceLock::new() }
    }

    /// An open text.
    pub(super) fn open(buffer: Arc<Buffer>) -> Self {
        CheckedFile { uri: buffer.uri.clone(), buffer: Some(buffer), lines: OnceLock::new() }
    }
}

impl Checked {
    /// The index of an open text, with the text.
    pub(super) fn open_file(&self, uri: &str) -> Option<(usize, &Arc<Buffer>)> {
        let index = self.files.iter().position(|file| file.uri == uri && file.buffer.is_some())?;
        Some((index, self.files.get(index)?.buffer.as_ref()?))
    }

    /// The findings in a file.
    pub(super) fn findings(&self, file: usize) -> impl Iterator<Item = &LocatedFinding> {
        let findings = &self.result.findings;
        let start = findings.partition_point(|located| located.file < file);
        findings.get(start..).unwrap_or_default().iter().take_while(move |located| located.file == file)
    }

    /// The parse errors in a file.
    pub(super) fn errors(&self, file: usize) -> impl Iterator<Item = &InputError> {
        let errors = &self.result.errors;
        let start = errors.partition_point(|error| error.file < Some(file));
        errors.get(start..).unwrap_or_default().iter().take_while(move |error| error.file == Some(file))
    }

    /// The range of some bytes of a file.
    pub(super) fn range(&self, file: usize, span: &Range<usize>, encoding: Encoding) -> Option<lsp::Range> {
        let checked = self.files.get(file)?;
        Some(match &checked.buffer {
            Some(buffer) => buffer.lines.range(&buffer.text, span, encoding),
            None => {
                let text = &self.result.files.get(file)?.text;
                checked.lines.get_or_init(|| LineIndex::from_file(text)).range(text, span, encoding)
            }
        })
    }

    /// The text of a file.
    pub(super) fn text(&self, file: usize) -> &str {
        self.result.files.get(file).map_or("", |file| file.text.as_str())
    }
}
