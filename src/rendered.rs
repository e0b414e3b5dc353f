//! The files that the documents of a rendered manifest come from.
//!
//! Helm writes `# Source: CHART/templates/FILE` at the start of each document. With `buildMetadata: [originAnnotations]`, Kustomize
//! writes the annotation `config.kubernetes.io/origin`.
//! The caller reads the templates.

mod template;

use std::collections::HashMap;
use std::ops::Range;
use std::path::{Component, Path};

pub use self::template::Template;
use crate::escape::escape;
use crate::manifest::{document_spans, read, read_span};

/// The comment that Helm writes.
const SOURCE_COMMENT: &str = "# Source: ";
/// The annotation that Kustomize writes.
const ORIGIN_ANNOTATION: &str = "config.kubernetes.io/origin";

/// The origin of each document of a text.
#[derive(Clone, Debug)]
pub struct Rendered {
    origins: Vec<Origin>,
    /// The byte range of each document, and the index of its origin; `None` if the document is not rendered.
    documents: Vec<(Range<usize>, Option<usize>)>,
}

/// A file that documents come from.
#[derive(Clone, Debug)]
pub struct Origin {
    /// Its path or Helm's name for it; the chart or directory if it is unknown.
    pub file: String,
    /// Its text, if the file exists.
    pub template: Option<Template>,
}

impl Rendered {
    /// The origins of a text from standard input; `None` if it was not rendered by Helm. Templates are not read, because the
    /// chart's directory is unknown.
    pub fn from_stream(text: &str) -> Option<Self> {
        if !text.contains(SOURCE_COMMENT) {
            return None;
        }
        let origin = |path: &str| Origin { file: escape(path), template: None };
        let rendered = Rendered::new(text, |span| helm_source(text, span), origin);
        (!rendered.origins.is_empty()).then_some(rendered)
    }

    /// The origins of the output of `helm template`; `origin` finds the file that Helm's comment names, and `default` is the origin of
    /// documents without such a comment.
    pub fn from_helm(text: &str, origin: impl Fn(&str) -> Origin, default: Origin) -> Self {
        Rendered::new(text, |span| helm_source(text, span), origin).with_default(default)
    }

    /// The origins of the output of Kustomize; `file` returns the name of a file with this path relative to the kustomization, and
    /// `None` if it does not exist.
    pub fn from_kustomize(
        text: &str,
        file: impl Fn(&str) -> Option<String>,
        origin: impl Fn(&str) -> Origin,
        default: Origin,
    ) -> Self {
        Rendered::new(text, |span| file(&annotated_path(text, span)?), origin).with_default(default)
    }

    fn with_default(mut self, default: Origin) -> Self {
        let index = self.origins.len();
        self.origins.push(default);
        self.documents.iter_mut().for_each(|(_, origin)| *origin = origin.or(Some(index)));
        self
    }

    /// Creates one origin for each distinct `key` of the documents.
    fn new<K: AsRef<str> + Clone + Eq + std::hash::Hash>(
        text: &str,
        key: impl Fn(Range<usize>) -> Option<K>,
        origin: impl Fn(&str) -> Origin,
    ) -> Self {
        let mut rendered = Rendered { origins: Vec::new(), documents: Vec::new() };
        let mut known: HashMap<K, usize> = HashMap::new();
        for span in document_spans(text) {
            let index = key(span.clone()).map(|key| {
                *known.entry(key.clone()).or_insert_with(|| {
                    rendered.origins.push(origin(key.as_ref()));
                    rendered.origins.len() - 1
                })
            });
            rendered.documents.push((span, index));
        }
        rendered
    }

    /// The origin and the byte range of the document at a byte of the text; `None` if the document is not rendered.
    pub fn origin(&self, byte: usize) -> Option<(&Origin, Range<usize>)> {
        let after = self.documents.partition_point(|(document, _)| document.start <= byte);
        let (document, origin) = self.documents.get(after.checked_sub(1)?)?;
        Some((self.origins.get((*origin)?)?, document.clone()))
    }
}

/// The path in Helm's comment at the start of a document. Other comments can begin in the same way, so the path must look like one
/// in a chart.
fn helm_source(text: &str, span: Range<usize>) -> Option<&str> {
    let mut lines = text.get(span)?.lines().skip_while(|line| line.trim_end() == "---");
    let path = lines.next()?.strip_prefix(SOURCE_COMMENT)?.trim_end();
    let is_template = path.split('/').skip(1).any(|folder| matches!(folder, "templates" | "crds"));
    (is_template && path_in_chart(path).is_some()).then_some(path)
}

/// The path relative to the chart's directory: without the chart's name, and only if it stays inside the directory.
pub(crate) fn path_in_chart(source: &str) -> Option<&Path> {
    let (_, below) = source.split_once('/').filter(|(chart, _)| !chart.is_empty())?;
    let below = Path::new(below);
    below.components().all(|component| matches!(component, Component::Normal(_))).then_some(below)
}

/// The path in Kustomize's annotation, if it is a local file.
fn annotated_path(text: &str, span: Range<usize>) -> Option<String> {
    if !text.get(span.clone())?.contains(ORIGIN_ANNOTATION) {
        return None;
    }
    let document = read_span(text, span, 0).into_iter().next()?.ok()?;
    let annotation = document.value.get("metadata")?.get("annotations")?.get(ORIGIN_ANNOTATION)?.as_str()?;
    let origin = read(annotation).into_iter().next()?.ok()?.value;
    let path = origin.get("path")?.as_str().filter(|_| origin.get("repo").is_none())?;
    Some(path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(text: &str) -> Vec<Option<String>> {
        let Some(rendered) = Rendered::from_stream(text) else { return Vec::new() };
        let file = |(span, _): &(Range<usize>, Option<usize>)| {
            rendered.origin(span.start).map(|(origin, _)| origin.file.clone())
        };
        rendered.documents.iter().map(file).collect()
    }

    #[test]
    fn helm_comments_name_the_template() {
        let text =
            "---\n# Source: a/templates/b.yaml\nx: 1\n---\n# Source: a/charts/c/templates/d.yaml\ny: 1\n---\nz: 1\n";
        let expected = [Some("a/templates/b.yaml".to_owned()), Some("a/charts/c/templates/d.yaml".to_owned()), None];
        assert_eq!(files(text), expected);
    }

    #[test]
    fn other_comments_are_ignored() {
        for line in [
            "# Source: https://example.com/a/templates/b.yaml",
            "# Source: a/b.yaml",
            "# Source: /a/templates/b.yaml",
            "# Source: a/../../templates/b.yaml",
            "# Source: templates",
            "x: 1 # Source: a/templates/b.yaml",
        ] {
            assert_eq!(files(&format!("{line}\nx: 1\n")), [], "{line}");
        }
        assert_eq!(files("x: 1\n# Source: a/templates/b.yaml\ny: 1\n"), []);
    }
}
