//! What can be said of a module without running it.
//!
//! | file | holds |
//! |---|---|
//! | `wasm` | what the binary itself says: imports, producers |
//! | `human` | all of it for people |

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqledge_ha_policy::finding::Action;
use sqledge_ha_policy::rules::RULES;
use sqledge_ha_policy::settings::KEYS;

mod human;
mod wasm;

pub use human::human;
pub use wasm::Wasm;

use crate::command::settings_schema;
use crate::registry::{Digest, Signatures};
use crate::wasm_host::{EMBEDDED, REVISION, metadata};

/// Everything that is known of a module. As JSON it is a contract; fields may be added.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Inspection {
    /// The version of this contract.
    pub version: u8,
    /// Where the module is from: `embedded`, a file, or a reference with a digest.
    pub from: String,
    /// The digest of the module itself.
    pub digest: Digest,
    /// Its length in bytes.
    pub size: usize,
    /// Whether it is the very module that this command carries.
    pub is_embedded: bool,
    /// The commit that it was built from.
    pub revision: Option<String>,
    /// The compiler that it was built with, as its metadata say.
    pub compiler: Option<String>,
    /// What the binary says.
    #[serde(flatten)]
    pub wasm: Wasm,
    /// What it tells Kubewarden.
    pub metadata: Metadata,
    /// The rules of the policy, if it is this command's.
    pub rules: Option<Vec<Rule>>,
    /// Its settings, if it is this command's.
    pub settings: Option<Vec<Setting>>,
    /// Whether it is signed, where a registry could be asked.
    pub signatures: Option<Signatures>,
}

/// The part of the metadata that decides where the module applies and what it may do.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Metadata {
    /// Titles, versions, addresses.
    pub annotations: BTreeMap<String, String>,
    /// Which requests are judged.
    pub rules: Vec<Admission>,
    /// Whether it may change objects.
    pub mutating: bool,
    /// Whether what is running is judged as well.
    pub background_audit: Option<bool>,
    /// What it looks up.
    pub context_aware_resources: Vec<Kind>,
    /// What it asks its host for.
    pub host_capabilities: Vec<String>,
    /// The first version of Kubewarden that runs it.
    pub minimum_kubewarden_version: Option<String>,
}

/// One rule of admission.
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
    /// What must hold.
    pub summary: &'static str,
    /// What happens unless settings say otherwise.
    pub default_action: Action,
}

/// A setting of the policy.
#[derive(Debug, Serialize)]
pub struct Setting {
    /// Its key.
    pub key: &'static str,
    /// What it decides.
    pub description: String,
    /// What it is unless it is set.
    pub default: Value,
}

/// Why a module cannot be inspected.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// It is no module, or was not annotated.
    #[error(transparent)]
    Metadata(#[from] metadata::Error),
    /// Its metadata are not of the shape that Kubewarden reads.
    #[error("the metadata of the module cannot be read: {0}")]
    Shape(#[from] serde_json::Error),
    /// It is a damaged module.
    #[error("the Wasm module is damaged: {0}")]
    Damaged(#[from] wasmparser::BinaryReaderError),
}

impl Inspection {
    /// Looks at a module. `revision` is what whoever handed it over says about its source.
    ///
    /// # Errors
    /// [`Unreadable`] if it is no annotated module.
    pub fn of(module: &[u8], from: String, revision: Option<&str>) -> Result<Self, Unreadable> {
        let is_embedded = module == EMBEDDED;
        let known = |origin: Option<&str>| origin.filter(|_| is_embedded).map(str::to_owned);
        let metadata: Metadata = serde_json::from_value(metadata::read(module)?)?;
        Ok(Inspection {
            version: 1,
            from,
            digest: Digest::of(module),
            size: module.len(),
            is_embedded,
            revision: revision.map(str::to_owned).or(known(REVISION)),
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
    let setting = |key: &&'static str| {
        let schema = settings_schema::property(key);
        let of = |what: &str| schema.get(what).cloned().unwrap_or_default();
        Setting { key, description: of("description").as_str().unwrap_or_default().to_owned(), default: of("default") }
    };
    KEYS.iter().map(setting).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_module_is_known_by_heart() {
        let inspection = Inspection::of(EMBEDDED, "embedded".to_owned(), None).unwrap();
        assert!(inspection.is_embedded && inspection.wasm.imports.iter().all(|name| name.starts_with("wapc.")));
        assert_eq!(inspection.rules.map(|rules| rules.len()), Some(RULES.len()));
        assert!(inspection.settings.unwrap().iter().all(|setting| !setting.description.is_empty()));
        assert!(inspection.metadata.mutating && !inspection.metadata.context_aware_resources.is_empty());
    }

    #[test]
    fn of_another_module_only_what_it_says_is_known() {
        let other = metadata::annotate(&wat::parse_str("(module)").unwrap(), "annotations: {}", &[]).unwrap();
        let inspection = Inspection::of(&other, "other.wasm".to_owned(), Some("0123abcd")).unwrap();
        assert!(!inspection.is_embedded && inspection.rules.is_none() && inspection.settings.is_none());
        assert_eq!((inspection.revision.as_deref(), inspection.compiler), (Some("0123abcd"), None));
    }
}
