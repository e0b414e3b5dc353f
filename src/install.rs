//! The manifests that install the policy in a cluster: pure functions from options and the module's metadata to
//! objects. The metadata name the resources that are checked and looked up, and all webhooks and policies share one
//! list of match conditions.
//!
//! | file | holds |
//! |---|---|
//! | `match_conditions` | which requests the API server sends |
//! | `module` | the metadata of the embedded module |
//! | `requests` | the kinds of requests with a webhook of their own |
//! | `options` | the options of the webhook's manifests |
//! | `webhook` | the webhook without Kubewarden: Deployment, Service, permissions |
//! | `audit` | a CronJob that audits its cluster |
//! | `remote_module` | volumes and flags to pull a module at start |
//! | `webhook_configuration` | the mutating and the validating webhook configuration |
//! | `rbac` | permissions for look-ups |
//! | `chart` | the generated parts of the Helm chart |
//! | `kubewarden` | the policies for Kubewarden |

use serde::Serialize;
use serde_json::Value;

pub mod audit;
pub mod chart;
pub mod gitops;
pub mod kubewarden;
pub mod match_conditions;
pub mod module;
pub mod options;
pub mod rbac;
pub mod remote_module;
pub mod requests;
pub mod webhook;
pub mod webhook_configuration;

/// What the API server does with a request for the webhook or policy server while it does not answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[value(rename_all = "PascalCase")]
pub enum FailurePolicy {
    /// The API server rejects the request
    #[default]
    Fail,
    /// The API server allows the request unchecked
    Ignore,
}

/// An object of a manifest with a comment.
#[derive(Clone, Debug)]
pub struct CommentedObject {
    /// Printed above the object.
    pub comment: &'static str,
    /// The object.
    pub object: Value,
}

/// Objects as a stream of YAML documents.
///
/// # Errors
/// [`InvalidManifest`] if an object cannot be converted to YAML: a bug.
pub fn yaml(objects: &[CommentedObject]) -> Result<String, InvalidManifest> {
    let mut documents = Vec::new();
    for CommentedObject { comment, object } in objects {
        let comment: String = comment.lines().map(|line| format!("{}\n", format!("# {line}").trim_end())).collect();
        let object = serde_saphyr::to_string(object).map_err(|error| InvalidManifest(error.to_string()))?;
        documents.push(format!("{comment}{}\n", object.trim_end()));
    }
    Ok(documents.join("---\n"))
}

/// An object cannot be converted to YAML.
#[derive(Debug, thiserror::Error)]
#[error("cannot write a manifest: {0}")]
pub struct InvalidManifest(String);
