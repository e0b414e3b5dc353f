//! Where everything stands: a compact tree beside the value, found by JSON Pointer.
//!
//! Nodes lie in one vector and name their children by number, so that an alias and a merge key can share what stands elsewhere.
//! Keys are kept as hashes; two keys of one mapping with the same hash would cost no more than a finding on the wrong line.

use std::borrow::Cow;
use std::ops::Range;

/// The number of a node.
pub(super) type Id = u32;

/// What a node is, as far as showing it goes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    Scalar,
    Sequence,
    Mapping,
    /// `*name`, and the node that it stands for.
    Alias(Id),
}

/// A range of bytes from the start of the chunk. Half the size of a `Range<usize>`: chunks of 4 GiB are not read anyway.
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

/// A key of a mapping: where it stands, and its hash.
#[derive(Clone, Copy, Debug)]
pub(super) struct KeyMark {
    pub(super) span: Span,
    pub(super) hash: u32,
}

/// One value of a document.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    pub(super) span: Span,
    pub(super) kind: Kind,
    /// The key whose value this is.
    pub(super) key: Option<KeyMark>,
    /// Of a collection: it is written `{…}` or `[…]` on one line.
    pub(super) inline: bool,
    /// The value ends on the line that its key begins on.
    pub(super) beside_key: bool,
    first_child: u32,
    children: u32,
}

impl Node {
    pub(super) fn new(kind: Kind, span: Span, key: Option<KeyMark>) -> Self {
        Self { span, kind, key, inline: false, beside_key: false, first_child: 0, children: 0 }
    }
}

/// The places of a document's values.
#[derive(Clone, Debug, Default)]
pub(super) struct Spans {
    nodes: Vec<Node>,
    children: Vec<Id>,
}

impl Spans {
    /// Room for about as many values as an ordinary document of this many bytes has.
    pub(super) fn for_bytes(bytes: usize) -> Self {
        let values = (bytes / 16).min(256);
        Self { nodes: Vec::with_capacity(values), children: Vec::with_capacity(values) }
    }

    pub(super) fn compact(&mut self) {
        self.nodes.shrink_to_fit();
        self.children.shrink_to_fit();
    }

    pub(super) fn push(&mut self, node: Node) -> Id {
        self.nodes.push(node);
        Id::try_from(self.nodes.len() - 1).unwrap_or(Id::MAX)
    }

    pub(super) fn get(&self, id: Id) -> Option<&Node> {
        self.nodes.get(id as usize)
    }

    pub(super) fn get_mut(&mut self, id: Id) -> Option<&mut Node> {
        self.nodes.get_mut(id as usize)
    }

    /// Says which nodes a collection holds, in the order of its value.
    pub(super) fn set_children(&mut self, id: Id, children: impl ExactSizeIterator<Item = Id>) {
        let first = self.children.len();
        let count = children.len();
        self.children.extend(children);
        if let Some(node) = self.get_mut(id) {
            node.first_child = u32::try_from(first).unwrap_or(u32::MAX);
            node.children = u32::try_from(count).unwrap_or(0);
        }
    }

    /// The nodes that a collection holds, or those of the collection that an alias stands for.
    pub(super) fn children(&self, id: Id) -> &[Id] {
        let Some(node) = self.resolved(id) else { return &[] };
        let first = node.first_child as usize;
        self.children.get(first..first + node.children as usize).unwrap_or_default()
    }

    /// The range to show for a JSON Pointer: see [`Document::locate`](super::Document::locate).
    pub(super) fn locate(&self, pointer: &str) -> Range<usize> {
        let mut at = 0;
        let tokens = pointer.strip_prefix('/').map(|tokens| tokens.split('/'));
        for token in tokens.into_iter().flatten() {
            let Some(child) = self.child(at, token) else { break };
            at = child;
        }
        let span = self.shown(at);
        span.start as usize..span.end as usize
    }

    /// All nodes.
    pub(super) fn ids(&self) -> impl Iterator<Item = Id> {
        (0..self.nodes.len()).filter_map(|id| Id::try_from(id).ok())
    }

    fn child(&self, id: Id, token: &str) -> Option<Id> {
        self.child_named(id, &unescape(token))
    }

    /// The value of a key in a mapping, or the item at a position of a sequence.
    pub(super) fn child_named(&self, id: Id, token: &str) -> Option<Id> {
        let children = self.children(id);
        match self.resolved(id)?.kind {
            Kind::Mapping => {
                let hash = hash_key(token);
                let is_it =
                    |child: &&Id| self.get(**child).and_then(|node| node.key).is_some_and(|key| key.hash == hash);
                children.iter().find(is_it).copied()
            }
            Kind::Sequence if token == "0" || !token.starts_with(['0', '+']) => {
                children.get(token.parse::<usize>().ok()?).copied()
            }
            Kind::Sequence | Kind::Scalar | Kind::Alias(_) => None,
        }
    }

    /// The node, or what it stands for. An alias never leads to another: the anchor is on the first node.
    fn resolved(&self, id: Id) -> Option<&Node> {
        match self.get(id)?.kind {
            Kind::Alias(target) => self.get(target),
            _ => self.get(id),
        }
    }

    fn shown(&self, id: Id) -> Span {
        let Some(node) = self.get(id) else { return Span::default() };
        match (node.kind, node.key) {
            (Kind::Alias(_), _) => node.span,
            (Kind::Scalar, Some(key)) if node.span.is_empty() => key.span,
            (Kind::Scalar, _) => node.span,
            (Kind::Mapping | Kind::Sequence, _) if node.inline => node.span,
            (Kind::Mapping | Kind::Sequence, Some(key)) => key.span,
            (Kind::Mapping | Kind::Sequence, None) => self.first_entry(id),
        }
    }

    /// The first line's worth of a collection that has no key to show instead.
    fn first_entry(&self, mut id: Id) -> Span {
        loop {
            let Some(node) = self.get(id) else { return Span::default() };
            let Some(child_id) = self.children(id).first().copied() else {
                return Span { start: node.span.start, end: node.span.start.saturating_add(1) };
            };
            let Some(child) = self.get(child_id) else { return Span::default() };
            let Some(key) = child.key else {
                if child.inline || matches!(child.kind, Kind::Scalar | Kind::Alias(_)) {
                    return child.span;
                }
                id = child_id;
                continue;
            };
            return if key.span.start < node.span.start || key.span.start >= node.span.end {
                // Merged from elsewhere: the merge key is what stands here.
                Span { start: node.span.start, end: node.span.start.saturating_add(2) }
            } else if child.beside_key && !child.span.is_empty() {
                Span { start: key.span.start, end: child.span.end }
            } else {
                key.span
            };
        }
    }
}

/// The hash by which a key is found again: FNV-1a, which needs no set-up for short keys. Never leaves the process.
pub(super) fn hash_key(key: &str) -> u32 {
    key.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// RFC 6901, section 3: `~1` is `/`, `~0` is `~`.
fn unescape(token: &str) -> Cow<'_, str> {
    if token.contains('~') { token.replace("~1", "/").replace("~0", "~").into() } else { token.into() }
}

#[cfg(test)]
mod tests {
    use super::{Spans, hash_key, unescape};

    #[test]
    fn pointer_tokens_are_unescaped() {
        assert_eq!(unescape("a~1b~0c~01"), "a/b~c~1");
        assert_eq!(hash_key(&unescape("a~1b")), hash_key("a/b"));
    }

    #[test]
    fn nothing_is_nowhere() {
        assert_eq!(Spans::default().locate("/a/0"), 0..0);
    }
}
