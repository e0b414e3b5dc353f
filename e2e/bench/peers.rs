//! Other linters on the files that ours is measured by: `make bench-peers`.
//!
//! Each does another job, and all of them begin with the same: finding files and reading YAML.

pub(crate) mod schemas;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::child::Runs;
use crate::conditions;
use crate::corpora::{Corpus, Kind, Maker};
use crate::lint::{TEN_THOUSAND, linter};

/// How often each is run, after once to see what it judges.
const RUNS: usize = 3;

/// Another linter.
struct Peer {
    name: &'static str,
    /// What it does with a document.
    work: &'static str,
    command: fn(&Corpus) -> Command,
    /// How many documents its report speaks of.
    judged: fn(&Value) -> usize,
}

const PEERS: [Peer; 3] = [
    Peer { name: "kubeconform", work: "schemas", command: kubeconform, judged: judged_by_kubeconform },
    Peer { name: "kube-score", work: "its checks", command: kube_score, judged: judged_by_kube_score },
    Peer { name: "conftest", work: "one rule", command: conftest, judged: judged_by_conftest },
];

/// Prints the tables.
pub(crate) fn compare() {
    println!(
        "lint and its peers: the whole process, files in the page cache, output to /dev/null; median of {RUNS} runs"
    );
    conditions::print();
    crate::alone("schemas");
    let maker = Maker::new();
    let corpora = [Kind::Sql, Kind::Mixed].map(|kind| maker.corpus(kind, TEN_THOUSAND));
    // First everything is measured: reports are large, and whoever reads them is no longer small.
    let measured = corpora.each_ref().map(|corpus| {
        let ours = warm(|| linter(&corpus.path));
        (ours, PEERS.map(|peer| warm(|| (peer.command)(corpus))))
    });
    for (corpus, (ours, theirs)) in corpora.iter().zip(&measured) {
        heading(corpus);
        println!("{}", row("sqledge-ha", corpus, corpus.documents, ours, ours));
        for (peer, runs) in PEERS.iter().zip(theirs) {
            let name = format!("{} {}, {}", peer.name, version(peer.name), peer.work);
            println!("{}", row(&name, corpus, look(peer, corpus), runs, ours));
        }
    }
}

/// Runs a command once to warm up, and then as often as it takes; what it finds may be much.
fn warm(command: impl Fn() -> Command) -> Runs {
    Runs::of(1, &command, &[0, 1, 2]);
    Runs::of(RUNS, &command, &[0, 1, 2])
}

fn heading(corpus: &Corpus) {
    let Corpus { name, files, documents, .. } = corpus;
    println!("\n{name}: {files} files, {documents} documents, {:.1} MiB", corpus.mebibytes());
    println!(
        "{:<36} {:>8} {:>7} {:>7} {:>11} {:>9} {:>12} {:>7}",
        "", "judged", "s", "CPU s", "documents/s", "peak MiB", "ours is ×", "memory"
    );
}

fn row(name: &str, corpus: &Corpus, judged: usize, runs: &Runs, ours: &Runs) -> String {
    format!(
        "{name:<36} {judged:>8} {:>7.2} {:>7.2} {:>11.0} {:>9.0} {:>12.1} {:>6.0}%",
        runs.median(),
        runs.processor(),
        corpus.documents as f64 / runs.median(),
        runs.peak(),
        runs.median() / ours.median(),
        100.0 * ours.peak() / runs.peak(),
    )
}

/// How many documents a peer judges: one that gives up early would be fast.
fn look(peer: &Peer, corpus: &Corpus) -> usize {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("peer.json");
    let mut command = (peer.command)(corpus);
    command.stdout(File::create(&path).unwrap()).stderr(Stdio::null()).status().unwrap();
    let report = fs::read_to_string(&path).unwrap();
    let report = serde_json::from_str(&report).unwrap_or_else(|error| panic!("{}: {error}", peer.name));
    (peer.judged)(&report)
}

fn program(name: &str) -> Command {
    let path = tools().join(name);
    assert!(path.is_file(), "{} is not there: `make bench-peers` installs it", path.display());
    Command::new(path)
}

fn tools() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/bin")
}

/// The version of the module that a program was built from.
fn version(name: &str) -> String {
    let facts = conditions::said("go", &["version", "-m", tools().join(name).to_str().unwrap()]);
    let module =
        facts.lines().find_map(|line| line.trim().strip_prefix("mod\t").map(str::to_owned)).unwrap_or_default();
    module.split('\t').nth(1).unwrap_or_default().trim_start_matches('v').to_owned()
}

/// Kinds that no API server knows by itself have no schema.
fn kubeconform(corpus: &Corpus) -> Command {
    let schemas = schemas::folder().join("{{.ResourceKind}}{{.KindSuffix}}.json");
    let mut command = program("kubeconform");
    command.args(["-summary", "-output", "json", "-ignore-missing-schemas", "-schema-location"]);
    command.arg(schemas).arg(&corpus.path);
    command
}

fn judged_by_kubeconform(report: &Value) -> usize {
    let summary = report["summary"].as_object().unwrap();
    summary.values().filter_map(Value::as_u64).sum::<u64>() as usize
}

/// It takes files only.
fn kube_score(corpus: &Corpus) -> Command {
    let mut command = program("kube-score");
    command.args(["score", "--output-format", "json"]).args(files(corpus)).current_dir(&corpus.path);
    command
}

fn judged_by_kube_score(report: &Value) -> usize {
    report.as_array().unwrap().len()
}

fn conftest(corpus: &Corpus) -> Command {
    let policies = Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e/bench/peers");
    let mut command = program("conftest");
    command.args(["test", "--output", "json", "--policy"]).arg(policies).arg(&corpus.path);
    command
}

fn judged_by_conftest(report: &Value) -> usize {
    let count = |result: &Value| {
        let failed = result["failures"].as_array().map_or(0, Vec::len);
        result["successes"].as_u64().unwrap_or_default() as usize + failed
    };
    report.as_array().unwrap().iter().map(count).sum()
}

fn files(corpus: &Corpus) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(&corpus.path)
        .unwrap()
        .flat_map(|folder| fs::read_dir(folder.unwrap().path()).unwrap())
        .map(|file| file.unwrap().path().strip_prefix(&corpus.path).unwrap().to_owned())
        .collect();
    files.sort();
    files
}
