//! `artifacthub-pkg.yml`: a version of the policy for Artifact Hub and Rancher.
//!
//! The annotations other than `kubewarden/mutation` and `kubewarden/resources` are for Rancher: rules, look-ups and the
//! form as YAML in strings (rancher/kubewarden-ui, `pkg/kubewarden/types/artifacthub.ts`, at dca2ea46).
//! Source: artifacthub/hub, `docs/metadata/artifacthub-pkg.yml` and `docs/kubewarden_annotations.md`, at 0d8b1c0b.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use serde_saphyr::SerializeError;

use super::questions;
use crate::install::module::ModuleMetadata;

/// The file's members, in the order of Artifact Hub's documentation.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Package<'m> {
    version: &'m str,
    name: &'m str,
    category: &'static str,
    display_name: &'m str,
    description: &'m str,
    license: &'m str,
    #[serde(rename = "homeURL")]
    home_url: &'m str,
    containers_images: [Image; 1],
    keywords: Vec<&'m str>,
    links: Vec<Link>,
    readme: &'m str,
    install: String,
    provider: Provider<'m>,
    recommendations: [Recommendation; 1],
    annotations: BTreeMap<&'static str, String>,
}

#[derive(Debug, Serialize)]
struct Image {
    name: &'static str,
    image: String,
}

#[derive(Debug, Serialize)]
struct Link {
    name: &'static str,
    url: String,
}

#[derive(Debug, Serialize)]
struct Provider<'m> {
    name: &'m str,
}

#[derive(Debug, Serialize)]
struct Recommendation {
    url: &'static str,
}

const KUBEWARDEN: &str = "https://artifacthub.io/packages/helm/kubewarden/kubewarden-controller";

/// The file for the module's version. Announcing the version adds its date, `createdAt`.
///
/// # Errors
/// The file cannot be written as YAML.
pub fn text(module: &ModuleMetadata) -> Result<String, SerializeError> {
    let annotation = |name: &str| module.annotation(&format!("io.kubewarden.policy.{name}"));
    let version = annotation("version");
    let image = format!("{}:v{version}", annotation("ociUrl"));
    let package = Package {
        version,
        name: annotation("title"),
        category: "database",
        display_name: module.annotation("io.artifacthub.displayName"),
        description: annotation("description"),
        license: annotation("license"),
        home_url: annotation("url"),
        install: install(&image),
        containers_images: [Image { name: "policy", image }],
        keywords: module.annotation("io.artifacthub.keywords").split(',').map(str::trim).collect(),
        links: links(annotation("source"), version),
        readme: annotation("usage"),
        provider: Provider { name: annotation("title") },
        recommendations: [Recommendation { url: KUBEWARDEN }],
        annotations: annotations(module)?,
    };
    serde_saphyr::to_string(&package)
}

fn links(source: &str, version: &str) -> Vec<Link> {
    let link = |name, path: &str| Link { name, url: format!("{source}{path}") };
    vec![
        link("policy", &format!("/releases/download/v{version}/policy.wasm")),
        link("source", ""),
        link("support", "/issues"),
    ]
}

fn install(image: &str) -> String {
    format!(
        "\
Needs Kubewarden 1.35 and Kubernetes 1.30, or later versions. The command `sqledge-ha`, which each release includes, prints
permissions for look-ups and ClusterAdmissionPolicies: some mutate objects, the others check the final objects. Workloads,
Services and scale requests have a policy each, with a `failurePolicy` of its own.

```console
sqledge-ha policy access | kubectl apply -f -
sqledge-ha policy manifest --mode mutate | kubectl apply -f -
sqledge-ha policy manifest --mode validate | kubectl apply -f -
```

To write your own policy, use the module `registry://{image}`.
"
    )
}

fn annotations(module: &ModuleMetadata) -> Result<BTreeMap<&'static str, String>, SerializeError> {
    let yaml = |values: Vec<Value>| serde_saphyr::to_string(&values);
    Ok(BTreeMap::from([
        ("kubewarden/mutation", module.is_mutating().to_string()),
        ("kubewarden/resources", module.annotation("io.artifacthub.resources").to_owned()),
        ("kubewarden/rules", yaml(module.rules())?),
        ("kubewarden/contextAwareResources", yaml(module.context_aware_resources())?),
        ("kubewarden/questions-ui", questions::text()?),
    ]))
}
