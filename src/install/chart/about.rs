//! `Chart.yaml`: what the chart is. The annotations are Artifact Hub's (artifacthub/hub, `docs/helm_annotations.md`, at
//! 0d8b1c0b), which finds the image without having to render the chart by them.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Error;
use crate::install::module::Module;
use crate::install::webhook::{NAME, published_image};

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Chart<'m> {
    api_version: &'static str,
    name: &'static str,
    description: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    version: &'static str,
    app_version: &'static str,
    kube_version: &'static str,
    home: &'m str,
    sources: [&'m str; 1],
    keywords: Vec<&'m str>,
    annotations: BTreeMap<&'static str, String>,
}

/// The file. The chart's version is that of the command.
pub(super) fn text(module: &Module) -> Result<String, Error> {
    let about = |name: &str| module.annotation(&format!("io.kubewarden.policy.{name}"));
    let version = env!("CARGO_PKG_VERSION");
    let chart = Chart {
        api_version: "v2",
        name: NAME,
        description: "The admission webhook that keeps Azure SQL Edge highly available on Kubernetes",
        kind: "application",
        version,
        app_version: version,
        // Optional fields in match conditions. What providers append to a version counts as a pre-release.
        kube_version: ">=1.30.0-0",
        home: about("url"),
        sources: [about("source")],
        keywords: module.annotation("io.artifacthub.keywords").split(',').map(str::trim).collect(),
        annotations: annotations(about("license"), about("source")),
    };
    Ok(serde_saphyr::to_string(&chart)?)
}

fn annotations(license: &str, source: &str) -> BTreeMap<&'static str, String> {
    BTreeMap::from([
        ("artifacthub.io/category", "database".to_owned()),
        ("artifacthub.io/images", format!("- name: {NAME}\n  image: {}\n", published_image())),
        ("artifacthub.io/license", license.to_owned()),
        ("artifacthub.io/links", format!("- name: support\n  url: {source}/issues\n")),
    ])
}
