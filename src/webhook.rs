//! The admission webhook: the Wasm module behind TLS, with nothing else beside it.
//!
//! The way of a request:
//! [`listener`] accepts a connection and agrees on TLS → [`routes`] reads the AdmissionReview, as far as [`gate`] lets
//! it in → what cannot concern the rules is accepted there; the rest goes to [`workers`], whose instances of the module
//! answer it → [`metrics`] and the log keep the decision.
//!
//! | file | holds |
//! |---|---|
//! | `listener` | connections: TLS, HTTP/1.1 and HTTP/2, their limits and time-outs, the end |
//! | `certificate`, `tls_files`, `self_signed` | what the listener presents, and where it comes from |
//! | `routes`, `incoming`, `gate` | requests: paths, bodies, back-pressure |
//! | `workers` | the threads that run the module, and what becomes of its failures |
//! | `cluster_client`, `caches` | the cluster, and what the module looks up in it, kept by watches |
//! | `surroundings` | certificate and cluster, made of the command line |
//! | `blocking` | what takes long at start, beside the probes |
//! | `health`, `metrics`, `figures`, `log`, `life` | how it fares: probes, figures, lines, start and end |

pub mod blocking;
pub mod caches;
pub mod certificate;
pub mod cluster_client;
pub mod figures;
pub mod gate;
pub mod health;
pub mod incoming;
pub mod life;
pub mod listener;
pub mod log;
pub mod metrics;
pub mod routes;
pub mod self_signed;
pub mod surroundings;
pub mod tls_files;
pub mod workers;
