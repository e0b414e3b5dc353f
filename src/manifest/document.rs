//! A document that has been read, and the two ways to read one.

use std::ops::Range;

use serde_json::Value;

use super::compose::{Composed, compose, control_character, old_line_break};
use super::fault::{Cause, Fault};
use super::problem::Problem;
use super::spans::Spans;
use super::split::chunks;

/// One document of a text: its value, and where everything in it stands.
#[derive(Clone, Debug)]
pub struct Document {
    /// How many documents stand before it, not counting empty ones, but counting broken ones.
    pub index: usize,
    /// The value. The places do not depend on it: it may be taken out or changed.
    pub value: Value,
    /// Where its chunk stands in the text.
    chunk: Range<usize>,
    /// Where the document begins, from which its places are counted.
    start: usize,
    spans: Spans,
}

impl Document {
    /// Where the document stands in the text: one of [`chunks`]' ranges, which may hold others beside it.
    #[must_use]
    pub fn chunk(&self) -> Range<usize> {
        self.chunk.clone()
    }

    /// The same document behind so many others.
    #[must_use]
    pub fn following(self, documents: usize) -> Self {
        Document { index: self.index + documents, ..self }
    }

    /// The same document without the room that reading it took.
    #[must_use]
    pub fn compact(mut self) -> Self {
        self.spans.compact();
        self
    }

    /// Where everything in the document's chunk stands.
    pub(super) fn spans(&self) -> &Spans {
        &self.spans
    }

    /// The range of bytes in the whole text to show for a JSON Pointer (RFC 6901), such that it is short and begins on the right
    /// line:
    ///
    /// | the pointer leads to | shown |
    /// |---|---|
    /// | a scalar | the scalar with its quotes; of a block scalar, its lines |
    /// | nothing after a key or a dash (null) | the key, or the dash |
    /// | `{…}` or `[…]` on one line | the whole of it |
    /// | another collection that is the value of a key | the key |
    /// | another collection in a sequence, or the root | its first entry, if that fits on one line, else its first key |
    /// | an alias | the alias |
    /// | something below an alias or a merge key | its place in the anchored text |
    /// | nothing at all | the nearest ancestor that exists, by the same rules |
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
}

/// Reads every document of a text, in order. A broken document does not hide the others; empty ones (nothing but comments, blanks
/// and markers) are left out. JSON is read as the YAML that it is.
#[must_use]
pub fn read(text: &str) -> Vec<Result<Document, Problem>> {
    let mut documents = Vec::new();
    for chunk in chunks(text) {
        let read = read_chunk(text, chunk, documents.len());
        documents.extend(read);
    }
    documents
}

/// The first character of a chunk that must not be there.
fn forbidden(chunk: &str) -> Option<Fault> {
    let control = control_character(chunk).map(|byte| Fault { cause: Cause::Control, byte });
    let line_break = old_line_break(chunk).map(|byte| Fault { cause: Cause::OldLineBreak, byte });
    control.into_iter().chain(line_break).min_by_key(|fault| fault.byte)
}

/// Reads the documents of one of [`chunks`]' ranges: one as a rule; none or several in the cases that [`chunks`] names. For
/// callers that skip chunks or read them side by side. `index` is that of the first document.
#[must_use]
pub fn read_chunk(text: &str, chunk: Range<usize>, index: usize) -> Vec<Result<Document, Problem>> {
    let mut documents = Vec::with_capacity(1);
    let mut start = chunk.start;
    let mut forbidden = text.get(chunk.clone()).and_then(forbidden);
    while let Some(rest) = text.get(start..chunk.end) {
        let mut composed = compose(rest);
        if let Some(byte) = forbidden.as_ref().and_then(|fault| (chunk.start + fault.byte).checked_sub(start))
            && composed
                .as_ref()
                .map_or_else(|fault| fault.may_come_from(rest, byte), |read| read.next.is_none_or(|next| byte < next))
        {
            composed = forbidden.take().map(|fault| Fault { byte, ..fault }).map_or(composed, Err);
        }
        match composed {
            Ok(Composed { document, next }) => {
                let index = index + documents.len();
                documents.extend(
                    document.map(|(value, spans)| Ok(Document { index, value, chunk: chunk.clone(), start, spans })),
                );
                let Some(next) = next else { break };
                start += next;
            }
            Err(fault) => {
                documents.push(Err(fault.explain(text, rest, start)));
                break;
            }
        }
    }
    documents
}
