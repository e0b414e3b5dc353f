//! Reads the templates that rendered manifests come from.

use std::fs;
use std::path::Path;

use super::{RenderedOutput, Renderer, Source};
use crate::escape::escape;
use crate::input_name::{normalize, path_name};
use crate::rendered::{Origin, Rendered, Template, path_in_chart};

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
    let default = Origin { file: path_name(path), template: None };
    match output.renderer {
        Renderer::Helm => Rendered::from_helm(text, |source| template_origin(path, source), default),
        Renderer::Kustomize => {
            let file = |below: &str| {
                let file = normalize(&path.join(below));
                file.is_file().then(|| file.to_str().map(str::to_owned))?
            };
            Rendered::from_kustomize(text, file, |file| read_origin(Path::new(file)), default)
        }
    }
}

/// A template of a chart. Without such a file, as in a packaged chart, the origin has only Helm's name for it.
fn template_origin(chart: &Path, source: &str) -> Origin {
    let path = path_in_chart(source).map(|below| chart.join(below)).filter(|path| path.is_file());
    path.map_or_else(|| Origin { file: escape(source), template: None }, |path| read_origin(&path))
}

fn read_origin(path: &Path) -> Origin {
    Origin { file: path_name(path), template: read_template(path) }
}

/// `None` if it is not a readable text file.
fn read_template(path: &Path) -> Option<Template> {
    fs::metadata(path).ok().filter(|metadata| metadata.is_file() && metadata.len() <= MAX_TEMPLATE)?;
    Some(Template::new(fs::read_to_string(path).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_not_read() {
        assert!(read_template(Path::new("/dev/zero")).is_none());
    }
}
