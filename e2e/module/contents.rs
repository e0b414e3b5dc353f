//! The contents of the module: size, imports, and the metadata that Kubewarden and Artifact Hub read.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use sqledge_ha::wasm_host::{EMBEDDED, metadata};
use wasmparser::{Parser, Payload};

use super::without_lookups;

#[test]
fn the_module_is_small() {
    assert!(EMBEDDED.len() <= 400 * 1024, "{} bytes", EMBEDDED.len());
}

#[test]
fn the_module_imports_only_wapc() {
    let modules: BTreeSet<&str> = Parser::new(0)
        .parse_all(EMBEDDED)
        .filter_map(|payload| match payload.unwrap() {
            Payload::ImportSection(imports) => Some(imports),
            _ => None,
        })
        .flat_map(|imports| imports.into_imports().map(|import| import.unwrap().module))
        .collect();
    assert_eq!(modules, BTreeSet::from(["wapc"]));
}

#[test]
fn the_module_has_no_paths_of_the_build_machine() {
    let home = std::env::home_dir().map(|home| home.join(".cargo").display().to_string());
    let cargo_home = std::env::var("CARGO_HOME").ok();
    let text = String::from_utf8_lossy(EMBEDDED);
    for path in [Some(env!("CARGO_MANIFEST_DIR").to_owned()), home, cargo_home].into_iter().flatten() {
        assert!(!text.contains(&path), "{path}");
    }
}

#[test]
fn the_metadata_is_a_section_that_kubewarden_reads() {
    let sections = Parser::new(0).parse_all(EMBEDDED).filter_map(|payload| match payload.unwrap() {
        Payload::CustomSection(section) if section.name() == metadata::SECTION => Some(section.data()),
        _ => None,
    });
    let sections: Vec<&[u8]> = sections.collect();
    assert_eq!(sections.len(), 1);
    let metadata: Value = serde_json::from_slice(sections[0]).unwrap();
    assert_eq!(metadata, metadata::read(EMBEDDED).unwrap());
    assert_eq!(metadata["protocolVersion"], json!(without_lookups().protocol_version().unwrap()));
    assert_eq!(metadata["executionMode"], "kubewarden-wapc");
    assert_eq!(metadata["policyType"], "kubernetes");
    assert_eq!((&metadata["mutating"], &metadata["backgroundAudit"]), (&json!(true), &json!(true)));
    let capabilities = json!(["kubernetes/get_resource", "kubernetes/list_resources_by_namespace"]);
    assert_eq!(metadata["hostCapabilities"], capabilities);
    let annotations = &metadata["annotations"];
    assert_eq!(annotations["io.kubewarden.policy.version"], env!("CARGO_PKG_VERSION"));
    // Artifact Hub needs these to list the policy.
    for required in ["title", "description", "ociUrl", "license", "source", "usage"] {
        assert!(annotations[format!("io.kubewarden.policy.{required}")].is_string(), "{required}");
    }
    assert!(annotations["io.artifacthub.displayName"].is_string());
}

#[test]
fn admission_rules_have_no_wildcards() {
    let metadata = metadata::read(EMBEDDED).unwrap();
    let mut groups = Vec::new();
    for rule in metadata["rules"].as_array().unwrap() {
        assert!(!rule.to_string().contains('*'), "{rule}");
        // The audit scanner looks up each resource with the operation CREATE. It cannot look up subresources.
        let creates = rule["operations"].as_array().unwrap().contains(&json!("CREATE"));
        let mut resources = rule["resources"].as_array().unwrap().iter().map(|name| name.as_str().unwrap());
        assert!(resources.all(|name| creates != name.contains('/')), "{rule}");
        assert_eq!(rule["apiGroups"].as_array().unwrap().len(), 1, "{rule}");
        if creates {
            groups.push(rule["apiGroups"][0].as_str().unwrap());
        }
    }
    let built_in = ["", "apps", "batch", "autoscaling", "policy"];
    let custom = ["argoproj.io", "apps.openshift.io", "serving.knative.dev", "keda.sh", "autoscaling.k8s.io"];
    assert_eq!(groups, [built_in, custom].concat());
}
