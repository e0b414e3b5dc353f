//! From paths to texts: files, directories as git sees them, standard input.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::exit::plain;
use crate::manifest::{Problem, decode};

/// The path that stands for standard input.
const STANDARD_INPUT: &str = "-";
/// How reports call standard input.
pub const STANDARD_INPUT_NAME: &str = "<stdin>";
/// The endings of manifests in a directory.
const ENDINGS: [&str; 3] = ["yaml", "yml", "json"];

/// One text to read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Source {
    path: PathBuf,
}

impl Source {
    /// The text at a path, or standard input for `-`.
    pub fn named(path: &Path) -> Self {
        Source { path: path.to_owned() }
    }

    /// How reports call it.
    pub fn name(&self) -> String {
        if self.path.as_os_str() == STANDARD_INPUT {
            return STANDARD_INPUT_NAME.to_owned();
        }
        let name = plain(&self.path.to_string_lossy());
        name.strip_prefix("./").unwrap_or(&name).to_owned()
    }

    /// The file that it is in; `None` for standard input.
    pub fn path(&self) -> Option<&Path> {
        (self.path.as_os_str() != STANDARD_INPUT).then_some(&self.path)
    }

    /// Its text.
    ///
    /// # Errors
    /// [`Problem`] if it cannot be read, or is not UTF-8.
    pub fn read(&self) -> Result<String, Problem> {
        let mut bytes = Vec::new();
        let read = if self.path.as_os_str() == STANDARD_INPUT {
            io::stdin().lock().read_to_end(&mut bytes)
        } else {
            File::open(&self.path).and_then(|mut file| file.read_to_end(&mut bytes))
        };
        read.map_err(|error| problem(error.to_string()))?;
        decode(bytes)
    }
}

/// A path that leads to no text.
#[derive(Clone, Debug)]
pub struct Unreachable {
    /// How reports call it.
    pub name: String,
    /// Why not.
    pub problem: Problem,
}

fn problem(message: String) -> Problem {
    Problem { message, help: None, byte: 0 }
}

/// Finds the texts below `paths`, sorted by name, each once; no path stands for the current directory. A file that is
/// named is read whatever it is called. Links to directories are not followed, so that no loop can catch the search.
pub fn find(paths: &[PathBuf]) -> (Vec<Source>, Vec<Unreachable>) {
    let here = [PathBuf::from(".")];
    let (mut sources, mut unreachable) = (Vec::new(), Vec::new());
    for path in if paths.is_empty() { &here } else { paths } {
        if path.is_dir() {
            walk(path, &mut sources, &mut unreachable);
        } else if path.as_os_str() == STANDARD_INPUT || path.exists() {
            sources.push(Source { path: path.clone() });
        } else {
            let problem = problem("there is no such file or directory".to_owned());
            unreachable.push(Unreachable { name: plain(&path.to_string_lossy()), problem });
        }
    }
    sources.sort();
    // One file may be reached by several ways: named, below a directory, through a link.
    let mut seen = HashSet::new();
    sources.retain(|source| seen.insert(source.path.canonicalize().unwrap_or_else(|_| source.path.clone())));
    (sources, unreachable)
}

fn walk(directory: &Path, sources: &mut Vec<Source>, unreachable: &mut Vec<Unreachable>) {
    for entry in ignore::WalkBuilder::new(directory).build() {
        match entry {
            // A link that leads nowhere is read as well, so that somebody is told.
            Ok(entry) if has_manifest_ending(entry.path()) && !entry.path().is_dir() => {
                sources.push(Source { path: entry.into_path() });
            }
            Ok(_) => {}
            Err(error) => {
                let name = plain(&directory.to_string_lossy());
                unreachable.push(Unreachable { name, problem: problem(error.to_string()) });
            }
        }
    }
}

fn has_manifest_ending(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    ENDINGS.iter().any(|known| ending.eq_ignore_ascii_case(known))
}
