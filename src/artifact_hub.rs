//! What others' catalogues say of the policy: [Artifact Hub](https://artifacthub.io) finds it by its package metadata, and
//! Rancher asks for its settings with a form. Both are made from the module's metadata and the settings.
//!
//! | file | holds |
//! |---|---|
//! | `package` | `artifacthub-pkg.yml`, one for each version |
//! | `questions` | `questions-ui.yml`, the form |

pub mod package;
pub mod questions;

/// `artifacthub-repo.yml`. Artifact Hub refuses a file without any member; an empty list of owners is valid (artifacthub/hub,
/// `internal/repo/manager.go`, `GetMetadata`, at 0d8b1c0b).
pub const REPOSITORY: &str = "\
# What Artifact Hub is told of this folder as a repository of Kubewarden policies. It lists the policy with nothing more
# than this. Whoever registers the repository there writes the ID that it is given as `repositoryID:`, which makes the
# publisher a verified one, and may list owners, each with `name` and `email`, by whom ownership can be claimed.
# https://artifacthub.io/docs/topics/repositories/
owners: []
";
