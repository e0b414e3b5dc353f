//! The artifact: a manifest that names a module, as Kubewarden writes and reads it.

use std::collections::BTreeMap;

use oci_client::manifest::{
    OCI_IMAGE_MEDIA_TYPE, OciDescriptor, OciImageManifest, OciManifest, WASM_CONFIG_MEDIA_TYPE, WASM_LAYER_MEDIA_TYPE,
};
use serde_json::Value;

use super::digest::Digest;
use super::problem::Problem;
use crate::wasm_host::metadata;

/// The longest module that is pulled, in bytes.
pub const LONGEST_MODULE: u64 = 64 << 20;

/// The longest manifest that is read, in bytes: what a registry has to take at least.
pub(super) const LONGEST_MANIFEST: u64 = 4 << 20;

/// The configuration of a Wasm artifact has nothing to say.
pub(super) const CONFIG: &[u8] = b"{}";

/// A module with its manifest. The same module and revision make the same bytes, and so the same digest.
#[derive(Clone, Debug)]
pub struct Artifact<'a> {
    /// The module, annotated.
    pub module: &'a [u8],
    /// The manifest, JSON.
    pub manifest: Vec<u8>,
    /// The digest of the manifest, which names the artifact.
    pub digest: Digest,
}

impl<'a> Artifact<'a> {
    /// Makes the manifest of an annotated module: its annotations of one line each, and those that are agreed on for
    /// all artifacts, with the commit that it was built from if that is known.
    ///
    /// # Errors
    /// [`metadata::Error`] if the bytes are no annotated module.
    pub fn new(module: &'a [u8], revision: Option<&str>) -> Result<Self, metadata::Error> {
        let manifest = OciImageManifest {
            media_type: Some(OCI_IMAGE_MEDIA_TYPE.to_owned()),
            config: descriptor(WASM_CONFIG_MEDIA_TYPE, CONFIG),
            layers: vec![descriptor(WASM_LAYER_MEDIA_TYPE, module)],
            annotations: Some(annotations(&metadata::read(module)?, revision)),
            ..OciImageManifest::default()
        };
        let manifest = serde_json::to_vec(&manifest).map_err(metadata::Error::NotJson)?;
        Ok(Artifact { module, digest: Digest::of(&manifest), manifest })
    }
}

fn descriptor(media_type: &str, content: &[u8]) -> OciDescriptor {
    OciDescriptor {
        media_type: media_type.to_owned(),
        digest: Digest::of(content).to_string(),
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

/// What a manifest says of its module.
#[derive(Clone, Debug)]
pub(super) struct Layer {
    pub(super) digest: Digest,
    pub(super) size: u64,
}

/// Reads a manifest.
///
/// # Errors
/// [`Problem::NoPolicy`] for anything that Kubewarden would not take for a policy; [`Problem::TooLong`] for a module that
/// is too long.
pub(super) fn layer(manifest: &[u8]) -> Result<Layer, Problem> {
    let no_policy = |what: String| Problem::NoPolicy(what);
    let manifest = match serde_json::from_slice(manifest) {
        Ok(OciManifest::Image(manifest)) => manifest,
        Ok(OciManifest::ImageIndex(_)) => return Err(no_policy("it is an index of several artifacts".to_owned())),
        Err(_) => return Err(no_policy("its manifest is not understood".to_owned())),
    };
    let is_module = |layer: &&OciDescriptor| layer.media_type == WASM_LAYER_MEDIA_TYPE;
    // Kubewarden takes the first one.
    let Some(layer) = manifest.layers.iter().find(is_module) else {
        return Err(no_policy(match manifest.layers.first() {
            None => "it has no layer".to_owned(),
            Some(other) => format!("its layer is {} and not {WASM_LAYER_MEDIA_TYPE}", other.media_type),
        }));
    };
    let digest = layer.digest.parse().map_err(|error| no_policy(format!("the digest of its module: {error}")))?;
    let size = u64::try_from(layer.size).map_err(|_| no_policy("the size of its module is negative".to_owned()))?;
    if size > LONGEST_MODULE {
        return Err(Problem::TooLong { what: "module", limit: LONGEST_MODULE });
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

/// The commit that annotations name.
pub(super) fn revision(annotations: &BTreeMap<String, String>) -> Option<&str> {
    annotations.get(REVISION).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::wasm_host::EMBEDDED;

    #[test]
    fn the_manifest_says_what_the_module_says_of_itself_in_single_lines() {
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
        // A text of many lines.
        assert_eq!(annotations.get("io.kubewarden.policy.usage"), None);
    }

    #[test]
    fn the_same_module_has_the_same_manifest() {
        let digest = |revision| Artifact::new(EMBEDDED, revision).unwrap().digest;
        assert_eq!(digest(None), digest(None));
        assert_ne!(digest(None), digest(Some("0123abcd")));
    }

    #[test]
    fn what_is_made_is_read_back() {
        let layer = layer(&Artifact::new(EMBEDDED, None).unwrap().manifest).unwrap();
        assert_eq!((layer.digest, layer.size), (Digest::of(EMBEDDED), EMBEDDED.len() as u64));
    }

    #[test]
    fn what_is_no_policy_says_what_it_is() {
        let why = |manifest: &Value| layer(manifest.to_string().as_bytes()).unwrap_err().to_string();
        let with = |layers: Value| {
            let descriptor = json!({"mediaType": "x", "digest": "x", "size": 2});
            json!({"schemaVersion": 2, "config": descriptor, "layers": layers})
        };
        let module =
            |digest: &str, size: i64| json!([{"mediaType": WASM_LAYER_MEDIA_TYPE, "digest": digest, "size": size}]);
        let digest = Digest::of(b"").to_string();
        assert_eq!(why(&with(json!([]))), "this is no policy: it has no layer");
        let image = with(json!([{"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": "x", "size": 2}]));
        let why_image = "this is no policy: its layer is application/vnd.oci.image.layer.v1.tar and not \
                         application/vnd.wasm.content.layer.v1+wasm";
        assert_eq!(why(&image), why_image);
        assert!(why(&with(module("sha512:00", 2))).starts_with("this is no policy: the digest of its module: "));
        assert_eq!(why(&with(module(&digest, -1))), "this is no policy: the size of its module is negative");
        assert_eq!(
            why(&with(module(&digest, 64 << 20 | 1))),
            "the module is longer than the 67108864 bytes that it may have"
        );
        let index = json!({"schemaVersion": 2, "manifests": []});
        assert_eq!(why(&index), "this is no policy: it is an index of several artifacts");
        assert_eq!(why(&json!([])), "this is no policy: its manifest is not understood");
    }
}
