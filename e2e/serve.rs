//! The webhook as a process, with TLS and many kinds of clients.

#[allow(dead_code, reason = "the proof uses the rest")]
pub(crate) mod client;
mod failures;
mod http2;
pub(crate) mod in_a_cluster;
mod lifecycle;
mod misbehaving_clients;
#[allow(dead_code, reason = "the benchmarks use the rest")]
pub(crate) mod process;
mod reviews;
mod shutdown;
