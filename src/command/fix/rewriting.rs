//! Writing a text back to the file that it came from.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::atomic_write::atomic_write;
use crate::input;

/// Replaces a file's content, unless somebody else did so meanwhile.
pub(super) fn rewrite(path: &Path, roots: &[PathBuf], before: &str, after: &str) -> io::Result<()> {
    let path = real_path(path, roots)?;
    if !fs::metadata(&path)?.is_file() {
        return Err(io::Error::other("what is read from a pipe cannot be written back"));
    }
    // Who may not write to a file may be able to replace it all the same.
    File::options().write(true).open(&path)?;
    if input::read_path(&path)? != before.as_bytes() {
        return Err(io::Error::other("it changed since it was read; run fix again"));
    }
    atomic_write(&path, |file| file.write_all(after.as_bytes()))
}

/// Where a file really is. A link may not lead out of what was given.
fn real_path(path: &Path, roots: &[PathBuf]) -> io::Result<PathBuf> {
    let real = path.canonicalize()?;
    if !fs::symlink_metadata(path)?.is_symlink() {
        return Ok(real);
    }
    let here = [PathBuf::from(".")];
    let roots = if roots.is_empty() { &here } else { roots };
    let inside = |root: &PathBuf| {
        let root = if root.is_dir() {
            root.as_path()
        } else {
            root.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."))
        };
        root.canonicalize().is_ok_and(|root| real.starts_with(root))
    };
    if roots.iter().any(inside) { Ok(real) } else { Err(io::Error::other("the link leads out of the given paths")) }
}
