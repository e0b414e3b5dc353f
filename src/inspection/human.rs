//! An inspection for people.

use std::fmt::Write;

use super::{Admission, Inspection};
use crate::escape::escape;
use crate::registry::Signatures;

/// How wide names are.
const NAMES: usize = 13;

/// All of it as text. What the module says of itself is made fit for a terminal.
pub fn human(inspection: &Inspection) -> String {
    let mut lines = vec![title(inspection)];
    lines.extend(
        facts(inspection).into_iter().map(|(name, value)| format!("{name:NAMES$}{value}").trim_end().to_owned()),
    );
    if let Some(signatures) = &inspection.signatures {
        lines.extend(signed(signatures));
    }
    let mut text: String = lines.iter().map(|line| format!("{}\n", escape(line))).collect();
    text.push_str(&own(inspection));
    text
}

fn title(inspection: &Inspection) -> String {
    let of = |name: &str| inspection.metadata.annotations.get(name).map(String::as_str);
    let title = of("io.kubewarden.policy.title").unwrap_or("a policy without a title");
    let version = of("io.kubewarden.policy.version").map(|version| format!(" {version}")).unwrap_or_default();
    let about = of("io.kubewarden.policy.description").map(|about| format!(": {about}")).unwrap_or_default();
    format!("{title}{version}{about}")
}

/// What is known, by its name. A name stands once, in front of the first of its lines.
fn facts(inspection: &Inspection) -> Vec<(&'static str, String)> {
    let metadata = &inspection.metadata;
    let is_embedded = if inspection.is_embedded { ", the module of this command" } else { "" };
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
        ("may change", if metadata.mutating { "the objects that it judges" } else { "nothing" }.to_owned()),
        ("imports", listed(inspection.wasm.imports.iter().cloned())),
        ("asks for", listed(metadata.host_capabilities.iter().cloned())),
    ];
    let kinds = metadata.context_aware_resources.iter();
    facts.push(("looks up", listed(kinds.map(|kind| format!("{} {}", kind.api_version, kind.kind)))));
    let names = ["judges"].into_iter().chain(std::iter::repeat(""));
    let judged =
        if metadata.rules.is_empty() { vec![NONE.to_owned()] } else { metadata.rules.iter().map(admission).collect() };
    facts.extend(names.zip(judged));
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

const NONE: &str = "nothing";

fn listed(names: impl Iterator<Item = String>) -> String {
    let names: Vec<String> = names.collect();
    if names.is_empty() { NONE.to_owned() } else { names.join(", ") }
}

fn signed(signatures: &Signatures) -> Vec<String> {
    let line = |name: &str, value: &str| format!("{name:NAMES$}{value}");
    match signatures {
        Signatures::Absent => vec![line("signatures", "none found")],
        Signatures::Unknown { why } => vec![line("signatures", &format!("unknown: {why}"))],
        Signatures::Present { found, verify } => {
            let found = found.iter().map(|found| line("", found));
            let verify = verify.iter().map(|command| line("", command));
            let asked = line("verify with", "one of");
            [line("signatures", "present, not verified here")]
                .into_iter()
                .chain(found)
                .chain([asked])
                .chain(verify)
                .collect()
        }
    }
}

/// The rules and settings of this command's own module.
fn own(inspection: &Inspection) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    if let Some(rules) = &inspection.rules {
        let width = rules.iter().map(|rule| rule.id.len()).max().unwrap_or_default();
        text.push_str("\nrules, with what happens by default (sqledge-ha explain RULE tells more)\n");
        for rule in rules {
            let _ = writeln!(text, "  {:width$}  {:6}  {}", rule.id, rule.default_action.name(), rule.summary);
        }
    }
    if let Some(settings) = &inspection.settings {
        let width = settings.iter().map(|setting| setting.key.len()).max().unwrap_or_default();
        text.push_str("\nsettings, with their defaults (sqledge-ha policy settings-schema tells more)\n");
        for setting in settings {
            let default = setting.default.to_string();
            let _ = writeln!(text, "  {:width$}  {default:12}  {}", setting.key, setting.description);
        }
    }
    text
}
