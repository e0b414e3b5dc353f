//! Match conditions: CEL expressions that decide which requests the API server sends. A request that is not sent costs
//! nothing and, more important, is allowed while no webhook answers. Above all this is the replacement of a database
//! pod, which its controller creates.
//!
//! Each condition must be true for every request with a finding, and must have a value for every object, also where
//! lists are null: with an error, the API server rejects the request. Match conditions and optional fields (`.?`) need
//! Kubernetes 1.30.
//!
//! Source:
//! <https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#matching-requests-matchconditions>

use serde_json::{Value, json};
use sqledge_ha_policy::engine::IMAGE_SUBSTRINGS;
use sqledge_ha_policy::engine::variables::EULA;
use sqledge_ha_policy::kubernetes::kind::Kind;
use sqledge_ha_policy::kubernetes::resources::{RESOURCES, Resource, pod_paths};
use sqledge_ha_policy::kubernetes::rollout;
use sqledge_ha_policy::kubernetes::service::ANNOTATIONS;
use sqledge_ha_policy::settings::Settings;

use super::requests::Requests;

/// `matchConditions` of a webhook or policy that gets these requests. The API server sends a request if all are true.
pub fn match_conditions(requests: Requests, settings: &Settings) -> Value {
    let not_being_deleted = ("not-being-deleted", NOT_BEING_DELETED.to_owned());
    let no_checked_owner = ("no-checked-owner", no_checked_owner());
    let scales_above_one = ("scales-above-one", SCALES_ABOVE_ONE.to_owned());
    let service_changed = ("service-changed", service_changed());
    let related_changed = ("related-changed", RELATED_CHANGED.to_owned());
    // A condition that only some of the requests need is true for the others.
    let for_kind = |kind: &str, (name, expression): (&'static str, String)| {
        let expression = format!("!({kind}) ||\n{expression}");
        (name, expression)
    };
    let conditions = match requests {
        Requests::All => vec![
            not_being_deleted,
            no_checked_owner,
            (
                "may-run-database",
                [other_kinds().join(" ||\n"), runs_other_pods(), may_run_database(settings)].join(" ||\n"),
            ),
            for_kind(IS_SCALE, scales_above_one),
            for_kind(IS_SERVICE, service_changed),
            for_kind(&related_kinds(), related_changed),
        ],
        Requests::Workloads => {
            vec![not_being_deleted, no_checked_owner, ("may-run-database", may_run_database(settings))]
        }
        Requests::Services => vec![not_being_deleted, service_changed],
        Requests::Scale => vec![scales_above_one],
        Requests::Related => {
            let other_pods = format!("request.kind.kind != 'Rollout' || {}", runs_other_pods());
            vec![not_being_deleted, related_changed, ("runs-other-pods", other_pods)]
        }
    };
    conditions.into_iter().map(|(name, expression)| json!({"name": name, "expression": expression})).collect()
}

const IS_SCALE: &str = "request.kind.group in ['autoscaling', 'extensions'] && request.kind.kind == 'Scale'";

const IS_SERVICE: &str = "request.kind.group == '' && request.kind.kind == 'Service'";

/// Objects that are being deleted are not checked. At creation, the API server clears the time after mutation.
const NOT_BEING_DELETED: &str = "oldObject == null || object.metadata.?deletionTimestamp.orValue(null) == null";

/// The rules allow up to one replica. A Scale does not say what its pods run.
const SCALES_ABOVE_ONE: &str = "object.?spec.?replicas.orValue(0) > 1";

/// A Service without a selector, before and after the request, selects no database. Updates that change neither its
/// `spec` nor an annotation that rules read are frequent, because controllers write other annotations and finalizers.
fn service_changed() -> String {
    let names: Vec<String> = ANNOTATIONS.iter().map(|(name, _)| text(name)).collect();
    format!(
        "\
[object, oldObject].exists(service, service != null && service.?spec.?selector.orValue({{}}) != {{}}) &&
(oldObject == null || object.?spec != oldObject.?spec || [
  {}
].exists(name, object.metadata.?annotations[?name] != oldObject.metadata.?annotations[?name]))",
        names.join(",\n  ")
    )
}

/// A Rollout that runs the pods of another workload has no pod template.
fn runs_other_pods() -> String {
    format!("object.?spec.?{}.orValue(null) != null", rollout::REFERENCE)
}

/// Controllers often write the `status` of these objects, which no rule reads. Nearly all claims are for one node.
const RELATED_CHANGED: &str = "\
(oldObject == null || object.?spec != oldObject.?spec) &&
(request.kind.kind != 'PersistentVolumeClaim' || object.?spec.?accessModes.orValue(null) != null &&
  object.spec.accessModes.exists(mode, !(mode in ['ReadWriteOnce', 'ReadWriteOncePod'])))";

/// Whether a request is for a claim, an autoscaler, a disruption budget, or a Rollout that runs other pods.
fn related_kinds() -> String {
    let is_related = |row: &&Resource| {
        row.is_checked && row.kind.workload().is_none() && !matches!(row.kind, Kind::Service | Kind::Scale)
    };
    let names: Vec<String> = RESOURCES.iter().filter(is_related).map(|row| text(row.name)).collect();
    format!("request.kind.kind in [{}] || {}", names.join(", "), runs_other_pods())
}

/// The objects that a controller makes were checked together with the object that it makes them for.
fn no_checked_owner() -> String {
    let mut pairs = Vec::new();
    for kind in RESOURCES.iter().filter_map(|resource| resource.kind.workload()) {
        let owners: Vec<String> =
            kind.owners().map(|(group, name)| format!("{} && owner.kind == {}", is_in(group), text(name))).collect();
        if !owners.is_empty() {
            let name = text(kind.name());
            pairs.push(format!("request.kind.kind == {name} && ({})", owners.join(" ||\n      ")));
        }
    }
    format!(
        "!object.metadata.?ownerReferences.orValue([]).exists(owner,\n  owner.?controller.orValue(false) && (\n    {}))",
        pairs.join(" ||\n    ")
    )
}

/// Whether an owner is in an API group. The core group has an empty name.
fn is_in(group: &str) -> String {
    match group {
        "" => "!owner.apiVersion.contains('/')".to_owned(),
        _ => format!("owner.apiVersion.startsWith({})", text(format!("{group}/"))),
    }
}

/// Whether a request is for a checked kind that runs no pods, one expression for each kind.
fn other_kinds() -> Vec<String> {
    let is_other = |resource: &&Resource| resource.kind.is_checked() && resource.kind.workload().is_none();
    let is_kind = |Resource { group, name, .. }: &Resource| {
        format!("request.kind.group == {} && request.kind.kind == {}", text(group), text(name))
    };
    RESOURCES.iter().filter(is_other).map(is_kind).collect()
}

/// Whether a workload has a container whose image or environment variables may be those of a database. All paths of pod
/// specs are searched for all kinds, because no kind has anything else at the path of another.
fn may_run_database(settings: &Settings) -> String {
    let pod_specs: Vec<String> = pod_paths().iter().map(|path| format!("object.?{}", path.join(".?"))).collect();
    let configured = settings.images.iter().map(|image| image.repository.as_str());
    let names: Vec<String> = IMAGE_SUBSTRINGS.into_iter().chain(configured).map(text).collect();
    format!(
        "\
[
  {pod_specs}
].exists(pod, [pod.?containers, pod.?initContainers].exists(containers,
  containers.orValue(null) != null && containers.orValue([]).exists(container,
    container.?image.orValue(null) != null &&
      [{names}].exists(name, container.image.contains(name)) ||
    container.?env.orValue(null) != null &&
      container.env.exists(variable, variable.?name.orValue('') == {variable}))))",
        pod_specs = pod_specs.join(",\n  "),
        names = names.join(", "),
        variable = text(EULA),
    )
}

/// A string literal of CEL.
fn text(value: impl AsRef<str>) -> String {
    let mut text = String::from("'");
    for character in value.as_ref().chars() {
        match character {
            '\\' | '\'' => text.extend(['\\', character]),
            // String literals cannot contain line breaks.
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
    fn a_service_is_sent_if_an_annotation_that_limits_its_clients_changes() {
        assert!(service_changed().contains("'service.beta.kubernetes.io/azure-allowed-ip-ranges'"));
    }

    #[test]
    fn quotes_and_control_characters_are_escaped() {
        assert_eq!(text("team/edge"), "'team/edge'");
        assert_eq!(text("a'b\\c\nd"), "'a\\'b\\\\c\\u000ad'");
    }
}
