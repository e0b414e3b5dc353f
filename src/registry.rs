//! Policies in registries: the artifact that Kubewarden pulls, made, pushed, pulled and looked at.
//!
//! | file | holds |
//! |---|---|
//! | `place` | where an artifact is: host, repository, tag or digest |
//! | `digest` | the name of content by its own hash |
//! | `artifact` | the manifest: made of a module, and read |
//! | `access` | how a registry is reached: TLS or not, whom to trust, how long to wait |
//! | `credentials` | who asks: what docker, podman and their helpers know |
//! | `connection` | one repository: what is read from it and written to it |
//! | `pull`, `push` | a whole policy, there and back |
//! | `cache` | what was pulled before, by its digest |
//! | `signatures` | whether somebody signed it |
//! | `problem` | what can go wrong, in words for a person |
//!
//! The protocol for writing and the way to a token are those of `oci-client`. What is read is read here: the library
//! takes answers of any length into memory, and follows the addresses that a manifest gives for its layers.

mod access;
mod artifact;
mod cache;
mod connection;
mod credentials;
mod digest;
mod place;
mod problem;
mod pull;
mod push;
mod signatures;

pub use access::{Access, Flags, UnusableCertificates};
pub use artifact::{Artifact, LONGEST_MODULE};
pub use cache::Cache;
pub use credentials::Unusable as UnusableCredentials;
pub use digest::{Digest, Malformed};
pub use place::{Place, SCHEME, Unclear};
pub use problem::{Error, Problem};
pub use pull::{Pulled, pull};
pub use push::push;
pub use signatures::{Signatures, signatures};
