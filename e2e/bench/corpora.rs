//! Files to lint: copies of the examples with different names, among manifests without SQL.
//!
//! A corpus is written once, and again when its sources change. It is the same on every machine.

use std::collections::hash_map::DefaultHasher;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::hash::{Hash, Hasher};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use crate::ordinary;
use crate::template::Template;

/// The number of files in a folder.
const FILES_IN_A_FOLDER: usize = 100;

/// The content of a corpus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Every file has SQL workloads.
    Sql,
    /// One file in a hundred has SQL workloads.
    Mixed,
    /// Copies of one application with the same names and labels, like rendered overlays.
    Overlays,
}

/// The size of a corpus.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Size {
    /// A number of files.
    Files(usize),
    /// Enough files for a number of documents.
    Documents(usize),
    /// One file of a size in MiB.
    Stream(usize),
}

/// A corpus on disk.
#[derive(Clone, Debug)]
pub(crate) struct Corpus {
    /// Its name in tables.
    pub(crate) name: &'static str,
    /// The folder, or the file.
    pub(crate) path: PathBuf,
    /// The number of files.
    pub(crate) files: usize,
    /// The number of documents.
    pub(crate) documents: usize,
    /// The size in bytes.
    pub(crate) bytes: usize,
}

impl Corpus {
    /// Its size in MiB.
    pub(crate) fn mebibytes(&self) -> f64 {
        self.bytes as f64 / f64::from(1 << 20)
    }
}

/// Writes corpora.
pub(crate) struct Maker {
    folder: PathBuf,
    sql: Vec<Template>,
    ordinary: Vec<Template>,
    fingerprint: u64,
}

impl Maker {
    /// Reads the examples in `e2e`. Corpora are written to `target`.
    pub(crate) fn new() -> Self {
        let e2e = Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e");
        let sql: Vec<Template> = sql_files(&e2e).iter().map(|path| Template::read(path)).collect();
        let ordinary = ordinary::templates(&e2e.join("bench/ordinary"));
        let mut text = include_str!("corpora.rs").to_owned();
        sql.iter().chain(&ordinary).for_each(|template| template.copy(0, &mut text));
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("corpora");
        Maker { folder, sql, ordinary, fingerprint: hasher.finish() }
    }

    /// A corpus; writes it if it does not exist.
    pub(crate) fn corpus(&self, kind: Kind, size: Size) -> Corpus {
        let (name, ending) = match size {
            Size::Files(count) => (format!("{kind:?}-{count}-files"), ""),
            Size::Documents(count) => (format!("{kind:?}-{count}-documents"), ""),
            Size::Stream(count) => (format!("{kind:?}-{count}-mebibytes"), ".yaml"),
        };
        let path = self.folder.join(format!("{}{ending}", name.to_lowercase()));
        let stamp = self.folder.join(format!("{}.complete", name.to_lowercase()));
        let name = match kind {
            Kind::Sql => "all SQL",
            Kind::Mixed => "1 % SQL",
            Kind::Overlays => "overlays",
        };
        let mut corpus = Corpus { name, path, files: 0, documents: 0, bytes: 0 };
        if !self.was_made(&stamp, &mut corpus) {
            let _ = fs::remove_dir_all(&corpus.path);
            fs::create_dir_all(&self.folder).unwrap();
            match size {
                Size::Files(limit) => self.write_files(kind, &mut corpus, |corpus| corpus.files < limit),
                Size::Documents(limit) => self.write_files(kind, &mut corpus, |corpus| corpus.documents < limit),
                Size::Stream(limit) => self.write_stream(kind, &mut corpus, limit << 20),
            }
            let Corpus { files, documents, bytes, .. } = corpus;
            fs::write(stamp, format!("{} {files} {documents} {bytes}\n", self.fingerprint)).unwrap();
        }
        corpus
    }

    /// Whether the corpus is complete. Fills in its numbers.
    fn was_made(&self, stamp: &Path, corpus: &mut Corpus) -> bool {
        let stamp = fs::read_to_string(stamp).unwrap_or_default();
        let figures: Vec<u64> = stamp.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        let [fingerprint, files, documents, bytes] = figures[..] else { return false };
        (corpus.files, corpus.documents, corpus.bytes) = (files as usize, documents as usize, bytes as usize);
        fingerprint == self.fingerprint && corpus.path.exists()
    }

    fn write_files(&self, kind: Kind, corpus: &mut Corpus, goes_on: impl Fn(&Corpus) -> bool) {
        (corpus.files, corpus.documents, corpus.bytes) = (0, 0, 0);
        let mut text = String::new();
        while goes_on(corpus) {
            let number = corpus.files;
            let template = self.template(kind, number);
            text.clear();
            template.copy(if kind == Kind::Overlays { 0 } else { number }, &mut text);
            let path = corpus.path.join(path(number, template));
            if number.is_multiple_of(FILES_IN_A_FOLDER) {
                fs::create_dir_all(path.parent().unwrap()).unwrap();
            }
            fs::write(path, &text).unwrap();
            corpus.files += 1;
            corpus.documents += template.documents;
            corpus.bytes += text.len();
        }
    }

    fn write_stream(&self, kind: Kind, corpus: &mut Corpus, limit: usize) {
        (corpus.files, corpus.documents, corpus.bytes) = (1, 0, 0);
        let mut output = BufWriter::new(File::create(&corpus.path).unwrap());
        let mut text = String::new();
        for number in 0.. {
            if corpus.bytes >= limit {
                break;
            }
            let template = self.template(kind, number);
            if template.streams {
                text.clear();
                writeln!(text, "---").unwrap();
                template.copy(number, &mut text);
                output.write_all(text.as_bytes()).unwrap();
                corpus.documents += template.documents;
                corpus.bytes += text.len();
            }
        }
        output.flush().unwrap();
    }

    /// The files of a corpus: path and template.
    pub(crate) fn files(&self, kind: Kind, corpus: &Corpus) -> Vec<(PathBuf, &Template)> {
        let templates = (0..corpus.files).map(|number| (number, self.template(kind, number)));
        templates.map(|(number, template)| (path(number, template), template)).collect()
    }

    /// The template of the file with this number.
    fn template(&self, kind: Kind, number: usize) -> &Template {
        match kind {
            Kind::Sql => &self.sql[number % self.sql.len()],
            Kind::Overlays => &self.sql[0],
            // The first one comes early, so that the smallest corpus has one.
            Kind::Mixed if number % 100 == 7 => &self.sql[number / 100 % self.sql.len()],
            Kind::Mixed => &self.ordinary[(number - number / 100) % self.ordinary.len()],
        }
    }
}

/// The path of a file in its corpus.
fn path(number: usize, template: &Template) -> PathBuf {
    let folder = format!("{:04}", number / FILES_IN_A_FOLDER);
    Path::new(&folder).join(format!("{number:06}-{}.{}", template.stem, template.ending))
}

/// The manifests with SQL: the examples, and files of the rules' corpus that need no flags.
fn sql_files(e2e: &Path) -> Vec<PathBuf> {
    let mut files = manifests(&e2e.join("examples"), "yaml");
    for rule in entries(&e2e.join("corpus")) {
        for verdict in ["fail", "pass"] {
            files.extend(manifests(&rule.join(verdict), "yaml"));
            files.extend(manifests(&rule.join(verdict), "json"));
        }
    }
    files.retain(|file| !fs::read_to_string(file).unwrap().starts_with("# lint:"));
    files
}

/// The files of a folder with this extension, sorted.
pub(crate) fn manifests(folder: &Path, ending: &str) -> Vec<PathBuf> {
    entries(folder).into_iter().filter(|path| path.extension().is_some_and(|found| found == ending)).collect()
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut entries: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    entries
}
