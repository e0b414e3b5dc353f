//! Collects all inputs of a run.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::discovery::{self, Discovered, RenderedFiles};
use super::overlays::Overlays;
use super::rendering::{Renderable, render_all};
use super::tool::ToolError;
use super::{
    Exclusion, FoundInputs, RenderedOutput, Renderer, Rendering, Source, bounded_read, find_and_read, read_path,
};
use crate::counted::counted;
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
        decode(bytes.map_err(|error| ReadError::new(error.to_string()))?)
    }
}

/// A path that cannot be read.
#[derive(Clone, Debug)]
pub struct MissingInput {
    /// The name in reports.
    pub name: String,
    /// Whether it is a directory.
    pub is_directory: bool,
    /// The reason.
    pub error: ReadError,
}

/// Finds the texts below `paths` except excluded ones, renders charts and kustomizations, and reads every text with
/// `read`. Without any path, chart or kustomization, searches the current directory.
pub fn collect<T, R>(paths: &[PathBuf], rendering: &Rendering, exclusion: &Exclusion, read: &R) -> FoundInputs<T>
where
    T: Send,
    R: Fn(&Source) -> T + Sync,
{
    let named = rendering.named();
    let only_renders = paths.is_empty() && !named.is_empty() && !rendering.finds_all;
    let mut found = if only_renders { FoundInputs::default() } else { find_and_read(paths, exclusion, read) };
    let mut discovered = Discovered::default();
    if rendering.finds_all {
        let files = found.texts.iter().filter_map(|(source, _)| source.path());
        discovered = Discovered::among(files, &named, rendering.namespace.as_ref());
        found.notes.append(&mut discovered.notes);
    } else {
        let files = found.texts.iter().filter_map(|(source, _)| source.path());
        found.notes.extend(discovery::not_rendered_note(files, &named));
    }
    let overlays = Overlays::among(discovered.renderables.iter().chain(&named));
    let mut results = render_all(discovered.renderables);
    found.notes.extend(not_installed_notes(&results));
    results.retain(|(_, result)| !matches!(result, Err(ToolError::NotInstalled)));
    results.extend(render_all(named));
    if rendering.finds_all {
        let mut rendered_files = RenderedFiles::default();
        results.iter().filter(|(_, result)| result.is_ok()).for_each(|(renderable, _)| rendered_files.add(renderable));
        found.texts.retain(|(source, _)| source.path().is_none_or(|path| !rendered_files.contains(path)));
    }
    add_rendered(&mut found, results, &overlays, read);
    found
}

fn add_rendered<T>(
    found: &mut FoundInputs<T>,
    results: Vec<(Renderable, Result<String, ToolError>)>,
    overlays: &Overlays,
    read: &impl Fn(&Source) -> T,
) {
    for (renderable, result) in results {
        let application = overlays.application(&renderable);
        let (renderer, path) = (renderable.renderer(), renderable.path().to_owned());
        match result {
            Ok(text) => {
                let source = Source::Rendered(Arc::new(RenderedOutput { renderer, path, application, text }));
                let text = read(&source);
                found.texts.push((source, text));
            }
            Err(error) => {
                let error = match error {
                    ToolError::NotInstalled => renderer.not_installed(),
                    ToolError::Failed(error) => error,
                };
                let file = renderer.main_file(&path);
                found.missing.push(MissingInput { name: path_name(&file), is_directory: file.is_dir(), error });
            }
        }
    }
}

/// Notes about what is not rendered because a tool is missing.
fn not_installed_notes(results: &[(Renderable, Result<String, ToolError>)]) -> Vec<String> {
    let count = |renderer: Renderer| {
        let is_missing = |(renderable, result): &&(Renderable, Result<String, ToolError>)| {
            renderable.renderer() == renderer && matches!(result, Err(ToolError::NotInstalled))
        };
        results.iter().filter(is_missing).count()
    };
    [(Renderer::Helm, "chart"), (Renderer::Kustomize, "kustomization")]
        .into_iter()
        .filter_map(|(renderer, noun)| match count(renderer) {
            0 => None,
            count => Some(format!("not rendered: {}; {} not in PATH", counted(count, noun), renderer.programs())),
        })
        .collect()
}
