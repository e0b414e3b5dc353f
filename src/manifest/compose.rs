//! Parser events to a value and its places, in one pass and without recursion.

use granit_parser::{Event, Parser, ScanError, options};
use serde::de::IgnoredAny;
use serde_json::Value;

use super::builder::{Builder, bytes};
use super::fault::{Cause, Fault, MAX_DEPTH};
use super::spans::Spans;

/// What one pass over a chunk gave.
#[derive(Debug)]
pub(super) struct Composed {
    /// None: there is nothing but comments.
    pub(super) document: Option<(Value, Spans)>,
    /// Where another document begins in the same chunk, which is never 0.
    pub(super) next: Option<usize>,
}

/// The first control character of a chunk, if there is one. YAML and JSON forbid them; the parser lets them pass inside of quotes.
pub(super) fn control_character(chunk: &str) -> Option<usize> {
    let is_control = |byte: u8| byte < b' ' && !matches!(byte, b'\t' | b'\n' | b'\r');
    // Without an early end the compiler looks at many bytes at once, and there is hardly ever one.
    let has_any = chunk.bytes().fold(false, |found, byte| found | is_control(byte));
    if has_any { chunk.bytes().position(is_control) } else { None }
}

/// The first character of a chunk that ends a line for `kubectl`, whose YAML is 1.1, and for nobody else (NEL, LS, PS). In
/// JSON there is none: there they are characters like any other.
pub(super) fn old_line_break(chunk: &str) -> Option<usize> {
    if chunk.is_ascii() {
        return None;
    }
    let byte = chunk.find(['\u{85}', '\u{2028}', '\u{2029}'])?;
    let mut json = serde_json::Deserializer::from_str(chunk).into_iter::<IgnoredAny>();
    json.any(|value| value.is_err()).then_some(byte)
}

/// Reads the first document of a chunk. What it costs depends on that document, not on what else the chunk holds.
pub(super) fn compose(chunk: &str) -> Result<Composed, Fault> {
    // YAML limits a key to 1,024 characters, so that a parser need not look far for its colon. JSON does not.
    let is_json = chunk.trim_start().starts_with(['{', '[']);
    let options = options! {
        simple_key_max_lookahead: if is_json { usize::MAX } else { 1024 },
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
        // As libyaml, and so goyaml, has it.
        block_scalar_eof_without_line_feed: true,
    };
    let mut builder = Builder::new(chunk);
    let mut has_begun = false;
    let mut next = None;
    for event in Parser::new_from_str_with_options(chunk, options) {
        let (event, span) = event.map_err(|error| syntax(&error))?;
        match event {
            Event::Scalar(text, style, anchor, tag) => builder.scalar(text, style, anchor, tag.as_deref(), &span)?,
            Event::SequenceStart(style, anchor, _) => builder.open_sequence(style, anchor, &span)?,
            Event::MappingStart(_, anchor, _) => builder.open_mapping(anchor, &span)?,
            Event::Alias(anchor) => builder.alias(anchor, &span)?,
            Event::SequenceEnd | Event::MappingEnd => {
                builder.close(&span)?;
                if builder.is_complete() {
                    next = json_behind(chunk, &span);
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

fn syntax(error: &ScanError) -> Fault {
    let marker = error.marker();
    Fault { cause: Cause::Syntax(error.kind().clone()), byte: marker.byte_offset().unwrap_or(marker.index()) }
}

/// JSON values may follow each other without a marker; `kubectl` reads them all.
fn json_behind(chunk: &str, end: &granit_parser::Span) -> Option<usize> {
    let (start, end) = bytes(end);
    // The end of a block collection is no text.
    let rest = chunk.get(end..).filter(|_| start < end)?;
    let next = rest.trim_start_matches([' ', '\t', '\r', '\n']);
    next.starts_with(['{', '[']).then_some(chunk.len() - next.len())
}
