//! Finds the files that rendered manifests come from.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use super::kustomization_objects::KustomizationObjects;
use super::{RenderedOutput, Renderer, Source};
use crate::escape::escape;
use crate::input_name::{normalize, path_name};
use crate::rendered::{Origin, Rendered, SourceFile, Template, path_in_chart};

/// The maximum size of a template in bytes; Helm's own limit is lower.
const MAX_TEMPLATE: u64 = 16 << 20;

impl Source {
    /// The origin of each document of its text; `None` if the text is not rendered.
    pub fn rendered(&self, text: &str) -> Option<Rendered> {
        match self {
            Source::File(_) => None,
            Source::StandardInput => Rendered::from_stream(text),
            Source::Rendered(output) => Some(rendered_by_tool(output, text)),
        }
    }
}

fn rendered_by_tool(output: &RenderedOutput, text: &str) -> Rendered {
    let path = output.path.as_path();
    let (by, main_file) = (path_name(path), path_name(&output.renderer.main_file(path)));
    match output.renderer {
        Renderer::Helm => {
            Rendered::from_helm(text, by, |source| template_origin(path, source), Origin::named(main_file))
        }
        Renderer::Kustomize => {
            let objects = KustomizationObjects::read(path);
            Rendered::from_kustomize(text, by, |object, annotated| {
                let annotated = annotated.map(|below| normalize(&path.join(below)));
                Origin { file: main_file.clone(), sources: objects.sources_of(object, annotated.as_deref()) }
            })
        }
    }
}

/// A template of a chart. Without such a file, as in a packaged chart, the origin has only Helm's name for it.
fn template_origin(chart: &Path, source: &str) -> Origin {
    let path = path_in_chart(source).map(|below| chart.join(below)).filter(|path| path.is_file());
    match path {
        Some(path) => Origin { file: path_name(&path), sources: read_source(&path).into_iter().collect() },
        None => Origin::named(escape(source)),
    }
}

/// `None` if it is not a readable text file.
pub(super) fn read_source(path: &Path) -> Option<SourceFile> {
    fs::metadata(path).ok().filter(|metadata| metadata.is_file() && metadata.len() <= MAX_TEMPLATE)?;
    let template = Arc::new(Template::new(fs::read_to_string(path).ok()?));
    Some(SourceFile { name: path_name(path), template })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_not_read() {
        assert!(read_source(Path::new("/dev/zero")).is_none());
    }
}
