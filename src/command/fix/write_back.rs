//! Writing a text back to its file.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::atomic_write::atomic_write;
use crate::input;
use crate::input_name::directory_of;

/// Replaces the content of a file, unless it changed since it was read.
pub(super) fn write_back(path: &Path, roots: &[PathBuf], before: &str, after: &str) -> io::Result<()> {
    let path = real_path(path, roots)?;
    if !fs::metadata(&path)?.is_file() {
        return Err(io::Error::other("a pipe or device cannot be written back"));
    }
    // The file is replaced, which a read-only file would allow.
    File::options().write(true).open(&path)?;
    if input::read_path(&path)? != before.as_bytes() {
        return Err(io::Error::other("the file changed while fix was running; run fix again"));
    }
    atomic_write(&path, |file| file.write_all(after.as_bytes()))
}

/// The path without symbolic links. A link to a file outside of the given paths is an error.
fn real_path(path: &Path, roots: &[PathBuf]) -> io::Result<PathBuf> {
    let real = path.canonicalize()?;
    if !fs::symlink_metadata(path)?.is_symlink() {
        return Ok(real);
    }
    let here = [PathBuf::from(".")];
    let roots = if roots.is_empty() { &here } else { roots };
    let contains = |root: &PathBuf| {
        let directory = if root.is_dir() { root.as_path() } else { directory_of(root) };
        directory.canonicalize().is_ok_and(|directory| real.starts_with(directory))
    };
    if roots.iter().any(contains) {
        Ok(real)
    } else {
        Err(io::Error::other("the symbolic link points outside of the given paths"))
    }
}
