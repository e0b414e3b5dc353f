//! The admission webhook: the Wasm module behind TLS.
//!
//! [`listener`] accepts the connection and negotiates TLS → [`routes`] reads the AdmissionReview
//! within the limits of [`request_limit`] → [`review_request`] allows what the rules do not check → one of the
//! [`workers`] runs the module on the rest → [`metrics`] and the log record the [`decision`].
//!
//! | file | contents |
//! |---|---|
//! | `listener` | connections: TLS, HTTP/1.1 and HTTP/2, limits, timeouts, shutdown |
//! | `certificate`, `tls_files`, `self_signed` | the serving certificate, from files or from a CA of its own |
//! | `routes`, `review_request`, `request_limit` | requests: paths, bodies, limits |
//! | `workers`, `decision`, `active_settings` | the settings, the threads that run the module, and the answers |
//! | `caches` | caches of the objects that the module looks up |
//! | `dependencies` | certificate and caches, created from the command line |
//! | `events` | Kubernetes Events on the objects |
//! | `blocking` | work that can block: at startup, and reading files again |
//! | `lifecycle`, `health`, `metrics`, `collectors`, `log`, `warning_limit` | startup and shutdown, probes, metrics, the log |

pub mod active_settings;
pub mod blocking;
pub mod caches;
pub mod certificate;
pub mod collectors;
pub mod decision;
pub mod dependencies;
pub mod events;
pub mod health;
pub mod lifecycle;
pub mod listener;
pub mod log;
pub mod metrics;
pub mod request_limit;
pub mod review_request;
pub mod routes;
pub mod self_signed;
pub mod tls_files;
mod warning_limit;
pub mod workers;
