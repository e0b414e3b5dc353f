//! Collections that are still open: their values so far, and the nodes of those values.
//!
//! What open collections hold lies on stacks that they share, because only the innermost one grows. A collection that
//! ends takes its part in one piece, so that nothing in a value is larger than it has to be.

use std::collections::HashMap;

use serde_json::Value;

use super::fault::Cause;
use super::key::Key;
use super::spans::{Id, Spans};

/// Beyond so many keys a mapping is searched by hash.
const FEW_KEYS: usize = 32;

/// The open collections of a document, the innermost last.
#[derive(Debug)]
pub(super) struct Open {
    frames: Vec<Frame>,
    /// The items of all open sequences.
    items: Vec<Value>,
    /// The entries of all open mappings.
    entries: Vec<(String, Value)>,
    /// The nodes of the values, in the order of the values, and whether a merge key brought them.
    children: Vec<(Id, bool)>,
}

/// A collection between its start and its end.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) node: Id,
    /// The parser's number for the collection's anchor; 0 for none.
    pub(super) anchor: usize,
    /// The line that the collection begins on.
    pub(super) line: usize,
    is_mapping: bool,
    /// The key whose value comes next.
    key: Option<Key>,
    /// Where its own values begin.
    first: usize,
    first_child: usize,
    /// The keys of a large mapping, with the positions of their entries.
    positions: HashMap<String, usize>,
}

impl Open {
    /// Room for what is open at the same time in an ordinary document.
    pub(super) fn with_room() -> Self {
        Open {
            frames: Vec::with_capacity(16),
            items: Vec::with_capacity(16),
            entries: Vec::with_capacity(32),
            children: Vec::with_capacity(64),
        }
    }

    pub(super) fn depth(&self) -> usize {
        self.frames.len()
    }

    pub(super) fn begin(&mut self, is_mapping: bool, node: Id, anchor: usize, line: usize) {
        let first = if is_mapping { self.entries.len() } else { self.items.len() };
        let first_child = self.children.len();
        let positions = HashMap::new();
        self.frames.push(Frame { node, anchor, line, is_mapping, key: None, first, first_child, positions });
    }

    /// Ends the innermost collection, and says in `spans` which nodes it holds.
    pub(super) fn end(&mut self, spans: &mut Spans) -> Option<(Value, Frame)> {
        let frame = self.frames.pop()?;
        spans.set_children(frame.node, self.children.drain(frame.first_child..).map(|(child, _)| child));
        let value = if frame.is_mapping {
            Value::Object(self.entries.drain(frame.first..).collect())
        } else {
            Value::Array(self.items.drain(frame.first..).collect())
        };
        Some((value, frame))
    }

    /// Whether what comes next is a key.
    pub(super) fn expects_key(&self) -> bool {
        self.frames.last().is_some_and(|frame| frame.is_mapping && frame.key.is_none())
    }

    pub(super) fn key(&self) -> Option<&Key> {
        self.frames.last().and_then(|frame| frame.key.as_ref())
    }

    pub(super) fn set_key(&mut self, key: Key) {
        if let Some(frame) = self.frames.last_mut() {
            frame.key = Some(key);
        }
    }

    pub(super) fn take_key(&mut self) -> Option<Key> {
        self.frames.last_mut().and_then(|frame| frame.key.take())
    }

    /// The open collections' nodes, the innermost first.
    pub(super) fn nodes(&self) -> impl Iterator<Item = Id> {
        self.frames.iter().rev().map(|frame| frame.node)
    }

    /// Whether the innermost collection is a mapping; `None` if none is open.
    pub(super) fn is_in_mapping(&self) -> Option<bool> {
        self.frames.last().map(|frame| frame.is_mapping)
    }

    /// Adds an item to a sequence.
    pub(super) fn append(&mut self, value: Value, node: Id) {
        self.items.push(value);
        self.children.push((node, false));
    }

    /// Adds an entry to a mapping. `merged`: by a merge key, which may replace and may be replaced.
    pub(super) fn insert(
        &mut self,
        key: String,
        value: Value,
        node: Id,
        merged: bool,
        spans: &Spans,
    ) -> Result<(), Cause> {
        let Some(frame) = self.frames.last_mut() else { return Ok(()) };
        let Some(position) = frame.position(&self.entries, &key) else {
            self.entries.push((key, value));
            self.children.push((node, merged));
            return Ok(());
        };
        let (first, first_child) = (frame.first, frame.first_child);
        // The nodes stand in the order of the entries.
        let Some((child, was_merged)) = self.children.get_mut(first_child + position) else { return Ok(()) };
        if !merged && !*was_merged {
            let first = spans.get(*child).and_then(|node| node.key).map_or(0, |key| key.span.start as usize);
            return Err(Cause::DuplicateKey { key, first });
        }
        *child = node;
        *was_merged &= merged;
        if let Some((_, old)) = self.entries.get_mut(first + position) {
            *old = value;
        }
        Ok(())
    }
}

impl Frame {
    /// Where a key stands among the mapping's entries, which are the last of `entries`.
    fn position(&mut self, entries: &[(String, Value)], key: &str) -> Option<usize> {
        let own = entries.get(self.first..).unwrap_or_default();
        if own.len() < FEW_KEYS {
            return own.iter().position(|(known, _)| known == key);
        }
        for (position, (known, _)) in own.iter().enumerate().skip(self.positions.len()) {
            self.positions.insert(known.clone(), position);
        }
        self.positions.get(key).copied()
    }
}
