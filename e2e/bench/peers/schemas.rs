//! The schemas for kubeconform, as an API server publishes them.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::kubernetes::Cluster;

/// The folder with the schemas.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("schemas")
}

/// Gets the schemas from a control plane, unless they exist: one file for each kind, and one with all definitions.
pub(crate) fn write() {
    let definitions_path = folder().join("_definitions.json");
    if definitions_path.exists() {
        return;
    }
    fs::create_dir_all(folder()).unwrap();
    let description: Value =
        serde_json::from_str(&Cluster::api_only().must(&["get", "--raw", "/openapi/v2"], "")).unwrap();
    let mut definitions = description["definitions"].clone();
    // OpenAPI 2 expresses "integer or string" as a format.
    definitions["io.k8s.apimachinery.pkg.util.intstr.IntOrString"] = json!({"type": ["string", "integer"]});
    definitions["io.k8s.apimachinery.pkg.api.resource.Quantity"] = json!({"type": ["string", "number"]});
    for (name, definition) in definitions.as_object().unwrap() {
        for kind in definition["x-kubernetes-group-version-kind"].as_array().into_iter().flatten() {
            let text = |key: &str| kind[key].as_str().unwrap().to_lowercase();
            // The file names that kubeconform expects.
            let group = text("group").split('.').next().unwrap().to_owned();
            let group = if group.is_empty() { group } else { format!("-{group}") };
            let path = folder().join(format!("{}{group}-{}.json", text("kind"), text("version")));
            let schema = json!({"$ref": format!("_definitions.json#/definitions/{name}")});
            fs::write(path, schema.to_string()).unwrap();
        }
    }
    fs::write(definitions_path, json!({"definitions": definitions}).to_string()).unwrap();
}
