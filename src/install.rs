//! What installs the rules in a cluster, as Kubernetes objects: pure functions, from options and the module's own
//! metadata to objects. Nothing here is written twice: which resources are judged and what is looked up stands in the
//! metadata, and the conditions under which the API server asks at all are one list for every way to install.
//!
//! | file | holds |
//! |---|---|
//! | `match_conditions` | which requests never leave the API server |
//! | `module` | what the embedded module's metadata say |
//! | `webhook` | `sqledge-ha serve` without any other component: everything around the registrations |
//! | `remote_module` | what its pod needs to pull a module at start |
//! | `registration` | the mutating and the validating webhook configuration |
//! | `access` | the rights that look-ups need |
//! | `chart` | the same as a Helm chart |
//! | `kubewarden` | the policies for Kubewarden |

use serde::Serialize;
use serde_json::Value;

pub mod access;
pub mod chart;
pub mod kubewarden;
pub mod match_conditions;
pub mod module;
pub mod registration;
pub mod remote_module;
pub mod webhook;

/// What happens to a request while nobody answers for the rules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[value(rename_all = "PascalCase")]
pub enum FailurePolicy {
    /// It is refused: no rule is ever passed by, and databases cannot be created or changed meanwhile
    #[default]
    Fail,
    /// It passes unjudged: nothing is ever held up, and what is wrong can get in meanwhile
    Ignore,
}

/// An object with what a reader of its manifest should know.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// Printed above the object, one comment per line.
    pub comment: &'static str,
    /// The object.
    pub object: Value,
}

/// Objects as a stream of YAML documents.
///
/// # Errors
/// [`Unwritable`], which no object brings about that JSON can hold.
pub fn yaml(manifests: &[Manifest]) -> Result<String, Unwritable> {
    let mut documents = Vec::new();
    for manifest in manifests {
        let comment: String =
            manifest.comment.lines().map(|line| format!("{}\n", format!("# {line}").trim_end())).collect();
        let object = serde_saphyr::to_string(&manifest.object).map_err(|error| Unwritable(error.to_string()))?;
        documents.push(format!("{comment}{}\n", object.trim_end()));
    }
    Ok(documents.join("---\n"))
}

/// An object could not be written as YAML.
#[derive(Debug, thiserror::Error)]
#[error("cannot write a manifest: {0}")]
pub struct Unwritable(String);
