//! Putting a value where none is, or another.

use serde_json::{Map, Value};

use super::super::spans::{Id, Kind};
use super::render::{block_entry, block_item, entry, inline, nested, scalar};
use super::tree::{Tree, Way};
use super::{Refusal, Splice};

/// Puts `value` at a pointer.
pub(super) fn set(tree: &Tree<'_>, pointer: &str, value: &Value) -> Result<Splice, Refusal> {
    let Way { node, rest, .. } = tree.walk(pointer)?;
    let Some((key, rest)) = rest.split_first() else { return replace(tree, node, value) };
    let value = wrapped(rest, value);
    match tree.node(node)?.kind {
        Kind::Mapping => add_entry(tree, node, key, &value),
        Kind::Sequence if key == "-" => add_item(tree, node, &value),
        Kind::Scalar => fill(tree, node, key, value),
        Kind::Alias(target) => Err(Refusal::Shared(tree.start(target))),
        Kind::Sequence => Err(Refusal::Style),
    }
}

/// The value that stands below keys which do not exist yet.
fn wrapped(keys: &[String], value: &Value) -> Value {
    keys.iter().rev().fold(value.clone(), |value, key| collection(key, value))
}

fn collection(key: &str, value: Value) -> Value {
    if key == "-" { Value::Array(vec![value]) } else { Value::Object(Map::from_iter([(key.to_owned(), value)])) }
}

/// Puts a value in the place of another.
fn replace(tree: &Tree<'_>, id: Id, value: &Value) -> Result<Splice, Refusal> {
    let node = *tree.node(id)?;
    let (start, end) = (node.span.start as usize, node.span.end as usize);
    match node.kind {
        Kind::Alias(target) => Err(Refusal::Shared(tree.start(target))),
        Kind::Scalar if start == end => below_key(tree, id, value),
        Kind::Scalar if value.is_object() || value.is_array() => {
            Ok(Splice { start, end, text: inline(value, tree.is_json(id)) })
        }
        Kind::Scalar => {
            let text = match (tree.text.as_bytes().get(start), value) {
                // A string stays in the quotes that it had.
                (Some(b'"'), Value::String(_)) => value.to_string(),
                (Some(b'\''), Value::String(text)) => format!("'{}'", text.replace('\'', "''")),
                _ if tree.is_json(0) => value.to_string(),
                _ => scalar(value),
            };
            Ok(Splice { start, end, text })
        }
        _ if tree.is_flow(id) => Ok(Splice { start, end, text: inline(value, tree.is_json(id)) }),
        _ => Err(Refusal::Style),
    }
}

/// Puts a value behind a key that has none.
fn below_key(tree: &Tree<'_>, id: Id, value: &Value) -> Result<Splice, Refusal> {
    let key = tree.node(id)?.key.ok_or(Refusal::Style)?.span;
    let colon = tree.colon(key.end as usize) + 1;
    let style = tree.style();
    let Some(lines) = nested(value, style) else {
        return Ok(Splice::at(colon, format!(" {}", inline(value, false))));
    };
    let indent = tree.column(key.start as usize) + style.of(value);
    Ok(Splice::at(tree.line_end(colon), on_new_lines(tree, indent, &lines)))
}

/// Makes a collection with one entry of a null.
fn fill(tree: &Tree<'_>, id: Id, key: &str, value: Value) -> Result<Splice, Refusal> {
    let node = *tree.node(id)?;
    let value = collection(key, value);
    let text = tree.text.get(node.span.start as usize..node.span.end as usize).unwrap_or_default();
    match text {
        "" => below_key(tree, id, &value),
        "null" | "~" => replace(tree, id, &value),
        _ => Err(Refusal::Style),
    }
}

fn add_entry(tree: &Tree<'_>, id: Id, key: &str, value: &Value) -> Result<Splice, Refusal> {
    let children = tree.children(id);
    if tree.is_flow(id) {
        let json = tree.is_json(id);
        return add_inline(tree, id, &children, entry(key, value, json));
    }
    // All that it holds is merged into it.
    let first = *children.first().ok_or(Refusal::Shared(tree.start(id)))?;
    let indent = tree.column(tree.start(first));
    append(tree, &children, indent, &block_entry(key, value, tree.style()))
}

fn add_item(tree: &Tree<'_>, id: Id, value: &Value) -> Result<Splice, Refusal> {
    let children = tree.children(id);
    if tree.is_flow(id) {
        return add_inline(tree, id, &children, inline(value, tree.is_json(id)));
    }
    let dash = tree.dash(id).ok_or(Refusal::Style)?;
    append(tree, &children, tree.column(dash), &block_item(value, tree.style()))
}

/// Puts lines behind the last of a block collection's children.
fn append(tree: &Tree<'_>, children: &[Id], indent: usize, lines: &[String]) -> Result<Splice, Refusal> {
    let end = children.iter().map(|child| tree.end(*child)).max().ok_or(Refusal::Style)?;
    Ok(Splice::at(tree.line_end(end), on_new_lines(tree, indent, lines)))
}

fn on_new_lines(tree: &Tree<'_>, indent: usize, lines: &[String]) -> String {
    lines.iter().map(|line| format!("{}{:indent$}{line}", tree.line_ending(), "")).collect()
}

/// Puts text behind the last of a flow collection's children, separated as they are.
fn add_inline(tree: &Tree<'_>, id: Id, children: &[Id], text: String) -> Result<Splice, Refusal> {
    let open = tree.node(id)?.span.start as usize;
    let Some(last) = children.last() else {
        return Ok(Splice::at(open + 1, text));
    };
    let start = tree.start(*last);
    let line = tree.line_start(start);
    // Tabs or spaces: what stands in front of the last child stands in front of this one.
    let indentation = tree.text.get(line..start).filter(|before| line > open && before.trim().is_empty());
    let separator = match indentation {
        Some(indentation) => format!(",{}{indentation}", tree.line_ending()),
        None => ", ".to_owned(),
    };
    Ok(Splice::at(tree.end(*last), separator + &text))
}
