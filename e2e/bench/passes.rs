//! Passes over a corpus that do less than the linter, for comparison.
//!
//! Each runs in a separate process, so that the measuring process stays small, and prints its nanoseconds.

use std::fs::{self, File};
use std::hint::black_box;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use granit_parser::{Parser, options};
use rayon::prelude::*;
use sqledge_ha::linter::lint_texts;
use sqledge_ha::prefilter::Prefilter;
use sqledge_ha_policy::settings::Settings;
use sqledge_ha_policy::view::Scope;

/// A pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pass {
    /// Walks the folder, and sums all bytes.
    Bytes,
    /// Parses the texts, which are in memory, into YAML events.
    Events,
    /// Lints the texts, which are in memory, without a report.
    Library,
}

impl Pass {
    /// All passes, the fastest first.
    pub(crate) const ALL: [Pass; 3] = [Pass::Bytes, Pass::Events, Pass::Library];

    /// Its name in tables.
    pub(crate) fn describe(self) -> &'static str {
        match self {
            Pass::Bytes => "reading every byte once",
            Pass::Events => "only YAML parser events",
            Pass::Library => "the library, texts in memory",
        }
    }

    fn argument(self) -> &'static str {
        match self {
            Pass::Bytes => "bytes",
            Pass::Events => "events",
            Pass::Library => "library",
        }
    }

    /// Runs it in a separate process.
    pub(crate) fn measure(self, path: &Path) -> Duration {
        let program = std::env::current_exe().unwrap();
        let output = Command::new(program).arg("pass").arg(self.argument()).arg(path).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Duration::from_nanos(String::from_utf8(output.stdout).unwrap().trim().parse().unwrap())
    }
}

/// Runs the pass with this name, and prints its nanoseconds.
pub(crate) fn run(argument: &str, path: &Path) {
    let pass = Pass::ALL.into_iter().find(|pass| pass.argument() == argument).unwrap();
    let took = match pass {
        Pass::Bytes => time(|| sum(path)),
        Pass::Events => {
            let texts: Vec<String> = files(path).iter().map(|file| fs::read_to_string(file).unwrap()).collect();
            time(|| events(&texts))
        }
        Pass::Library => {
            let text = |file: PathBuf| (file.display().to_string(), fs::read_to_string(&file).unwrap());
            let texts: Vec<(String, String)> = files(path).into_iter().map(text).collect();
            let mut outcome = None;
            // Dropping the result is not measured.
            time(|| outcome = Some(lint_texts(texts, &Prefilter::new(&Settings::default()), Scope::Application)))
        }
    };
    println!("{}", took.as_nanos());
}

fn time<T>(run: impl FnOnce() -> T) -> Duration {
    let started = Instant::now();
    black_box(run());
    started.elapsed()
}

/// The files below a path.
fn files(path: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut open = vec![path.to_owned()];
    while let Some(path) = open.pop() {
        match fs::read_dir(&path) {
            Ok(entries) => open.extend(entries.map(|entry| entry.unwrap().path())),
            Err(_) => files.push(path),
        }
    }
    files
}

/// The block size.
const BLOCK: usize = 1 << 20;

fn sum(path: &Path) -> u64 {
    files(path).par_iter().map_init(|| vec![0; BLOCK], |buffer, path| sum_of_file(buffer, path)).sum()
}

fn sum_of_file(buffer: &mut [u8], path: &Path) -> u64 {
    let file = File::open(path).unwrap();
    let (first, length) = sum_of_block(buffer, &file, 0);
    if length < BLOCK {
        return first;
    }
    // Split large files, so that every thread has work.
    let blocks = file.metadata().unwrap().len().div_ceil(BLOCK as u64);
    let others = (1..blocks).into_par_iter();
    first + others.map_init(|| vec![0; BLOCK], |buffer, block| sum_of_block(buffer, &file, block).0).sum::<u64>()
}

/// The sum and the number of the bytes of a block.
fn sum_of_block(buffer: &mut [u8], file: &File, block: u64) -> (u64, usize) {
    let length = file.read_at(buffer, block * BLOCK as u64).unwrap();
    (buffer[..length].iter().map(|byte| u64::from(*byte)).sum(), length)
}

fn events(texts: &[String]) -> usize {
    // Split large files, so that every thread has work.
    let documents: Vec<&str> = texts.iter().flat_map(|text| text.split("\n---\n")).collect();
    documents.par_iter().map(|document| events_of(document)).sum()
}

fn events_of(document: &str) -> usize {
    // The same options as the linter.
    let is_json = document.trim_start().starts_with(['{', '[']);
    let options = options! {
        simple_key_max_lookahead: if is_json { usize::MAX } else { 1024 },
        block_scalar_eof_without_line_feed: true,
    };
    let mut events = 0;
    for event in Parser::new_from_str_with_options(document, options) {
        black_box(event.unwrap_or_else(|error| panic!("{error}: {document}")));
        events += 1;
    }
    events
}
