//! Puts a document's value and its places together, event by event.

use std::borrow::Cow;

use granit_parser::{ScalarStyle, StructureStyle, Tag};
use serde_json::Value;

use super::anchor::Anchors;
use super::fault::{Cause, Fault, MAX_DEPTH};
use super::frame::Open;
use super::key::{Key, key_of_scalar, key_of_value};
use super::merge::merge;
use super::number::json_float;
use super::scalar::{Scalar, resolve};
use super::spans::{Id, KeyMark, Kind, Node, Span, Spans, hash_key};
use super::tag::{is_merge_tag, resolve_tagged};

/// The bytes of a parser's span, which knows them for every text that is read from memory.
pub(super) fn bytes(span: &granit_parser::Span) -> (usize, usize) {
    span.byte_range().map_or((0, 0), |range| (range.start, range.end))
}

/// A document in the making.
#[derive(Debug)]
pub(super) struct Builder<'t> {
    chunk: &'t str,
    spans: Spans,
    open: Open,
    anchors: Anchors,
    root: Option<Value>,
}

impl<'t> Builder<'t> {
    pub(super) fn new(chunk: &'t str) -> Self {
        Self {
            chunk,
            spans: Spans::for_bytes(chunk.len()),
            open: Open::with_room(),
            anchors: Anchors::default(),
            root: None,
        }
    }

    pub(super) fn is_complete(&self) -> bool {
        self.root.is_some()
    }

    pub(super) fn finish(self) -> Option<(Value, Spans)> {
        self.root.map(|value| (value, self.spans))
    }

    pub(super) fn scalar(
        &mut self,
        text: Cow<'t, str>,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<&Tag>,
        span: &granit_parser::Span,
    ) -> Result<(), Fault> {
        let (start, end) = bytes(span);
        let fault = |cause| Fault { cause, byte: start };
        let is_plain = style == ScalarStyle::Plain;
        let is_absent = is_plain && start == end;
        if is_absent && self.open.depth() == 0 && tag.is_none() && anchor == 0 {
            return Ok(());
        }
        if is_plain && text.starts_with('?') && self.is_in_flow() {
            return Err(fault(Cause::QuestionMark));
        }
        // The parser gives `~` for what is not there.
        let text = if is_absent { Cow::Borrowed("") } else { text };
        let (scalar, text) = match tag {
            Some(tag) => resolve_tagged(tag, text).map_err(fault)?,
            None if is_plain => (resolve(&text), text),
            None => (Scalar::Text, text),
        };
        if self.expects_key() {
            if is_plain && self.is_before_stuck_colon(end) {
                return Err(fault(Cause::StuckColon));
            }
            let is_merge = text == "<<" && tag.map_or(is_plain, is_merge_tag);
            let key = key_of_scalar(scalar, &text).map_err(fault)?;
            if anchor != 0 {
                let node = self.spans.push(Node::new(Kind::Scalar, Span::new(start, end), None));
                let value = json(scalar, text).map_err(fault)?;
                self.anchors.define(anchor, &value, node).map_err(fault)?;
            }
            self.set_key(key, is_merge, span);
            return Ok(());
        }
        let value = json(scalar, text).map_err(fault)?;
        let (start, end) = match style {
            // The last line feed may belong to the value, but nobody wants to see it.
            ScalarStyle::Literal | ScalarStyle::Folded => (start, self.trimmed_end(start, end)),
            _ if is_absent && self.key().is_none() => self.dash_before(start),
            _ => (start, end),
        };
        let mut node = self.node(Kind::Scalar, Span::new(start, end));
        node.beside_key = self.key().is_some_and(|key| key.line == span.end.line());
        let node = self.spans.push(node);
        self.complete(value, node, anchor)
    }

    pub(super) fn alias(&mut self, anchor: usize, span: &granit_parser::Span) -> Result<(), Fault> {
        let (start, end) = bytes(span);
        let fault = |cause| Fault { cause, byte: start };
        let (value, target) = self.anchors.expand(anchor, self.open.depth()).map_err(fault)?;
        if self.expects_key() {
            let key = key_of_value(&value).map_err(fault)?;
            self.set_key(key, false, span);
            return Ok(());
        }
        let mut node = self.node(Kind::Alias(target), Span::new(start, end));
        node.beside_key = self.key().is_some_and(|key| key.line == span.end.line());
        let node = self.spans.push(node);
        self.complete(value, node, 0)
    }

    pub(super) fn open_sequence(
        &mut self,
        style: StructureStyle,
        anchor: usize,
        span: &granit_parser::Span,
    ) -> Result<(), Fault> {
        let (start, end) = bytes(span);
        let is_below_key = style == StructureStyle::Block && self.key().is_some();
        let start = if is_below_key { self.first_dash(start) } else { start };
        self.open(Kind::Sequence, anchor, (start, end), span.start.line())
    }

    pub(super) fn open_mapping(&mut self, anchor: usize, span: &granit_parser::Span) -> Result<(), Fault> {
        self.open(Kind::Mapping, anchor, bytes(span), span.start.line())
    }

    fn open(&mut self, kind: Kind, anchor: usize, (start, end): (usize, usize), line: usize) -> Result<(), Fault> {
        let fault = |cause| Fault { cause, byte: start };
        if self.expects_key() {
            return Err(fault(Cause::CollectionKey));
        }
        if self.open.depth() == MAX_DEPTH {
            return Err(fault(Cause::TooDeep));
        }
        if anchor != 0 {
            self.anchors.open(anchor);
        }
        let node = self.node(kind, Span::new(start, end));
        let node = self.spans.push(node);
        self.open.begin(kind == Kind::Mapping, node, anchor, line);
        Ok(())
    }

    pub(super) fn close(&mut self, span: &granit_parser::Span) -> Result<(), Fault> {
        let Some((value, frame)) = self.open.end(&mut self.spans) else { return Ok(()) };
        let (start, end) = bytes(span);
        // Only a flow collection's end is text.
        let inline = start < end && frame.line == span.end.line();
        let beside_key = inline && self.key().is_some_and(|key| key.line == frame.line);
        if let Some(node) = self.spans.get_mut(frame.node) {
            node.span = Span { end: Span::new(start, end).end, ..node.span };
            node.inline = inline;
            node.beside_key = beside_key;
        }
        self.complete(value, frame.node, frame.anchor)
    }

    /// Hands a value to the collection that it stands in.
    fn complete(&mut self, value: Value, node: Id, anchor: usize) -> Result<(), Fault> {
        if anchor != 0 {
            let byte = self.spans.get(node).map_or(0, |node| node.span.start as usize);
            self.anchors.define(anchor, &value, node).map_err(|cause| Fault { cause, byte })?;
        }
        match self.open.is_in_mapping() {
            None => self.root = Some(value),
            Some(false) => self.open.append(value, node),
            Some(true) => return self.enter(value, node),
        }
        Ok(())
    }

    /// Puts a value under the key that waits for it.
    fn enter(&mut self, value: Value, node: Id) -> Result<(), Fault> {
        let Some(key) = self.open.take_key() else { return Ok(()) };
        if key.is_merge {
            merge(&mut self.open, value, node, &self.spans)
        } else {
            self.open.insert(key.text, value, node, false, &self.spans)
        }
        .map_err(|cause| Fault { cause, byte: key.mark.span.start as usize })
    }

    /// Whether what comes next stands in braces or brackets.
    fn is_in_flow(&self) -> bool {
        let bytes = self.chunk.as_bytes();
        let mut starts = self.open.nodes().filter_map(|node| self.spans.get(node).map(|node| node.span.start as usize));
        starts.any(|start| matches!(bytes.get(start), Some(b'{' | b'[')))
    }

    /// Whether a plain key that ends at `byte` is one for YAML 1.2 only: `{a:, b: 1}`.
    fn is_before_stuck_colon(&self, byte: usize) -> bool {
        matches!(self.chunk.as_bytes().get(byte..), Some([b':', b',' | b']' | b'}', ..]))
    }

    fn expects_key(&self) -> bool {
        self.open.expects_key()
    }

    fn key(&self) -> Option<&Key> {
        self.open.key()
    }

    fn set_key(&mut self, text: String, is_merge: bool, span: &granit_parser::Span) {
        let (start, end) = bytes(span);
        let mark = KeyMark { span: Span::new(start, end), hash: hash_key(&text) };
        self.open.set_key(Key { text, mark, line: span.start.line(), is_merge });
    }

    /// A node for the value that comes next, with its key if it has one.
    fn node(&self, kind: Kind, span: Span) -> Node {
        Node::new(kind, span, self.key().map(|key| key.mark))
    }

    fn trimmed_end(&self, start: usize, end: usize) -> usize {
        start + self.chunk.get(start..end).map_or(0, |text| text.trim_end().len())
    }

    /// The first `-` of a block sequence below a key. Where it is not indented the parser points behind the `-`.
    fn first_dash(&self, byte: usize) -> usize {
        let before = self.chunk.get(..byte).unwrap_or_default();
        let line = before.rsplit(['\n', '\r']).next().unwrap_or_default();
        let dash = line.trim_start();
        if dash.starts_with('-') { byte - dash.len() } else { byte }
    }

    /// The `-` of an item that is not there.
    fn dash_before(&self, byte: usize) -> (usize, usize) {
        let dash = self.chunk.get(..byte).and_then(|before| before.trim_end().strip_suffix('-'));
        dash.map_or((byte, byte), |before| (before.len(), before.len() + 1))
    }
}

fn json(scalar: Scalar, text: Cow<'_, str>) -> Result<Value, Cause> {
    Ok(match scalar {
        Scalar::Text => Value::String(text.into_owned()),
        Scalar::Null => Value::Null,
        Scalar::Boolean(boolean) => Value::Bool(boolean),
        Scalar::Integer(integer) => Value::from(integer),
        Scalar::Unsigned(integer) => Value::from(integer),
        Scalar::Float(float) => json_float(float).ok_or(Cause::NotFinite)?,
    })
}
