//! A document, and the functions that read one.

use std::borrow::Cow;
use std::ops::Range;

use serde_json::Value;

use super::compose::{Composed, compose, control_character, yaml11_line_break};
use super::read_error::ReadError;
use super::spans::Spans;
use super::split::document_spans;
use super::syntax_error::{SyntaxError, SyntaxErrorKind};

/// One document of a text: its value, and the location of every value in it.
#[derive(Clone, Debug)]
pub struct Document {
    /// The number of documents before this one. Empty documents do not count; documents with errors do.
    pub index: usize,
    /// The value. Locations do not depend on it: callers can take or change it.
    pub value: Value,
    /// The byte range in the text that the document was read from.
    span: Range<usize>,
    /// The byte at which the document begins; spans count from it.
    start: usize,
    spans: Spans,
}

impl Document {
    /// The byte range of the document in the text: one of the ranges of [`document_spans`], which can contain other
    /// documents.
    #[must_use]
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// Adds `documents` to the index.
    #[must_use]
    pub fn with_index_offset(self, documents: usize) -> Self {
        Document { index: self.index + documents, ..self }
    }

    /// Releases unused capacity.
    #[must_use]
    pub fn compact(mut self) -> Self {
        self.spans.compact();
        self
    }

    /// The same document without its spans, which take most of its memory. [`Document::with_spans`] reads them again.
    #[must_use]
    pub fn without_spans(self) -> Self {
        Document { spans: Spans::default(), ..self }
    }

    /// The document with its spans, which are read again from the whole text if they were dropped.
    #[must_use]
    pub fn with_spans(&self, text: &str) -> Cow<'_, Self> {
        if !self.spans.is_empty() {
            return Cow::Borrowed(self);
        }
        // Its range can contain many other documents, which need not be read again.
        let composed = text.get(self.start..self.span.end).and_then(|rest| compose(rest).ok()?.document);
        composed.map_or(Cow::Borrowed(self), |(value, spans)| {
            Cow::Owned(Document { index: self.index, value, span: self.span(), start: self.start, spans })
        })
    }

    pub(super) fn spans(&self) -> &Spans {
        &self.spans
    }

    /// Returns the byte range in the whole text to show for a JSON Pointer (RFC 6901). The range is short and begins on
    /// the right line:
    ///
    /// | target of the pointer | range |
    /// |---|---|
    /// | a scalar | the scalar with its quotes, or the lines of a block scalar |
    /// | an empty value (null) | the key, or the dash |
    /// | `{…}` or `[…]` on one line | the collection |
    /// | another collection below a key | the key |
    /// | another collection in a sequence, or the root | the first entry if it is on one line, else its key |
    /// | an alias | the alias |
    /// | a value below an alias or a merge key | its location in the anchored text |
    /// | a missing value | the range of the nearest ancestor that exists |
    ///
    /// ```
    /// let text = "spec:\n  replicas: 2\n";
    /// let documents = sqledge_ha::manifest::read(text);
    /// let document = documents[0].as_ref().unwrap();
    /// assert_eq!(&text[document.locate("/spec/replicas")], "2");
    /// assert_eq!(&text[document.locate("/spec/strategy/type")], "spec");
    /// ```
    #[must_use]
    pub fn locate(&self, pointer: &str) -> Range<usize> {
        let range = self.spans().locate(pointer);
        self.start + range.start..self.start + range.end
    }

    /// Returns the byte range in the whole text of the key of the value at a JSON Pointer. For a value without a key,
    /// and a missing one, it is the range of [`Document::locate`].
    #[must_use]
    pub fn locate_key(&self, pointer: &str) -> Range<usize> {
        let range = self.spans().locate_key(pointer);
        self.start + range.start..self.start + range.end
    }
}

/// Reads every document of a text, in order. An error in one document does not affect the others. Empty documents
/// (comments, blank lines and markers) are skipped. JSON is read as YAML.
#[must_use]
pub fn read(text: &str) -> Vec<Result<Document, ReadError>> {
    let mut documents = Vec::new();
    for span in document_spans(text) {
        let read = read_span(text, span, documents.len());
        documents.extend(read);
    }
    documents
}

/// Finds the first forbidden character.
fn forbidden_character(document: &str) -> Option<SyntaxError> {
    let control = control_character(document).map(|byte| SyntaxError { kind: SyntaxErrorKind::ControlCharacter, byte });
    let line_break =
        yaml11_line_break(document).map(|byte| SyntaxError { kind: SyntaxErrorKind::Yaml11LineBreak, byte });
    control.into_iter().chain(line_break).min_by_key(|error| error.byte)
}

/// Reads the documents in one range of [`document_spans`]: usually one; none or several in the cases listed there. For
/// callers that skip ranges or read them in parallel. `index` is the index of the first document.
#[must_use]
pub fn read_span(text: &str, span: Range<usize>, index: usize) -> Vec<Result<Document, ReadError>> {
    let mut documents = Vec::with_capacity(1);
    let mut start = span.start;
    let mut forbidden = text.get(span.clone()).and_then(forbidden_character);
    while let Some(rest) = text.get(start..span.end) {
        let mut composed = compose(rest);
        if let Some(byte) = forbidden.as_ref().and_then(|error| (span.start + error.byte).checked_sub(start))
            && composed
                .as_ref()
                .map_or_else(|error| error.may_come_from(rest, byte), |read| read.next.is_none_or(|next| byte < next))
        {
            composed = forbidden.take().map(|error| SyntaxError { byte, ..error }).map_or(composed, Err);
        }
        match composed {
            Ok(Composed { document, next }) => {
                let index = index + documents.len();
                documents.extend(
                    document.map(|(value, spans)| Ok(Document { index, value, span: span.clone(), start, spans })),
                );
                let Some(next) = next else { break };
                start += next;
            }
            Err(error) => {
                documents.push(Err(error.explain(text, rest, start)));
                break;
            }
        }
    }
    documents
}
