//! Removes keys, and items of lists.

use super::super::spans::{NodeId, NodeKind};
use super::document_tree::{DocumentTree, PathMatch};
use super::{EditError, TextEdit};

/// Removes the value at a pointer, with its key or dash.
pub(super) fn remove(tree: &DocumentTree<'_>, pointer: &str) -> Result<TextEdit, EditError> {
    let PathMatch { node, parent, rest } = tree.resolve(pointer)?;
    let parent = parent.filter(|_| rest.is_empty()).ok_or(EditError::UnsupportedLayout)?;
    let siblings = tree.children(parent);
    let at = siblings.iter().position(|sibling| *sibling == node).ok_or(EditError::UnsupportedLayout)?;
    let (before, after) = siblings.split_at(at);
    let neighbours = (before.last().copied(), after.get(1).copied());
    match tree.node(parent)?.kind {
        _ if tree.is_flow(parent) => Ok(from_flow(tree, node, neighbours)),
        NodeKind::Mapping => from_block(tree, parent, node, neighbours),
        NodeKind::Sequence => item(tree, node, neighbours),
        NodeKind::Scalar | NodeKind::Alias(_) => Err(EditError::UnsupportedLayout),
    }
}

/// Removes an item that is not the only one, and has its lines for itself.
fn item(
    tree: &DocumentTree<'_>,
    node: NodeId,
    neighbours: (Option<NodeId>, Option<NodeId>),
) -> Result<TextEdit, EditError> {
    let (start, end) = (tree.start(node), tree.line_end(tree.end(node)));
    let line = tree.line_start(start);
    let is_alone = tree.text.get(line..start).is_some_and(|before| before.trim() == "-");
    if !is_alone || neighbours == (None, None) {
        return Err(EditError::UnsupportedLayout);
    }
    Ok(whole_lines(tree, line, end))
}

/// Removes the lines from `line` to the one that ends at `end`.
fn whole_lines(tree: &DocumentTree<'_>, line: usize, end: usize) -> TextEdit {
    match tree.text.get(end..).and_then(|rest| rest.find('\n')) {
        Some(feed) => TextEdit { start: line, end: end + feed + 1, text: String::new() },
        // The last line has no line ending: remove that of the line before.
        None => TextEdit { start: tree.line_end(line.saturating_sub(2)), end, text: String::new() },
    }
}

/// Removes an entry with one adjacent comma. Comments next to that comma stay; in that case the comma after the entry
/// is removed, because YAML allows a trailing comma before a bracket.
fn from_flow(tree: &DocumentTree<'_>, node: NodeId, neighbours: (Option<NodeId>, Option<NodeId>)) -> TextEdit {
    let (start, end) = (tree.start(node), tree.end(node));
    let (start, end) = match neighbours {
        (_, Some(next)) if has_comments(tree, tree.line_end(end), tree.start(next)) => lines(tree, start, end),
        (_, Some(next)) => (start, tree.start(next)),
        (Some(previous), None) if has_comments(tree, tree.end(previous), start) => lines(tree, start, end),
        (Some(previous), None) => (tree.end(previous), end),
        (None, None) => (start, end),
    };
    TextEdit { start, end, text: String::new() }
}

/// Extends a range by the comma and the comment after it, and to whole lines if they contain nothing else.
fn lines(tree: &DocumentTree<'_>, start: usize, end: usize) -> (usize, usize) {
    let (line, line_end) = (tree.line_start(start), tree.line_end(end));
    let behind = tree.text.get(end..line_end).unwrap_or_default().trim_start_matches([',', ' ', '\t']);
    if !behind.is_empty() && !behind.starts_with('#') {
        return (start, end);
    }
    let is_alone = tree.text.get(line..start).is_some_and(|before| before.trim().is_empty());
    let feed = tree.text.get(line_end..).and_then(|rest| rest.find('\n')).filter(|_| is_alone);
    feed.map_or((start, line_end), |feed| (line, line_end + feed + 1))
}

fn has_comments(tree: &DocumentTree<'_>, start: usize, end: usize) -> bool {
    tree.text.get(start..end).is_some_and(|between| between.contains('#'))
}

fn from_block(
    tree: &DocumentTree<'_>,
    parent: NodeId,
    node: NodeId,
    neighbours: (Option<NodeId>, Option<NodeId>),
) -> Result<TextEdit, EditError> {
    let (start, end) = (tree.start(node), tree.line_end(tree.end(node)));
    let line = tree.line_start(start);
    let is_alone = tree.text.get(line..start).is_some_and(|before| before.trim().is_empty());
    let text_edit = match neighbours {
        // The only entry: leave an empty mapping instead of null.
        (None, None) => {
            let key = tree.node(parent)?.key.ok_or(EditError::UnsupportedLayout)?.span;
            let colon = tree.colon(key.end as usize) + 1;
            let comments = tree.text.get(colon..line).filter(|_| is_alone).map(str::trim_end).unwrap_or_default();
            let comments = Some(comments).filter(|text| is_comments(text)).unwrap_or_default();
            TextEdit { start: colon, end, text: format!(" {{}}{comments}") }
        }
        _ if is_alone => whole_lines(tree, line, end),
        // After a dash: the next key takes its place, unless comments are in between.
        (_, Some(next)) => {
            let dash = tree.text.get(..start).map_or(start, |before| before.trim_end_matches(' ').len());
            let has_comments = has_comments(tree, end, tree.start(next));
            let (start, end) = if has_comments { (dash, end) } else { (start, tree.start(next)) };
            TextEdit { start, end, text: String::new() }
        }
        (Some(_), None) => return Err(EditError::UnsupportedLayout),
    };
    Ok(text_edit)
}

/// Whether a text contains only comments and blanks.
fn is_comments(text: &str) -> bool {
    text.lines().map(str::trim_start).all(|line| line.is_empty() || line.starts_with('#'))
}
