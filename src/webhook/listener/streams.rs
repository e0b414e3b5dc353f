//! HTTP/2 streams, none of which lasts for ever.

use std::future::Future;
use std::time::Duration;

use hyper::rt::Executor;
use tokio::time::timeout;

/// Runs the streams of HTTP/2 connections, and resets those that are not over in time.
///
/// A client may refuse to take an answer and be well otherwise: HTTP/2 lets it close the window of one stream.
#[derive(Clone, Copy, Debug)]
pub(super) struct Streams {
    /// How long a stream may last, from the head of the request to the end of the answer.
    pub(super) time_out: Duration,
}

impl<F> Executor<F> for Streams
where
    F: Future<Output: Send> + Send + 'static,
{
    fn execute(&self, stream: F) {
        tokio::spawn(timeout(self.time_out, stream));
    }
}
