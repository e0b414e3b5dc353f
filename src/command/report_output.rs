//! Writes reports to standard output and to files.

use std::collections::HashSet;
use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anstream::StripStream;

use crate::atomic_write::{atomic_write, missing_directory};
use crate::cli::ReportFile;
use crate::escape::escape;
use crate::exit::CommandError;
use crate::input_name::directory_of;
use crate::linter::LintResult;
use crate::message::{describe_io_error, print_message};
use crate::report::human::{self, HumanOptions};
use crate::report::{ReportFormat, compact, github, json, junit, sarif, summary};
use crate::terminal::{Layout, TextOutput};

/// Prints a report on standard output, with colors if they are wanted there. `quiet` leaves out notes and the summary
/// of the reports for people.
///
/// # Errors
/// Errors of standard output.
pub(super) fn print(format: ReportFormat, quiet: bool, result: &LintResult) -> io::Result<()> {
    let layout = Layout::of_stdout();
    match format {
        ReportFormat::Human => {
            let output = &mut TextOutput::new(BufWriter::new(anstream::stdout().lock()), layout);
            let options = HumanOptions { has_links: has_links(), width: layout.width };
            if quiet { human::write_findings(result, options, output) } else { human::write(result, options, output) }?;
            output.flush()
        }
        // One finding is one line.
        ReportFormat::Compact => {
            let layout = Layout { width: None, ..layout };
            write(format, result, TextOutput::new(io::stdout().lock(), layout))?;
            // What is no finding does not mix with them.
            let nothing = (result.workloads == 0).then(|| summary(result));
            result.notes.iter().chain(&nothing).filter(|_| !quiet).for_each(|note| print_message("note", note));
            Ok(())
        }
        _ => write(format, result, io::stdout().lock()),
    }
}

/// Rejects two reports in the same file.
///
/// # Errors
/// [`CommandError`] with exit code 2.
pub(super) fn reject_duplicates<'p>(paths: impl IntoIterator<Item = &'p PathBuf>) -> Result<(), CommandError> {
    let mut known = HashSet::new();
    for path in paths {
        if !known.insert(real_path(path).unwrap_or_else(|_| path.clone())) {
            let path = escape(&path.to_string_lossy());
            return Err(CommandError::usage(format!("--output: two reports for one file: {path}")));
        }
    }
    Ok(())
}

/// Rejects a report that would overwrite an input, readable or not. A JSON file without objects can be overwritten,
/// because it can be a previous report.
///
/// # Errors
/// [`CommandError`] with exit code 2.
pub(super) fn reject_overwrites(files: &[ReportFile], result: &LintResult) -> Result<(), CommandError> {
    for file in files.iter().filter(|file| file.path.exists()) {
        let target = real_path(&file.path).ok();
        let is_json = |path: &Path| path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
        let read = result.files.iter().filter_map(|input| {
            let path = input.path.as_deref()?;
            (input.has_objects() || !is_json(path)).then_some(path)
        });
        let unreadable = result.errors.iter().map(|error| Path::new(&error.name));
        if read.chain(unreadable).any(|path| target.is_some() && path.canonicalize().ok() == target) {
            let path = escape(&file.path.to_string_lossy());
            return Err(CommandError::usage(format!("--output: the report would overwrite an input: {path}")));
        }
    }
    Ok(())
}

/// Writes the reports to their files and prints errors. Returns whether all files were written.
pub(super) fn write_files(files: &[ReportFile], result: &LintResult) -> bool {
    let mut is_complete = true;
    for file in files {
        if let Err(error) = write_file(file, result) {
            let path = escape(&file.path.to_string_lossy());
            print_message("error", &format!("--output: cannot write {path}: {}", describe_io_error(&error)));
            is_complete = false;
        }
    }
    is_complete
}

/// Each file is replaced atomically, or stays unchanged.
fn write_file(file: &ReportFile, result: &LintResult) -> io::Result<()> {
    atomic_write(&real_path(&file.path)?, |target| {
        if file.format == ReportFormat::Human {
            write(file.format, result, StripStream::new(target))
        } else {
            write(file.format, result, target)
        }
    })
}

fn write(format: ReportFormat, result: &LintResult, output: impl Write) -> io::Result<()> {
    let output = &mut BufWriter::new(output);
    let directory = std::env::current_dir().unwrap_or_default();
    match format {
        ReportFormat::Human => human::write(result, HumanOptions::default(), output),
        ReportFormat::Compact => compact::write(result, output),
        ReportFormat::Json => json::write(result, output),
        ReportFormat::Sarif => sarif::write(result, &directory, output),
        ReportFormat::Junit => junit::write(result, &directory, output),
        ReportFormat::Github => github::write(result, &directory, output),
    }?;
    output.flush()
}

/// Whether the terminal shows links.
fn has_links() -> bool {
    supports_hyperlinks::on(supports_hyperlinks::Stream::Stdout)
}

/// The path of an existing file without links, or the path of a new file in its real directory.
pub(super) fn real_path(path: &Path) -> io::Result<PathBuf> {
    if fs::symlink_metadata(path).is_ok() {
        return path.canonicalize();
    }
    let name = path.file_name().ok_or_else(|| io::Error::other("is a directory"))?;
    let directory = directory_of(path);
    Ok(directory.canonicalize().map_err(|error| directory_error(&error, directory))?.join(name))
}

fn directory_error(error: &io::Error, directory: &Path) -> io::Error {
    if error.kind() == io::ErrorKind::NotFound {
        return missing_directory(directory);
    }
    let path = escape(&directory.to_string_lossy());
    io::Error::new(error.kind(), format!("directory `{path}`: {}", describe_io_error(error)))
}
