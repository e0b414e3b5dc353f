//! A document's places beside its text: what an edit has to know.

use super::super::spans::{Id, Kind, Node, Spans};
use super::Refusal;
use super::render::Style;

/// The places of a document, and the text that they stand in.
pub(super) struct Tree<'t> {
    pub(super) text: &'t str,
    spans: &'t Spans,
}

/// How far a pointer leads.
pub(super) struct Way {
    /// The last node that exists.
    pub(super) node: Id,
    /// The node that holds it.
    pub(super) parent: Option<Id>,
    /// The keys that lead on from there.
    pub(super) rest: Vec<String>,
}

impl<'t> Tree<'t> {
    pub(super) fn new(text: &'t str, spans: &'t Spans) -> Self {
        Tree { text, spans }
    }

    pub(super) fn node(&self, id: Id) -> Result<&Node, Refusal> {
        self.spans.get(id).ok_or(Refusal::Style)
    }

    /// Goes as far as there are nodes.
    pub(super) fn walk(&self, pointer: &str) -> Result<Way, Refusal> {
        let mut way = Way { node: 0, parent: None, rest: Vec::new() };
        let tokens = pointer.strip_prefix('/').map(|tokens| tokens.split('/'));
        for token in tokens.into_iter().flatten() {
            let token = token.replace("~1", "/").replace("~0", "~");
            if !way.rest.is_empty() {
                way.rest.push(token);
                continue;
            }
            if let Kind::Alias(target) = self.node(way.node)?.kind {
                return Err(Refusal::Shared(self.start(target)));
            }
            match self.spans.child_named(way.node, &token) {
                Some(child) if !self.is_own(way.node, child) => return Err(Refusal::Shared(self.start(child))),
                Some(child) => way = Way { node: child, parent: Some(way.node), rest: Vec::new() },
                None => way.rest.push(token),
            }
        }
        Ok(way)
    }

    /// Whether anything on the way of a pointer is also reached by another way.
    pub(super) fn is_used_elsewhere(&self, pointer: &str) -> bool {
        let ways = std::iter::successors(Some(pointer), |pointer| Some(pointer.rsplit_once('/')?.0));
        let nodes: Vec<Id> = ways.filter_map(|way| self.walk(way).ok()).map(|way| way.node).collect();
        self.spans.ids().any(|id| {
            let is_alias =
                self.node(id).is_ok_and(|node| matches!(node.kind, Kind::Alias(target) if nodes.contains(&target)));
            is_alias || self.spans.children(id).iter().any(|child| nodes.contains(child) && !self.is_own(id, *child))
        })
    }

    /// Whether a child stands in its parent's own text, and was not merged into it.
    fn is_own(&self, parent: Id, child: Id) -> bool {
        let (Ok(parent), Ok(child)) = (self.node(parent), self.node(child)) else { return false };
        let start = child.key.map_or(child.span.start, |key| key.span.start);
        // An item that is not there is shown as its dash.
        parent.span.start <= start.max(child.span.start) && start < parent.span.end.max(parent.span.start + 1)
    }

    /// The children that stand in a collection's own text, in the order of the text.
    pub(super) fn children(&self, id: Id) -> Vec<Id> {
        let mut own: Vec<Id> =
            self.spans.children(id).iter().copied().filter(|child| self.is_own(id, *child)).collect();
        own.sort_by_key(|child| self.start(*child));
        own
    }

    /// Where a value begins, its key included.
    pub(super) fn start(&self, id: Id) -> usize {
        self.node(id).map_or(0, |node| node.key.map_or(node.span.start, |key| key.span.start) as usize)
    }

    /// Where a value ends.
    pub(super) fn end(&self, id: Id) -> usize {
        let Ok(node) = self.node(id) else { return 0 };
        let after_key = node.key.map_or(0, |key| self.colon(key.span.end as usize) + 1);
        let own = match node.kind {
            Kind::Mapping | Kind::Sequence if !self.is_flow(id) => {
                self.children(id).into_iter().map(|child| self.end(child)).max().unwrap_or_default()
            }
            _ => node.span.end as usize,
        };
        own.max(after_key)
    }

    /// Whether a collection is written in braces or brackets.
    pub(super) fn is_flow(&self, id: Id) -> bool {
        let start = self.node(id).map_or(0, |node| node.span.start as usize);
        matches!(self.text.as_bytes().get(start), Some(b'{' | b'['))
    }

    /// The colon behind a key that ends at `byte`.
    pub(super) fn colon(&self, byte: usize) -> usize {
        byte + self.text.get(byte..).and_then(|rest| rest.find(':')).unwrap_or_default()
    }

    /// The column of a byte, in bytes from 0.
    pub(super) fn column(&self, byte: usize) -> usize {
        byte - self.line_start(byte)
    }

    pub(super) fn line_start(&self, byte: usize) -> usize {
        self.text.get(..byte).and_then(|before| before.rfind('\n')).map_or(0, |feed| feed + 1)
    }

    /// The end of the line that a byte is on, before its line ending.
    pub(super) fn line_end(&self, byte: usize) -> usize {
        let rest = self.text.get(byte..).unwrap_or_default();
        let line = rest.split('\n').next().unwrap_or_default();
        byte + line.strip_suffix('\r').unwrap_or(line).len()
    }

    /// How lines end in this document.
    pub(super) fn line_ending(&self) -> &'static str {
        if self.text.contains("\r\n") { "\r\n" } else { "\n" }
    }

    /// How the document is indented, as far as it shows.
    pub(super) fn style(&self) -> Style {
        let usual = Style::USUAL;
        let of = |kind| self.spans.ids().find_map(|id| self.indentation(id, kind));
        Style {
            mappings: of(Kind::Mapping).filter(|step| *step > 0).unwrap_or(usual.mappings),
            sequences: of(Kind::Sequence).unwrap_or(usual.sequences),
        }
    }

    /// By how many columns a block collection of a kind stands behind its key.
    fn indentation(&self, id: Id, kind: Kind) -> Option<usize> {
        let node = self.node(id).ok().filter(|node| node.kind == kind && !self.is_flow(id))?;
        let start = if kind == Kind::Sequence { self.dash(id)? } else { self.start(*self.children(id).first()?) };
        self.column(start).checked_sub(self.column(node.key?.span.start as usize))
    }

    /// The first dash of a block sequence, where the sequence begins.
    pub(super) fn dash(&self, sequence: Id) -> Option<usize> {
        let start = self.node(sequence).ok()?.span.start as usize;
        self.text.get(start..)?.starts_with('-').then_some(start)
    }

    /// Whether keys are written as in JSON.
    pub(super) fn is_json(&self, id: Id) -> bool {
        let quoted = |id: Id| self.text.as_bytes().get(self.start(id)) == Some(&b'"');
        match self.children(id).first() {
            Some(first) if self.node(*first).is_ok_and(|node| node.key.is_some()) => quoted(*first),
            _ => self.children(0).first().is_some_and(|first| self.is_flow(0) && quoted(*first)),
        }
    }
}
