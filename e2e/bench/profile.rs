//! The functions in which the linter spends its time, with and without callees.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::corpora::{Kind, Maker};
use crate::lint::{TEN_THOUSAND, linter};

/// Prints the functions with at least one percent.
pub(crate) fn print() {
    let maker = Maker::new();
    for kind in [Kind::Sql, Kind::Mixed] {
        let corpus = maker.corpus(kind, TEN_THOUSAND);
        println!("{}: {} files, {} documents", corpus.name, corpus.files, corpus.documents);
        let data = record(&linter(&corpus.path));
        let mut report = Command::new("perf");
        report.args(["report", "--stdio", "--children", "--call-graph", "none", "--percent-limit", "1", "--input"]);
        assert!(report.arg(data).stderr(Stdio::null()).status().unwrap().success());
    }
}

/// Records a command. Release builds have unwind tables.
fn record(watched: &Command) -> PathBuf {
    let data = Path::new(env!("CARGO_TARGET_TMPDIR")).join("profile");
    let mut perf = Command::new("perf");
    perf.args(["record", "--quiet", "--freq", "499", "--call-graph", "dwarf,8192", "--output"]).arg(&data).arg("--");
    perf.arg(watched.get_program()).args(watched.get_args()).stdout(Stdio::null());
    perf.status().unwrap_or_else(|error| panic!("cannot run perf (Debian package linux-perf): {error}"));
    data
}
