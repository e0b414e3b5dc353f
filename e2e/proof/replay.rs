//! Replays the recorded reviews: the rules, the module and the linter must give the same answers.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::{Arc, Mutex};

use serde_json::value::to_raw_value;
use serde_json::{Value, json};
use sqledge_ha::linter::Level;
use sqledge_ha::wasm_host::{CompiledModule, EMBEDDED, Instance, ObjectSet, Response, with_look_ups};
use sqledge_ha_policy::admission::review::validate;
use sqledge_ha_policy::admission::verdict::Verdict;
use sqledge_ha_policy::kubernetes::kind::{Kind, WorkloadKind};
use sqledge_ha_policy::rules::parse_settings;
use sqledge_ha_policy::view::Scope;
use sqledge_ha_policy::view::index::ObjectIndex;

use crate::operator;
use crate::results::{self, Table};
use crate::shared::lint_file;
use crate::webhook_proxy::Recorded;

/// Reviews by the settings, as JSON, that they were checked with.
static ARCHIVE: Mutex<BTreeMap<String, Vec<Recorded>>> = Mutex::new(BTreeMap::new());

/// Keeps the reviews of a webhook with these settings.
pub(crate) fn keep(settings: &Value, reviews: Vec<Recorded>) {
    ARCHIVE.lock().unwrap().entry(settings.to_string()).or_default().extend(reviews);
}

/// Replays all recorded reviews, and reports their number.
pub(crate) fn rules_module_and_linter_agree() {
    let (all, different) = replay();
    assert!(different > 0, "nothing was recorded");
    results::row(Table::Reviews, 0, &[all.to_string(), different.to_string()]);
}

/// Replays all reviews. Returns the number of reviews and of distinct ones.
fn replay() -> (usize, usize) {
    let host = CompiledModule::new(EMBEDDED).unwrap();
    let (mut all, mut different) = (0, 0);
    for (settings, reviews) in ARCHIVE.lock().unwrap().iter() {
        let settings: Value = serde_json::from_str(settings).unwrap();
        let world = world(reviews);
        let mut module = host.instance(Arc::new(ObjectSet(world.clone()))).unwrap();
        let mut seen = BTreeSet::new();
        all += reviews.len();
        for review in reviews {
            controllers_are_not_rejected(review);
            let mut request = review.request.clone();
            request["uid"] = json!("replayed");
            if seen.insert((review.path.clone(), request.to_string())) {
                agrees(&mut module, &world, &review.path, &request, &settings);
            }
        }
        different += seen.len();
    }
    (all, different)
}

/// The objects for look-ups: every object as it was last reviewed.
fn world(reviews: &[Recorded]) -> Vec<Value> {
    let is_looked_up = |object: &&Value| {
        matches!(
            Kind::from_object(object),
            Some(Kind::Service | Kind::Workload(WorkloadKind::Deployment | WorkloadKind::StatefulSet))
        )
    };
    let objects = reviews.iter().map(|review| &review.request["object"]).filter(is_looked_up);
    let key = |object: &Value| {
        [&object["kind"], &object["metadata"]["namespace"], &object["metadata"]["name"]].map(Value::to_string)
    };
    objects.map(|object| (key(object), object.clone())).collect::<BTreeMap<_, _>>().into_values().collect()
}

/// Fails if a request of a controller or kubelet was rejected, except for autoscaling.
fn controllers_are_not_rejected(review: &Recorded) {
    let user = review.request["userInfo"]["username"].as_str().unwrap_or_default();
    let is_controller = user.starts_with("system:serviceaccount:kube-system:") || user.starts_with("system:node:");
    let scales = review.request["subResource"] == "scale";
    assert!(!is_controller || scales || review.response["allowed"] == true, "{user}: {review:#?}");
}

fn agrees(module: &mut Instance, world: &[Value], path: &str, request: &Value, settings: &Value) {
    let mut settings = settings.clone();
    match path {
        "/validate" => settings["mode"] = json!("validate"),
        "/warn" => settings["mode"] = json!("warn"),
        _ => {}
    }
    let payload = json!({"request": request, "settings": settings}).to_string();
    let native = validate(payload.as_bytes(), &ObjectIndex::new(Scope::Request, world));
    let answer = module.validate(&to_raw_value(request).unwrap(), &with_look_ups(&settings)).unwrap();
    assert_eq!(answer, response(native), "{request:#}");
    let object = &request["object"];
    // The linter also reports on the objects of operators.
    let is_of_operator = object["metadata"]["ownerReferences"].to_string().contains(operator::GROUP);
    if request["operation"] == "CREATE" && Kind::from_object(object).is_some() && !is_of_operator {
        assert_eq!(linted(object, &settings), reviewed(request, &settings), "{object:#}");
    }
}

fn response(verdict: Verdict) -> Response {
    Response {
        accepted: verdict.allowed,
        message: verdict.message,
        code: verdict.code,
        mutated_object: verdict.mutated_object,
        audit_annotations: verdict.audit_annotations.into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
        warnings: verdict.warnings,
    }
}

/// The rules for which the linter reports an error if it sees only the object.
fn linted(object: &Value, settings: &Value) -> BTreeSet<String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("object.json");
    fs::write(&path, object.to_string()).unwrap();
    let mut settings = settings.clone();
    settings["mode"] = json!("mutate");
    let outcome = lint_file(&path, &parse_settings(&settings).unwrap(), Scope::Part);
    let errors = outcome.findings.into_iter().filter(|located| located.level() == Level::Error);
    errors.map(|located| located.finding.rule.to_owned()).collect()
}

/// The rules that reject a request without mutations.
fn reviewed(request: &Value, settings: &Value) -> BTreeSet<String> {
    let mut settings = settings.clone();
    settings["mode"] = json!("validate");
    let payload = json!({"request": request, "settings": settings}).to_string();
    let verdict = validate(payload.as_bytes(), &ObjectIndex::default());
    let rejected = verdict.audit_annotations.iter().filter(|(key, _)| *key == "rejected");
    rejected.flat_map(|(_, rules)| rules.split(',')).map(str::to_owned).collect()
}
