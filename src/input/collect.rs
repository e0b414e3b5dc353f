//! Collects all inputs of a run.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{
    Exclusion, FoundInputs, HelmChart, RenderedOutput, Renderer, Source, bounded_read, find_and_read, kustomize,
    read_path,
};
use crate::input_name::path_name;
use crate::manifest::{ReadError, decode};

/// The path argument for standard input.
pub(crate) const STANDARD_INPUT: &str = "-";

impl Source {
    /// The source of a path argument: a file, or standard input for `-`.
    pub fn from_argument(path: &Path) -> Self {
        if path.as_os_str() == STANDARD_INPUT { Source::StandardInput } else { Source::File(path.to_owned()) }
    }

    /// Reads the text.
    ///
    /// # Errors
    /// [`ReadError`] if it cannot be read, is larger than 1 GiB, or is not UTF-8.
    pub fn read(&self) -> Result<String, ReadError> {
        let bytes = match self {
            Source::Rendered(output) => return Ok(output.text.clone()),
            Source::StandardInput => bounded_read::read_stream(io::stdin().lock()),
            Source::File(path) => read_path(path),
        };
        decode(bytes.map_err(|error| read_error(error.to_string()))?)
    }
}

/// A path that cannot be read.
#[derive(Clone, Debug)]
pub struct MissingInput {
    /// The name in reports.
    pub name: String,
    /// The reason.
    pub error: ReadError,
}

pub(super) fn read_error(message: String) -> ReadError {
    ReadError { message, help: None, byte: 0 }
}

/// The charts and kustomizations to render.
#[derive(Clone, Debug, Default)]
pub struct Rendering {
    /// A Helm chart.
    pub helm: Option<HelmChart>,
    /// Kustomization directories.
    pub kustomize: Vec<PathBuf>,
}

/// Finds the texts below `paths` except excluded ones, renders charts and kustomizations, and reads every text with `read`. Without
/// any path, chart or kustomization, searches the current directory.
pub fn collect<T, R>(paths: &[PathBuf], rendering: &Rendering, exclusion: &Exclusion, read: &R) -> FoundInputs<T>
where
    T: Send,
    R: Fn(&Source) -> T + Sync,
{
    let Rendering { helm, kustomize } = rendering;
    let renders = helm.is_some() || !kustomize.is_empty();
    let mut found =
        if paths.is_empty() && renders { FoundInputs::default() } else { find_and_read(paths, exclusion, read) };
    let charts = helm.iter().map(|chart| (Renderer::Helm, &chart.path, chart.render()));
    let kustomizations = kustomize.iter().map(|path| (Renderer::Kustomize, path, kustomize::render(path)));
    for (renderer, path, text) in charts.chain(kustomizations) {
        match text {
            Ok(text) => {
                let source = Source::Rendered(Arc::new(RenderedOutput { renderer, path: path.clone(), text }));
                let text = read(&source);
                found.texts.push((source, text));
            }
            Err(error) => found.missing.push(MissingInput { name: path_name(path), error }),
        }
    }
    found
}
