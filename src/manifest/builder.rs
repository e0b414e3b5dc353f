//! Builds a document's value and spans from parser events.

use std::borrow::Cow;

use granit_parser::{ScalarStyle, StructureStyle, Tag};
use serde_json::Value;

use super::anchor::Anchors;
use super::key::{Key, key_of_scalar, key_of_value};
use super::merge::merge;
use super::number::json_float;
use super::scalar::{Scalar, resolve};
use super::spans::{KeySpan, Node, NodeId, NodeKind, Span, Spans, hash_key};
use super::stack::CollectionStack;
use super::syntax_error::{MAX_DEPTH, SyntaxError, SyntaxErrorKind};
use super::tag::{is_merge_tag, resolve_tagged};

/// The byte range of a parser span. The parser knows it for every text in memory.
pub(super) fn bytes(span: &granit_parser::Span) -> (usize, usize) {
    span.byte_range().map_or((0, 0), |range| (range.start, range.end))
}

/// The part of a document built so far.
#[derive(Debug)]
pub(super) struct Builder<'t> {
    document: &'t str,
    spans: Spans,
    stack: CollectionStack,
    anchors: Anchors,
    root: Option<Value>,
}

impl<'t> Builder<'t> {
    pub(super) fn new(document: &'t str) -> Self {
        Self {
            document,
            spans: Spans::for_bytes(document.len()),
            stack: CollectionStack::with_capacity(),
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
    ) -> Result<(), SyntaxError> {
        let (start, end) = bytes(span);
        let error = |kind| SyntaxError { kind, byte: start };
        let is_plain = style == ScalarStyle::Plain;
        let is_absent = is_plain && start == end;
        if is_absent && self.stack.depth() == 0 && tag.is_none() && anchor == 0 {
            return Ok(());
        }
        if is_plain && text.starts_with('?') && self.is_in_flow() {
            return Err(error(SyntaxErrorKind::QuestionMark));
        }
        // The parser returns `~` for a missing value.
        let text = if is_absent { Cow::Borrowed("") } else { text };
        let (scalar, text) = match tag {
            Some(tag) => resolve_tagged(tag, text).map_err(error)?,
            None if is_plain => (resolve(&text), text),
            None => (Scalar::Text, text),
        };
        if self.expects_key() {
            if is_plain && self.lacks_space_after_colon(end) {
                return Err(error(SyntaxErrorKind::MissingSpaceAfterColon));
            }
            let is_merge = text == "<<" && tag.map_or(is_plain, is_merge_tag);
            let key = key_of_scalar(scalar, &text).map_err(error)?;
            if anchor != 0 {
                let node = self.spans.push(Node::new(NodeKind::Scalar, Span::new(start, end), None));
                let value = json(scalar, text).map_err(error)?;
                self.anchors.define(anchor, &value, node).map_err(error)?;
            }
            self.set_key(key, is_merge, span);
            return Ok(());
        }
        let value = json(scalar, text).map_err(error)?;
        let (start, end) = match style {
            // The last line feed may belong to the value, but a report need not show it.
            ScalarStyle::Literal | ScalarStyle::Folded => (start, self.trimmed_end(start, end)),
            _ if is_absent && self.key().is_none() => self.dash_before(start),
            _ => (start, end),
        };
        let mut node = self.node(NodeKind::Scalar, Span::new(start, end));
        node.on_key_line = self.key().is_some_and(|key| key.line == span.end.line());
        let node = self.spans.push(node);
        self.complete(value, node, anchor)
    }

    pub(super) fn alias(&mut self, anchor: usize, span: &granit_parser::Span) -> Result<(), SyntaxError> {
        let (start, end) = bytes(span);
        let error = |kind| SyntaxError { kind, byte: start };
        let (value, target) = self.anchors.expand(anchor, self.stack.depth()).map_err(error)?;
        if self.expects_key() {
            let key = key_of_value(&value).map_err(error)?;
            self.set_key(key, false, span);
            return Ok(());
        }
        let mut node = self.node(NodeKind::Alias(target), Span::new(start, end));
        node.on_key_line = self.key().is_some_and(|key| key.line == span.end.line());
        let node = self.spans.push(node);
        self.complete(value, node, 0)
    }

    pub(super) fn open_sequence(
        &mut self,
        style: StructureStyle,
        anchor: usize,
        span: &granit_parser::Span,
    ) -> Result<(), SyntaxError> {
        let (start, end) = bytes(span);
        let is_below_key = style == StructureStyle::Block && self.key().is_some();
        let start = if is_below_key { self.first_dash(start) } else { start };
        self.open(NodeKind::Sequence, anchor, (start, end), span.start.line())
    }

    pub(super) fn open_mapping(&mut self, anchor: usize, span: &granit_parser::Span) -> Result<(), SyntaxError> {
        self.open(NodeKind::Mapping, anchor, bytes(span), span.start.line())
    }

    fn open(
        &mut self,
        kind: NodeKind,
        anchor: usize,
        (start, end): (usize, usize),
        line: usize,
    ) -> Result<(), SyntaxError> {
        let error = |kind| SyntaxError { kind, byte: start };
        if self.expects_key() {
            return Err(error(SyntaxErrorKind::CollectionKey));
        }
        if self.stack.depth() == MAX_DEPTH {
            return Err(error(SyntaxErrorKind::TooDeep));
        }
        if anchor != 0 {
            self.anchors.open(anchor);
        }
        let node = self.node(kind, Span::new(start, end));
        let node = self.spans.push(node);
        self.stack.push(kind == NodeKind::Mapping, node, anchor, line);
        Ok(())
    }

    pub(super) fn close(&mut self, span: &granit_parser::Span) -> Result<(), SyntaxError> {
        let Some((value, collection)) = self.stack.pop(&mut self.spans) else { return Ok(()) };
        let (start, end) = bytes(span);
        // Only a flow collection's end is text.
        let inline = start < end && collection.line == span.end.line();
        let on_key_line = inline && self.key().is_some_and(|key| key.line == collection.line);
        if let Some(node) = self.spans.get_mut(collection.node) {
            node.span = Span { end: Span::new(start, end).end, ..node.span };
            node.is_inline = inline;
            node.on_key_line = on_key_line;
        }
        self.complete(value, collection.node, collection.anchor)
    }

    /// Adds a value to the innermost open collection.
    fn complete(&mut self, value: Value, node: NodeId, anchor: usize) -> Result<(), SyntaxError> {
        if anchor != 0 {
            let byte = self.spans.get(node).map_or(0, |node| node.span.start as usize);
            self.anchors.define(anchor, &value, node).map_err(|kind| SyntaxError { kind, byte })?;
        }
        match self.stack.is_in_mapping() {
            None => self.root = Some(value),
            Some(false) => self.stack.append(value, node),
            Some(true) => return self.enter(value, node),
        }
        Ok(())
    }

    /// Adds a value under the key that was read before it.
    fn enter(&mut self, value: Value, node: NodeId) -> Result<(), SyntaxError> {
        let Some(key) = self.stack.take_key() else { return Ok(()) };
        if key.is_merge {
            merge(&mut self.stack, value, node, &self.spans)
        } else {
            self.stack.insert(key.text, value, node, false, &self.spans)
        }
        .map_err(|kind| SyntaxError { kind, byte: key.position.span.start as usize })
    }

    /// Whether the next event is inside braces or brackets.
    fn is_in_flow(&self) -> bool {
        let bytes = self.document.as_bytes();
        let mut starts =
            self.stack.nodes().filter_map(|node| self.spans.get(node).map(|node| node.span.start as usize));
        starts.any(|start| matches!(bytes.get(start), Some(b'{' | b'[')))
    }

    /// Whether a plain key that ends at `byte` is a key in YAML 1.2 only: `{a:, b: 1}`.
    fn lacks_space_after_colon(&self, byte: usize) -> bool {
        matches!(self.document.as_bytes().get(byte..), Some([b':', b',' | b']' | b'}', ..]))
    }

    fn expects_key(&self) -> bool {
        self.stack.expects_key()
    }

    fn key(&self) -> Option<&Key> {
        self.stack.key()
    }

    fn set_key(&mut self, text: String, is_merge: bool, span: &granit_parser::Span) {
        let (start, end) = bytes(span);
        let position = KeySpan { span: Span::new(start, end), hash: hash_key(&text) };
        self.stack.set_key(Key { text, position, line: span.start.line(), is_merge });
    }

    /// Creates a node for the next value, with its key if it has one.
    fn node(&self, kind: NodeKind, span: Span) -> Node {
        Node::new(kind, span, self.key().map(|key| key.position))
    }

    fn trimmed_end(&self, start: usize, end: usize) -> usize {
        start + self.document.get(start..end).map_or(0, |text| text.trim_end().len())
    }

    /// The first `-` of a block sequence below a key. If the sequence is not indented, the parser points behind the
    /// `-`.
    fn first_dash(&self, byte: usize) -> usize {
        let before = self.document.get(..byte).unwrap_or_default();
        let line = before.rsplit(['\n', '\r']).next().unwrap_or_default();
        let dash = line.trim_start();
        if dash.starts_with('-') { byte - dash.len() } else { byte }
    }

    /// The `-` of an empty item.
    fn dash_before(&self, byte: usize) -> (usize, usize) {
        let dash = self.document.get(..byte).and_then(|before| before.trim_end().strip_suffix('-'));
        dash.map_or((byte, byte), |before| (before.len(), before.len() + 1))
    }
}

fn json(scalar: Scalar, text: Cow<'_, str>) -> Result<Value, SyntaxErrorKind> {
    Ok(match scalar {
        Scalar::Text => Value::String(text.into_owned()),
        Scalar::Null => Value::Null,
        Scalar::Boolean(boolean) => Value::Bool(boolean),
        Scalar::Integer(integer) => Value::from(integer),
        Scalar::Unsigned(integer) => Value::from(integer),
        Scalar::Float(float) => json_float(float).ok_or(SyntaxErrorKind::NotFinite)?,
    })
}
