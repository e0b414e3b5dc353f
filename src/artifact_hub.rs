//! Metadata for catalogs, generated from the module's metadata and the settings: the package on
//! [Artifact Hub](https://artifacthub.io), and the form for the settings in Rancher.
//!
//! | file | holds |
//! |---|---|
//! | `package` | `artifacthub-pkg.yml`, one for each version |
//! | `questions` | `questions-ui.yml`, the form |

pub mod package;
pub mod questions;

/// `artifacthub-repo.yml`. Artifact Hub rejects an empty file; an empty list of owners is valid (artifacthub/hub,
/// `internal/repo/manager.go`, `GetMetadata`, at 0d8b1c0b).
pub const REPOSITORY: &str = "\
# Metadata of this repository of Kubewarden policies on Artifact Hub. This is enough to list the policy. For the status
# verified publisher, add the ID of the repository as `repositoryID:`. To claim its ownership, add owners with `name` and
# `email`.
# https://artifacthub.io/docs/topics/repositories/
owners: []
";
