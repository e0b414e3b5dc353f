//! The report as text for people.

use std::fmt::Write;

use super::{Admission, Inspection};
use crate::escape::escape;
use crate::registry::Signatures;

/// The width of the column of names.
const NAME_WIDTH: usize = 13;

/// The report as text. Control characters in the metadata are replaced.
pub fn human(inspection: &Inspection) -> String {
    let mut lines = vec![title(inspection)];
    lines.extend(
        facts(inspection).into_iter().map(|(name, value)| format!("{name:NAME_WIDTH$}{value}").trim_end().to_owned()),
    );
    if let Some(signatures) = &inspection.signatures {
        lines.extend(signature_lines(signatures));
    }
    let mut text: String = lines.iter().map(|line| format!("{}\n", escape(line))).collect();
    text.push_str(&rules_and_settings(inspection));
    text
}

fn title(inspection: &Inspection) -> String {
    let annotation = |name: &str| inspection.metadata.annotations.get(name).map(String::as_str);
    let title = annotation("io.kubewarden.policy.title").unwrap_or("untitled policy");
    let version = annotation("io.kubewarden.policy.version").map(|version| format!(" {version}")).unwrap_or_default();
    let about = annotation("io.kubewarden.policy.description").map(|about| format!(": {about}")).unwrap_or_default();
    format!("{title}{version}{about}")
}

/// The lines of the table: names and values. Further lines of a value have an empty name.
fn facts(inspection: &Inspection) -> Vec<(&'static str, String)> {
    let metadata = &inspection.metadata;
    let is_embedded = if inspection.is_embedded { ", the embedded module" } else { "" };
    let mut facts = vec![
        ("from", inspection.from.clone()),
        ("digest", inspection.digest.to_string()),
        ("size", format!("{} bytes{is_embedded}", inspection.size)),
        ("revision", inspection.revision.clone().unwrap_or("unknown".to_owned())),
        ("built with", built_with(inspection)),
        (
            "Kubewarden",
            metadata.minimum_kubewarden_version.clone().map_or("any".to_owned(), |least| format!("{least} or later")),
        ),
        ("can mutate", if metadata.mutating { "yes" } else { "no" }.to_owned()),
        ("imports", listed(inspection.wasm.imports.iter().cloned())),
        ("host calls", listed(metadata.host_capabilities.iter().cloned())),
    ];
    let resources = metadata.context_aware_resources.iter();
    facts.push(("looks up", listed(resources.map(|kind| format!("{} {}", kind.api_version, kind.kind)))));
    let names = ["checks"].into_iter().chain(std::iter::repeat(""));
    let checked =
        if metadata.rules.is_empty() { vec![NONE.to_owned()] } else { metadata.rules.iter().map(admission).collect() };
    facts.extend(names.zip(checked));
    facts
}

fn built_with(inspection: &Inspection) -> String {
    let compiler = inspection.compiler.iter().cloned();
    let producers = listed(compiler.chain(inspection.wasm.producers.iter().cloned()));
    if producers == NONE { "unknown".to_owned() } else { producers }
}

fn admission(rule: &Admission) -> String {
    let group = |group: &String| if group.is_empty() { "core".to_owned() } else { group.clone() };
    let groups: Vec<String> = rule.api_groups.iter().map(group).collect();
    let (groups, versions) = (groups.join(", "), rule.api_versions.join(", "));
    format!("{} of {} ({groups}, {versions})", rule.operations.join(", "), rule.resources.join(", "))
}

const NONE: &str = "none";

fn listed(names: impl Iterator<Item = String>) -> String {
    let names: Vec<String> = names.collect();
    if names.is_empty() { NONE.to_owned() } else { names.join(", ") }
}

fn signature_lines(signatures: &Signatures) -> Vec<String> {
    let line = |name: &str, value: &str| format!("{name:NAME_WIDTH$}{value}");
    match signatures {
        Signatures::Absent => vec![line("signatures", "none found")],
        Signatures::Unknown { reason } => vec![line("signatures", &format!("unknown: {reason}"))],
        Signatures::Present { found, verify } => {
            let found = found.iter().map(|found| line("", found));
            let verify = verify.iter().map(|command| line("", command));
            let heading = line("verify with", "one of");
            [line("signatures", "present, not verified here")]
                .into_iter()
                .chain(found)
                .chain([heading])
                .chain(verify)
                .collect()
        }
    }
}

/// The rules and settings of the embedded module.
fn rules_and_settings(inspection: &Inspection) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    if let Some(rules) = &inspection.rules {
        let width = rules.iter().map(|rule| rule.id.len()).max().unwrap_or_default();
        text.push_str("\nrules and their default actions (see sqledge-ha explain RULE)\n");
        for rule in rules {
            let _ = writeln!(text, "  {:width$}  {:6}  {}", rule.id, rule.default_action.name(), rule.summary);
        }
    }
    if let Some(settings) = &inspection.settings {
        let width = settings.iter().map(|setting| setting.key.len()).max().unwrap_or_default();
        text.push_str("\nsettings and their defaults (see sqledge-ha policy settings-schema)\n");
        for setting in settings {
            let default = setting.default.to_string();
            let _ = writeln!(text, "  {:width$}  {default:12}  {}", setting.key, setting.description);
        }
    }
    text
}
