//! The open collections during parsing: their values so far, and the nodes of those values.
//!
//! All open collections share the same stacks, because only the innermost one grows. A collection that ends takes its
//! values from the stack at once, so that its vector has exactly the needed capacity.

use std::collections::HashMap;

use serde_json::Value;

use super::key::Key;
use super::spans::{NodeId, Spans};
use super::syntax_error::SyntaxErrorKind;

/// Above this number of keys, a mapping uses a hash map to find duplicates.
const LINEAR_SEARCH_MAX: usize = 32;

/// The open collections of a document, innermost last.
#[derive(Debug)]
pub(super) struct CollectionStack {
    open: Vec<OpenCollection>,
    /// The items of all open sequences.
    items: Vec<Value>,
    /// The entries of all open mappings.
    entries: Vec<(String, Value)>,
    /// The nodes of the values in the same order, and whether they come from a merge key.
    children: Vec<(NodeId, bool)>,
}

/// A collection between its start and its end.
#[derive(Debug)]
pub(super) struct OpenCollection {
    pub(super) node: NodeId,
    /// The parser's number of the collection's anchor; 0 for none.
    pub(super) anchor: usize,
    /// The line on which the collection begins.
    pub(super) line: usize,
    is_mapping: bool,
    /// The key of the next value.
    key: Option<Key>,
    /// The index of its first value on the stack.
    first: usize,
    first_child: usize,
    /// The entry positions of a large mapping by key.
    positions: HashMap<String, usize>,
}

impl CollectionStack {
    /// Creates an empty stack with the capacity that a typical document needs.
    pub(super) fn with_capacity() -> Self {
        CollectionStack {
            open: Vec::with_capacity(16),
            items: Vec::with_capacity(16),
            entries: Vec::with_capacity(32),
            children: Vec::with_capacity(64),
        }
    }

    pub(super) fn depth(&self) -> usize {
        self.open.len()
    }

    pub(super) fn push(&mut self, is_mapping: bool, node: NodeId, anchor: usize, line: usize) {
        let first = if is_mapping { self.entries.len() } else { self.items.len() };
        let first_child = self.children.len();
        let positions = HashMap::new();
        self.open.push(OpenCollection { node, anchor, line, is_mapping, key: None, first, first_child, positions });
    }

    /// Ends the innermost collection and stores its child nodes in `spans`.
    pub(super) fn pop(&mut self, spans: &mut Spans) -> Option<(Value, OpenCollection)> {
        let collection = self.open.pop()?;
        spans.set_children(collection.node, self.children.drain(collection.first_child..).map(|(child, _)| child));
        let value = if collection.is_mapping {
            Value::Object(self.entries.drain(collection.first..).collect())
        } else {
            Value::Array(self.items.drain(collection.first..).collect())
        };
        Some((value, collection))
    }

    /// Whether the next value is a key.
    pub(super) fn expects_key(&self) -> bool {
        self.open.last().is_some_and(|collection| collection.is_mapping && collection.key.is_none())
    }

    pub(super) fn key(&self) -> Option<&Key> {
        self.open.last().and_then(|collection| collection.key.as_ref())
    }

    pub(super) fn set_key(&mut self, key: Key) {
        if let Some(collection) = self.open.last_mut() {
            collection.key = Some(key);
        }
    }

    pub(super) fn take_key(&mut self) -> Option<Key> {
        self.open.last_mut().and_then(|collection| collection.key.take())
    }

    /// The nodes of the open collections, innermost first.
    pub(super) fn nodes(&self) -> impl Iterator<Item = NodeId> {
        self.open.iter().rev().map(|collection| collection.node)
    }

    /// Whether the innermost collection is a mapping; `None` if none is open.
    pub(super) fn is_in_mapping(&self) -> Option<bool> {
        self.open.last().map(|collection| collection.is_mapping)
    }

    /// Adds an item to a sequence.
    pub(super) fn append(&mut self, value: Value, node: NodeId) {
        self.items.push(value);
        self.children.push((node, false));
    }

    /// Adds an entry to a mapping. `merged` entries come from a merge key; they can replace others and be replaced.
    pub(super) fn insert(
        &mut self,
        key: String,
        value: Value,
        node: NodeId,
        merged: bool,
        spans: &Spans,
    ) -> Result<(), SyntaxErrorKind> {
        let Some(collection) = self.open.last_mut() else { return Ok(()) };
        let Some(position) = collection.position(&self.entries, &key) else {
            self.entries.push((key, value));
            self.children.push((node, merged));
            return Ok(());
        };
        let (first, first_child) = (collection.first, collection.first_child);
        // Nodes and entries have the same order.
        let Some((child, was_merged)) = self.children.get_mut(first_child + position) else { return Ok(()) };
        if !merged && !*was_merged {
            let first = spans.get(*child).and_then(|node| node.key).map_or(0, |key| key.span.start as usize);
            return Err(SyntaxErrorKind::DuplicateKey { key, first });
        }
        *child = node;
        *was_merged &= merged;
        if let Some((_, old)) = self.entries.get_mut(first + position) {
            *old = value;
        }
        Ok(())
    }
}

impl OpenCollection {
    /// The position of a key among the mapping's entries, which are the last ones in `entries`.
    fn position(&mut self, entries: &[(String, Value)], key: &str) -> Option<usize> {
        let own = entries.get(self.first..).unwrap_or_default();
        if own.len() < LINEAR_SEARCH_MAX {
            return own.iter().position(|(known, _)| known == key);
        }
        for (position, (known, _)) in own.iter().enumerate().skip(self.positions.len()) {
            self.positions.insert(known.clone(), position);
        }
        self.positions.get(key).copied()
    }
}
