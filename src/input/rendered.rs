//! Where the documents of a rendered text come from.
//!
//! Helm writes `# Source: CHART/templates/FILE` at the head of each document. Kustomize writes the annotation
//! `config.kubernetes.io/origin` if `buildMetadata: [originAnnotations]` asks for it, and nothing otherwise.

use std::collections::HashMap;
use std::ops::Range;
use std::path::{Component, Path, PathBuf};

use super::{Printed, Renderer, Template, name};
use crate::exit::plain;
use crate::manifest::{chunks, read, read_chunk};

/// What Helm writes at the head of each document.
const SOURCE: &str = "# Source: ";
/// The annotation that Kustomize writes.
const ORIGIN: &str = "config.kubernetes.io/origin";

/// Which file each document of a text comes from.
#[derive(Debug)]
pub struct Rendered {
    origins: Vec<Origin>,
    /// The documents' bytes, and which of the origins is theirs. One without is not rendered.
    documents: Vec<(Range<usize>, Option<usize>)>,
}

/// A file that documents come from.
#[derive(Debug)]
pub struct Origin {
    /// Its path, or what Helm calls it; a chart or folder where it is not known.
    pub file: String,
    /// Its text, if it is at hand.
    pub template: Option<Template>,
}

impl Rendered {
    /// The origins of a text on standard input; `None` if nothing in it says that it is rendered. No file is looked for:
    /// nobody knows in which folder the chart is.
    pub(super) fn handed_over(text: &str) -> Option<Self> {
        if !text.contains(SOURCE) {
            return None;
        }
        let as_it_is = |path: &str| Origin { file: plain(path), template: None };
        let rendered = Rendered::by(text, |chunk| source(text, chunk), as_it_is);
        (!rendered.origins.is_empty()).then_some(rendered)
    }

    /// The origins of what a tool printed.
    pub(super) fn printed(printed: &Printed, text: &str) -> Self {
        let of = printed.of.as_path();
        let mut rendered = match printed.by {
            Renderer::Helm => Rendered::by(text, |chunk| source(text, chunk), |path| in_chart(of, path)),
            Renderer::Kustomize => {
                Rendered::by(text, |chunk| annotated(of, text, chunk), |path| Origin::at(Path::new(path)))
            }
        };
        let whole = rendered.origins.len();
        rendered.origins.push(Origin { file: name(of), template: None });
        rendered.documents.iter_mut().for_each(|(_, origin)| *origin = origin.or(Some(whole)));
        rendered
    }

    /// Finds what `key` says of each document, and makes an origin of each different answer.
    fn by<K: AsRef<str> + Clone + Eq + std::hash::Hash>(
        text: &str,
        key: impl Fn(Range<usize>) -> Option<K>,
        origin: impl Fn(&str) -> Origin,
    ) -> Self {
        let mut rendered = Rendered { origins: Vec::new(), documents: Vec::new() };
        let mut known: HashMap<K, usize> = HashMap::new();
        for chunk in chunks(text) {
            let index = key(chunk.clone()).map(|key| {
                *known.entry(key.clone()).or_insert_with(|| {
                    rendered.origins.push(origin(key.as_ref()));
                    rendered.origins.len() - 1
                })
            });
            rendered.documents.push((chunk, index));
        }
        rendered
    }

    /// The origin of the document that a byte of the text is in, and that document's bytes; `None` if it is not rendered.
    pub fn origin(&self, byte: usize) -> Option<(&Origin, Range<usize>)> {
        let after = self.documents.partition_point(|(document, _)| document.start <= byte);
        let (document, origin) = self.documents.get(after.checked_sub(1)?)?;
        Some((self.origins.get((*origin)?)?, document.clone()))
    }
}

impl Origin {
    fn at(path: &Path) -> Self {
        Origin { file: name(path), template: Template::read(path) }
    }
}

/// What Helm wrote at the head of a document. Other people's comments begin with these words too, so the path has to look
/// like one in a chart.
fn source(text: &str, chunk: Range<usize>) -> Option<&str> {
    let mut lines = text.get(chunk)?.lines().skip_while(|line| line.trim_end() == "---");
    let path = lines.next()?.strip_prefix(SOURCE)?.trim_end();
    let is_in_chart = path.split('/').skip(1).any(|folder| matches!(folder, "templates" | "crds"));
    (is_in_chart && below_chart(path).is_some()).then_some(path)
}

/// The way from a chart's folder to what Helm names: without the chart's own name, and never out of the folder.
fn below_chart(source: &str) -> Option<&Path> {
    let (_, below) = source.split_once('/').filter(|(chart, _)| !chart.is_empty())?;
    let below = Path::new(below);
    below.components().all(|component| matches!(component, Component::Normal(_))).then_some(below)
}

/// A file in a chart that is a folder; what Helm calls it if there is no such file, as in packed charts.
fn in_chart(chart: &Path, source: &str) -> Origin {
    let path = below_chart(source).map(|below| chart.join(below)).filter(|path| path.is_file());
    path.map_or_else(|| Origin { file: plain(source), template: None }, |path| Origin::at(&path))
}

/// The file that Kustomize says a document comes from, if it is one on this machine.
fn annotated(folder: &Path, text: &str, chunk: Range<usize>) -> Option<String> {
    if !text.get(chunk.clone())?.contains(ORIGIN) {
        return None;
    }
    let document = read_chunk(text, chunk, 0).into_iter().next()?.ok()?;
    let annotation = document.value.get("metadata")?.get("annotations")?.get(ORIGIN)?.as_str()?;
    let origin = read(annotation).into_iter().next()?.ok()?.value;
    let path = origin.get("path")?.as_str().filter(|_| origin.get("repo").is_none())?;
    let path = straight(&folder.join(path));
    path.is_file().then(|| path.to_str().map(str::to_owned))?
}

/// A path without the detours that bases of a kustomization bring.
fn straight(path: &Path) -> PathBuf {
    let mut straight = PathBuf::new();
    for component in path.components() {
        let last = straight.components().next_back();
        match (component, last) {
            (Component::CurDir, _) => {}
            (Component::ParentDir, Some(Component::Normal(_))) => {
                straight.pop();
            }
            _ => straight.push(component),
        }
    }
    straight
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(text: &str) -> Vec<Option<String>> {
        let Some(rendered) = Rendered::handed_over(text) else { return Vec::new() };
        let file = |(chunk, _): &(Range<usize>, Option<usize>)| {
            rendered.origin(chunk.start).map(|(origin, _)| origin.file.clone())
        };
        rendered.documents.iter().map(file).collect()
    }

    #[test]
    fn what_helm_writes_names_the_template() {
        let text =
            "---\n# Source: a/templates/b.yaml\nx: 1\n---\n# Source: a/charts/c/templates/d.yaml\ny: 1\n---\nz: 1\n";
        let expected = [Some("a/templates/b.yaml".to_owned()), Some("a/charts/c/templates/d.yaml".to_owned()), None];
        assert_eq!(files(text), expected);
    }

    #[test]
    fn other_peoples_comments_do_not() {
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

    #[test]
    fn detours_are_left_out_of_paths() {
        for (path, expected) in [("a/../b/c", "b/c"), ("./a/b/../../../c", "../c"), ("/../a", "/../a")] {
            assert_eq!(straight(Path::new(path)), Path::new(expected));
        }
    }
}
