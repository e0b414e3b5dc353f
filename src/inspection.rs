//! A report on a module, without running it.
//!
//! | file | holds |
//! |---|---|
//! | `wasm` | imports and producers of the binary |
//! | `human` | the report as text |

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqledge_ha_policy::finding::Action;
use sqledge_ha_policy::rules::RULES;
use sqledge_ha_policy::settings::SETTINGS;

mod human;
mod wasm;

pub use human::human;
pub use wasm::Wasm;

use crate::registry::{Digest, Signatures};
use crate::wasm_host::{EMBEDDED, REVISION, metadata};

/// The report on a module. Its JSON form is stable; fields may be added.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Inspection {
    /// The version of the JSON form.
    pub version: u8,
    /// The source of the module: `embedded`, a file, or a digest reference.
    pub from: String,
    /// The digest of the module.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: usize,
    /// Whether it is identical to the embedded module.
    pub is_embedded: bool,
    /// The commit that it was built from.
    pub revision: Option<String>,
    /// The compiler, according to the metadata.
    pub compiler: Option<String>,
    /// Imports and producers.
    #[serde(flatten)]
    pub wasm: Wasm,
    /// Its metadata for Kubewarden.
    pub metadata: Metadata,
    /// The rules of the embedded policy.
    pub rules: Option<Vec<Rule>>,
    /// The settings of the embedded policy.
    pub settings: Option<Vec<Setting>>,
    /// Its signatures, if it is from a registry.
    pub signatures: Option<Signatures>,
}

/// The metadata that decide what the module checks and can do.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Metadata {
    /// Title, version, URLs.
    pub annotations: BTreeMap<String, String>,
    /// The requests to check.
    pub rules: Vec<Admission>,
    /// Whether it can mutate objects.
    pub mutating: bool,
    /// Whether the audit scanner runs it on existing objects.
    pub background_audit: Option<bool>,
    /// The resources that it looks up.
    pub context_aware_resources: Vec<Kind>,
    /// The host capabilities that it calls.
    pub host_capabilities: Vec<String>,
    /// The minimum version of Kubewarden.
    pub minimum_kubewarden_version: Option<String>,
}

/// An admission rule.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "Kubernetes' own names")]
pub struct Admission {
    pub api_groups: Vec<String>,
    pub api_versions: Vec<String>,
    pub resources: Vec<String>,
    pub operations: Vec<String>,
}

/// A kind of object.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "Kubernetes' own names")]
pub struct Kind {
    pub api_version: String,
    pub kind: String,
}

/// A rule of the policy.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rule {
    /// Its id.
    pub id: &'static str,
    /// Its summary.
    pub summary: &'static str,
    /// Its action by default.
    pub default_action: Action,
}

/// A setting of the policy.
#[derive(Debug, Serialize)]
pub struct Setting {
    /// Its key.
    pub key: &'static str,
    /// Its description.
    pub description: &'static str,
    /// Its default value.
    pub default: Value,
}

/// A module cannot be inspected.
#[derive(Debug, thiserror::Error)]
pub enum InspectionError {
    /// It is not an annotated module.
    #[error(transparent)]
    Metadata(#[from] metadata::Error),
    /// Its metadata do not have Kubewarden's format.
    #[error("cannot parse the metadata of the module: {0}")]
    Format(#[from] serde_json::Error),
    /// The binary is damaged.
    #[error("the Wasm module is damaged: {0}")]
    Damaged(#[from] wasmparser::BinaryReaderError),
}

impl Inspection {
    /// Inspects a module. `revision` is the commit in the annotations of its artifact.
    ///
    /// # Errors
    /// [`InspectionError`] if it is not an annotated module.
    pub fn new(module: &[u8], from: String, revision: Option<&str>) -> Result<Self, InspectionError> {
        let is_embedded = module == EMBEDDED;
        let metadata: Metadata = serde_json::from_value(metadata::read(module)?)?;
        Ok(Inspection {
            version: 1,
            from,
            digest: Digest::from_content(module),
            size: module.len(),
            is_embedded,
            revision: revision.or(REVISION.filter(|_| is_embedded)).map(str::to_owned),
            compiler: metadata.annotations.get(metadata::COMPILER).cloned(),
            wasm: Wasm::read(module)?,
            metadata,
            rules: is_embedded.then(rules),
            settings: is_embedded.then(settings),
            signatures: None,
        })
    }
}

fn rules() -> Vec<Rule> {
    let rule = |rule: &sqledge_ha_policy::rules::Rule| Rule {
        id: rule.id,
        summary: rule.summary,
        default_action: rule.default_action,
    };
    RULES.iter().map(rule).collect()
}

fn settings() -> Vec<Setting> {
    let setting = |setting: &sqledge_ha_policy::settings::Setting| Setting {
        key: setting.key,
        description: setting.description,
        default: (setting.default)(),
    };
    SETTINGS.iter().map(setting).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_module_is_reported_with_rules_and_settings() {
        let inspection = Inspection::new(EMBEDDED, "embedded".to_owned(), None).unwrap();
        assert!(inspection.is_embedded && inspection.wasm.imports.iter().all(|name| name.starts_with("wapc.")));
        assert_eq!(inspection.rules.map(|rules| rules.len()), Some(RULES.len()));
        assert!(inspection.settings.unwrap().iter().all(|setting| !setting.description.is_empty()));
        assert!(inspection.metadata.mutating && !inspection.metadata.context_aware_resources.is_empty());
    }

    #[test]
    fn other_modules_are_reported_without_rules_and_settings() {
        let other = metadata::annotate(&wat::parse_str("(module)").unwrap(), "annotations: {}", &[]).unwrap();
        let inspection = Inspection::new(&other, "other.wasm".to_owned(), Some("0123abcd")).unwrap();
        assert!(!inspection.is_embedded && inspection.rules.is_none() && inspection.settings.is_none());
        assert_eq!((inspection.revision.as_deref(), inspection.compiler), (Some("0123abcd"), None));
    }
}
