//! The claims that there are, so that none is added under a name that is taken.

use std::collections::HashSet;
use std::path::Path;

use serde_json::Value;

use crate::linter::Manifest;
use crate::linter::parts::parts;
use crate::manifest::{document_spans, read_span};

/// The kind of what is collected.
const KIND: &str = "PersistentVolumeClaim";

/// Claims by namespace and name.
#[derive(Debug, Default)]
pub(super) struct Claims(HashSet<[String; 2]>);

impl Claims {
    /// Those in the files of manifests, also in such as nothing was found in.
    pub(super) fn of(manifests: &[Manifest]) -> Self {
        let mut claims = Claims::default();
        for manifest in manifests {
            // What came out of a pipe comes only once.
            let file = || manifest.source.as_ref().filter(|source| source.path().is_some_and(Path::is_file));
            let again = || file()?.read().ok();
            let text = if manifest.text.is_empty() { again() } else { None };
            claims.collect(text.as_deref().unwrap_or(&manifest.text));
        }
        claims
    }

    fn collect(&mut self, text: &str) {
        let named =
            document_spans(text).filter(|chunk| text.get(chunk.clone()).is_some_and(|chunk| chunk.contains(KIND)));
        for document in named.flat_map(|chunk| read_span(text, chunk, 0)).flatten() {
            parts(&document.value).into_iter().for_each(|part| self.add(part.value));
        }
    }

    /// Notes an object, if it is a claim.
    pub(super) fn add(&mut self, object: &Value) {
        if object.get("kind").and_then(Value::as_str) == Some(KIND) {
            self.0.insert(identity(object));
        }
    }

    /// Whether there is a claim with an object's name.
    pub(super) fn has(&self, object: &Value) -> bool {
        self.0.contains(&identity(object))
    }
}

fn identity(object: &Value) -> [String; 2] {
    ["/metadata/namespace", "/metadata/name"]
        .map(|pointer| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned())
}
