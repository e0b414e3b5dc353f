//! From an admission request to a verdict.
//!
//! A request takes the cheap exits on its kind, operation and raw text, each with a [`exit::Reason`]; then its objects
//! are parsed, the rules check them, the ratchet turns existing findings into warnings, and the findings become a
//! [`verdict::Verdict`].

pub mod exit;
#[cfg(feature = "guest")]
mod guest;
#[cfg(any(feature = "guest", test))]
mod host_error;
pub mod prefilter;
mod ratchet;
pub mod request;
pub mod review;
mod rollout;
mod scale;
pub mod verdict;
