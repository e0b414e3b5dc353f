//! Work on all processors, and on the only thread there is on wasm32.

#[cfg(not(target_family = "wasm"))]
use rayon::prelude::*;

/// Applies `work` to every item, and returns the results in the order of the items. A thread takes at least `batch`
/// items at a time.
#[cfg(not(target_family = "wasm"))]
pub(crate) fn map<T: Send, R: Send>(items: Vec<T>, batch: usize, work: impl Fn(T) -> R + Send + Sync) -> Vec<R> {
    items.into_par_iter().with_min_len(batch).map(work).collect()
}

/// Applies `work` to every item, and returns the results in the order of the items.
#[cfg(target_family = "wasm")]
pub(crate) fn map<T, R>(items: Vec<T>, _: usize, work: impl Fn(T) -> R) -> Vec<R> {
    items.into_iter().map(work).collect()
}
