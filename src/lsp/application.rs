//! The files that are checked together, as `sqledge-ha lint` would check them: those of a workspace folder, or one text
//! alone.
//!
//! Scans are kept: of each file on disk until its size or time of change differs, of each open text until it changes.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use super::buffer::{Buffer, MAX_BYTES};
use super::checked::{Checked, CheckedFile};
use super::options::Options;
use super::uri;
use crate::cli::CheckOptions;
use crate::config::{ConfigFlags, LintConfig, lint_config};
use crate::exit::CommandError;
use crate::input::sources::Surroundings;
use crate::input::{Source, find_and_read, has_manifest_extension};
use crate::input_name::path_name;
use crate::linter::{FileScan, lint};
use crate::parallel;
use crate::prefilter::Prefilter;
use sqledge_ha_policy::view::Scope;

/// The files of a workspace folder, or one text alone.
pub(super) struct Application {
    kind: Kind,
    config: LintConfig,
    /// What is wrong with the configuration. Then the one before it applies.
    config_error: Option<String>,
    /// The files below the folder that `lint` would read.
    files: BTreeMap<PathBuf, FileOnDisk>,
    surroundings: Surroundings,
    /// The scans of open texts, with their revisions, by URI.
    open: HashMap<String, (u64, Arc<FileScan>)>,
    checked: Option<Checked>,
}

/// What is checked together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// The files of a workspace folder.
    Folder(PathBuf),
    /// One text.
    Alone {
        /// Its URI.
        uri: String,
        /// Its path, which decides which configuration applies.
        path: Option<PathBuf>,
        /// The workspace folder that it is in.
        folder: Option<PathBuf>,
    },
}

/// A file on disk.
struct FileOnDisk {
    /// The time of its last change, and its size; `None` if it was not read, because it is open.
    stamp: Option<(SystemTime, u64)>,
    /// `None` if it was not read, or cannot be.
    scan: Option<Arc<FileScan>>,
}

impl Application {
    /// An application that is not read yet.
    pub(super) fn new(kind: Kind) -> Self {
        Application {
            kind,
            config: LintConfig::default(),
            config_error: None,
            files: BTreeMap::new(),
            surroundings: Surroundings::default(),
            open: HashMap::new(),
            checked: None,
        }
    }

    /// Reads the configuration and the files that have changed, except open ones.
    pub(super) fn refresh(&mut self, options: &Options, open: &HashSet<&Path>) {
        match self.read_config(options) {
            Ok(config) => {
                if config.settings != self.config.settings {
                    self.files.clear();
                }
                self.config = config;
                self.config_error = None;
            }
            Err(failure) => self.config_error = Some(failure.message),
        }
        self.surroundings = Surroundings::default();
        self.open.clear();
        self.checked = None;
        if let Kind::Folder(folder) = &self.kind {
            self.files = self.read_files(folder, open);
        }
    }

    fn read_config(&self, options: &Options) -> Result<LintConfig, CommandError> {
        let (path, folder) = match &self.kind {
            Kind::Folder(folder) => (Some(folder), Some(folder)),
            Kind::Alone { path, folder, .. } => (path.as_ref(), folder.as_ref()),
        };
        // Outside of every folder, a relative path names nothing.
        let config = options.config.as_ref().filter(|config| config.is_absolute() || folder.is_some());
        let config = config.map(|config| folder.map_or_else(|| config.clone(), |folder| folder.join(config)));
        let checks = CheckOptions {
            engine: options.engine,
            no_config: path.is_none() && config.is_none(),
            config,
            rules: Vec::new(),
        };
        let paths: Vec<PathBuf> = path.cloned().into_iter().collect();
        lint_config(&ConfigFlags { checks: &checks, paths: &paths, exclude: &[], rendering: None, no_ignores: false })
    }

    fn read_files(&self, folder: &Path, open: &HashSet<&Path>) -> BTreeMap<PathBuf, FileOnDisk> {
        let prefilter = self.prefilter();
        let read = |source: &Source| self.read_file(source, folder, open, &prefilter);
        let found = find_and_read(&[folder.to_owned()], &self.config.exclusion, &read);
        found.texts.into_iter().filter_map(|(source, file)| Some((source.into_path()?, file))).collect()
    }

    fn read_file(
        &self,
        source: &Source,
        folder: &Path,
        open: &HashSet<&Path>,
        prefilter: &Prefilter<'_>,
    ) -> FileOnDisk {
        let path = source.path().unwrap_or(folder);
        let is_open = open.contains(path);
        let metadata = fs::metadata(path).ok().filter(|metadata| !is_open && metadata.len() <= MAX_BYTES as u64);
        let Some((metadata, modified)) =
            metadata.and_then(|metadata| Some((metadata.len(), metadata.modified().ok()?)))
        else {
            return FileOnDisk { stamp: None, scan: None };
        };
        let stamp = Some((modified, metadata));
        if let Some(known) = self.files.get(path).filter(|known| known.stamp == stamp) {
            return FileOnDisk { stamp, scan: known.scan.clone() };
        }
        let name = path_name(path.strip_prefix(folder).unwrap_or(path));
        let scan = source.read().ok().map(|text| self.surroundings.scan(Some(path), name, text, prefilter));
        FileOnDisk { stamp, scan: scan.map(|scan| Arc::new(scan.with_path(Some(path.to_owned())))) }
    }

    /// Whether an open text with this path is checked here.
    pub(super) fn includes(&self, path: &Path) -> bool {
        let excludes = self.config.exclusion.excludes(path, false);
        // A new file has the findings that it will have when it is saved.
        let is_found = || self.files.contains_key(path) || has_manifest_extension(path) && !path.exists();
        !excludes && (matches!(self.kind, Kind::Alone { .. }) || is_found())
    }

    /// What is wrong with the configuration.
    pub(super) fn config_error(&self) -> Option<&str> {
        self.config_error.as_deref()
    }

    /// A file outside of every folder may be a part of anything.
    fn scope(&self, options: &Options) -> Scope {
        let is_part = options.partial || matches!(self.kind, Kind::Alone { .. });
        if is_part { Scope::Part } else { Scope::Application }
    }

    /// Checks the files with the open texts in place of those on disk, unless it has, or none is open. Stops and
    /// returns false when `is_stale` says so.
    pub(super) fn check(&mut self, buffers: &[Arc<Buffer>], options: &Options, is_stale: &dyn Fn() -> bool) -> bool {
        if buffers.is_empty() {
            self.checked = None;
            return true;
        }
        let revisions: Vec<u64> = buffers.iter().map(|buffer| buffer.revision).collect();
        if self.checked.as_ref().is_some_and(|checked| checked.revisions == revisions) {
            return true;
        }
        self.scan_open(buffers);
        if is_stale() {
            return false;
        }
        let prefilter = self.prefilter();
        let (scans, files): (Vec<Arc<FileScan>>, Vec<CheckedFile>) = self.texts(buffers).into_iter().unzip();
        let scans = parallel::map(scans, 16, |scan| FileScan::clone(&scan));
        let mut result = lint(scans, Vec::new(), &prefilter, self.scope(options));
        if let Some(ignores) = &self.config.ignores {
            result.apply_ignores(ignores);
        }
        self.checked = Some(Checked { result, files, revisions });
        true
    }

    /// Scans the open texts that have changed.
    fn scan_open(&mut self, buffers: &[Arc<Buffer>]) {
        let mut known = std::mem::take(&mut self.open);
        let mut changed = Vec::new();
        for buffer in buffers.iter().filter(|buffer| !buffer.is_too_large) {
            match known.remove(&buffer.uri).filter(|(revision, _)| *revision == buffer.revision) {
                Some(scan) => {
                    self.open.insert(buffer.uri.clone(), scan);
                }
                None => changed.push(buffer),
            }
        }
        let prefilter = self.prefilter();
        let scans = parallel::map(changed, 1, |buffer| {
            let path = buffer.path.as_deref();
            let name = path.map_or_else(|| buffer.uri.clone(), path_name);
            let scan = self.surroundings.scan(path, name, buffer.text.clone(), &prefilter);
            (buffer.uri.clone(), (buffer.revision, Arc::new(scan.with_path(buffer.path.clone()))))
        });
        self.open.extend(scans);
    }

    /// The scans with their files, in the order in which `lint` reads them.
    fn texts(&self, buffers: &[Arc<Buffer>]) -> Vec<(Arc<FileScan>, CheckedFile)> {
        let open: HashSet<&Path> = buffers.iter().filter_map(|buffer| buffer.path.as_deref()).collect();
        let on_disk = self.files.iter().filter(|(path, _)| !open.contains(path.as_path()));
        let on_disk = on_disk.filter_map(|(path, file)| {
            let checked = CheckedFile::on_disk(uri::from_path(path));
            Some((path.clone(), (Arc::clone(file.scan.as_ref()?), checked)))
        });
        let open = buffers.iter().filter_map(|buffer| {
            let (_, scan) = self.open.get(&buffer.uri)?;
            let path = buffer.path.clone().unwrap_or_else(|| PathBuf::from(&buffer.uri));
            Some((path, (Arc::clone(scan), CheckedFile::open(Arc::clone(buffer)))))
        });
        let mut texts: Vec<_> = on_disk.chain(open).collect();
        texts.sort_by(|(one, _), (other, _)| one.cmp(other));
        texts.into_iter().map(|(_, text)| text).collect()
    }

    /// The result of the last check.
    pub(super) fn checked(&self) -> Option<&Checked> {
        self.checked.as_ref()
    }

    /// Decides what has to be parsed.
    pub(super) fn prefilter(&self) -> Prefilter<'_> {
        Prefilter::new(&self.config.settings)
    }
}
