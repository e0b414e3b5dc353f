//! `artifacthub-pkg.yml`: what Artifact Hub shows of a version of the policy, and what Rancher makes a policy of.
//!
//! The annotations beside `kubewarden/mutation` and `kubewarden/resources` are Kubewarden's own: rules, look-ups and the
//! form as YAML inside of text, which Rancher reads (rancher/kubewarden-ui, `pkg/kubewarden/types/artifacthub.ts`, at
//! dca2ea46).
//! Source: artifacthub/hub, `docs/metadata/artifacthub-pkg.yml` and `docs/kubewarden_annotations.md`, at 0d8b1c0b.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::questions;
use crate::install::module::Module;

/// Why there is no package.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The changelog does not say when this version came out.
    #[error("the changelog has no heading `## [{0}] - YYYY-MM-DD`")]
    NoDate(String),
    /// Something could not be written as YAML.
    #[error("cannot write the package: {0}")]
    Unwritable(#[from] serde_saphyr::SerializeError),
}

/// The file's members, in the order of Artifact Hub's documentation.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Package<'m> {
    version: &'m str,
    name: &'m str,
    category: &'static str,
    display_name: &'m str,
    created_at: String,
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

/// What runs the policy.
const KUBEWARDEN: &str = "https://artifacthub.io/packages/helm/kubewarden/kubewarden-controller";

/// The file for the module's version, which came out when `changelog` says.
///
/// # Errors
/// [`Error::NoDate`] for a changelog without this version.
pub fn text(module: &Module, changelog: &str) -> Result<String, Error> {
    let about = |name: &str| module.annotation(&format!("io.kubewarden.policy.{name}"));
    let version = about("version");
    let image = format!("{}:v{version}", about("ociUrl"));
    let package = Package {
        version,
        name: about("title"),
        category: "database",
        display_name: module.annotation("io.artifacthub.displayName"),
        created_at: created_at(changelog, version)?,
        description: about("description"),
        license: about("license"),
        home_url: about("url"),
        install: install(&image),
        containers_images: [Image { name: "policy", image }],
        keywords: module.annotation("io.artifacthub.keywords").split(',').map(str::trim).collect(),
        links: links(about("source"), version),
        readme: about("usage"),
        provider: Provider { name: about("title") },
        recommendations: [Recommendation { url: KUBEWARDEN }],
        annotations: annotations(module)?,
    };
    Ok(serde_saphyr::to_string(&package)?)
}

/// The beginning of the day on which a version came out, as RFC 3339 has it.
fn created_at(changelog: &str, version: &str) -> Result<String, Error> {
    let heading = format!("## [{version}] - ");
    let day = changelog.lines().find_map(|line| line.strip_prefix(&heading));
    let day = day.ok_or_else(|| Error::NoDate(version.to_owned()))?;
    Ok(format!("{}T00:00:00Z", day.trim()))
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
With Kubewarden 1.35 or later, on Kubernetes 1.30 or later. The command that is published beside the policy prints two
ClusterAdmissionPolicies, of which one mends and the other judges what came of it, and the rights for their look-ups:

```console
sqledge-ha policy access | kubectl apply -f -
sqledge-ha policy manifest --mode mutate | kubectl apply -f -
sqledge-ha policy manifest --mode validate | kubectl apply -f -
```

A policy of your own names the module `registry://{image}`.
"
    )
}

fn annotations(module: &Module) -> Result<BTreeMap<&'static str, String>, Error> {
    let yaml = |values: Vec<Value>| serde_saphyr::to_string(&values);
    Ok(BTreeMap::from([
        ("kubewarden/mutation", module.is_mutating().to_string()),
        ("kubewarden/resources", module.annotation("io.artifacthub.resources").to_owned()),
        ("kubewarden/rules", yaml(module.rules())?),
        ("kubewarden/contextAwareResources", yaml(module.context_aware_resources())?),
        ("kubewarden/questions-ui", questions::text()?),
    ]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_as_old_as_the_changelog_says() {
        let changelog = "## [Unreleased]\n\n## [1.2.0] - 2027-03-04\n\n## [1.1.0] - 2027-02-03\n";
        assert_eq!(created_at(changelog, "1.1.0").unwrap(), "2027-02-03T00:00:00Z");
        let error = created_at(changelog, "1.3.0").unwrap_err().to_string();
        assert_eq!(error, "the changelog has no heading `## [1.3.0] - YYYY-MM-DD`");
    }
}
