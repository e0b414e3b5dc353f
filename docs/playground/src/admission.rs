//! The answer that the cluster would give for each object of the text, by the same function that the module calls.

use std::ops::Range;

use serde::Serialize;
use serde_json::{Value, json};
use sqledge_ha::admission_review::{AdmissionReview, Response};
use sqledge_ha::linter::{ObjectId, TextObject, objects_of_text};
use sqledge_ha::report::object_name;
use sqledge_ha_policy::admission::review::{needs_check, validate_in};
use sqledge_ha_policy::kubernetes::kind::{Kind, WorkloadKind};
use sqledge_ha_policy::kubernetes::resources::{LookUp, RESOURCES, Resource};
use sqledge_ha_policy::kubernetes::{DEFAULT_NAMESPACE, name_of, namespace_of};
use sqledge_ha_policy::settings::Settings;
use sqledge_ha_policy::view::Scope;
use sqledge_ha_policy::view::cluster::{Cluster, Lookup, Query};
use sqledge_ha_policy::view::index::ObjectIndex;
use sqledge_ha_policy::view::unavailable::Unavailable;

use crate::check::{Checked, Span};

/// The most objects that are reviewed.
const MAX_OBJECTS: usize = 100;

/// The answers for the objects that rules check.
#[derive(Debug, Serialize)]
pub(crate) struct Answers {
    answers: Vec<Answer>,
    /// The number of further objects.
    omitted: usize,
}

/// What the API server gets for one object, which is created while the others exist.
#[derive(Debug, Serialize)]
pub(crate) struct Answer {
    /// Kind, namespace and name.
    object: String,
    outcome: Outcome,
    /// The AdmissionReview, indented.
    pub(crate) review: String,
    /// The JSON Patch in it, decoded and indented; empty if there is none.
    patch: String,
    /// For the user who sends the request.
    warnings: Vec<String>,
    /// Why the object is rejected.
    message: Option<String>,
    #[serde(flatten)]
    span: Span,
}

/// What becomes of the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    Rejected,
    Mutated,
    Warned,
    Allowed,
}

/// The answers for the objects of the text that rules check.
pub(crate) fn answers(checked: &Checked) -> Answers {
    let objects = objects_of_text(checked.text());
    let settings = &checked.settings;
    let mut answers = Vec::new();
    let mut omitted = 0;
    for (at, object) in objects.iter().enumerate() {
        let Some(request) = request(&object.value) else { continue };
        let Ok(review) = AdmissionReview::read(request.to_string().into_bytes().into()) else { continue };
        if !needs_check(&review.request(), &settings.settings).unwrap_or(true) {
            continue;
        }
        if answers.len() == MAX_OBJECTS {
            omitted += 1;
            continue;
        }
        answers.push(answer(&review, &objects, at, &settings.value, |bytes| checked.span(bytes)));
    }
    Answers { answers, omitted }
}

fn answer(
    review: &AdmissionReview,
    objects: &[TextObject],
    at: usize,
    settings: &Value,
    span: impl Fn(&Range<usize>) -> Span,
) -> Answer {
    let settings = if settings.is_null() { "{}".to_owned() } else { settings.to_string() };
    let payload = ["{\"request\":", review.request_text(), ",\"settings\":", &settings, "}"].concat();
    let verdict = validate_in(payload.as_bytes(), |settings| Neighbors::new(objects, at, settings));
    let (warnings, message) = (verdict.warnings.clone(), verdict.message.clone());
    let response = Response::from(verdict);
    let is_allowed = response.accepted;
    let (patch, failure) = match review.patch(&response) {
        Ok(patch) => (patch, None),
        Err(error) => (None, Some(error.to_string())),
    };
    let outcome = match (is_allowed, &patch, warnings.is_empty()) {
        (false, ..) => Outcome::Rejected,
        (true, Some(_), _) => Outcome::Mutated,
        (true, None, false) => Outcome::Warned,
        (true, None, true) => Outcome::Allowed,
    };
    let indented = patch.as_deref().and_then(|patch| serde_json::from_str::<Value>(patch).ok());
    let object = objects.get(at);
    Answer {
        object: object.map(|object| object_name(&ObjectId::new(&object.value))).unwrap_or_default(),
        outcome,
        patch: indented.map(|patch| format!("{patch:#}")).unwrap_or_default(),
        review: format!("{:#}", review.answer(response, patch)),
        warnings,
        message: message.or(failure),
        span: span(&object.map_or(0..0, |object| object.span.clone())),
    }
}

/// The request to create an object; `None` if no rule checks its kind.
fn request(object: &Value) -> Option<Value> {
    let kind = Kind::from_object(object)?;
    let resource = kind.resource().filter(|resource| resource.is_checked)?;
    let api_version = object.get("apiVersion")?.as_str()?;
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let name = object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    Some(json!({
        "uid": "00000000-0000-4000-8000-000000000000",
        "kind": {"group": group, "version": version, "kind": resource.name},
        "resource": {"group": group, "version": version, "resource": resource.plural},
        "name": name,
        "namespace": namespace_of(object).unwrap_or(DEFAULT_NAMESPACE),
        "operation": "CREATE",
        "userInfo": {"username": "playground"},
        "object": object,
        "oldObject": null,
        "dryRun": false,
    }))
}

/// The other objects of the text, as the module's host shows them. The module has no checks that look up other kinds
/// than those of
/// [`LookUp::at_admission`]: here, there are none of those.
struct Neighbors<'o> {
    index: ObjectIndex<'o>,
    /// The kinds that may be looked up; all if none is named.
    look_ups: Vec<&'static Resource>,
}

impl<'o> Neighbors<'o> {
    fn new(objects: &'o [TextObject], at: usize, settings: &Settings) -> Self {
        let others = objects.iter().enumerate().filter(|(other, _)| *other != at);
        let mut others: Vec<&Value> = others.map(|(_, object)| &object.value).collect();
        others.sort_by(|one, other| listed_order(one).cmp(&listed_order(other)));
        Neighbors { index: ObjectIndex::new(Scope::Request, others), look_ups: settings.look_ups.clone() }
    }

    fn may_look_up(&self, resource: &Resource) -> Result<(), Unavailable> {
        let is_named = self.look_ups.is_empty() || self.look_ups.iter().any(|named| named.kind == resource.kind);
        is_named.then_some(()).ok_or(Unavailable::NotInSetting)
    }
}

/// The order in which the module gets objects: it lists one resource after the other, each by name.
fn listed_order(object: &Value) -> (Option<usize>, &str) {
    let kind = Kind::from_object(object);
    (RESOURCES.iter().position(|resource| Some(resource.kind) == kind), name_of(object))
}

impl Cluster for Neighbors<'_> {
    fn scope(&self) -> Scope {
        Scope::Request
    }

    fn find(&self, query: &Query<'_>) -> Lookup<Vec<&Value>> {
        let mut listed = query.resources().filter(|resource| resource.look_up == LookUp::List).peekable();
        if listed.peek().is_none() {
            return Lookup::Known(Vec::new());
        }
        match listed.try_for_each(|resource| self.may_look_up(resource)) {
            Ok(()) => {
                self.index.find(query).map(|found| found.into_iter().filter(|object| is_listed(object)).collect())
            }
            Err(reason) => Lookup::Unavailable(reason),
        }
    }

    fn get(&self, resource: &'static Resource, namespace: &str, name: &str) -> Lookup<Option<&Value>> {
        if !resource.look_up.at_admission() {
            return Lookup::Known(None);
        }
        match self.may_look_up(resource) {
            Ok(()) => self.index.get(resource, namespace, name),
            Err(reason) => Lookup::Unavailable(reason),
        }
    }

    fn can_list(&self, kind: WorkloadKind) -> bool {
        Kind::Workload(kind).resource().is_some_and(|resource| resource.look_up == LookUp::List)
    }
}

/// Whether the module lists objects of this kind.
fn is_listed(object: &Value) -> bool {
    let resource = Kind::from_object(object).and_then(Kind::resource);
    resource.is_some_and(|resource| resource.look_up == LookUp::List)
}

#[cfg(all(test, not(target_family = "wasm")))]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};
    use std::sync::Arc;

    use sqledge_ha::policy_settings::read_settings;
    use sqledge_ha::wasm_host::{CompiledModule, EMBEDDED, ObjectSet, with_look_ups};

    use super::*;
    use crate::check::Input;
    use crate::examples::EXAMPLES;

    fn checked(text: &str, settings: &str) -> Checked {
        let settings = read_settings(settings).unwrap();
        Checked::new(Input { text: text.to_owned(), settings, scope: Scope::Application, today: "2026-11-30" })
    }

    #[test]
    fn an_omission_is_mutated_and_a_contradiction_rejected() {
        let outcome = |text: &str, settings: &str| {
            let answers = answers(&checked(text, settings)).answers;
            answers.iter().find(|answer| answer.object.starts_with("Deployment ")).map(|answer| answer.outcome)
        };
        let text = EXAMPLES[0].text;
        assert_eq!(outcome(text, ""), Some(Outcome::Mutated));
        assert_eq!(outcome(text, "mode: validate"), Some(Outcome::Rejected));
        assert_eq!(outcome(&text.replace("replicas: 1", "replicas: 2"), ""), Some(Outcome::Rejected));
        assert_eq!(outcome("kind: Deployment", ""), None);
    }

    fn manifests(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                manifests(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "yaml") {
                found.push(path);
            }
        }
    }

    /// The module gets the other objects from its host.
    #[test]
    fn the_answers_are_those_of_the_module() {
        let mut paths = Vec::new();
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../e2e/corpus");
        manifests(&corpus, &mut paths);
        paths.sort();
        let module = CompiledModule::new(EMBEDDED).unwrap();
        let settings = with_look_ups(&Value::Null).to_string();
        let mut count = 0;
        for path in paths {
            let text = fs::read_to_string(&path).unwrap();
            let objects = objects_of_text(&text);
            let answers = answers(&checked(&text, "")).answers;
            for answer in &answers {
                let is_meant = |object: &TextObject| object_name(&ObjectId::new(&object.value)) == answer.object;
                let at = objects.iter().position(is_meant).unwrap();
                let others = objects.iter().enumerate().filter(|(other, _)| *other != at);
                let others = others.map(|(_, object)| object.value.clone()).collect();
                let request = request(&objects[at].value).unwrap().to_string();
                let review = AdmissionReview::read(request.into_bytes().into()).unwrap();
                let mut instance = module.instance(Arc::new(ObjectSet(others))).unwrap();
                let response = instance.validate_text(review.request_text(), &settings).unwrap();
                let patch = review.patch(&response).unwrap();
                let expected = review.answer(response, patch);
                let actual: Value = serde_json::from_str(&answer.review).unwrap();
                assert_eq!(actual, expected, "{}: {}", path.display(), answer.object);
                count += 1;
            }
        }
        assert!(count > 500, "{count}");
    }
}
