//! Collects the texts to check: files, directories, standard input, and the output of Helm and Kustomize.
//!
//! | file | contents |
//! |---|---|
//! | `collect` | all inputs of a run |
//! | `walk`, `found_file` | paths -> files, each once |
//! | `exclusion` | excluded paths |
//! | `bounded_read` | reading a file or a stream up to a limit |
//! | `helm`, `kustomize` | the command lines of the rendering tools |
//! | `tool` | running a tool with limits on its output |
//! | `patches` | the patch files of a kustomization |
//! | `rendered`, `template` | the file and the line that a rendered document comes from |
//! | `normalize` | paths without `.` and `..` |
//!
//! On wasm32 there are no files: only `rendered`, `template` and `normalize` are built.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::escape::escape;

#[cfg(not(target_family = "wasm"))]
mod bounded_read;
#[cfg(not(target_family = "wasm"))]
mod collect;
#[cfg(not(target_family = "wasm"))]
mod exclusion;
#[cfg(not(target_family = "wasm"))]
mod found_file;
#[cfg(not(target_family = "wasm"))]
mod helm;
#[cfg(not(target_family = "wasm"))]
mod kustomize;
mod normalize;
#[cfg(not(target_family = "wasm"))]
mod patches;
mod rendered;
mod template;
#[cfg(not(target_family = "wasm"))]
mod tool;
#[cfg(not(target_family = "wasm"))]
mod walk;

pub(crate) use self::normalize::normalize;
pub use self::rendered::{Origin, Rendered};
pub use self::template::Template;

#[cfg(feature = "registry")]
pub(crate) use self::bounded_read::SizeLimit;
#[cfg(not(target_family = "wasm"))]
pub(crate) use self::{
    bounded_read::{CONFIG_LIMIT, read_limited, read_path},
    patches::Patches,
};
#[cfg(not(target_family = "wasm"))]
pub use self::{
    collect::{MissingInput, Rendering, collect},
    exclusion::Exclusion,
    helm::HelmChart,
    walk::{ExcludedCount, FoundInputs, find, find_and_read},
};

/// The name of standard input in reports.
pub const STANDARD_INPUT_NAME: &str = "<stdin>";

/// A text to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A file.
    File(PathBuf),
    /// Standard input, which can be read once.
    StandardInput,
    /// The output of a rendering tool.
    Rendered(Arc<RenderedOutput>),
}

/// The output of a rendering tool.
#[derive(Debug, PartialEq, Eq)]
pub struct RenderedOutput {
    /// The tool.
    pub renderer: Renderer,
    /// The chart, or the kustomization directory.
    pub path: PathBuf,
    /// The rendered manifests.
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
    /// The name in reports.
    pub fn name(&self) -> String {
        match self {
            Source::File(path) => name(path),
            Source::StandardInput => STANDARD_INPUT_NAME.to_owned(),
            Source::Rendered(output) => name(&output.path),
        }
    }

    /// The path of a file; `None` for other sources.
    pub fn path(&self) -> Option<&Path> {
        if let Source::File(path) = self { Some(path) } else { None }
    }

    /// The origin of each document of its text; `None` if the text is not rendered.
    pub fn rendered(&self, text: &str) -> Option<Rendered> {
        match self {
            Source::File(_) => None,
            Source::StandardInput => Rendered::from_stream(text),
            Source::Rendered(output) => Some(Rendered::from_output(output, text)),
        }
    }
}

/// The name of a path in reports.
fn name(path: &Path) -> String {
    let name = path.to_string_lossy();
    escape(name.strip_prefix("./").unwrap_or(&name))
}
