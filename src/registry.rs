//! Policies in OCI registries: the artifact that Kubewarden pulls, and how to build, push, pull and inspect it.
//!
//! | file | holds |
//! |---|---|
//! | `reference` | the address of an artifact: registry, repository, tag or digest |
//! | `digest` | SHA-256 digests |
//! | `artifact` | the manifest of a module: build and parse it |
//! | `client_options` | TLS, certificate authorities and timeouts |
//! | `credentials` | logins of docker and podman, and their credential helpers |
//! | `connection` | requests to one repository |
//! | `pull`, `push` | a whole policy |
//! | `cache` | pulled files, by digest |
//! | `signatures` | whether a policy is signed |
//! | `error` | what can fail, and the help for it |
//!
//! `oci-client` gets tokens and uploads. Downloads are requested here, because the library reads responses of any
//! length into memory and follows the URLs that a manifest gives for its layers.

mod artifact;
mod cache;
mod client_options;
mod connection;
mod credentials;
mod digest;
mod error;
mod pull;
mod push;
mod reference;
mod signatures;

pub use artifact::{Artifact, MAX_MODULE_BYTES};
pub use cache::Cache;
pub use client_options::{ClientOptions, InvalidCertificates};
pub use credentials::CredentialsError;
pub use digest::{Digest, InvalidDigest};
pub use error::{Error, FlagNames, RegistryError};
pub use pull::{Pulled, pull};
pub use push::push;
pub use reference::{ArtifactReference, InvalidReference, SCHEME};
pub use signatures::{Signatures, signatures};
