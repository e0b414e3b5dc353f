//! A document's text with its spans, as edits need them.

use sqledge_ha_policy::json::cursor::keys;

use super::super::spans::{Node, NodeId, NodeKind, Spans};
use super::EditError;
use super::render::{Indentation, Syntax};

/// The text and the spans of a document.
pub(super) struct DocumentTree<'t> {
    pub(super) text: &'t str,
    spans: &'t Spans,
}

/// The part of a pointer that exists.
pub(super) struct PathMatch {
    /// The last node that exists.
    pub(super) node: NodeId,
    /// The parent of that node.
    pub(super) parent: Option<NodeId>,
    /// The rest of the pointer's keys.
    pub(super) rest: Vec<String>,
}

impl<'t> DocumentTree<'t> {
    pub(super) fn new(text: &'t str, spans: &'t Spans) -> Self {
        DocumentTree { text, spans }
    }

    pub(super) fn node(&self, id: NodeId) -> Result<&Node, EditError> {
        self.spans.get(id).ok_or(EditError::UnsupportedLayout)
    }

    /// Resolves a pointer as far as nodes exist.
    pub(super) fn resolve(&self, pointer: &str) -> Result<PathMatch, EditError> {
        let mut found = PathMatch { node: 0, parent: None, rest: Vec::new() };
        for key in keys(pointer) {
            if !found.rest.is_empty() {
                found.rest.push(key.into_owned());
                continue;
            }
            if let NodeKind::Alias(target) = self.node(found.node)?.kind {
                return Err(EditError::Aliased(self.start(target)));
            }
            match self.spans.child_named(found.node, &key) {
                Some(child) if !self.is_own(found.node, child) => return Err(EditError::Aliased(self.start(child))),
                Some(child) => found = PathMatch { node: child, parent: Some(found.node), rest: Vec::new() },
                None => found.rest.push(key.into_owned()),
            }
        }
        Ok(found)
    }

    /// Whether an alias or a merge key refers to a node on the pointer's path.
    pub(super) fn is_used_elsewhere(&self, pointer: &str) -> bool {
        let ways = std::iter::successors(Some(pointer), |pointer| Some(pointer.rsplit_once('/')?.0));
        let nodes: Vec<NodeId> = ways.filter_map(|found| self.resolve(found).ok()).map(|found| found.node).collect();
        self.spans.ids().any(|id| {
            let is_alias =
                self.node(id).is_ok_and(|node| matches!(node.kind, NodeKind::Alias(target) if nodes.contains(&target)));
            is_alias || self.spans.children(id).iter().any(|child| nodes.contains(child) && !self.is_own(id, *child))
        })
    }

    /// Whether a child is in its parent's text, not merged into it.
    fn is_own(&self, parent: NodeId, child: NodeId) -> bool {
        let (Ok(parent), Ok(child)) = (self.node(parent), self.node(child)) else { return false };
        let start = child.key.map_or(child.span.start, |key| key.span.start);
        // The span of an empty item is its dash.
        parent.span.start <= start.max(child.span.start) && start < parent.span.end.max(parent.span.start + 1)
    }

    /// The children in a collection's own text, in text order.
    pub(super) fn children(&self, id: NodeId) -> Vec<NodeId> {
        let mut own: Vec<NodeId> =
            self.spans.children(id).iter().copied().filter(|child| self.is_own(id, *child)).collect();
        own.sort_by_key(|child| self.start(*child));
        own
    }

    /// The start of a value, including its key.
    pub(super) fn start(&self, id: NodeId) -> usize {
        self.node(id).map_or(0, |node| node.key.map_or(node.span.start, |key| key.span.start) as usize)
    }

    /// The end of a value.
    pub(super) fn end(&self, id: NodeId) -> usize {
        let Ok(node) = self.node(id) else { return 0 };
        let after_key = node.key.map_or(0, |key| self.colon(key.span.end as usize) + 1);
        let own = match node.kind {
            NodeKind::Mapping | NodeKind::Sequence if !self.is_flow(id) => {
                self.children(id).into_iter().map(|child| self.end(child)).max().unwrap_or_default()
            }
            _ => node.span.end as usize,
        };
        own.max(after_key)
    }

    /// Whether a collection has braces or brackets.
    pub(super) fn is_flow(&self, id: NodeId) -> bool {
        let start = self.node(id).map_or(0, |node| node.span.start as usize);
        matches!(self.text.as_bytes().get(start), Some(b'{' | b'['))
    }

    /// The colon after a key that ends at `byte`.
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

    /// The end of the line of a byte, before the line ending.
    pub(super) fn line_end(&self, byte: usize) -> usize {
        let rest = self.text.get(byte..).unwrap_or_default();
        let line = rest.split('\n').next().unwrap_or_default();
        byte + line.strip_suffix('\r').unwrap_or(line).len()
    }

    /// The line ending of this document.
    pub(super) fn line_ending(&self) -> &'static str {
        if self.text.contains("\r\n") { "\r\n" } else { "\n" }
    }

    /// The indentation of the document; default values where it shows none.
    pub(super) fn style(&self) -> Indentation {
        let usual = Indentation::DEFAULT;
        let of = |kind| self.spans.ids().find_map(|id| self.indentation(id, kind));
        Indentation {
            mappings: of(NodeKind::Mapping).filter(|step| *step > 0).unwrap_or(usual.mappings),
            sequences: of(NodeKind::Sequence).unwrap_or(usual.sequences),
        }
    }

    /// The columns by which the first block collection of this kind is indented below its key.
    fn indentation(&self, id: NodeId, kind: NodeKind) -> Option<usize> {
        let node = self.node(id).ok().filter(|node| node.kind == kind && !self.is_flow(id))?;
        let start = if kind == NodeKind::Sequence { self.dash(id)? } else { self.start(*self.children(id).first()?) };
        self.column(start).checked_sub(self.column(node.key?.span.start as usize))
    }

    /// The first dash of a block sequence.
    pub(super) fn dash(&self, sequence: NodeId) -> Option<usize> {
        let start = self.node(sequence).ok()?.span.start as usize;
        self.text.get(start..)?.starts_with('-').then_some(start)
    }

    /// The syntax of a flow collection: JSON if its keys are quoted.
    pub(super) fn syntax(&self, id: NodeId) -> Syntax {
        let quoted = |id: NodeId| self.text.as_bytes().get(self.start(id)) == Some(&b'"');
        let is_json = match self.children(id).first() {
            Some(first) if self.node(*first).is_ok_and(|node| node.key.is_some()) => quoted(*first),
            _ => self.children(0).first().is_some_and(|first| self.is_flow(0) && quoted(*first)),
        };
        if is_json { Syntax::Json } else { Syntax::Yaml }
    }
}
