//! Turns parser events into a value and its spans, in one pass and without recursion.

use granit_parser::{Event, Parser, ScanError, options};
use serde::de::IgnoredAny;
use serde_json::Value;

use super::builder::{Builder, bytes};
use super::spans::Spans;
use super::syntax_error::{MAX_DEPTH, SyntaxError, SyntaxErrorKind};

/// The result of one pass over a text.
#[derive(Debug)]
pub(super) struct Composed {
    /// `None` if the text contains only comments.
    pub(super) document: Option<(Value, Spans)>,
    /// The byte at which another document begins; never 0.
    pub(super) next: Option<usize>,
}

/// Finds the first control character. YAML and JSON forbid them, but the parser accepts them inside quotes.
pub(super) fn control_character(text: &str) -> Option<usize> {
    let is_control = |byte: u8| byte < b' ' && !matches!(byte, b'\t' | b'\n' | b'\r');
    // Without an early exit the compiler checks many bytes at once, and control characters are rare.
    let has_any = text.bytes().fold(false, |found, byte| found | is_control(byte));
    if has_any { text.bytes().position(is_control) } else { None }
}

/// Finds the first character that ends a line in YAML 1.1 only (NEL, LS or PS), as `kubectl` reads it. In JSON these
/// are ordinary characters.
pub(super) fn yaml11_line_break(text: &str) -> Option<usize> {
    if text.is_ascii() {
        return None;
    }
    let byte = text.find(['\u{85}', '\u{2028}', '\u{2029}'])?;
    let mut json = serde_json::Deserializer::from_str(text).into_iter::<IgnoredAny>();
    json.any(|value| value.is_err()).then_some(byte)
}

/// Reads the first document of a text. The cost depends on that document only, not on the documents after it.
pub(super) fn compose(text: &str) -> Result<Composed, SyntaxError> {
    // YAML limits a key to 1,024 characters. JSON does not.
    let is_json = text.trim_start().starts_with(['{', '[']);
    let options = options! {
        simple_key_max_lookahead: if is_json { usize::MAX } else { 1024 },
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
        // As in libyaml and goyaml.
        block_scalar_eof_without_line_feed: true,
    };
    let mut builder = Builder::new(text);
    let mut has_begun = false;
    let mut next = None;
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.map_err(|error| syntax(&error))?;
        match event {
            Event::Scalar(text, style, anchor, tag) => builder.scalar(text, style, anchor, tag.as_deref(), &span)?,
            Event::SequenceStart(style, anchor, _) => builder.open_sequence(style, anchor, &span)?,
            Event::MappingStart(_, anchor, _) => builder.open_mapping(anchor, &span)?,
            Event::Alias(anchor) => builder.alias(anchor, &span)?,
            Event::SequenceEnd | Event::MappingEnd => {
                builder.close(&span)?;
                if builder.is_complete() {
                    next = json_behind(text, &span);
                }
            }
            Event::DocumentStart(..) if has_begun => next = Some(bytes(&span).0),
            Event::DocumentStart(..) => has_begun = true,
            _ => {}
        }
        next = next.filter(|next| *next > 0);
        if next.is_some() {
            break;
        }
    }
    Ok(Composed { document: builder.finish(), next })
}

fn syntax(error: &ScanError) -> SyntaxError {
    let marker = error.marker();
    SyntaxError {
        kind: SyntaxErrorKind::Parser(error.kind().clone()),
        byte: marker.byte_offset().unwrap_or(marker.index()),
    }
}

/// Finds a JSON value that follows another one without a marker. `kubectl` reads such streams.
fn json_behind(text: &str, end: &granit_parser::Span) -> Option<usize> {
    let (start, end) = bytes(end);
    // The end event of a block collection covers no text.
    let rest = text.get(end..).filter(|_| start < end)?;
    let next = rest.trim_start_matches([' ', '\t', '\r', '\n']);
    next.starts_with(['{', '[']).then_some(text.len() - next.len())
}
