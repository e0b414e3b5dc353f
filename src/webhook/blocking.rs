//! Blocking work on a thread of its own.

use std::panic::resume_unwind;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::sleep;

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

/// Calls `poll` after each `interval`, on another thread because a file system can hang. Ends only if `poll` panics.
pub async fn poll_repeatedly<T: Send + 'static>(mut polled: T, interval: Duration, poll: fn(&mut T)) {
    loop {
        sleep(interval).await;
        let polling = spawn_blocking(move || {
            poll(&mut polled);
            polled
        });
        match polling.await {
            Ok(returned) => polled = returned,
            Err(_) => return,
        }
    }
}
