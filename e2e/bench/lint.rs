//! `sqledge-ha lint` as a whole process, compared with passes that do less.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::child::Runs;
use crate::conditions;
use crate::corpora::{Corpus, Kind, Maker, Size};
use crate::passes::Pass;

/// The number of runs after a warm-up. Long runs vary less.
const RUNS: usize = 9;
const LONG_RUNS: usize = 3;
const LONG: f64 = 2.0;

/// The corpora.
pub(crate) const TEN_THOUSAND: Size = Size::Files(10_000);

/// Prints the tables.
pub(crate) fn measure() {
    println!("lint: the whole process, files in the page cache, output to /dev/null; median of {RUNS} runs");
    println!("(of {LONG_RUNS} where one takes over {LONG} s)");
    conditions::print();
    let maker = Maker::new();
    start(&maker);
    heading();
    for (kind, size) in [
        (Kind::Sql, TEN_THOUSAND),
        (Kind::Mixed, TEN_THOUSAND),
        (Kind::Sql, Size::Stream(100)),
        (Kind::Mixed, Size::Stream(100)),
    ] {
        compare(&maker.corpus(kind, size));
    }
    println!("\ncost curve: milliseconds of the whole process, and microseconds a document");
    println!("{:<10} {:>9} {:>9} {:>10} {:>8}", "", "files", "documents", "ms", "µs each");
    for kind in [Kind::Sql, Kind::Mixed] {
        for documents in [100, 1_000, 10_000, 100_000] {
            point(&maker.corpus(kind, Size::Documents(documents)));
        }
    }
    for files in [100, 1_000, 10_000] {
        point(&maker.corpus(Kind::Overlays, Size::Files(files)));
    }
}

fn start(maker: &Maker) {
    let version = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sqledge-ha"));
        command.arg("--version");
        command
    };
    let version = Runs::new(21, version, &[0]);
    let one = maker.corpus(Kind::Sql, Size::Files(1));
    let one = Runs::new(21, || linter(&one.path), &[0, 1]);
    println!(
        "\nstart: `--version` {:.1} ms, one file {:.1} ms, {:.0} MiB",
        version.median() * 1e3,
        one.median() * 1e3,
        one.peak()
    );
}

fn heading() {
    println!(
        "\n{:<33} {:>6} {:>9} {:>6} {:>8} {:>17} {:>11} {:>7} {:>6} {:>8}",
        "", "files", "documents", "MiB", "ms", "min–max", "documents/s", "MiB/s", "CPU s", "peak MiB"
    );
}

fn compare(corpus: &Corpus) {
    let findings = findings(corpus);
    let runs = repeat(|count| Runs::new(count, || linter(&corpus.path), &[1]));
    let what = format!("{}, {} findings", corpus.name, findings);
    println!("{} {:>6.2} {:>8.0}", row(&what, corpus, &runs), runs.processor(), runs.peak());
    for pass in Pass::ALL {
        let less = repeat(|count| Runs::timed(count, || pass.measure(&corpus.path)));
        println!("{} {:>15}", row(&format!("  {}", pass.describe()), corpus, &less), share(&less, &runs));
    }
}

/// The time of a pass, relative to the linter.
fn share(less: &Runs, whole: &Runs) -> String {
    format!("{:.1} % of it", 100.0 * less.median() / whole.median())
}

fn row(what: &str, corpus: &Corpus, runs: &Runs) -> String {
    let (least, most) = runs.spread();
    let took = runs.median();
    format!(
        "{what:<33} {:>6} {:>9} {:>6.1} {:>8.1} {:>17} {:>11.0} {:>7.0}",
        corpus.files,
        corpus.documents,
        corpus.mebibytes(),
        took * 1e3,
        format!("{:.1}–{:.1}", least * 1e3, most * 1e3),
        corpus.documents as f64 / took,
        corpus.mebibytes() / took,
    )
}

fn point(corpus: &Corpus) {
    let runs = repeat(|count| Runs::new(count, || linter(&corpus.path), &[1]));
    let took = runs.median();
    println!(
        "{:<10} {:>9} {:>9} {:>10.1} {:>8.1}",
        corpus.name,
        corpus.files,
        corpus.documents,
        took * 1e3,
        took * 1e6 / corpus.documents as f64
    );
}

/// Runs once to warm up, and then as often as its duration allows.
fn repeat(mut run: impl FnMut(usize) -> Runs) -> Runs {
    let is_long = run(1).median() > LONG;
    run(if is_long { LONG_RUNS } else { RUNS })
}

/// The measured command.
pub(crate) fn linter(path: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sqledge-ha"));
    command.args(["lint", "--format", "json"]).arg(path);
    command
}

/// The number of findings in a corpus. Fails if the linter skips files.
fn findings(corpus: &Corpus) -> u64 {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("report.json");
    let report = File::create(&path).unwrap();
    linter(&corpus.path).stdout(report).stderr(Stdio::null()).status().unwrap();
    // The report can be large; its summary comes first.
    let mut head = vec![0; 1024];
    let length = File::open(&path).unwrap().read(&mut head).unwrap();
    let head = String::from_utf8_lossy(&head[..length]).into_owned();
    let start = head.find("\"summary\":").unwrap() + "\"summary\":".len();
    let end = start + head[start..].find('}').unwrap() + 1;
    let summary: Value = serde_json::from_str(&head[start..end]).unwrap();
    assert_eq!(summary["files"], corpus.files, "{summary}");
    summary["errors"].as_u64().unwrap() + summary["warnings"].as_u64().unwrap()
}
