//! Where files really are, so that each is read once however it is reached.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// A file, and how it was reached.
pub(super) struct Reached {
    pub(super) path: PathBuf,
    pub(super) way: Way,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// It is named.
    Named,
    /// It is below one of the roots, and no directory between them is a link.
    Below(usize),
    /// It is a link.
    Link,
}

/// Where directories really are. Looking it up for each file would take longer than reading the file.
pub(super) struct Directories<'r> {
    roots: Vec<(&'r Path, PathBuf)>,
    /// Those of named files: many files are named in few of them.
    of_named: HashMap<PathBuf, PathBuf>,
}

impl<'r> Directories<'r> {
    pub(super) fn of(roots: &'r [PathBuf]) -> Self {
        let roots = roots.iter().map(|root| (root.as_path(), real_or_same(root))).collect();
        Directories { roots, of_named: HashMap::new() }
    }

    /// Where a file really is.
    pub(super) fn real(&mut self, file: &Reached) -> PathBuf {
        let known = match file.way {
            Way::Below(root) => self.below(root, &file.path),
            Way::Named => self.beside(&file.path),
            Way::Link => None,
        };
        known.unwrap_or_else(|| real_or_same(&file.path))
    }

    fn below(&self, root: usize, path: &Path) -> Option<PathBuf> {
        let (root, real) = self.roots.get(root)?;
        Some(real.join(path.strip_prefix(root).ok()?))
    }

    fn beside(&mut self, path: &Path) -> Option<PathBuf> {
        let (directory, name) = (path.parent()?, path.file_name()?);
        if !self.of_named.contains_key(directory) {
            let here = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
            self.of_named.insert(directory.to_owned(), real_or_same(here));
        }
        Some(self.of_named.get(directory)?.join(name))
    }
}

fn real_or_same(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}
