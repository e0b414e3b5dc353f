//! Taking a key away.

use super::super::spans::{Id, Kind};
use super::tree::{Tree, Way};
use super::{Refusal, Splice};

/// Removes what a pointer leads to.
pub(super) fn remove(tree: &Tree<'_>, pointer: &str) -> Result<Splice, Refusal> {
    let Way { node, parent, rest } = tree.walk(pointer)?;
    let parent = parent.filter(|_| rest.is_empty()).ok_or(Refusal::Style)?;
    if tree.node(parent)?.kind != Kind::Mapping {
        return Err(Refusal::Style);
    }
    let siblings = tree.children(parent);
    let at = siblings.iter().position(|sibling| *sibling == node).ok_or(Refusal::Style)?;
    let (before, after) = siblings.split_at(at);
    let neighbours = (before.last().copied(), after.get(1).copied());
    if tree.is_flow(parent) {
        Ok(from_line(tree, node, neighbours))
    } else {
        from_block(tree, parent, node, neighbours)
    }
}

/// Removes an entry together with one of the commas around it. Comments beside that comma stay, and then it is the one
/// behind the entry that goes: in front of a bracket one too many does not matter.
fn from_line(tree: &Tree<'_>, node: Id, neighbours: (Option<Id>, Option<Id>)) -> Splice {
    let (start, end) = (tree.start(node), tree.end(node));
    let (start, end) = match neighbours {
        (_, Some(next)) if has_comments(tree, tree.line_end(end), tree.start(next)) => lines(tree, start, end),
        (_, Some(next)) => (start, tree.start(next)),
        (Some(previous), None) if has_comments(tree, tree.end(previous), start) => lines(tree, start, end),
        (Some(previous), None) => (tree.end(previous), end),
        (None, None) => (start, end),
    };
    Splice { start, end, text: String::new() }
}

/// The range, with the comma and the comment behind it; and with all of its lines, if nothing else stands in them.
fn lines(tree: &Tree<'_>, start: usize, end: usize) -> (usize, usize) {
    let (line, line_end) = (tree.line_start(start), tree.line_end(end));
    let behind = tree.text.get(end..line_end).unwrap_or_default().trim_start_matches([',', ' ', '\t']);
    if !behind.is_empty() && !behind.starts_with('#') {
        return (start, end);
    }
    let is_alone = tree.text.get(line..start).is_some_and(|before| before.trim().is_empty());
    let feed = tree.text.get(line_end..).and_then(|rest| rest.find('\n')).filter(|_| is_alone);
    feed.map_or((start, line_end), |feed| (line, line_end + feed + 1))
}

fn has_comments(tree: &Tree<'_>, start: usize, end: usize) -> bool {
    tree.text.get(start..end).is_some_and(|between| between.contains('#'))
}

fn from_block(tree: &Tree<'_>, parent: Id, node: Id, neighbours: (Option<Id>, Option<Id>)) -> Result<Splice, Refusal> {
    let (start, end) = (tree.start(node), tree.line_end(tree.end(node)));
    let line = tree.line_start(start);
    let is_alone = tree.text.get(line..start).is_some_and(|before| before.trim().is_empty());
    let splice = match neighbours {
        // Nothing would be left of the mapping but a null.
        (None, None) => {
            let key = tree.node(parent)?.key.ok_or(Refusal::Style)?.span;
            let colon = tree.colon(key.end as usize) + 1;
            let comments = tree.text.get(colon..line).filter(|_| is_alone).map(str::trim_end).unwrap_or_default();
            let comments = Some(comments).filter(|text| is_comments(text)).unwrap_or_default();
            Splice { start: colon, end, text: format!(" {{}}{comments}") }
        }
        _ if is_alone => {
            let feed = tree.text.get(end..).and_then(|rest| rest.find('\n'));
            match feed {
                Some(feed) => Splice { start: line, end: end + feed + 1, text: String::new() },
                // The last line, which does not end: the one before ends so instead.
                None => Splice { start: tree.line_end(line.saturating_sub(2)), end, text: String::new() },
            }
        }
        // Behind a dash; the next key takes its place, unless there are comments in front of it.
        (_, Some(next)) => {
            let dash = tree.text.get(..start).map_or(start, |before| before.trim_end_matches(' ').len());
            let has_comments = has_comments(tree, end, tree.start(next));
            let (start, end) = if has_comments { (dash, end) } else { (start, tree.start(next)) };
            Splice { start, end, text: String::new() }
        }
        (Some(_), None) => return Err(Refusal::Style),
    };
    Ok(splice)
}

/// Whether a text is nothing but comments and blanks.
fn is_comments(text: &str) -> bool {
    text.lines().map(str::trim_start).all(|line| line.is_empty() || line.starts_with('#'))
}
