//! Which requests the API server sends at all: conditions in CEL, the Common Expression Language, that leave out what no
//! rule would say anything about. What they leave out costs nothing and, more important, is never held up while nobody
//! answers: above all the replacement of a database pod, which its controller creates.
//!
//! Two things have to hold for each. It is wider than what the rules judge: whatever it leaves out, the rules accept
//! without a word. And it has a value for every object, null where lists may be included, because an error refuses
//! the request. Optional fields (`.?`) and these conditions need Kubernetes 1.30.
//!
//! Source: <https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#matching-requests-matchconditions>

use serde_json::{Value, json};
use sqledge_ha_policy::engine::{IMAGE_MARKERS, LICENCE_VARIABLE};
use sqledge_ha_policy::kind::{KNATIVE, judged_owners, pod_paths};
use sqledge_ha_policy::settings::Settings;

/// The conditions for these settings, as `matchConditions` of webhooks and policies. A request is sent only if all of
/// them are true.
pub fn match_conditions(settings: &Settings) -> Value {
    json!([
        {"name": "stays", "expression": STAYS},
        {"name": "has-no-judged-owner", "expression": has_no_judged_owner()},
        {"name": "may-run-an-engine", "expression": may_run_an_engine(settings)},
        {"name": "scales-beyond-one", "expression": SCALES_BEYOND_ONE},
        {"name": "selects-otherwise-than-before", "expression": SELECTS_OTHERWISE_THAN_BEFORE},
    ])
}

/// An object on its way out is let go.
const STAYS: &str = "object.metadata.?deletionTimestamp.orValue(null) == null";

/// A workload of at most one replica is what the rules want.
const SCALES_BEYOND_ONE: &str = "\
!(request.kind.group == 'autoscaling' && request.kind.kind == 'Scale') ||
object.?spec.?replicas.orValue(0) > 1";

/// A Service that selects nothing, before and after, leads to no database. One whose `spec` stays, while controllers
/// write annotations and finalizers, leads where it led; it is small, so that comparing it costs little.
const SELECTS_OTHERWISE_THAN_BEFORE: &str = "\
!(request.kind.group == '' && request.kind.kind == 'Service') ||
[object, oldObject].exists(service, service != null && service.?spec.?selector.orValue({}) != {}) &&
(oldObject == null || object.?spec != oldObject.?spec)";

/// What a controller creates was judged with the controller.
fn has_no_judged_owner() -> String {
    let mut groups: Vec<(&str, Vec<String>)> = Vec::new();
    for (group, name) in judged_owners().filter(|(group, _)| *group != KNATIVE) {
        match groups.iter_mut().find(|(known, _)| *known == group) {
            Some((_, names)) => names.push(text(name)),
            None => groups.push((group, vec![text(name)])),
        }
    }
    let mut owners: Vec<String> = groups
        .iter()
        .map(|(group, names)| format!("{} && owner.kind in [{}]", is_of(group), names.join(", ")))
        .collect();
    owners.push(is_of(KNATIVE));
    format!(
        "!object.metadata.?ownerReferences.orValue([]).exists(owner,\n  owner.?controller.orValue(false) && (\n    {}))",
        owners.join(" ||\n    ")
    )
}

/// Whether an owner is of an API group, the core group having no name.
fn is_of(group: &str) -> String {
    match group {
        "" => "!owner.apiVersion.contains('/')".to_owned(),
        _ => format!("owner.apiVersion.startsWith({})", text(format!("{group}/"))),
    }
}

/// Of what holds pods only those matter in which an image or a variable hints at an engine. Where the pods are depends
/// on the kind; no kind has other pods where another has its own, so that all places are searched alike.
fn may_run_an_engine(settings: &Settings) -> String {
    let places: Vec<String> = pod_paths().iter().map(|path| format!("object.?{}", path.join(".?"))).collect();
    let configured = settings.images.iter().map(|image| image.repository.as_str());
    let names: Vec<String> = IMAGE_MARKERS.into_iter().chain(configured).map(text).collect();
    format!(
        "\
request.kind.group == '' && request.kind.kind == 'Service' ||
request.kind.group == 'autoscaling' && request.kind.kind == 'Scale' ||
[
  {places}
].exists(pod, [pod.?containers, pod.?initContainers].exists(containers,
  containers.orValue(null) != null && containers.orValue([]).exists(container,
    container.?image.orValue(null) != null &&
      [{names}].exists(name, container.image.contains(name)) ||
    container.?env.orValue(null) != null &&
      container.env.exists(variable, variable.?name.orValue('') == {variable}))))",
        places = places.join(",\n  "),
        names = names.join(", "),
        variable = text(LICENCE_VARIABLE),
    )
}

/// A string in CEL.
fn text(value: impl AsRef<str>) -> String {
    let mut text = String::from("'");
    for character in value.as_ref().chars() {
        match character {
            '\\' | '\'' => text.extend(['\\', character]),
            // A line break or the like would end the string.
            character if character.is_control() => text.push_str(&format!("\\u{:04x}", u32::from(character))),
            character => text.push(character),
        }
    }
    text.push('\'');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_end_a_string_is_escaped() {
        assert_eq!(text("team/edge"), "'team/edge'");
        assert_eq!(text("a'b\\c\nd"), "'a\\'b\\\\c\\u000ad'");
    }
}
