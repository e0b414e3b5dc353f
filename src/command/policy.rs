//! `sqledge-ha policy wasm` and `metadata`, and functions for all policy commands.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::atomic_write::atomic_write;
use crate::exit::{CommandError, ExitStatus};
use crate::input::{SizeLimit, read_limited};
use crate::message::describe_io_error;
use crate::registry::{ArtifactReference, InvalidReference, MAX_MODULE_BYTES};
use crate::wasm_host::{EMBEDDED, metadata};

/// The module or its metadata cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be written. Its previous content is unchanged.
    #[error("cannot write {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// Standard output cannot be written.
    #[error("cannot write the output")]
    Output(#[from] io::Error),
    /// The embedded module has no valid metadata: a bug of the build.
    #[error(transparent)]
    Metadata(#[from] metadata::Error),
    /// The metadata cannot be converted to YAML.
    #[error("cannot write the metadata: {0}")]
    Format(String),
}

impl From<Error> for CommandError {
    fn from(error: Error) -> Self {
        match error {
            Error::Output(error) => error.into(),
            Error::File { path, source } => {
                CommandError::unreadable(format!("cannot write {}: {}", path.display(), describe_io_error(&source)))
            }
            other => CommandError::bug(other),
        }
    }
}

/// Runs `policy wasm`.
///
/// # Errors
/// [`CommandError`] with exit code 4 if the file cannot be written.
pub fn wasm(path: &Path) -> Result<ExitStatus, CommandError> {
    // Binary output must bypass streams that strip color codes.
    write_module(path, EMBEDDED, &mut io::stdout().lock())?;
    Ok(ExitStatus::Clean)
}

/// Runs `policy metadata`.
///
/// # Errors
/// [`CommandError`] if the output cannot be written.
pub fn metadata() -> Result<ExitStatus, CommandError> {
    write_metadata(&mut io::stdout().lock())?;
    Ok(ExitStatus::Clean)
}

/// Writes a module to a file, and its path and size in bytes to `out`. For the path `-`, writes the module to `out`. An
/// existing file is replaced atomically.
///
/// # Errors
/// [`Error::File`] or [`Error::Output`].
pub fn write_module(path: &Path, module: &[u8], out: &mut dyn Write) -> Result<(), Error> {
    if path == Path::new("-") {
        out.write_all(module)?;
    } else {
        let written = atomic_write(path, |file| file.write_all(module));
        written.map_err(|source| Error::File { path: path.to_owned(), source })?;
        writeln!(out, "{}: {} bytes", path.display(), module.len())?;
    }
    Ok(out.flush()?)
}

/// Prints the module's metadata as YAML.
///
/// # Errors
/// [`Error::Output`]; [`Error::Metadata`] and [`Error::Format`] only for a bug of the build.
pub fn write_metadata(out: &mut dyn Write) -> Result<(), Error> {
    let text = serde_saphyr::to_string(&metadata::read(EMBEDDED)?).map_err(|error| Error::Format(error.to_string()))?;
    writeln!(out, "{}", text.trim_end())?;
    Ok(out.flush()?)
}

/// Reads a module from a file.
///
/// # Errors
/// [`CommandError`] with exit code 4.
pub fn read_module(path: &Path) -> Result<Vec<u8>, CommandError> {
    const LIMIT: SizeLimit = SizeLimit { bytes: MAX_MODULE_BYTES, help: "" };
    read_limited(LIMIT, path).map_err(|error| CommandError::unreadable(format!("{}: {error}", path.display())))
}

/// Parses a reference on the command line.
///
/// # Errors
/// [`CommandError`] with exit code 2.
pub fn parse_reference(text: &str) -> Result<ArtifactReference, CommandError> {
    text.parse().map_err(|error: InvalidReference| {
        const HELP: &str = "write REGISTRY/REPOSITORY:TAG or REGISTRY/REPOSITORY@sha256:…, e.g. ghcr.io/team/policy:v1";
        CommandError::usage(format!("{text}: {error}\n = help: {HELP}"))
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_module_replaces_an_existing_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("policy.wasm");
        fs::write(&path, "old").unwrap();
        let mut out = Vec::new();
        write_module(&path, EMBEDDED, &mut out).unwrap();
        assert_eq!(fs::read(&path).unwrap(), EMBEDDED);
        assert_eq!(String::from_utf8(out).unwrap(), format!("{}: {} bytes\n", path.display(), EMBEDDED.len()));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn the_module_is_written_to_standard_output() {
        let mut out = Vec::new();
        write_module(Path::new("-"), EMBEDDED, &mut out).unwrap();
        assert_eq!(out, EMBEDDED);
    }

    #[test]
    fn a_file_that_cannot_be_written_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("missing").join("policy.wasm");
        let error = write_module(&path, EMBEDDED, &mut Vec::new()).unwrap_err();
        assert_eq!(error.to_string(), format!("cannot write {}", path.display()));
        assert!(write_module(folder.path(), EMBEDDED, &mut Vec::new()).is_err());
    }

    #[test]
    fn the_metadata_are_printed_as_yaml() {
        let mut out = Vec::new();
        write_metadata(&mut out).unwrap();
        let yaml: serde_json::Value = serde_saphyr::from_str(&String::from_utf8(out).unwrap()).unwrap();
        assert_eq!(yaml, metadata::read(EMBEDDED).unwrap());
    }
}
