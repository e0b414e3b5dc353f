//! From paths to files: directories as git sees them, each file once. Files are read while others are still looked for.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{self, Sender};

use ignore::{DirEntry, WalkBuilder};
use rayon::prelude::*;

use super::reached::{Directories, Reached, Way};
use super::{Exclusion, STANDARD_INPUT, Source, Unreachable, name, problem};
use crate::exit::{in_words, plain};

/// The endings of manifests in a directory.
const ENDINGS: [&str; 3] = ["yaml", "yml", "json"];

/// So many files are read by one thread in one go: few enough for all threads to end together.
const FILES_AT_ONCE: usize = 16;
/// So many files are handed over while the search goes on, by name: they lie on the disk as they were made, as a rule in
/// that order, and not as the search meets them.
const BATCH: usize = 128;

/// What a search came to.
#[derive(Debug)]
pub struct Found<T> {
    /// The texts, and what came of reading them: files by name, then the others.
    pub texts: Vec<(Source, T)>,
    /// The paths that lead nowhere.
    pub unreachable: Vec<Unreachable>,
    /// What was left out because somebody asked for that.
    pub left_out: LeftOut,
}

/// How much was left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Manifests, not counting those in the directories.
    pub files: usize,
    /// Whole directories, which nobody has looked into.
    pub directories: usize,
}

impl LeftOut {
    /// What to tell somebody who wonders where everything is; `None` if nothing was left out.
    pub fn note(self) -> Option<String> {
        let counted = |count: usize, one: &str, many: &str| match count {
            0 => None,
            1 => Some(format!("1 {one}")),
            _ => Some(format!("{count} {many}")),
        };
        let parts =
            [counted(self.files, "file", "files"), counted(self.directories, "whole directory", "whole directories")];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        let are = if self.files + self.directories == 1 { "is" } else { "are" };
        (!parts.is_empty()).then(|| format!("{} {are} left out by an exclude", parts.join(" and ")))
    }
}

impl<T> Default for Found<T> {
    fn default() -> Self {
        Found { texts: Vec::new(), unreachable: Vec::new(), left_out: LeftOut::default() }
    }
}

/// Finds the texts below `paths`, as [`find_and_read`] does, leaves nothing out, and reads nothing.
pub fn find(paths: &[PathBuf]) -> (Vec<Source>, Vec<Unreachable>) {
    let found = find_and_read(paths, &Exclusion::default(), &|_: &Source| ());
    (found.texts.into_iter().map(|(source, ())| source).collect(), found.unreachable)
}

/// Finds the texts below `paths`, sorted by name, each once; no path stands for the current directory. What is found is
/// read by `read`, side by side.
///
/// A file that is named is read whatever it is called, unless `exclusion` says otherwise. Directories are searched as
/// ripgrep does: without hidden files and directories, and without what `.gitignore` (in a repository) and `.ignore`
/// (anywhere) leave out. Links to directories are not followed, so that no loop can catch the search.
///
/// A file below two directories that are named may be read twice, but counts once. Whatever could be a pipe is read once.
pub fn find_and_read<T, R>(paths: &[PathBuf], exclusion: &Exclusion, read: &R) -> Found<T>
where
    T: Send,
    R: Fn(&Source) -> T + Sync,
{
    let here = [PathBuf::from(".")];
    let mut search = Search::new(exclusion);
    let (sender, early) = mpsc::channel();
    rayon::in_place_scope(|scope| {
        let read_early = |files: Vec<Reached>| {
            let sender: Sender<(Reached, T)> = sender.clone();
            scope.spawn(move |_| {
                files.into_par_iter().with_max_len(FILES_AT_ONCE).for_each_with(sender, |sender, file| {
                    let text = read(&Source::File(file.path.clone()));
                    // The other end outlives the scope.
                    let _ = sender.send((file, text));
                });
            });
        };
        for path in if paths.is_empty() { &here } else { paths } {
            search.add(path, &read_early);
        }
    });
    drop(sender);
    let early = early.into_iter().map(|(file, text)| (file, Some(text))).collect();
    search.finish(early, paths.len() > 1, read)
}

struct Search<'e> {
    exclusion: &'e Exclusion,
    /// The files that are not read while the search goes on: they may be reached by several ways, and may be pipes.
    files: Vec<Reached>,
    /// The directories that are searched.
    roots: Vec<PathBuf>,
    reads_standard_input: bool,
    unreachable: Vec<Unreachable>,
    left_out: LeftOut,
}

impl<'e> Search<'e> {
    fn new(exclusion: &'e Exclusion) -> Self {
        Search {
            exclusion,
            files: Vec::new(),
            roots: Vec::new(),
            reads_standard_input: false,
            unreachable: Vec::new(),
            left_out: LeftOut::default(),
        }
    }

    /// Looks for files at a path. Those below a directory are handed to `read_early`, some at a time.
    fn add(&mut self, path: &Path, read_early: &impl Fn(Vec<Reached>)) {
        if path.as_os_str() == STANDARD_INPUT {
            self.reads_standard_input = true;
            return;
        }
        let (is_link, is_directory) = match kind(path) {
            Ok(kind) => kind,
            Err(error) => return self.miss(path, &error),
        };
        if self.exclusion.excludes(path, is_directory) {
            let left_out = &mut self.left_out;
            *if is_directory { &mut left_out.directories } else { &mut left_out.files } += 1;
        } else if is_directory {
            self.walk(path, read_early);
        } else {
            self.files.push(Reached { path: path.to_owned(), way: if is_link { Way::Link } else { Way::Named } });
        }
    }

    fn miss(&mut self, path: &Path, error: &io::Error) {
        let why = in_words(error);
        self.unreachable.push(Unreachable { name: plain(&path.to_string_lossy()), problem: problem(why) });
    }

    /// One thread looks through a tree, faster than several would that take turns at it; the others read meanwhile.
    fn walk(&mut self, root: &Path, read_early: &impl Fn(Vec<Reached>)) {
        let left_out = Arc::new(Counters::default());
        let mut walker = WalkBuilder::new(root);
        if !self.exclusion.is_empty() {
            let (exclusion, left_out) = (self.exclusion.clone(), Arc::clone(&left_out));
            walker.filter_entry(move |entry| entry.depth() == 0 || !left_out.leaves_out(&exclusion, entry));
        }
        let mut batch = Vec::new();
        for entry in walker.build() {
            match entry {
                Ok(entry) if is_manifest(&entry) => {
                    if is_link(&entry) {
                        self.files.push(Reached { path: entry.into_path(), way: Way::Link });
                        continue;
                    }
                    batch.push(Reached { path: entry.into_path(), way: Way::Below(self.roots.len()) });
                    if batch.len() == BATCH {
                        read_early(by_name(std::mem::take(&mut batch)));
                    }
                }
                Ok(_) => {}
                Err(error) => {
                    let (path, why) = unsearchable(&error);
                    self.unreachable.push(Unreachable { name: name(path.unwrap_or(root)), problem: problem(why) });
                }
            }
        }
        read_early(by_name(batch));
        self.roots.push(root.to_owned());
        self.left_out.files += left_out.files.load(Relaxed);
        self.left_out.directories += left_out.directories.load(Relaxed);
    }

    /// Sorts the files, those that have been read and the others, and reads these. One file may be reached by several
    /// ways: named, below a directory, through a link.
    fn finish<T: Send>(
        self,
        early: Vec<(Reached, Option<T>)>,
        several: bool,
        read: &(impl Fn(&Source) -> T + Sync),
    ) -> Found<T> {
        let mut files = early;
        let has_link = self.files.iter().any(|file| file.way == Way::Link);
        files.extend(self.files.into_iter().map(|file| (file, None)));
        files.par_sort_by(|(one, _), (other, _)| by_directory(&one.path, &other.path));
        if several || has_link {
            let mut directories = Directories::of(&self.roots);
            let mut seen = HashSet::with_capacity(files.len());
            files.retain(|(file, _)| seen.insert(directories.real(file)));
        }
        let files = files.into_iter().map(|(file, text)| (Source::File(file.path), text));
        let sources: Vec<(Source, Option<T>)> =
            files.chain(self.reads_standard_input.then_some((Source::StandardInput, None))).collect();
        let read = |(source, text): (Source, Option<T>)| {
            let text = text.unwrap_or_else(|| read(&source));
            (source, text)
        };
        let texts = sources.into_par_iter().with_max_len(FILES_AT_ONCE).map(read).collect();
        Found { texts, unreachable: self.unreachable, left_out: self.left_out }
    }
}

fn by_name(mut files: Vec<Reached>) -> Vec<Reached> {
    files.sort_unstable_by(|one, other| by_directory(&one.path, &other.path));
    files
}

/// The order of paths: by the names of directories, one after the other.
fn by_directory(one: &Path, other: &Path) -> Ordering {
    let (one, other) = (one.as_os_str().as_encoded_bytes(), other.as_os_str().as_encoded_bytes());
    let common = common_start(one, other);
    let rank = |path: &[u8]| path.get(common).map(|byte| if *byte == b'/' { 0 } else { *byte });
    rank(one).cmp(&rank(other))
}

/// How many bytes are the same at the start: most paths have much in common.
fn common_start(one: &[u8], other: &[u8]) -> usize {
    const BLOCK: usize = 16;
    let blocks = one.chunks_exact(BLOCK).zip(other.chunks_exact(BLOCK));
    let same = blocks.take_while(|(one, other)| one == other).count() * BLOCK;
    let rest = one.iter().skip(same).zip(other.iter().skip(same));
    same + rest.take_while(|(one, other)| one == other).count()
}

/// Whether a path is a link, and whether it leads to a directory.
fn kind(path: &Path) -> io::Result<(bool, bool)> {
    let here = fs::symlink_metadata(path)?;
    let there = if here.is_symlink() { fs::metadata(path)? } else { here.clone() };
    Ok((here.is_symlink(), there.is_dir()))
}

#[derive(Default)]
struct Counters {
    files: AtomicUsize,
    directories: AtomicUsize,
}

impl Counters {
    /// Whether an entry is left out, and counts it if so.
    fn leaves_out(&self, exclusion: &Exclusion, entry: &DirEntry) -> bool {
        let directory = is_directory(entry);
        let leaves_out = exclusion.excludes(entry.path(), directory);
        if leaves_out && directory {
            self.directories.fetch_add(1, Relaxed);
        } else if leaves_out && has_manifest_ending(entry.path()) {
            self.files.fetch_add(1, Relaxed);
        }
        leaves_out
    }
}

fn is_directory(entry: &DirEntry) -> bool {
    entry.file_type().is_some_and(|kind| kind.is_dir())
}

fn is_link(entry: &DirEntry) -> bool {
    entry.file_type().is_some_and(|kind| kind.is_symlink())
}

/// Whether an entry of a directory is read: a file, not a pipe or the like, on which one could wait for ever. A link that
/// leads nowhere is, so that somebody is told.
fn is_manifest(entry: &DirEntry) -> bool {
    has_manifest_ending(entry.path())
        && match entry.file_type() {
            Some(kind) if kind.is_symlink() => fs::metadata(entry.path()).map_or(true, |there| there.is_file()),
            Some(kind) => kind.is_file(),
            None => false,
        }
}

fn has_manifest_ending(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    ENDINGS.iter().any(|known| ending.eq_ignore_ascii_case(known))
}

/// Where a search cannot go on, and why.
fn unsearchable(error: &ignore::Error) -> (Option<&Path>, String) {
    let (ignore::Error::WithPath { path, .. }, Some(error)) = (error, error.io_error()) else {
        return (None, plain(&error.to_string()));
    };
    // The walker names the path once more around what the system says.
    let of_system = error.get_ref().and_then(|walker| walker.source()?.downcast_ref::<io::Error>());
    (Some(path), in_words(of_system.unwrap_or(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_cannot_be_read_is_told_in_the_same_words_as_a_file() {
        let error = WalkBuilder::new("nowhere").build().next().unwrap().unwrap_err();
        assert_eq!(unsearchable(&error), (Some(Path::new("nowhere")), "there is no such file or directory".to_owned()));
    }

    #[test]
    fn what_is_in_a_directory_stands_together() {
        let folder = "a/folder/with/a/long/name";
        let sorted = ["a", "a/b", "a/b/c", "a/b-c", "a/bc"].map(|path| format!("{folder}/{path}"));
        for one in 0..sorted.len() {
            for other in 0..sorted.len() {
                let order = by_directory(Path::new(&sorted[one]), Path::new(&sorted[other]));
                assert_eq!(order, one.cmp(&other), "{} {}", sorted[one], sorted[other]);
            }
        }
    }
}
