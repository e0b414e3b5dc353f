//! Reports in files: each is there as a whole, or as it was before.

use std::collections::HashSet;
use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anstream::StripStream;

use super::ReportFormat;
use crate::cli::ReportFile;
use crate::exit::{Failure, in_words, plain, say};
use crate::linter::LintResult;
use crate::replace::{no_folder, replace};

/// Makes sure that no two reports go to one file.
///
/// # Errors
/// [`Failure`] with exit code 2 if they do.
pub fn check(files: &[ReportFile]) -> Result<(), Failure> {
    let mut known = HashSet::new();
    for file in files {
        if !known.insert(real_path(&file.path).unwrap_or_else(|_| file.path.clone())) {
            let path = plain(&file.path.to_string_lossy());
            return Err(Failure::usage(format!("--output: two reports cannot go to one file: {path}")));
        }
    }
    Ok(())
}

/// Makes sure that no report takes the place of something that was read, or that could not be. Only JSON that holds no
/// objects may be replaced: it may be a report of before.
///
/// # Errors
/// [`Failure`] with exit code 2 if one does.
pub fn spares_manifests(files: &[ReportFile], outcome: &LintResult) -> Result<(), Failure> {
    for file in files.iter().filter(|file| file.path.exists()) {
        let target = real_path(&file.path).ok();
        let is_report = |path: &Path| path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("json"));
        let read = outcome.files.iter().filter_map(|manifest| {
            let path = manifest.source.as_ref()?.path()?;
            (manifest.has_objects() || !is_report(path)).then_some(path)
        });
        let unread = outcome.errors.iter().map(|unread| Path::new(&unread.name));
        if read.chain(unread).any(|path| target.is_some() && path.canonicalize().ok() == target) {
            let path = plain(&file.path.to_string_lossy());
            return Err(Failure::usage(format!("--output: the report would replace what is checked: {path}")));
        }
    }
    Ok(())
}

/// Writes the reports that go to files, and says which of them cannot be written. Gives whether there was such a one.
pub fn write_all(files: &[ReportFile], outcome: &LintResult) -> bool {
    let mut has_failed = false;
    for file in files {
        if let Err(error) = write(file, outcome) {
            let path = plain(&file.path.to_string_lossy());
            say("error", &format!("--output: {path}: not written: {}", in_words(&error)));
            has_failed = true;
        }
    }
    has_failed
}

fn write(file: &ReportFile, outcome: &LintResult) -> io::Result<()> {
    replace(&real_path(&file.path)?, |target| {
        if file.format == ReportFormat::Human {
            fill(BufWriter::new(StripStream::new(target)), file.format, outcome)
        } else {
            fill(BufWriter::new(target), file.format, outcome)
        }
    })
}

fn fill(mut output: impl Write, format: ReportFormat, outcome: &LintResult) -> io::Result<()> {
    super::write(format, outcome, &mut output)?;
    output.flush()
}

/// Where a file is, or will be: what is at the end of a link that exists, and else in the real folder.
fn real_path(path: &Path) -> io::Result<PathBuf> {
    if fs::symlink_metadata(path).is_ok() {
        return path.canonicalize();
    }
    let name = path.file_name().ok_or_else(|| io::Error::other("it is a directory"))?;
    let folder = path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
    Ok(folder.canonicalize().map_err(|error| unusable(&error, folder))?.join(name))
}

fn unusable(error: &io::Error, folder: &Path) -> io::Error {
    if error.kind() == io::ErrorKind::NotFound {
        return no_folder(folder);
    }
    let path = plain(&folder.to_string_lossy());
    io::Error::new(error.kind(), format!("in the directory `{path}`: {}", in_words(error)))
}
