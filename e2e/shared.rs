//! Files that tests read: in this repository, and published manifests next to it.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::Value;
use sha2::{Digest, Sha256};
use sqledge_ha::input::sources::{lint, scanner};
use sqledge_ha::input::{Exclusion, find_and_read};
use sqledge_ha::linter::LintResult;
use sqledge_ha::manifest::read;
use sqledge_ha::prefilter::Prefilter;
use sqledge_ha_policy::settings::Settings;
use sqledge_ha_policy::view::Scope;

/// The root of this repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The text of a file of this repository.
pub(crate) fn text_of(path: &str) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The objects in a stream of YAML documents.
pub(crate) fn objects(text: &str) -> Vec<Value> {
    read(text).into_iter().map(|document| document.unwrap().value).collect()
}

/// Lints a file.
pub(crate) fn lint_file(path: &Path, settings: &Settings, scope: Scope) -> LintResult {
    let prefilter = Prefilter::new(settings);
    let found = find_and_read(&[path.to_owned()], &Exclusion::default(), &scanner(&prefilter));
    lint(found, &prefilter, scope)
}

/// The digest of bytes, as `sha256sum` prints it.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

/// The folder `name` in `../shared`; `None`, with a warning, if it does not exist.
pub(crate) fn folder(name: &str) -> Option<PathBuf> {
    let folder = root().join("../shared").join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    skipped(&format!("{} does not exist", folder.display()));
    None
}

/// Warns about a skipped check. Writes to standard error directly, because the test harness captures `eprintln!`.
pub(crate) fn skipped(reason: &str) {
    let _ = writeln!(std::io::stderr(), "SKIPPED: {reason}");
}

/// The YAML files of a folder, sorted.
pub(crate) fn manifests(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|ending| ending == "yaml")).collect();
    paths.sort();
    paths
}

/// Published manifests, where they exist.
pub(crate) fn real_manifests() -> impl Iterator<Item = PathBuf> {
    ["wild", "reference"].into_iter().filter_map(folder).flat_map(|folder| manifests(&folder))
}
