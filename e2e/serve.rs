//! The webhook: the real process, real TLS, and every kind of client.

#[allow(dead_code, reason = "the proof uses the rest")]
mod client;
mod failures;
mod farewell;
mod hostile;
mod http2;
mod in_a_cluster;
mod life;
#[allow(dead_code, reason = "the benchmarks use the rest")]
pub(crate) mod process;
mod reviews;
