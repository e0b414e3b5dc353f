//! The manifests that tests read beside this repository: real ones, with what must be found in them.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// The folder `name` beside the checkout; `None`, and loudly so, where it does not exist.
pub(crate) fn folder(name: &str) -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared").join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    skipped(&format!("{} is not there", folder.display()));
    None
}

/// Says what is left out, and why, past the test harness, which keeps what tests print to itself.
pub(crate) fn skipped(what: &str) {
    let _ = writeln!(std::io::stderr(), "SKIPPED: {what}");
}

/// The YAML files of a folder, sorted.
pub(crate) fn manifests(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|ending| ending == "yaml")).collect();
    paths.sort();
    paths
}
