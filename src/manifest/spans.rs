//! The location of every value: a compact tree, searched by JSON Pointer.
//!
//! Nodes are in one vector and refer to their children by number, so that aliases and merge keys can share nodes. Keys
//! are stored as hashes: if two keys of a mapping had the same hash, a finding would be shown on the wrong line.

use std::ops::Range;

use sqledge_ha_policy::json::cursor::keys;

/// The index of a node.
pub(super) type NodeId = u32;

/// The type of a node.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum NodeKind {
    Scalar,
    Sequence,
    Mapping,
    /// `*name`, with the anchored node.
    Alias(NodeId),
}

/// A byte range from the start of the document. Half the size of a `Range<usize>`; inputs are limited to 1 GiB.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Span {
    pub(super) start: u32,
    pub(super) end: u32,
}

impl Span {
    pub(super) fn new(start: usize, end: usize) -> Self {
        let short = |byte| u32::try_from(byte).unwrap_or(u32::MAX);
        Self { start: short(start), end: short(end) }
    }

    fn is_empty(self) -> bool {
        self.start == self.end
    }
}

/// The location and hash of a mapping key.
#[derive(Clone, Copy, Debug)]
pub(super) struct KeySpan {
    pub(super) span: Span,
    pub(super) hash: u32,
}

/// One value of a document.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    pub(super) span: Span,
    pub(super) kind: NodeKind,
    /// The key of this value.
    pub(super) key: Option<KeySpan>,
    /// For a collection: whether it is `{…}` or `[…]` on one line.
    pub(super) is_inline: bool,
    /// Whether the value ends on the line on which its key begins.
    pub(super) on_key_line: bool,
    first_child: u32,
    children: u32,
}

impl Node {
    pub(super) fn new(kind: NodeKind, span: Span, key: Option<KeySpan>) -> Self {
        Self { span, kind, key, is_inline: false, on_key_line: false, first_child: 0, children: 0 }
    }
}

/// The spans of a document's values.
#[derive(Clone, Debug, Default)]
pub(super) struct Spans {
    nodes: Vec<Node>,
    children: Vec<NodeId>,
}

impl Spans {
    /// Creates an empty tree with the capacity that a typical document of this size needs.
    pub(super) fn for_bytes(bytes: usize) -> Self {
        let values = (bytes / 16).min(256);
        Self { nodes: Vec::with_capacity(values), children: Vec::with_capacity(values) }
    }

    pub(super) fn compact(&mut self) {
        self.nodes.shrink_to_fit();
        self.children.shrink_to_fit();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    pub(super) fn push(&mut self, node: Node) -> NodeId {
        self.nodes.push(node);
        NodeId::try_from(self.nodes.len() - 1).unwrap_or(NodeId::MAX)
    }

    pub(super) fn get(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(id as usize)
    }

    pub(super) fn get_mut(&mut self, id: NodeId) -> Option<&mut Node> {
        self.nodes.get_mut(id as usize)
    }

    /// Sets the child nodes of a collection, in the order of its value.
    pub(super) fn set_children(&mut self, id: NodeId, children: impl ExactSizeIterator<Item = NodeId>) {
        let first = self.children.len();
        let count = children.len();
        self.children.extend(children);
        if let Some(node) = self.get_mut(id) {
            node.first_child = u32::try_from(first).unwrap_or(u32::MAX);
            node.children = u32::try_from(count).unwrap_or(0);
        }
    }

    /// The child nodes of a collection, or of the collection that an alias refers to.
    pub(super) fn children(&self, id: NodeId) -> &[NodeId] {
        let Some(node) = self.resolved(id) else { return &[] };
        let first = node.first_child as usize;
        self.children.get(first..first + node.children as usize).unwrap_or_default()
    }

    /// The range to show for a JSON Pointer: see [`Document::locate`](super::Document::locate).
    pub(super) fn locate(&self, pointer: &str) -> Range<usize> {
        let span = self.display_span(self.find(pointer).unwrap_or_else(|nearest| nearest));
        span.start as usize..span.end as usize
    }

    /// The range of the key of a value: see [`Document::locate_key`](super::Document::locate_key).
    pub(super) fn locate_key(&self, pointer: &str) -> Range<usize> {
        let key = self.find(pointer).ok().and_then(|id| self.get(id)?.key);
        key.map_or_else(|| self.locate(pointer), |key| key.span.start as usize..key.span.end as usize)
    }

    /// The node at a JSON Pointer, or the nearest ancestor that exists.
    fn find(&self, pointer: &str) -> Result<NodeId, NodeId> {
        let mut at = 0;
        for key in keys(pointer) {
            at = self.child_named(at, &key).ok_or(at)?;
        }
        Ok(at)
    }

    /// All nodes.
    pub(super) fn ids(&self) -> impl Iterator<Item = NodeId> {
        (0..self.nodes.len()).filter_map(|id| NodeId::try_from(id).ok())
    }

    /// The value of a mapping key, or a sequence item by its index.
    pub(super) fn child_named(&self, id: NodeId, token: &str) -> Option<NodeId> {
        let children = self.children(id);
        match self.resolved(id)?.kind {
            NodeKind::Mapping => {
                let hash = hash_key(token);
                let is_it =
                    |child: &&NodeId| self.get(**child).and_then(|node| node.key).is_some_and(|key| key.hash == hash);
                children.iter().find(is_it).copied()
            }
            NodeKind::Sequence if token == "0" || !token.starts_with(['0', '+']) => {
                children.get(token.parse::<usize>().ok()?).copied()
            }
            NodeKind::Sequence | NodeKind::Scalar | NodeKind::Alias(_) => None,
        }
    }

    /// The node, or the anchored node of an alias. An alias never refers to another alias.
    fn resolved(&self, id: NodeId) -> Option<&Node> {
        match self.get(id)?.kind {
            NodeKind::Alias(target) => self.get(target),
            _ => self.get(id),
        }
    }

    fn display_span(&self, id: NodeId) -> Span {
        let Some(node) = self.get(id) else { return Span::default() };
        match (node.kind, node.key) {
            (NodeKind::Alias(_), _) => node.span,
            (NodeKind::Scalar, Some(key)) if node.span.is_empty() => key.span,
            (NodeKind::Scalar, _) => node.span,
            (NodeKind::Mapping | NodeKind::Sequence, _) if node.is_inline => node.span,
            (NodeKind::Mapping | NodeKind::Sequence, Some(key)) => key.span,
            (NodeKind::Mapping | NodeKind::Sequence, None) => self.first_entry(id),
        }
    }

    /// The first entry of a collection that has no key.
    fn first_entry(&self, mut id: NodeId) -> Span {
        loop {
            let Some(node) = self.get(id) else { return Span::default() };
            let Some(child_id) = self.children(id).first().copied() else {
                return Span { start: node.span.start, end: node.span.start.saturating_add(1) };
            };
            let Some(child) = self.get(child_id) else { return Span::default() };
            let Some(key) = child.key else {
                if child.is_inline || matches!(child.kind, NodeKind::Scalar | NodeKind::Alias(_)) {
                    return child.span;
                }
                id = child_id;
                continue;
            };
            return if key.span.start < node.span.start || key.span.start >= node.span.end {
                // The entry is merged from another location: show the merge key.
                Span { start: node.span.start, end: node.span.start.saturating_add(2) }
            } else if child.on_key_line && !child.span.is_empty() {
                Span { start: key.span.start, end: child.span.end }
            } else {
                key.span
            };
        }
    }
}

/// Hashes a key with FNV-1a, which is fast for short keys.
pub(super) fn hash_key(key: &str) -> u32 {
    key.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::Spans;

    #[test]
    fn an_empty_tree_has_an_empty_span() {
        assert_eq!(Spans::default().locate("/a/0"), 0..0);
    }
}
