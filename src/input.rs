//! Collects the texts to check: files, directories, standard input, and the output of Helm and Kustomize.
//!
//! | file | contents |
//! |---|---|
//! | `collect` | all inputs of a run |
//! | `walk`, `found_file` | paths -> files, each once |
//! | `exclusion` | excluded paths |
//! | `bounded_read` | reading a file or a stream up to a limit |
//! | `rendering` | the charts and kustomizations of a run |
//! | `discovery` | finding charts and kustomizations among the files |
//! | `helm`, `kustomize` | the command lines of the rendering tools |
//! | `tool` | running a tool with limits on its output |
//! | `charts` | the templates of a chart |
//! | `kustomization`, `kustomization_objects`, `patches` | the files of a kustomization, and what is in them |
//! | `overlays` | variants of an application |
//! | `sources` | the texts with what surrounds them, scanned and checked |
//! | `origins` | the files that a rendered manifest comes from |

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::input_name::{STANDARD_INPUT_NAME, path_name};

mod bounded_read;
mod charts;
mod collect;
mod discovery;
mod exclusion;
mod found_file;
mod helm;
mod kustomization;
mod kustomization_objects;
mod kustomize;
mod origins;
mod overlays;
mod patches;
mod rendering;
pub mod sources;
mod tool;
mod walk;

pub(crate) use self::bounded_read::{CONFIG_LIMIT, SizeLimit, read_limited, read_path};
pub(crate) use self::charts::Charts;
pub(crate) use self::collect::STANDARD_INPUT;
pub use self::collect::{MissingInput, collect};
pub use self::exclusion::Exclusion;
pub use self::helm::HelmChart;
pub(crate) use self::patches::Patches;
pub use self::rendering::Rendering;
pub(crate) use self::walk::has_manifest_extension;
pub use self::walk::{ExcludedCount, FoundInputs, find, find_and_read};

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
    /// The number of the application that it is, if it is one of several overlays of a base; otherwise 0: a part of the
    /// whole input.
    pub application: usize,
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
            Source::File(path) => path_name(path),
            Source::StandardInput => STANDARD_INPUT_NAME.to_owned(),
            Source::Rendered(output) => path_name(&output.path),
        }
    }

    /// The path of a file; `None` for other sources.
    pub fn path(&self) -> Option<&Path> {
        if let Source::File(path) = self { Some(path) } else { None }
    }

    /// The number of the application that the text belongs to; 0 for the whole input.
    pub fn application(&self) -> usize {
        if let Source::Rendered(output) = self { output.application } else { 0 }
    }

    /// The path of a file; `None` for other sources.
    pub fn into_path(self) -> Option<PathBuf> {
        if let Source::File(path) = self { Some(path) } else { None }
    }
}
