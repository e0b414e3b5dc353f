//! What the proof found: lines as it goes, and the rows of `e2e/PROOF.md`.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Mutex;

/// The tables of the proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Table {
    /// What is admitted, and what happened to it.
    Survives,
    /// Microsoft's sample as admitted beside the same sample unmended.
    Microsoft,
    /// What each rule is for.
    Necessity,
    /// What Kubernetes itself does not promise.
    Limits,
    /// What the API server took.
    Acceptance,
    /// How many reviews were replayed.
    Reviews,
}

/// The rows of all tables, by their place.
static ROWS: Mutex<BTreeMap<(Table, usize), Vec<String>>> = Mutex::new(BTreeMap::new());

/// Keeps a row and prints it.
pub(crate) fn row(table: Table, place: usize, cells: &[String]) {
    // Past the test harness, so that it is seen while others still run.
    let _ = writeln!(std::io::stderr(), "    {}", cells.join(" | "));
    ROWS.lock().unwrap().insert((table, place), cells.to_vec());
}

/// The rows of a table as Markdown.
pub(crate) fn rows(table: Table) -> String {
    let rows = ROWS.lock().unwrap();
    let rows = rows.iter().filter(|((of, _), _)| *of == table);
    rows.map(|(_, cells)| format!("| {} |\n", cells.join(" | "))).collect()
}
