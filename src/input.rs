//! Collects the texts to check: files, directories, standard input, and the output of Helm and Kustomize.
//!
//! | file | contents |
//! |---|---|
//! | `walk`, `found_file` | paths -> files, each once |
//! | `exclusion` | excluded paths |
//! | `bounded_read` | reading a file or a stream up to a limit |
//! | `helm`, `kustomize` | the command lines of the rendering tools |
//! | `tool` | running a tool with limits on its output |
//! | `patches` | the patch files of a kustomization |
//! | `rendered`, `template` | the file and the line that a rendered document comes from |
//! | `normalize` | paths without `.` and `..` |

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::escape::escape;
use crate::manifest::{ReadError, decode};

mod bounded_read;
mod exclusion;
mod found_file;
mod helm;
mod kustomize;
mod normalize;
mod patches;
mod rendered;
mod template;
mod tool;
mod walk;

pub(crate) use self::bounded_read::{CONFIG_LIMIT, SizeLimit, read_limited, read_path};
pub use self::exclusion::Exclusion;
pub use self::helm::HelmChart;
pub(crate) use self::normalize::normalize;
pub(crate) use self::patches::Patches;
pub use self::rendered::{Origin, Rendered};
pub use self::template::Template;
pub use self::walk::{ExcludedCount, FoundInputs, find, find_and_read};

/// The path argument for standard input.
const STANDARD_INPUT: &str = "-";
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
    /// The source of a path argument: a file, or standard input for `-`.
    pub fn from_argument(path: &Path) -> Self {
        if path.as_os_str() == STANDARD_INPUT { Source::StandardInput } else { Source::File(path.to_owned()) }
    }

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

/// A path that cannot be read.
#[derive(Clone, Debug)]
pub struct MissingInput {
    /// The name in reports.
    pub name: String,
    /// The reason.
    pub error: ReadError,
}

fn read_error(message: String) -> ReadError {
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
            Err(error) => found.missing.push(MissingInput { name: name(path), error }),
        }
    }
    found
}
