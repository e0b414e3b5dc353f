//! Edits a document's text and keeps the rest of it: comments, order, quoting, indentation and line endings.
//!
//! Each edit replaces one range, located by the document's spans. The new text is read again: if its value is not the
//! old value with the same edit, the edit is an error and the text stays unchanged.

mod document_tree;
mod insert;
mod remove;
mod render;

use sqledge_ha_policy::json::edit::{Edit, apply};

use self::document_tree::DocumentTree;
use super::document::{Document, read_span};

/// Why an edit failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// The text is not exactly one document.
    #[error("the text is not one document")]
    NotOneDocument,
    /// The value comes from an alias or a merge key and is defined at this byte of the text.
    #[error("the value comes from a YAML alias or merge key; change it there")]
    Aliased(usize),
    /// Other parts of the document refer to the value.
    #[error("a YAML alias or merge key uses this value elsewhere; change it by hand")]
    UsedByAlias,
    /// The fix adds an object, but the text is one JSON object.
    #[error(
        "the fix adds a claim, but this JSON file holds one object; put it into a `List`, or add the claim by hand"
    )]
    JsonFile,
    /// The fix adds a claim to a Template, named after a workload whose name has a parameter.
    #[error("the name of this workload has a parameter; add a claim with this parameter in its name by hand")]
    ParameterInName,
    /// Several claims that nothing mounts can be meant.
    #[error("nothing mounts several claims of this namespace; mount the right one by hand")]
    SeveralClaims,
    /// The editor cannot edit this YAML layout.
    #[error("this YAML layout is not supported; edit it by hand")]
    UnsupportedLayout,
    /// The value of the edited text would be wrong.
    #[error("the edit would change other values, too; edit it by hand")]
    WrongResult,
}

/// A replacement of a byte range.
#[derive(Debug)]
struct TextEdit {
    start: usize,
    end: usize,
    text: String,
}

impl TextEdit {
    /// Inserts `text` at a byte.
    fn insert(byte: usize, text: String) -> Self {
        TextEdit { start: byte, end: byte, text }
    }
}

/// Applies `edits` in order to the text of one document, and returns the new text. `document` is the text of one range
/// of [`document_spans`](super::document_spans).
///
/// # Errors
/// [`EditError`] if one of the edits cannot be made without other changes.
///
/// ```
/// use sqledge_ha_policy::json::edit::Edit;
/// let text = "spec:\n  replicas: 1 # one\n";
/// let edit = Edit::Set { pointer: "/spec/strategy/type".into(), value: "Recreate".into() };
/// let edited = sqledge_ha::manifest::edit(text, &[edit]).unwrap();
/// assert_eq!(edited, "spec:\n  replicas: 1 # one\n  strategy:\n    type: Recreate\n");
/// ```
pub fn edit(document: &str, edits: &[Edit]) -> Result<String, EditError> {
    let mut text = document.to_owned();
    for edit in edits {
        text = edit_once(&text, edit)?;
    }
    Ok(text)
}

fn edit_once(document: &str, edit: &Edit) -> Result<String, EditError> {
    let before = single_document(document)?;
    let mut wanted = before.value.clone();
    apply(&mut wanted, std::slice::from_ref(edit)).map_err(|_| EditError::UnsupportedLayout)?;
    if wanted == before.value {
        return Ok(document.to_owned());
    }
    let tree = DocumentTree::new(document, before.spans());
    let text_edit = match edit {
        Edit::Set { pointer, value } => insert::set(&tree, pointer, value)?,
        Edit::Remove { pointer } => remove::remove(&tree, pointer)?,
    };
    let edited = [document.get(..text_edit.start), Some(&text_edit.text), document.get(text_edit.end..)];
    let edited = edited.into_iter().collect::<Option<Vec<&str>>>().ok_or(EditError::UnsupportedLayout)?.concat();
    if precedes_line_with_tab(&edited, text_edit.start + text_edit.text.len()) {
        return Err(EditError::UnsupportedLayout);
    }
    if single_document(&edited).is_ok_and(|document| document.value == wanted) {
        return Ok(edited);
    }
    Err(if tree.is_used_elsewhere(edit.pointer()) { EditError::UsedByAlias } else { EditError::WrongResult })
}

/// Whether a blank line with a tab follows the edit, which ends at `byte`. `kubectl` rejects such a line after most
/// values, but not after a plain scalar and not in JSON.
fn precedes_line_with_tab(text: &str, byte: usize) -> bool {
    let (before, after) = (text.get(..byte).unwrap_or_default(), text.get(byte..).unwrap_or_default());
    let next = after.trim_start();
    let blanks = after.strip_suffix(next).unwrap_or_default();
    // The blanks on the line of the next word are its indentation.
    let lines = if next.is_empty() { blanks } else { blanks.rsplit_once('\n').map_or("", |(lines, _)| lines) };
    let is_within_line = !before.is_empty() && !before.ends_with('\n');
    let mut lines = lines.split('\n').skip(usize::from(is_within_line));
    !text.trim_start().starts_with('{') && lines.any(|line| line.contains('\t'))
}

fn single_document(document: &str) -> Result<Document, EditError> {
    let mut documents = read_span(document, 0..document.len(), 0);
    match (documents.pop(), documents.is_empty()) {
        (Some(Ok(document)), true) => Ok(document),
        _ => Err(EditError::NotOneDocument),
    }
}

/// Formats a value as a YAML document.
pub fn yaml(value: &serde_json::Value) -> String {
    let lines = render::nested(value, render::Indentation::DEFAULT)
        .unwrap_or_else(|| vec![render::inline(value, render::Syntax::Yaml)]);
    lines.iter().map(|line| format!("{line}\n")).collect()
}
