//! The location of a finding in its file.
//!
//! A finding in a rendered manifest has a location in the rendered text, and in the template only if the text is the same there.

use std::ops::Range;

use crate::linter::{InputError, LintResult, LintedFile, LocatedFinding, RelatedLocation};
use crate::manifest::{Lines, Position};

/// Finds locations in the texts of a lint result. Caches the lines of the last text, because findings are sorted by text.
pub(super) struct SourceFiles<'o> {
    result: &'o LintResult,
    last: Option<(usize, Lines<'o>)>,
}

/// A location in a file.
#[derive(Clone, Debug)]
pub(super) struct Location<'o> {
    /// The file; for a rendered manifest the template, or the chart or directory if the template is unknown.
    pub(super) file: &'o str,
    /// The range in the file; `None` if the rendered text is not in the template.
    pub(super) range: Option<LineRange>,
    /// The range in the rendered text, if it is rendered.
    pub(super) rendered: Option<LineRange>,
    /// The text to show: the file's, or the rendered one.
    pub(super) text: &'o str,
    /// The byte range in `text`.
    pub(super) span: Range<usize>,
}

/// A range of lines and columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub(super) struct LineRange {
    /// The position of the first character.
    pub(super) start: Position,
    /// The position after the last character.
    pub(super) end: Position,
}

impl LineRange {
    fn new(lines: &Lines<'_>, span: &Range<usize>) -> Self {
        LineRange { start: lines.position(span.start), end: lines.position(span.end) }
    }
}

impl Location<'_> {
    /// The file, marked if line numbers are those of the rendered text.
    pub(super) fn title(&self) -> String {
        if self.range.is_some() { self.file.to_string() } else { format!("{} (rendered)", self.file) }
    }

    /// The range in [`Location::text`].
    pub(super) fn range_in_text(&self) -> Option<LineRange> {
        self.range.or(self.rendered)
    }
}

impl<'o> SourceFiles<'o> {
    /// The texts of a lint result.
    pub(super) fn new(result: &'o LintResult) -> Self {
        SourceFiles { result, last: None }
    }

    fn file_and_lines(&mut self, index: usize) -> Option<(&'o LintedFile, &Lines<'o>)> {
        let file = self.result.files.get(index)?;
        let last = self.last.take().filter(|(last, _)| *last == index);
        let (_, lines) = self.last.insert(last.unwrap_or_else(|| (index, Lines::new(&file.text))));
        Some((file, lines))
    }

    /// The lines of a file; `None` for a rendered manifest.
    pub(super) fn lines(&mut self, index: usize) -> Option<(&'o LintedFile, &Lines<'o>)> {
        self.file_and_lines(index).filter(|(file, _)| file.rendered.is_none())
    }

    /// The location of a byte range; `None` if there is no such text.
    fn location(&mut self, index: usize, span: &Range<usize>) -> Option<Location<'o>> {
        let (file, lines) = self.file_and_lines(index)?;
        let range = LineRange::new(lines, span);
        let (name, text) = (file.name.as_str(), file.text.as_str());
        let location = Location { file: name, range: Some(range), rendered: None, text, span: span.clone() };
        let Some((origin, document)) = file.rendered.as_ref().and_then(|rendered| rendered.origin(span.start)) else {
            return Some(location);
        };
        let name = origin.file.as_str();
        let rendered = Location { file: name, range: None, rendered: Some(range), ..location };
        let Some(template) = &origin.template else { return Some(rendered) };
        let span_in_document = span.start - document.start..span.end.saturating_sub(document.start);
        let document = file.text.get(document);
        let Some(span) = document.and_then(|document| template.locate(document, span_in_document)) else {
            return Some(rendered);
        };
        let range = LineRange::new(&Lines::new(template.text()), &span);
        Some(Location { range: Some(range), text: template.text(), span, ..rendered })
    }

    /// The location of a finding.
    pub(super) fn finding(&mut self, located: &LocatedFinding) -> Option<Location<'o>> {
        self.location(located.file, &located.span)
    }

    /// A related location of a finding.
    pub(super) fn related(&mut self, related: &RelatedLocation) -> Option<Location<'o>> {
        self.location(related.file, &related.span)
    }

    /// The location of an input error, if the text is available.
    pub(super) fn error(&mut self, error: &InputError) -> Option<Location<'o>> {
        let byte = error.error.byte;
        self.location(error.file?, &(byte..byte))
    }
}

/// Words near which a text can contain a password. A backslash can hide a word in JSON.
const SECRET_WORDS: [&str; 7] = ["value", "password", "secret", "args", "command", "token", "\\"];

/// Whether a text may contain a secret: it mentions variables, commands or secrets.
pub(super) fn may_contain_secret(text: &str) -> bool {
    let text = text.to_lowercase();
    SECRET_WORDS.iter().any(|word| text.contains(word))
}
