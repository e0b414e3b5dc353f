//! A timeout for HTTP/2 streams.

use std::future::Future;
use std::time::Duration;

use hyper::rt::Executor;
use tokio::time::timeout;

/// Runs the streams of an HTTP/2 connection, and resets those that exceed the timeout.
///
/// The PINGs of the connection do not find such a client: it can keep the window of one stream closed and answer PINGs.
#[derive(Clone, Copy, Debug)]
pub(super) struct StreamExecutor {
    /// How long a stream may take, from the head of the request to the end of the answer.
    pub(super) timeout: Duration,
}

impl<F> Executor<F> for StreamExecutor
where
    F: Future<Output: Send> + Send + 'static,
{
    fn execute(&self, stream: F) {
        tokio::spawn(timeout(self.timeout, stream));
    }
}
