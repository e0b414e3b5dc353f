//! Blocking work on a thread of its own.

use std::panic::resume_unwind;

use tokio::task::spawn_blocking;

use crate::exit::CommandError;

/// Runs blocking work on another thread, so that the caller can stop waiting for it.
///
/// # Errors
/// Those of the work.
pub async fn run_blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, CommandError> + Send + 'static,
) -> Result<T, CommandError> {
    let done = spawn_blocking(work).await;
    done.unwrap_or_else(|error| match error.try_into_panic() {
        Ok(panic) => resume_unwind(panic),
        Err(error) => Err(CommandError::bug(error)),
    })
}
