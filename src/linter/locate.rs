//! Where findings are in the texts.

use serde_json::Value;
use sqledge_ha_policy::finding::{Finding, Fix, Related};
use sqledge_ha_policy::json::edit::Edit;

use super::list_items::ListItem;
use super::{LocatedFinding, ObjectFinding, ObjectId, RelatedLocation};
use crate::manifest::Document;

/// Where an object is.
pub(super) struct ObjectLocation<'d> {
    /// Index in [`LintResult::files`](super::LintResult::files).
    pub(super) file: usize,
    pub(super) document: &'d Document,
    pub(super) item: ListItem<'d>,
}

impl ObjectLocation<'_> {
    /// The object.
    pub(super) fn object(&self) -> &Value {
        self.item.value
    }

    /// Adds the locations to findings on the object. `text` is that of the file.
    pub(super) fn locate(&self, findings: Vec<ObjectFinding>, text: &str) -> Vec<LocatedFinding> {
        if findings.is_empty() {
            return Vec::new();
        }
        let document = self.document.with_spans(text);
        let located = |ObjectFinding { object, finding }| {
            let finding = self.in_document(finding);
            LocatedFinding {
                file: self.file,
                document: document.index,
                document_span: document.span(),
                span: document.locate(&finding.pointer),
                object,
                finding,
                related: Vec::new(),
                expired_ignore: None,
            }
        };
        findings.into_iter().map(located).collect()
    }

    /// The finding with pointers from the document's root.
    fn in_document(&self, mut finding: Finding) -> Finding {
        let prefix = self.item.prefix.as_str();
        if !prefix.is_empty() {
            finding.pointer.insert_str(0, prefix);
            finding.fix.iter_mut().for_each(|fix| move_below(fix, prefix));
        }
        finding
    }

    /// The location of a related part of the object. `text` is that of the file.
    pub(super) fn related(&self, related: &Related, text: &str) -> RelatedLocation {
        let pointer = format!("{}{}", self.item.prefix, related.pointer);
        RelatedLocation {
            file: self.file,
            document: self.document.index,
            span: self.document.with_spans(text).locate(&pointer),
            object: ObjectId::from(related.object.clone()),
            pointer,
            message: related.label.to_string(),
        }
    }
}

/// Adds a prefix to the pointers of a fix.
fn move_below(fix: &mut Fix, prefix: &str) {
    for Edit::Set { pointer, .. } | Edit::Remove { pointer } in &mut fix.edits {
        pointer.insert_str(0, prefix);
    }
    fix.on_free_claim.iter_mut().for_each(|fix| move_below(fix, prefix));
}
