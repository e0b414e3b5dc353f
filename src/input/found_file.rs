//! Resolves files to their real paths, so that each file is read once even if several paths lead to it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::input_name::directory_of;

/// A file, and how it was found.
pub(super) struct FoundFile {
    pub(super) path: PathBuf,
    pub(super) found_by: FoundBy,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum FoundBy {
    /// It is a path argument.
    Argument,
    /// It is below one of the roots, without a symbolic link in between.
    Below(usize),
    /// It is a symbolic link.
    Link,
}

/// Caches the real paths of directories. Resolving every file would take longer than reading it.
pub(super) struct RealDirectories<'r> {
    roots: Vec<(&'r Path, PathBuf)>,
    /// The directories of path arguments.
    argument_directories: HashMap<PathBuf, PathBuf>,
}

impl<'r> RealDirectories<'r> {
    pub(super) fn new(roots: &'r [PathBuf]) -> Self {
        let roots = roots.iter().map(|root| (root.as_path(), real_or_same(root))).collect();
        RealDirectories { roots, argument_directories: HashMap::new() }
    }

    /// The real path of a file.
    pub(super) fn real_path(&mut self, file: &FoundFile) -> PathBuf {
        let known = match file.found_by {
            FoundBy::Below(root) => self.below(root, &file.path),
            FoundBy::Argument => self.beside(&file.path),
            FoundBy::Link => None,
        };
        known.unwrap_or_else(|| real_or_same(&file.path))
    }

    fn below(&self, root: usize, path: &Path) -> Option<PathBuf> {
        let (root, real) = self.roots.get(root)?;
        Some(real.join(path.strip_prefix(root).ok()?))
    }

    fn beside(&mut self, path: &Path) -> Option<PathBuf> {
        let (directory, name) = (path.parent()?, path.file_name()?);
        if !self.argument_directories.contains_key(directory) {
            self.argument_directories.insert(directory.to_owned(), real_or_same(directory_of(path)));
        }
        Some(self.argument_directories.get(directory)?.join(name))
    }
}

fn real_or_same(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}
