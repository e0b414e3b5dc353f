//! Other linters on the same files: `make bench-peers`.
//!
//! Each does a different job, but all read YAML. Some stop at the first file that they cannot read; they do not get
//! such files.

pub(crate) mod schemas;

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::child::Runs;
use crate::conditions;
use crate::corpora::{Corpus, Kind, Maker};
use crate::lint::{TEN_THOUSAND, linter};

/// The number of runs, unless one run takes long. Our linter runs first and warms the page cache.
const RUNS: usize = 3;
const LONG: f64 = 10.0;

/// Another linter.
struct Peer {
    name: &'static str,
    /// Its job.
    work: &'static str,
    arguments: fn() -> Vec<OsString>,
    /// The number of checks in its report.
    checks: fn(&Value) -> usize,
}

const PEERS: [Peer; 3] = [
    Peer { name: "kubeconform", work: "schemas", arguments: kubeconform, checks: count_of_kubeconform },
    Peer { name: "kube-score", work: "its checks", arguments: kube_score, checks: count_of_kube_score },
    Peer { name: "conftest", work: "one rule", arguments: conftest, checks: count_of_conftest },
];

/// The files that one linter gets, and its time.
struct Measured {
    files: Vec<PathBuf>,
    documents: usize,
    runs: Runs,
}

/// Prints the tables.
pub(crate) fn compare() {
    println!(
        "lint and other linters: whole processes, files in the page cache, output to /dev/null; median of {RUNS} runs"
    );
    conditions::print();
    crate::alone("schemas");
    let maker = Maker::new();
    let corpora = [Kind::Sql, Kind::Mixed].map(|kind| (kind, maker.corpus(kind, TEN_THOUSAND)));
    // Measure first: reports are large, and reading them makes this process large.
    let measured = corpora.each_ref().map(|(kind, corpus)| {
        Runs::new(1, || linter(&corpus.path), &[1]);
        let ours = Runs::new(RUNS, || linter(&corpus.path), &[1]);
        (ours, PEERS.each_ref().map(|peer| measure(peer, &maker, *kind, corpus)))
    });
    for ((_, corpus), (ours, theirs)) in corpora.iter().zip(&measured) {
        let Corpus { name, files, documents, .. } = corpus;
        println!("\n{name}: {files} files, {documents} documents, {:.1} MiB", corpus.mebibytes());
        println!(
            "{:<32} {:>6} {:>9} {:>7} {:>6} {:>6} {:>11} {:>8} {:>8} {:>6}",
            "", "files", "documents", "checked", "s", "CPU s", "documents/s", "ours", "peak MiB", "ours"
        );
        let all = Measured { files: vec![PathBuf::new(); *files], documents: *documents, runs: ours.clone() };
        println!("{}", row("sqledge-ha", &all, *documents, &all));
        for (peer, theirs) in PEERS.iter().zip(theirs) {
            let name = format!("{} {}, {}", peer.name, version(peer.name), peer.work);
            let report = report(peer, corpus, &theirs.files).unwrap_or_else(|| panic!("{name} failed"));
            println!("{}", row(&name, theirs, (peer.checks)(&report), &all));
        }
    }
}

fn measure(peer: &Peer, maker: &Maker, kind: Kind, corpus: &Corpus) -> Measured {
    eprintln!("{}: {}", corpus.name, peer.name);
    let all = maker.files(kind, corpus);
    let (mut seen, mut unreadable) = (HashSet::new(), HashSet::new());
    for (path, template) in &all {
        let template = std::ptr::from_ref(*template);
        if seen.insert(template) && report(peer, corpus, std::slice::from_ref(path)).is_none() {
            unreadable.insert(template);
        }
    }
    let readable = all.into_iter().filter(|(_, template)| !unreadable.contains(&std::ptr::from_ref(*template)));
    let (files, documents): (Vec<PathBuf>, Vec<usize>) =
        readable.map(|(path, template)| (path, template.documents)).unzip();
    // The output can be large.
    let run = |count| Runs::new(count, || command(peer, corpus, &files), &[0, 1, 2]);
    let first = run(1);
    let runs = if first.median() > LONG { first } else { run(RUNS) };
    Measured { documents: documents.into_iter().sum(), files, runs }
}

/// The columns "ours" compare our linter: how many times faster it is, and its memory in percent.
fn row(name: &str, measured: &Measured, checks: usize, ours: &Measured) -> String {
    let rate = |measured: &Measured| measured.documents as f64 / measured.runs.median();
    format!(
        "{name:<32} {:>6} {:>9} {checks:>7} {:>6.2} {:>6.2} {:>11.0} {:>8} {:>8.0} {:>5.0}%",
        measured.files.len(),
        measured.documents,
        measured.runs.median(),
        measured.runs.processor(),
        rate(measured),
        format!("× {:.1}", rate(ours) / rate(measured)),
        measured.runs.peak(),
        100.0 * ours.runs.peak() / measured.runs.peak(),
    )
}

/// The report of a linter; `None` if it fails, because a linter that fails early seems fast.
fn report(peer: &Peer, corpus: &Corpus, files: &[PathBuf]) -> Option<Value> {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("peer.json");
    let output = File::create(&path).unwrap();
    command(peer, corpus, files).stdout(output).stderr(Stdio::null()).status().unwrap();
    serde_json::from_str(&fs::read_to_string(&path).unwrap()).ok()
}

fn command(peer: &Peer, corpus: &Corpus, files: &[PathBuf]) -> Command {
    let path = tools().join(peer.name);
    assert!(path.is_file(), "{} does not exist: `make bench-peers` installs it", path.display());
    let mut command = Command::new(path);
    command.args((peer.arguments)()).args(files).current_dir(&corpus.path);
    command
}

fn tools() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/bin")
}

/// The version of the Go module of a program.
fn version(name: &str) -> String {
    let facts = conditions::output_of("go", &["version", "-m", tools().join(name).to_str().unwrap()]);
    let module = facts.lines().find_map(|line| line.trim().strip_prefix("mod\t")).unwrap_or_default();
    module.split('\t').nth(1).unwrap_or_default().trim_start_matches('v').to_owned()
}

/// Kinds that are not built into Kubernetes have no schema.
fn kubeconform() -> Vec<OsString> {
    let schemas = schemas::folder().join("{{.ResourceKind}}{{.KindSuffix}}.json");
    let arguments = ["-summary", "-output", "json", "-ignore-missing-schemas", "-schema-location"];
    arguments.into_iter().map(OsString::from).chain([schemas.into()]).collect()
}

fn count_of_kubeconform(report: &Value) -> usize {
    ["valid", "invalid"].into_iter().filter_map(|verdict| report["summary"][verdict].as_u64()).sum::<u64>() as usize
}

fn kube_score() -> Vec<OsString> {
    ["score", "--output-format", "json"].map(OsString::from).to_vec()
}

fn count_of_kube_score(report: &Value) -> usize {
    report.as_array().map_or(0, Vec::len)
}

fn conftest() -> Vec<OsString> {
    let policies = Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e/bench/peers");
    ["test", "--output", "json", "--policy"].into_iter().map(OsString::from).chain([policies.into()]).collect()
}

fn count_of_conftest(report: &Value) -> usize {
    let failed = |result: &Value| result["failures"].as_array().map_or(0, Vec::len);
    let passed = |result: &Value| result["successes"].as_u64().unwrap_or_default() as usize;
    report.as_array().into_iter().flatten().map(|result| passed(result) + failed(result)).sum()
}
