//! Merge keys: `<<: *defaults`.
//!
//! As in goyaml.v2 (`merge` in its `decode.go`), entries are taken in the order in which they stand: what follows the merge key
//! replaces what it brought, and what it brings replaces what stands before it. Of several mappings the first counts.

use serde_json::Value;

use super::fault::Cause;
use super::frame::Open;
use super::spans::{Id, Kind, Spans};

/// Merges the value of a merge key, whose node is `node`, into the mapping that the key stands in: the innermost one.
pub(super) fn merge(open: &mut Open, value: Value, node: Id, spans: &Spans) -> Result<(), Cause> {
    match value {
        Value::Array(items) if !is_alias(node, spans) => {
            for (item, node) in items.into_iter().zip(spans.children(node)).rev() {
                absorb(open, item, *node, spans)?;
            }
            Ok(())
        }
        value => absorb(open, value, node, spans),
    }
}

fn absorb(open: &mut Open, value: Value, node: Id, spans: &Spans) -> Result<(), Cause> {
    let Value::Object(entries) = value else { return Err(Cause::Merge) };
    for ((key, value), node) in entries.into_iter().zip(spans.children(node)) {
        open.insert(key, value, *node, true, spans)?;
    }
    Ok(())
}

fn is_alias(node: Id, spans: &Spans) -> bool {
    spans.get(node).is_some_and(|node| matches!(node.kind, Kind::Alias(_)))
}
