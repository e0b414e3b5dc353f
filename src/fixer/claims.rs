//! The claims in the files, so that no fix adds another one with the same name.

use std::collections::HashSet;

use serde_json::Value;

use crate::linter::LintedFile;
use crate::linter::list_items::objects_in;
use crate::manifest::{document_spans, read_span};

const KIND: &str = "PersistentVolumeClaim";

/// Claims by namespace and name.
#[derive(Debug, Default)]
pub(super) struct Claims(HashSet<[String; 2]>);

impl Claims {
    /// The claims in `files`.
    pub(super) fn in_files(files: &[LintedFile]) -> Self {
        let mut claims = Claims::default();
        files.iter().for_each(|file| claims.add_all(&file.text));
        claims
    }

    fn add_all(&mut self, text: &str) {
        let spans =
            document_spans(text).filter(|span| text.get(span.clone()).is_some_and(|document| document.contains(KIND)));
        for document in spans.flat_map(|span| read_span(text, span, 0)).flatten() {
            objects_in(&document.value).into_iter().for_each(|object| self.add(object.value));
        }
    }

    /// Adds an object, if it is a claim.
    pub(super) fn add(&mut self, object: &Value) {
        if object.get("kind").and_then(Value::as_str) == Some(KIND) {
            self.0.insert(name(object));
        }
    }

    /// Whether there is a claim with the name and namespace of an object.
    pub(super) fn contains(&self, object: &Value) -> bool {
        self.0.contains(&name(object))
    }
}

fn name(object: &Value) -> [String; 2] {
    ["/metadata/namespace", "/metadata/name"]
        .map(|pointer| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned())
}
