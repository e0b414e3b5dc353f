//! The artifact: a manifest that names a module, in the form that Kubewarden writes and reads.

use std::collections::BTreeMap;

use oci_client::manifest::{
    OCI_IMAGE_MEDIA_TYPE, OciDescriptor, OciImageManifest, OciManifest, WASM_CONFIG_MEDIA_TYPE, WASM_LAYER_MEDIA_TYPE,
};
use serde_json::Value;

use super::digest::Digest;
use super::error::RegistryError;
use crate::wasm_host::metadata;

/// Maximum size of a pulled module, in bytes.
pub const MAX_MODULE_BYTES: u64 = 64 << 20;

/// Maximum size of a manifest, in bytes: the size that every registry must accept.
pub(super) const MAX_MANIFEST_BYTES: u64 = 4 << 20;

/// The configuration of a Wasm artifact is empty.
pub(super) const CONFIG: &[u8] = b"{}";

/// A module with its manifest. The same module and revision give the same manifest, and so the same digest.
#[derive(Clone, Debug)]
pub struct Artifact<'a> {
    /// The annotated module.
    pub module: &'a [u8],
    /// The manifest, JSON.
    pub manifest: Vec<u8>,
    /// The digest of the manifest, by which the artifact is addressed.
    pub digest: Digest,
}

impl<'a> Artifact<'a> {
    /// Builds the manifest of an annotated module. It contains the module's single-line annotations and the predefined
    /// annotations of OCI. `revision` is the commit that the module was built from.
    ///
    /// # Errors
    /// [`metadata::Error`] if the bytes are not an annotated module.
    pub fn new(module: &'a [u8], revision: Option<&str>) -> Result<Self, metadata::Error> {
        let manifest = OciImageManifest {
            media_type: Some(OCI_IMAGE_MEDIA_TYPE.to_owned()),
            config: descriptor(WASM_CONFIG_MEDIA_TYPE, CONFIG),
            layers: vec![descriptor(WASM_LAYER_MEDIA_TYPE, module)],
            annotations: Some(annotations(&metadata::read(module)?, revision)),
            ..OciImageManifest::default()
        };
        let manifest = serde_json::to_vec(&manifest).map_err(metadata::Error::NotJson)?;
        Ok(Artifact { module, digest: Digest::from_content(&manifest), manifest })
    }
}

fn descriptor(media_type: &str, content: &[u8]) -> OciDescriptor {
    OciDescriptor {
        media_type: media_type.to_owned(),
        digest: Digest::from_content(content).to_string(),
        size: content.len() as i64,
        ..OciDescriptor::default()
    }
}

/// <https://github.com/opencontainers/image-spec/blob/v1.1.1/annotations.md#pre-defined-annotation-keys>
const PREDEFINED: [(&str, &str); 3] = [
    ("org.opencontainers.image.source", "io.kubewarden.policy.source"),
    ("org.opencontainers.image.version", "io.kubewarden.policy.version"),
    ("org.opencontainers.image.licenses", "io.kubewarden.policy.license"),
];
const REVISION: &str = "org.opencontainers.image.revision";

fn annotations(metadata: &Value, revision: Option<&str>) -> BTreeMap<String, String> {
    let own = metadata.get("annotations").and_then(Value::as_object);
    let own = own.into_iter().flatten().filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
    let mut annotations: BTreeMap<_, _> = own.filter(|(_, value)| value.lines().count() <= 1).collect();
    for (name, source) in PREDEFINED {
        if let Some(value) = annotations.get(source).cloned() {
            annotations.insert(name.to_owned(), value);
        }
    }
    annotations.extend(revision.map(|revision| (REVISION.to_owned(), revision.to_owned())));
    annotations
}

/// The descriptor of the module in a manifest.
#[derive(Clone, Debug)]
pub(super) struct Layer {
    pub(super) digest: Digest,
    pub(super) size: u64,
}

/// Reads the layer of the module from a manifest.
///
/// # Errors
/// [`RegistryError::NotAPolicy`] for an artifact that Kubewarden does not accept as a policy,
/// [`RegistryError::TooLarge`] for a module above [`MAX_MODULE_BYTES`].
pub(super) fn layer(manifest: &[u8]) -> Result<Layer, RegistryError> {
    let no_policy = |reason: String| RegistryError::NotAPolicy(reason);
    let manifest = match serde_json::from_slice(manifest) {
        Ok(OciManifest::Image(manifest)) => manifest,
        Ok(OciManifest::ImageIndex(_)) => return Err(no_policy("it is an index of several artifacts".to_owned())),
        Err(_) => return Err(no_policy("its manifest cannot be parsed".to_owned())),
    };
    let is_module = |layer: &&OciDescriptor| layer.media_type == WASM_LAYER_MEDIA_TYPE;
    // Kubewarden uses the first one.
    let Some(layer) = manifest.layers.iter().find(is_module) else {
        return Err(no_policy(match manifest.layers.first() {
            None => "it has no layers".to_owned(),
            Some(other) => format!("its layer has type {}, not {WASM_LAYER_MEDIA_TYPE}", other.media_type),
        }));
    };
    let digest = layer.digest.parse().map_err(|error| no_policy(format!("invalid digest of its module: {error}")))?;
    let size = u64::try_from(layer.size).map_err(|_| no_policy("the size of its module is negative".to_owned()))?;
    if size > MAX_MODULE_BYTES {
        return Err(RegistryError::TooLarge { subject: "module", limit: MAX_MODULE_BYTES });
    }
    Ok(Layer { digest, size })
}

/// The annotations of a manifest.
pub(super) fn annotations_of(manifest: &[u8]) -> BTreeMap<String, String> {
    match serde_json::from_slice(manifest) {
        Ok(OciManifest::Image(manifest)) => manifest.annotations.unwrap_or_default(),
        _ => BTreeMap::new(),
    }
}

/// The commit that the module was built from, according to the annotations.
pub(super) fn revision(annotations: &BTreeMap<String, String>) -> Option<&str> {
    annotations.get(REVISION).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::wasm_host::EMBEDDED;

    #[test]
    fn the_manifest_has_the_single_line_annotations_of_the_module() {
        let artifact = Artifact::new(EMBEDDED, Some("0123abcd")).unwrap();
        let manifest: Value = serde_json::from_slice(&artifact.manifest).unwrap();
        assert_eq!(manifest["config"]["mediaType"], "application/vnd.wasm.config.v1+json");
        assert_eq!(manifest["layers"][0]["mediaType"], "application/vnd.wasm.content.layer.v1+wasm");
        assert_eq!(manifest["layers"].as_array().map(Vec::len), Some(1));
        let annotations = &manifest["annotations"];
        assert_eq!(annotations["io.kubewarden.policy.title"], "sqledge-ha");
        assert_eq!(annotations["org.opencontainers.image.licenses"], "Apache-2.0");
        assert_eq!(annotations["org.opencontainers.image.version"], annotations["io.kubewarden.policy.version"]);
        assert_eq!(annotations["org.opencontainers.image.revision"], "0123abcd");
        assert_eq!(annotations.get("io.kubewarden.policy.usage"), None);
    }

    #[test]
    fn the_same_module_has_the_same_manifest() {
        let digest = |revision| Artifact::new(EMBEDDED, revision).unwrap().digest;
        assert_eq!(digest(None), digest(None));
        assert_ne!(digest(None), digest(Some("0123abcd")));
    }

    #[test]
    fn the_layer_of_a_manifest_is_the_module() {
        let layer = layer(&Artifact::new(EMBEDDED, None).unwrap().manifest).unwrap();
        assert_eq!((layer.digest, layer.size), (Digest::from_content(EMBEDDED), EMBEDDED.len() as u64));
    }

    #[test]
    fn other_artifacts_are_rejected_with_the_reason() {
        let reason = |manifest: &Value| layer(manifest.to_string().as_bytes()).unwrap_err().to_string();
        let with = |layers: Value| {
            let descriptor = json!({"mediaType": "x", "digest": "x", "size": 2});
            json!({"schemaVersion": 2, "config": descriptor, "layers": layers})
        };
        let module =
            |digest: &str, size: i64| json!([{"mediaType": WASM_LAYER_MEDIA_TYPE, "digest": digest, "size": size}]);
        let digest = Digest::from_content(b"").to_string();
        assert_eq!(reason(&with(json!([]))), "not a policy: it has no layers");
        let image = with(json!([{"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": "x", "size": 2}]));
        let image_reason = "not a policy: its layer has type application/vnd.oci.image.layer.v1.tar, not \
                            application/vnd.wasm.content.layer.v1+wasm";
        assert_eq!(reason(&image), image_reason);
        assert!(reason(&with(module("sha512:00", 2))).starts_with("not a policy: invalid digest of its module: "));
        assert_eq!(reason(&with(module(&digest, -1))), "not a policy: the size of its module is negative");
        assert_eq!(reason(&with(module(&digest, 64 << 20 | 1))), "the module exceeds the limit of 67108864 bytes");
        let index = json!({"schemaVersion": 2, "manifests": []});
        assert_eq!(reason(&index), "not a policy: it is an index of several artifacts");
        assert_eq!(reason(&json!([])), "not a policy: its manifest cannot be parsed");
    }
}
