//! Sets values: inserts new ones and replaces old ones.

use serde_json::{Map, Value};

use super::super::spans::{NodeId, NodeKind};
use super::document_tree::{DocumentTree, PathMatch};
use super::render::{Syntax, block_entry, block_item, entry, inline, nested};
use super::{EditError, TextEdit};

/// Sets the value at a pointer.
pub(super) fn set(tree: &DocumentTree<'_>, pointer: &str, value: &Value) -> Result<TextEdit, EditError> {
    let PathMatch { node, rest, .. } = tree.resolve(pointer)?;
    let Some((key, rest)) = rest.split_first() else { return replace(tree, node, value) };
    let value = wrapped(rest, value);
    match tree.node(node)?.kind {
        NodeKind::Mapping => add_entry(tree, node, key, &value),
        NodeKind::Sequence if key == "-" => add_item(tree, node, &value),
        NodeKind::Scalar => fill(tree, node, key, value),
        NodeKind::Alias(target) => Err(EditError::Aliased(tree.start(target))),
        NodeKind::Sequence => Err(EditError::UnsupportedLayout),
    }
}

/// Wraps the value in collections for the keys that do not exist yet.
fn wrapped(keys: &[String], value: &Value) -> Value {
    keys.iter().rev().fold(value.clone(), |value, key| collection(key, value))
}

fn collection(key: &str, value: Value) -> Value {
    if key == "-" { Value::Array(vec![value]) } else { Value::Object(Map::from_iter([(key.to_owned(), value)])) }
}

/// Replaces a value.
fn replace(tree: &DocumentTree<'_>, id: NodeId, value: &Value) -> Result<TextEdit, EditError> {
    let node = *tree.node(id)?;
    let (start, end) = (node.span.start as usize, node.span.end as usize);
    match node.kind {
        NodeKind::Alias(target) => Err(EditError::Aliased(tree.start(target))),
        NodeKind::Scalar if start == end => below_key(tree, id, value),
        NodeKind::Scalar if value.is_object() || value.is_array() => {
            Ok(TextEdit { start, end, text: inline(value, tree.syntax(id)) })
        }
        NodeKind::Scalar => {
            let text = match (tree.text.as_bytes().get(start), value) {
                // A string keeps its quotes.
                (Some(b'"'), Value::String(_)) => value.to_string(),
                (Some(b'\''), Value::String(text)) => format!("'{}'", text.replace('\'', "''")),
                _ => inline(value, tree.syntax(0)),
            };
            Ok(TextEdit { start, end, text })
        }
        _ if tree.is_flow(id) => Ok(TextEdit { start, end, text: inline(value, tree.syntax(id)) }),
        _ => Err(EditError::UnsupportedLayout),
    }
}

/// Inserts the value of a key that has none.
fn below_key(tree: &DocumentTree<'_>, id: NodeId, value: &Value) -> Result<TextEdit, EditError> {
    let key = tree.node(id)?.key.ok_or(EditError::UnsupportedLayout)?.span;
    let colon = tree.colon(key.end as usize) + 1;
    let style = tree.style();
    let Some(lines) = nested(value, style) else {
        return Ok(TextEdit::insert(colon, format!(" {}", inline(value, Syntax::Yaml))));
    };
    let indent = tree.column(key.start as usize) + style.below_key(value);
    Ok(TextEdit::insert(tree.line_end(colon), on_new_lines(tree, indent, &lines)))
}

/// Replaces null with a collection of one entry.
fn fill(tree: &DocumentTree<'_>, id: NodeId, key: &str, value: Value) -> Result<TextEdit, EditError> {
    let node = *tree.node(id)?;
    let value = collection(key, value);
    let text = tree.text.get(node.span.start as usize..node.span.end as usize).unwrap_or_default();
    match text {
        "" => below_key(tree, id, &value),
        "null" | "~" => replace(tree, id, &value),
        _ => Err(EditError::UnsupportedLayout),
    }
}

fn add_entry(tree: &DocumentTree<'_>, id: NodeId, key: &str, value: &Value) -> Result<TextEdit, EditError> {
    let children = tree.children(id);
    if tree.is_flow(id) {
        return add_inline(tree, id, &children, entry(key, value, tree.syntax(id)));
    }
    // Without own children, all entries are merged.
    let first = *children.first().ok_or(EditError::Aliased(tree.start(id)))?;
    let indent = tree.column(tree.start(first));
    append(tree, &children, indent, &block_entry(key, value, tree.style()))
}

fn add_item(tree: &DocumentTree<'_>, id: NodeId, value: &Value) -> Result<TextEdit, EditError> {
    let children = tree.children(id);
    if tree.is_flow(id) {
        return add_inline(tree, id, &children, inline(value, tree.syntax(id)));
    }
    let dash = tree.dash(id).ok_or(EditError::UnsupportedLayout)?;
    append(tree, &children, tree.column(dash), &block_item(value, tree.style()))
}

/// Inserts lines after the last child of a block collection.
fn append(
    tree: &DocumentTree<'_>,
    children: &[NodeId],
    indent: usize,
    lines: &[String],
) -> Result<TextEdit, EditError> {
    let end = children.iter().map(|child| tree.end(*child)).max().ok_or(EditError::UnsupportedLayout)?;
    Ok(TextEdit::insert(after_comments(tree, tree.line_end(end), indent), on_new_lines(tree, indent, lines)))
}

/// The end of the comments after the line that ends at `byte` that are deeper than `indent`: uncommented, they belong
/// to the last child.
fn after_comments(tree: &DocumentTree<'_>, byte: usize, indent: usize) -> usize {
    let (mut end, mut next) = (byte, byte);
    while let Some(feed) = tree.text.get(next..).and_then(|rest| rest.find('\n')) {
        let start = next + feed + 1;
        next = tree.line_end(start);
        let line = tree.text.get(start..next).unwrap_or_default();
        match commented_column(line) {
            Some(column) if column > indent => end = next,
            None if line.trim().is_empty() && next < tree.text.len() => {}
            _ => break,
        }
    }
    end
}

/// The column of the text in a comment line once it is uncommented: `#` and one space are removed.
fn commented_column(line: &str) -> Option<usize> {
    let (indentation, comment) = line.split_once('#').filter(|(before, _)| before.trim().is_empty())?;
    let text = comment.trim_start_matches([' ', '#']);
    Some(indentation.len() + (comment.len() - text.len()).saturating_sub(1))
}

fn on_new_lines(tree: &DocumentTree<'_>, indent: usize, lines: &[String]) -> String {
    lines.iter().map(|line| format!("{}{:indent$}{line}", tree.line_ending(), "")).collect()
}

/// Inserts text after the last child of a flow collection, with the same separator.
fn add_inline(tree: &DocumentTree<'_>, id: NodeId, children: &[NodeId], text: String) -> Result<TextEdit, EditError> {
    let open = tree.node(id)?.span.start as usize;
    let Some(last) = children.last() else {
        return Ok(TextEdit::insert(open + 1, text));
    };
    let start = tree.start(*last);
    let line = tree.line_start(start);
    // Use the indentation of the last child, tabs or spaces.
    let indentation = tree.text.get(line..start).filter(|before| line > open && before.trim().is_empty());
    let separator = match indentation {
        Some(indentation) => format!(",{}{indentation}", tree.line_ending()),
        None => ", ".to_owned(),
    };
    Ok(TextEdit::insert(tree.end(*last), separator + &text))
}
