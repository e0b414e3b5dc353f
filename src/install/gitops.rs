//! The settings of a GitOps controller for the fields that are mutated although a manifest states another value.

use clap::ValueEnum;
use sqledge_ha_policy::rules::overwrites::overwrites;
use sqledge_ha_policy::settings::Settings;

/// A GitOps controller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum GitOpsController {
    /// Part of the spec of an Application
    #[default]
    ArgoCd,
    /// Flux
    Flux,
}

const ARGO_CD: &str = "\
# For the spec of an Argo CD Application. The policy mutates these fields although a manifest states another value. If all
# manifests state what the policy sets (sqledge-ha fix), nothing has to be ignored. Fields that manifests leave out do not differ.
";

const FLUX: &str = "\
# Flux needs no setting. It compares the live objects with a server-side dry run, in which they are mutated in the same way, so
# that neither a Kustomization nor the drift detection of a HelmRelease sees a difference.
";

/// The settings as YAML.
pub fn text(controller: GitOpsController, settings: &Settings) -> String {
    match controller {
        GitOpsController::ArgoCd => format!("{ARGO_CD}{}", ignore_differences(settings)),
        GitOpsController::Flux => FLUX.to_owned(),
    }
}

fn ignore_differences(settings: &Settings) -> String {
    let mut text = String::new();
    for overwrite in overwrites(settings) {
        let group = if overwrite.group.is_empty() { String::new() } else { format!("group: {}\n  ", overwrite.group) };
        let (kind, pointer, rule) = (overwrite.kind, overwrite.pointer, overwrite.rule.id);
        text.push_str(&format!("- {group}kind: {kind}\n  jsonPointers: [{pointer}]  # {rule}\n"));
    }
    if text.is_empty() { "ignoreDifferences: []\n".to_owned() } else { format!("ignoreDifferences:\n{text}") }
}
