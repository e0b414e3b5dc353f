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

/// Removes an entry together with one of the commas around it.
fn from_line(tree: &Tree<'_>, node: Id, neighbours: (Option<Id>, Option<Id>)) -> Splice {
    let (start, end) = match neighbours {
        (_, Some(next)) => (tree.start(node), tree.start(next)),
        (Some(previous), None) => (tree.end(previous), tree.end(node)),
        (None, None) => (tree.start(node), tree.end(node)),
    };
    Splice { start, end, text: String::new() }
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
        // Behind a dash; the next key takes its place.
        (_, Some(next)) => Splice { start, end: tree.start(next), text: String::new() },
        (Some(_), None) => return Err(Refusal::Style),
    };
    Ok(splice)
}

/// Whether a text is nothing but comments and blanks.
fn is_comments(text: &str) -> bool {
    text.lines().map(str::trim_start).all(|line| line.is_empty() || line.starts_with('#'))
}
