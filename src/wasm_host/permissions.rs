//! What a module may ask its host, as its metadata says.

use serde::Deserialize;
use serde_json::Value;

/// The part of the metadata that Kubewarden's policy server enforces.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ModulePermissions {
    host_capabilities: Vec<String>,
    context_aware_resources: Vec<Kind>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kind {
    api_version: String,
    kind: String,
}

impl ModulePermissions {
    /// Reads the permissions; `None` if Kubewarden could not read them.
    pub(super) fn from_metadata(metadata: &Value) -> Option<Self> {
        ModulePermissions::deserialize(metadata).ok()
    }

    /// Checks that the module may call an operation. Metadata name capabilities in full, by a prefix (`kubernetes/*`)
    /// or all at once (`*`); see `host_capabilities.rs` of Kubewarden's policy evaluator.
    ///
    /// # Errors
    /// The policy server's message, which the module receives.
    pub(super) fn check_capability(&self, namespace: &str, operation: &str) -> Result<(), String> {
        let path = format!("{namespace}/{operation}");
        let matches = |pattern: &String| match pattern.strip_suffix('*') {
            Some(prefix) => path.starts_with(prefix),
            None => *pattern == path,
        };
        self.host_capabilities.iter().any(matches).then_some(()).ok_or_else(|| {
            format!(
                "Policy has not been granted access to the '{path}' host capability. The violation has been reported."
            )
        })
    }

    /// Checks that the module may read objects of a kind.
    ///
    /// # Errors
    /// The policy server's message, which the module receives.
    pub(super) fn check_kind(&self, api_version: &str, kind: &str) -> Result<(), String> {
        let is_granted = |granted: &Kind| granted.api_version == api_version && granted.kind == kind;
        self.context_aware_resources.iter().any(is_granted).then_some(()).ok_or_else(|| {
            format!(
                "Policy has not been granted access to Kubernetes {api_version}/{kind} resources. \
                 The violation has been reported."
            )
        })
    }
}
