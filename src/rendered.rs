//! The files that the documents of a rendered manifest come from.
//!
//! Helm writes `# Source: CHART/templates/FILE` at the start of each document. With
//! `buildMetadata: [originAnnotations]`, Kustomize writes the annotation `config.kubernetes.io/origin`. The caller
//! reads the templates.

mod template;

use std::collections::HashMap;
use std::ops::Range;
use std::path::{Component, Path};
use std::sync::Arc;

use serde_json::Value;

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
    /// The chart or kustomization; `None` for a text from standard input.
    by: Option<String>,
    origins: Vec<Origin>,
    /// The byte range of each document, and the index of its origin; `None` if the document is not rendered.
    documents: Vec<(Range<usize>, Option<usize>)>,
}

/// What a document comes from.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The file to name if a line of the document is in none of the sources.
    pub file: String,
    /// The files that its lines can come from, the last writer first.
    pub sources: Vec<SourceFile>,
}

/// A file that documents are rendered from.
#[derive(Clone, Debug)]
pub struct SourceFile {
    /// Its name in reports.
    pub name: String,
    /// Its text.
    pub template: Arc<Template>,
}

impl Origin {
    /// An origin of which only the name is known.
    pub fn named(file: String) -> Self {
        Origin { file, sources: Vec::new() }
    }
}

impl Rendered {
    /// The origins of a text from standard input; `None` if it was not rendered by Helm. Templates are not read,
    /// because the chart's directory is unknown.
    pub fn from_stream(text: &str) -> Option<Self> {
        if !text.contains(SOURCE_COMMENT) {
            return None;
        }
        let rendered = Rendered::by_comments(text, |path| Origin::named(escape(path)));
        (!rendered.origins.is_empty()).then_some(rendered)
    }

    /// The origins of what `helm template` printed for the chart `by`; `origin` finds the file that Helm's comment
    /// names, and `default` is the origin of documents without such a comment.
    pub fn from_helm(text: &str, by: String, origin: impl Fn(&str) -> Origin, default: Origin) -> Self {
        let mut rendered = Rendered { by: Some(by), ..Rendered::by_comments(text, origin) };
        let index = rendered.origins.len();
        rendered.origins.push(default);
        rendered.documents.iter_mut().for_each(|(_, origin)| *origin = origin.or(Some(index)));
        rendered
    }

    /// The origins of what Kustomize printed for the directory `by`; `origin` finds that of an object and of the path
    /// in its annotation, which is relative to the directory.
    pub fn from_kustomize(text: &str, by: String, origin: impl Fn(&Value, Option<&str>) -> Origin) -> Self {
        let mut rendered = Rendered { by: Some(by), origins: Vec::new(), documents: Vec::new() };
        for span in document_spans(text) {
            let document = read_span(text, span.clone(), 0).into_iter().flatten().next();
            let object = document.map(|document| document.value).unwrap_or_default();
            rendered.documents.push((span, Some(rendered.origins.len())));
            rendered.origins.push(origin(&object, annotated_path(&object).as_deref()));
        }
        rendered
    }

    /// Creates one origin for each path in Helm's comments.
    fn by_comments(text: &str, origin: impl Fn(&str) -> Origin) -> Self {
        let mut rendered = Rendered { by: None, origins: Vec::new(), documents: Vec::new() };
        let mut known: HashMap<&str, usize> = HashMap::new();
        for span in document_spans(text) {
            let index = helm_source(text, span.clone()).map(|path| {
                *known.entry(path).or_insert_with(|| {
                    rendered.origins.push(origin(path));
                    rendered.origins.len() - 1
                })
            });
            rendered.documents.push((span, index));
        }
        rendered
    }

    /// The chart or kustomization that a tool rendered in this run; `None` for a text from standard input.
    pub fn by(&self) -> Option<&str> {
        self.by.as_deref()
    }

    /// The origin and the byte range of the document at a byte of the text; `None` if the document is not rendered.
    pub fn origin(&self, byte: usize) -> Option<(&Origin, Range<usize>)> {
        let after = self.documents.partition_point(|(document, _)| document.start <= byte);
        let (document, origin) = self.documents.get(after.checked_sub(1)?)?;
        Some((self.origins.get((*origin)?)?, document.clone()))
    }
}

/// The path in Helm's comment at the start of a document. Other comments can begin in the same way, so the path must
/// look like one in a chart.
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
fn annotated_path(object: &Value) -> Option<String> {
    let annotation = object.get("metadata")?.get("annotations")?.get(ORIGIN_ANNOTATION)?.as_str()?;
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
