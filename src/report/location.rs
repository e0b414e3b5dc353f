//! The location of a finding in its file.
//!
//! A finding in a rendered manifest has a location in the rendered text, and in the template only if the text is the
//! same there.

use std::ops::Range;
use std::path::Path;

use crate::linter::{InputError, LintResult, LintedFile, LocatedFinding, RelatedLocation};
use crate::manifest::{Lines, Position};
use crate::rendered::{Rendered, SourceFile};

/// Finds locations in the texts of a lint result. Caches the lines of the last text, because findings are sorted by
/// text.
pub(super) struct SourceFiles<'o> {
    result: &'o LintResult,
    last: Option<(usize, Lines<'o>)>,
}

/// A location in a file.
#[derive(Clone, Debug)]
pub(super) struct Location<'o> {
    /// The file; for a rendered manifest the one that the line comes from, if that is known.
    pub(super) file: &'o str,
    /// The range in the file; `None` if the rendered text is not in it.
    pub(super) range: Option<LineRange>,
    /// The range in the rendered text, if it is rendered.
    pub(super) rendered: Option<LineRange>,
    /// The chart or kustomization, if this run rendered it.
    pub(super) by: Option<&'o str>,
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

    /// The chart or kustomization that was rendered, if the file is not below it.
    pub(super) fn rendered_elsewhere(&self) -> Option<&str> {
        self.by.filter(|by| !Path::new(self.file).starts_with(by))
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
        Some(locate(file, lines, span))
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

/// The location of a byte range of a text, in the file that the line comes from.
fn locate<'o>(file: &'o LintedFile, lines: &Lines<'_>, span: &Range<usize>) -> Location<'o> {
    let range = LineRange::new(lines, span);
    let (name, text) = (file.name.as_str(), file.text.as_str());
    let location = Location { file: name, range: Some(range), rendered: None, by: None, text, span: span.clone() };
    let Some((origin, document)) = file.rendered.as_ref().and_then(|rendered| rendered.origin(span.start)) else {
        return location;
    };
    let by = file.rendered.as_ref().and_then(Rendered::by);
    let rendered = Location { file: origin.file.as_str(), range: None, rendered: Some(range), by, ..location };
    let span_in_document = span.start - document.start..span.end.saturating_sub(document.start);
    let document = file.text.get(document).unwrap_or_default();
    let in_source =
        |source: &'o SourceFile| Some((source, source.template.locate(document, span_in_document.clone())?));
    let Some((source, span)) = origin.sources.iter().find_map(in_source) else { return rendered };
    let text = source.template.text();
    let range = LineRange::new(&Lines::new(text), &span);
    Location { file: &source.name, range: Some(range), text, span, ..rendered }
}

/// `file:line:column` of a byte range in a rendered text.
#[cfg(not(target_family = "wasm"))]
pub(crate) fn rendered_position(file: &LintedFile, span: &Range<usize>) -> String {
    let location = locate(file, &Lines::new(&file.text), span);
    let position = location.range_in_text().map(|range| format!(":{}:{}", range.start.line, range.start.column));
    [location.title(), position.unwrap_or_default()].concat()
}

/// Words near which a text can contain a password. A backslash can hide a word in JSON.
const SECRET_WORDS: [&str; 7] = ["value", "password", "secret", "args", "command", "token", "\\"];

/// Names that contain such a word, and are no secret themselves.
const KNOWN_NAMES: [&str; 3] = ["mssql_sa_password", "sa_password", "/var/opt/mssql/secrets"];

/// Whether a text may contain a secret: it mentions variables, commands or secrets.
pub(super) fn may_contain_secret(text: &str) -> bool {
    let text = KNOWN_NAMES.iter().fold(text.to_lowercase(), |text, name| text.replace(name, ""));
    SECRET_WORDS.iter().any(|word| text.contains(word))
}
