//! Finds the configuration that applies to a path: in its directory, or in the nearest one above it.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::file::{ConfigFile, read_text};
use crate::exit::CommandError;
use crate::input_name::normalize;
use crate::manifest::{DocumentKind, classify, document_spans, read_span};
use crate::message::describe_io_error;

/// The name of a configuration file.
pub(super) const FILE_NAME: &str = "sqledge-ha.yaml";

/// Names that are easily taken for it.
const NEAR_MISSES: [&str; 3] = ["sqledge-ha.yml", ".sqledge-ha.yaml", ".sqledge-ha.yml"];

/// Finds the configuration that applies to a path. The search ends at the root of a repository or of the file system. A
/// directory of that name, and a manifest, such as the one that installs the webhook, are no configuration.
///
/// # Errors
/// [`CommandError`] with exit code 2 if there is one that cannot be read.
pub(super) fn discover(path: &Path) -> Result<Option<ConfigFile>, CommandError> {
    let path = absolute(path);
    let below = if path.is_dir() { Some(path.as_path()) } else { path.parent() };
    for directory in below.into_iter().flat_map(Path::ancestors) {
        let candidate = relative(&directory.join(FILE_NAME));
        if exists(&candidate).map_err(|error| CommandError::usage(format!("{}: {error}", candidate.display())))? {
            let text = read_text(&candidate)?;
            if !is_manifest(&text) {
                return Ok(Some(ConfigFile::parse(&candidate, &text)?));
            }
        }
        if fs::symlink_metadata(directory.join(".git")).is_ok() {
            break;
        }
    }
    Ok(None)
}

/// A file near `path` whose name is nearly that of a configuration.
pub(super) fn misnamed(path: &Path) -> Option<PathBuf> {
    let path = absolute(path);
    let directory = if path.is_dir() { path.as_path() } else { path.parent()? };
    let found = NEAR_MISSES.map(|name| directory.join(name)).into_iter().find(|path| path.is_file());
    found.map(|path| relative(&path))
}

/// Whether there is a file at a path. A link that leads nowhere, a pipe or a device is an error: to go on without it
/// would change the result without a word.
fn exists(path: &Path) -> Result<bool, String> {
    let is_missing = |error: &io::Error| matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory);
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => Ok(false),
        Ok(metadata) if metadata.is_file() => Ok(true),
        Ok(_) => Err("this is not a file".to_owned()),
        Err(error) if is_missing(&error) && fs::symlink_metadata(path).is_err() => Ok(false),
        Err(error) => Err(describe_io_error(&error)),
    }
}

/// Whether the file at a path, with this text, is found as a configuration.
pub fn is_config(path: &Path, text: &str) -> bool {
    path.file_name().is_some_and(|name| name == FILE_NAME) && !is_manifest(text)
}

/// Whether a text has an object of Kubernetes.
fn is_manifest(text: &str) -> bool {
    document_spans(text).any(|span| match classify(text.get(span.clone()).unwrap_or_default()) {
        DocumentKind::Object(_) => true,
        DocumentKind::NotAnObject => false,
        DocumentKind::Unknown => {
            read_span(text, span, 0).iter().flatten().any(|document| document.value.get("kind").is_some())
        }
    })
}

/// The absolute path, without access to the file system.
pub(super) fn absolute(path: &Path) -> PathBuf {
    normalize(&std::path::absolute(path).unwrap_or_else(|_| path.to_owned()))
}

/// The path relative to the current directory, if it is below.
fn relative(path: &Path) -> PathBuf {
    path.strip_prefix(absolute(Path::new("."))).map_or_else(|_| path.to_owned(), Path::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_nearly_right_is_found() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(misnamed(folder.path()), None);
        fs::write(folder.path().join("sqledge-ha.yml"), "").unwrap();
        let found = misnamed(&folder.path().join("sql.yaml")).unwrap();
        assert_eq!(found.file_name().unwrap(), "sqledge-ha.yml");
    }
}
