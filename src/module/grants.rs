//! What a module may ask its host, according to its own metadata.

use serde::Deserialize;
use serde_json::Value;

/// The part of the metadata that the policy server holds a policy to.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Grants {
    host_capabilities: Vec<String>,
    context_aware_resources: Vec<Kind>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kind {
    api_version: String,
    kind: String,
}

impl Grants {
    /// Reads the grants; `None` if they are not of the shape that Kubewarden reads.
    pub(super) fn from_metadata(metadata: &Value) -> Option<Self> {
        Grants::deserialize(metadata).ok()
    }

    /// Whether an operation may be called. A capability is granted by its name, by a prefix (`kubernetes/*`), or with
    /// all others (`*`): `host_capabilities.rs` of Kubewarden's policy evaluator.
    pub(super) fn capability(&self, namespace: &str, operation: &str) -> Result<(), String> {
        let path = format!("{namespace}/{operation}");
        let grants = |pattern: &String| match pattern.strip_suffix('*') {
            Some(prefix) => path.starts_with(prefix),
            None => *pattern == path,
        };
        self.host_capabilities.iter().any(grants).then_some(()).ok_or_else(|| {
            format!(
                "Policy has not been granted access to the '{path}' host capability. The violation has been reported."
            )
        })
    }

    /// Whether objects of a kind may be read.
    pub(super) fn kind(&self, api_version: &str, kind: &str) -> Result<(), String> {
        let is_granted = |granted: &Kind| granted.api_version == api_version && granted.kind == kind;
        self.context_aware_resources.iter().any(is_granted).then_some(()).ok_or_else(|| {
            format!(
                "Policy has not been granted access to Kubernetes {api_version}/{kind} resources. \
                 The violation has been reported."
            )
        })
    }
}
