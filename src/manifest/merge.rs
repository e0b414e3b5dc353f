//! Merge keys: `<<: *defaults`.
//!
//! As in goyaml.v2 (`merge` in its `decode.go`), order decides: merged entries replace the entries before the merge
//! key, and the entries after it replace merged ones. If several mappings are merged, the first one takes precedence.

use serde_json::Value;

use super::spans::{NodeId, NodeKind, Spans};
use super::stack::CollectionStack;
use super::syntax_error::SyntaxErrorKind;

/// Merges the value of a merge key into the innermost mapping. `node` is the node of the value.
pub(super) fn merge(
    stack: &mut CollectionStack,
    value: Value,
    node: NodeId,
    spans: &Spans,
) -> Result<(), SyntaxErrorKind> {
    match value {
        Value::Array(items) if !is_alias(node, spans) => {
            for (item, node) in items.into_iter().zip(spans.children(node)).rev() {
                merge_mapping(stack, item, *node, spans)?;
            }
            Ok(())
        }
        value => merge_mapping(stack, value, node, spans),
    }
}

fn merge_mapping(
    stack: &mut CollectionStack,
    value: Value,
    node: NodeId,
    spans: &Spans,
) -> Result<(), SyntaxErrorKind> {
    let Value::Object(entries) = value else { return Err(SyntaxErrorKind::InvalidMerge) };
    for ((key, value), node) in entries.into_iter().zip(spans.children(node)) {
        stack.insert(key, value, *node, true, spans)?;
    }
    Ok(())
}

fn is_alias(node: NodeId, spans: &Spans) -> bool {
    spans.get(node).is_some_and(|node| matches!(node.kind, NodeKind::Alias(_)))
}
