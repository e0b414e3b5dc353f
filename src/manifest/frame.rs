//! Collections that are still open: their values so far, and the nodes of those values.

use serde_json::map::Entry;
use serde_json::{Map, Value};

use super::fault::Cause;
use super::key::Key;
use super::spans::{Id, Spans};

/// A collection between its start and its end.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) node: Id,
    /// The parser's number for the collection's anchor; 0 for none.
    pub(super) anchor: usize,
    /// The line that the collection begins on.
    pub(super) line: usize,
    pub(super) holds: Holds,
    /// The nodes of the values, in the order of the values, and whether a merge key brought them.
    pub(super) children: Vec<(Id, bool)>,
}

#[derive(Debug)]
pub(super) enum Holds {
    Sequence(Vec<Value>),
    Mapping {
        entries: Map<String, Value>,
        /// The key whose value comes next.
        key: Option<Key>,
    },
}

impl Frame {
    /// Whether what comes next is a key.
    pub(super) fn expects_key(&self) -> bool {
        matches!(self.holds, Holds::Mapping { key: None, .. })
    }

    pub(super) fn key(&self) -> Option<&Key> {
        match &self.holds {
            Holds::Mapping { key, .. } => key.as_ref(),
            Holds::Sequence(_) => None,
        }
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
        let Holds::Mapping { entries, .. } = &mut self.holds else { return Ok(()) };
        let key = match entries.entry(key) {
            Entry::Vacant(entry) => {
                entry.insert(value);
                self.children.push((node, merged));
                return Ok(());
            }
            Entry::Occupied(mut entry) => {
                entry.insert(value);
                entry.key().clone()
            }
        };
        // The nodes stand in the order of the entries.
        let index = entries.keys().position(|known| *known == key);
        let Some((child, was_merged)) = index.and_then(|index| self.children.get_mut(index)) else { return Ok(()) };
        if !merged && !*was_merged {
            let first = spans.get(*child).and_then(|node| node.key).map_or(0, |key| key.span.start as usize);
            return Err(Cause::DuplicateKey { key, first });
        }
        *child = node;
        *was_merged &= merged;
        Ok(())
    }
}
