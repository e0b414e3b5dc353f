//! Edits of a document's text that change nothing else: comments, order, quoting, indentation and line endings stay.
//!
//! Each edit is one cut and one insertion, made where the places of the document say. It counts only if the text that
//! comes of it reads as the value with the same edit: otherwise it is refused, and the text stays as it was.

mod insert;
mod remove;
mod render;
mod tree;

use sqledge_ha_policy::finding::{Edit, apply};

use self::tree::Tree;
use super::document::{Document, read_chunk};

/// Why a text is not edited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no single document to edit.
    #[error("the text is not one document")]
    NotOneDocument,
    /// What would be edited is defined elsewhere, for others as well: at this byte of the text.
    #[error("it comes through an alias or a merge key; edit it by hand where it is defined")]
    Shared(usize),
    /// Others use what would be edited.
    #[error("other parts of the document use it through an alias or a merge key; edit it by hand, for all of them")]
    Used,
    /// The text is JSON, in which no other document can follow.
    #[error("a file of JSON holds one object, and this takes another; add both by hand")]
    OneObject,
    /// An object that would be added is there already, or is what another fix adds.
    #[error("there is a claim of that name already; decide by hand which one it is to be")]
    Taken,
    /// It is written in a way that no edit is known for.
    #[error("it is written in a way that only a person can edit")]
    Style,
    /// The text would not read as it should.
    #[error("the edited text would not mean what it should; edit it by hand")]
    Meaning,
}

/// One cut of a text, and what is put in its place.
#[derive(Debug)]
struct Splice {
    start: usize,
    end: usize,
    text: String,
}

impl Splice {
    /// Puts `text` in at a byte.
    fn at(byte: usize, text: String) -> Self {
        Splice { start: byte, end: byte, text }
    }
}

/// The text of one document (a range that [`chunks`](super::chunks) gives) with `edits` made in it, in order.
///
/// # Errors
/// [`Refusal`] if any of them cannot be made without changing more.
///
/// ```
/// use sqledge_ha_policy::finding::Edit;
/// let text = "spec:\n  replicas: 1 # one\n";
/// let edit = Edit::Set { pointer: "/spec/strategy/type".into(), value: "Recreate".into() };
/// let edited = sqledge_ha::manifest::edit(text, &[edit]).unwrap();
/// assert_eq!(edited, "spec:\n  replicas: 1 # one\n  strategy:\n    type: Recreate\n");
/// ```
pub fn edit(chunk: &str, edits: &[Edit]) -> Result<String, Refusal> {
    let mut text = chunk.to_owned();
    for edit in edits {
        text = edit_once(&text, edit)?;
    }
    Ok(text)
}

fn edit_once(chunk: &str, edit: &Edit) -> Result<String, Refusal> {
    let document = only(chunk)?;
    let mut wanted = document.value.clone();
    apply(&mut wanted, std::slice::from_ref(edit)).map_err(|_| Refusal::Style)?;
    if wanted == document.value {
        return Ok(chunk.to_owned());
    }
    let tree = Tree::new(chunk, document.spans());
    let splice = match edit {
        Edit::Set { pointer, value } => insert::set(&tree, pointer, value)?,
        Edit::Remove { pointer } => remove::remove(&tree, pointer)?,
    };
    let edited = [chunk.get(..splice.start), Some(&splice.text), chunk.get(splice.end..)];
    let edited = edited.into_iter().collect::<Option<Vec<&str>>>().ok_or(Refusal::Style)?.concat();
    if ends_above_a_tab(&edited, splice.start + splice.text.len()) {
        return Err(Refusal::Style);
    }
    if only(&edited).is_ok_and(|document| document.value == wanted) {
        return Ok(edited);
    }
    Err(if tree.is_used_elsewhere(edit.pointer()) { Refusal::Used } else { Refusal::Meaning })
}

/// Whether a line of blanks with a tab follows on what ends at a byte: behind most things `kubectl` takes it for a mistake,
/// and behind a plain scalar for nothing. In JSON it is nothing everywhere.
fn ends_above_a_tab(text: &str, byte: usize) -> bool {
    let (before, after) = (text.get(..byte).unwrap_or_default(), text.get(byte..).unwrap_or_default());
    let next = after.trim_start();
    let blanks = after.strip_suffix(next).unwrap_or_default();
    // What is before the next word on its own line is its indentation.
    let lines = if next.is_empty() { blanks } else { blanks.rsplit_once('\n').map_or("", |(lines, _)| lines) };
    let is_within_line = !before.is_empty() && !before.ends_with('\n');
    let mut lines = lines.split('\n').skip(usize::from(is_within_line));
    !text.trim_start().starts_with('{') && lines.any(|line| line.contains('\t'))
}

fn only(chunk: &str) -> Result<Document, Refusal> {
    let mut documents = read_chunk(chunk, 0..chunk.len(), 0);
    match (documents.pop(), documents.is_empty()) {
        (Some(Ok(document)), true) => Ok(document),
        _ => Err(Refusal::NotOneDocument),
    }
}

/// An object as a YAML document of its own.
pub fn yaml(value: &serde_json::Value) -> String {
    let lines = render::nested(value, render::Style::USUAL).unwrap_or_else(|| vec![render::inline(value, false)]);
    lines.iter().map(|line| format!("{line}\n")).collect()
}
