//! From what a person names to texts: files, directories as git sees them, standard input, and what Helm and Kustomize
//! render.
//!
//! | file | holds |
//! |---|---|
//! | `walk`, `reached` | paths -> files, each once |
//! | `exclusion` | which of them are left out |
//! | `whole` | what a file or a stream holds, up to a limit |
//! | `helm`, `kustomize` | the command lines of the tools that render |
//! | `patches` | which files are patches of a kustomization |
//! | `tool` | running one of them, whatever it does |
//! | `rendered`, `template` | which file a rendered document comes from, and where in it a line stands |

#[cfg(not(target_family = "wasm"))]
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::exit::plain;
#[cfg(not(target_family = "wasm"))]
use crate::manifest::{Problem, decode};

#[cfg(not(target_family = "wasm"))]
mod exclusion;
#[cfg(not(target_family = "wasm"))]
mod helm;
#[cfg(not(target_family = "wasm"))]
mod kustomize;
#[cfg(not(target_family = "wasm"))]
mod patches;
#[cfg(not(target_family = "wasm"))]
mod reached;
mod rendered;
mod template;
#[cfg(not(target_family = "wasm"))]
mod tool;
#[cfg(not(target_family = "wasm"))]
mod walk;
#[cfg(not(target_family = "wasm"))]
mod whole;

#[cfg(not(target_family = "wasm"))]
pub use self::exclusion::Exclusion;
#[cfg(not(target_family = "wasm"))]
pub(crate) use self::patches::Patches;
pub use self::rendered::{Origin, Rendered};
pub use self::template::Template;
#[cfg(not(target_family = "wasm"))]
pub use self::walk::{Found, LeftOut, find, find_and_read};
#[cfg(feature = "registry")]
pub(crate) use self::whole::Limit;
#[cfg(not(target_family = "wasm"))]
pub(crate) use self::whole::{OF_A_CONFIGURATION, read_path, read_within};
#[cfg(not(target_family = "wasm"))]
use crate::cli::Rendering;

/// The path that stands for standard input.
#[cfg(not(target_family = "wasm"))]
const STANDARD_INPUT: &str = "-";
/// How reports call standard input.
pub const STANDARD_INPUT_NAME: &str = "<stdin>";

/// One text to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A file.
    File(PathBuf),
    /// Standard input, which can be read once.
    StandardInput,
    /// What a tool printed.
    Printed(Arc<Printed>),
}

/// What a tool printed.
#[derive(Debug, PartialEq, Eq)]
pub struct Printed {
    /// The tool.
    pub by: Renderer,
    /// What it rendered: a chart, or a kustomization's folder.
    pub of: PathBuf,
    /// The text.
    pub text: String,
}

/// A tool that renders manifests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renderer {
    /// `helm template`.
    Helm,
    /// `kubectl kustomize`, or `kustomize build`.
    Kustomize,
}

impl Source {
    /// The text at a path, or standard input for `-`.
    #[cfg(not(target_family = "wasm"))]
    pub fn named(path: &Path) -> Self {
        if path.as_os_str() == STANDARD_INPUT { Source::StandardInput } else { Source::File(path.to_owned()) }
    }

    /// How reports call it.
    pub fn name(&self) -> String {
        match self {
            Source::File(path) => name(path),
            Source::StandardInput => STANDARD_INPUT_NAME.to_owned(),
            Source::Printed(printed) => name(&printed.of),
        }
    }

    /// The file that it is in; `None` for anything else.
    pub fn path(&self) -> Option<&Path> {
        if let Source::File(path) = self { Some(path) } else { None }
    }

    /// Its text.
    ///
    /// # Errors
    /// [`Problem`] if it cannot be read, has no end in sight, or is not UTF-8.
    #[cfg(not(target_family = "wasm"))]
    pub fn read(&self) -> Result<String, Problem> {
        let bytes = match self {
            Source::Printed(printed) => return Ok(printed.text.clone()),
            Source::StandardInput => whole::read_stream(io::stdin().lock()),
            Source::File(path) => whole::read_path(path),
        };
        decode(bytes.map_err(|error| problem(error.to_string()))?)
    }

    /// Which files the documents of its text come from, if it is rendered.
    pub fn rendered(&self, text: &str) -> Option<Rendered> {
        match self {
            Source::File(_) => None,
            Source::StandardInput => Rendered::handed_over(text),
            Source::Printed(printed) => Some(Rendered::printed(printed, text)),
        }
    }
}

/// How reports call the file at a path.
fn name(path: &Path) -> String {
    let name = path.to_string_lossy();
    plain(name.strip_prefix("./").unwrap_or(&name))
}

/// A path that leads to no text.
#[cfg(not(target_family = "wasm"))]
#[derive(Clone, Debug)]
pub struct Unreachable {
    /// How reports call it.
    pub name: String,
    /// Why not.
    pub problem: Problem,
}

#[cfg(not(target_family = "wasm"))]
fn problem(message: String) -> Problem {
    Problem { message, help: None, byte: 0 }
}

/// Finds the texts below `paths`, except what is left out, lets the tools render what they are asked to, and reads it all by
/// `read`. The current directory is meant only where nothing at all is named.
#[cfg(not(target_family = "wasm"))]
pub fn gather<T, R>(paths: &[PathBuf], rendering: &Rendering, exclusion: &Exclusion, read: &R) -> Found<T>
where
    T: Send,
    R: Fn(&Source) -> T + Sync,
{
    let nothing_else = rendering.helm.chart.is_none() && rendering.kustomize.is_empty();
    let mut found =
        if paths.is_empty() && !nothing_else { Found::default() } else { find_and_read(paths, exclusion, read) };
    let helm = &rendering.helm;
    let charts = helm.chart.iter().map(|chart| (Renderer::Helm, chart, helm::render(chart, helm)));
    let folders = rendering.kustomize.iter().map(|folder| (Renderer::Kustomize, folder, kustomize::render(folder)));
    for (by, of, text) in charts.chain(folders) {
        match text {
            Ok(text) => {
                let source = Source::Printed(Arc::new(Printed { by, of: of.clone(), text }));
                let text = read(&source);
                found.texts.push((source, text));
            }
            Err(problem) => found.unreachable.push(Unreachable { name: name(of), problem }),
        }
    }
    found
}
