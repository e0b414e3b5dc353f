//! The results: printed as they come, and rows of `e2e/PROOF.md`.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Mutex;

/// The tables of the proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Table {
    /// Admitted databases and the events that they survived.
    Survives,
    /// Microsoft's sample, without and with the webhook.
    Microsoft,
    /// The failures that rules prevent.
    Necessity,
    /// What Kubernetes does not guarantee.
    Limits,
    /// Objects that the API server accepted.
    Acceptance,
    /// Orders in which the objects of an application arrived.
    Arrivals,
    /// What GitOps controllers see.
    GitOps,
    /// A live Deployment that becomes `Recreate` by server-side apply.
    Trap,
    /// What an operator did.
    Operator,
    /// What became of requests while the webhook was introduced and removed.
    Journey,
    /// What the metrics and the log of the webhook said in mode `warn`.
    WouldHappen,
    /// The number of requests.
    JourneyLoad,
    /// What became of requests while the webhook was updated.
    RollingUpdate,
    /// The number of replayed reviews.
    Reviews,
    /// What `audit` foretold, and what happened.
    Forecasts,
    /// The scheduler's decisions, foretold.
    Scheduler,
}

/// The rows of all tables, by their position.
static ROWS: Mutex<BTreeMap<(Table, usize), Vec<String>>> = Mutex::new(BTreeMap::new());

/// Adds a row, and prints it.
pub(crate) fn row(table: Table, place: usize, cells: &[String]) {
    // Directly, because the test harness captures `eprintln!`.
    let _ = writeln!(std::io::stderr(), "    {}", cells.join(" | "));
    ROWS.lock().unwrap().insert((table, place), cells.to_vec());
}

/// The rows of a table as Markdown.
pub(crate) fn rows(table: Table) -> String {
    let rows = ROWS.lock().unwrap();
    let rows = rows.iter().filter(|((of, _), _)| *of == table);
    rows.map(|(_, cells)| format!("| {} |\n", cells.join(" | "))).collect()
}
