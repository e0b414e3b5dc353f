//! `sqledge-ha policy`: the embedded module and its metadata, and what the commands about policies share.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::exit::{Failure, Outcome, in_words};
use crate::input::{Limit, read_within};
use crate::registry::{LONGEST_MODULE, Place, Unclear};
use crate::replace::replace;
use crate::wasm_host::{EMBEDDED, metadata};

/// Why the module or its metadata could not be written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file could not be written; what stood there before still does.
    #[error("cannot write {}", path.display())]
    File {
        /// Where the module should have gone.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The output is closed or full.
    #[error("cannot write the output")]
    Output(#[from] io::Error),
    /// The embedded module has no metadata that can be read: a mistake of the build.
    #[error(transparent)]
    Metadata(#[from] metadata::Error),
    /// The metadata could not be written as text.
    #[error("cannot write the metadata: {0}")]
    Format(String),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Output(error) => error.into(),
            Error::File { path, source } => {
                Failure::unreadable(format!("cannot write {}: {}", path.display(), in_words(&source)))
            }
            other => Failure { outcome: Outcome::Bug, message: other.to_string() },
        }
    }
}

/// Runs `policy wasm`.
///
/// # Errors
/// [`Failure`] with exit code 4 if the file cannot be written.
pub fn wasm(path: &Path) -> Result<Outcome, Failure> {
    // The module is bytes: no stream that looks for colours may touch it.
    write_module(path, EMBEDDED, &mut io::stdout().lock())?;
    Ok(Outcome::Clean)
}

/// Runs `policy metadata`.
///
/// # Errors
/// [`Failure`] if the output cannot be written.
pub fn metadata() -> Result<Outcome, Failure> {
    write_metadata(&mut io::stdout().lock())?;
    Ok(Outcome::Clean)
}

/// Writes a module to a file and its path and size in bytes to `out`; for the path `-`, the module itself to `out`.
/// A file that exists is replaced at once, or not at all.
///
/// # Errors
/// [`Error::File`] or [`Error::Output`].
pub fn write_module(path: &Path, module: &[u8], out: &mut dyn Write) -> Result<(), Error> {
    if path == Path::new("-") {
        out.write_all(module)?;
    } else {
        let written = replace(path, |file| file.write_all(module));
        written.map_err(|source| Error::File { path: path.to_owned(), source })?;
        writeln!(out, "{}: {} bytes", path.display(), module.len())?;
    }
    Ok(out.flush()?)
}

/// Prints the module's metadata as YAML.
///
/// # Errors
/// [`Error::Output`]; [`Error::Metadata`] and [`Error::Format`] only if the build went wrong.
pub fn write_metadata(out: &mut dyn Write) -> Result<(), Error> {
    let text = serde_saphyr::to_string(&metadata::read(EMBEDDED)?).map_err(|error| Error::Format(error.to_string()))?;
    writeln!(out, "{}", text.trim_end())?;
    Ok(out.flush()?)
}

/// Reads the module in a file.
///
/// # Errors
/// [`Failure`] with exit code 4 that names the file.
pub fn module_at(path: &Path) -> Result<Vec<u8>, Failure> {
    const LIMIT: Limit = Limit { most: LONGEST_MODULE, what: "the most that a module may have" };
    read_within(LIMIT, path).map_err(|error| Failure::unreadable(format!("{}: {error}", path.display())))
}

/// Reads a reference of the command line.
///
/// # Errors
/// [`Failure`] with exit code 2 that says how references are written.
pub fn place(text: &str) -> Result<Place, Failure> {
    text.parse().map_err(|error: Unclear| {
        const HELP: &str = "write REGISTRY/REPOSITORY:TAG or REGISTRY/REPOSITORY@sha256:…, e.g. ghcr.io/team/policy:v1";
        Failure::usage(format!("{text}: {error}\n = help: {HELP}"))
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_module_is_written_to_a_file_in_place_of_another() {
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
    fn the_module_is_written_to_the_output() {
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
    fn the_metadata_are_printed_as_they_are() {
        let mut out = Vec::new();
        write_metadata(&mut out).unwrap();
        let yaml: serde_json::Value = serde_saphyr::from_str(&String::from_utf8(out).unwrap()).unwrap();
        assert_eq!(yaml, metadata::read(EMBEDDED).unwrap());
    }
}
