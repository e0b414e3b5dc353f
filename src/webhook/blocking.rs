//! Work that blocks, beside whatever else the runtime has to do.

use std::panic::resume_unwind;

use tokio::task::spawn_blocking;

use crate::exit::{ExitStatus, Failure};

/// Does work that may take long without ever awaiting anything, on a thread of its own: whoever waits for it can be told
/// meanwhile to wait no longer.
///
/// # Errors
/// Those of the work.
pub async fn beside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let done = spawn_blocking(work).await;
    done.unwrap_or_else(|error| match error.try_into_panic() {
        Ok(panic) => resume_unwind(panic),
        Err(error) => Err(Failure { status: ExitStatus::Bug, message: error.to_string() }),
    })
}
