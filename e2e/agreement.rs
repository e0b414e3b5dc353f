//! The module, the library and the linter give the same answers.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::value::to_raw_value;
use serde_json::{Value, json};
use sqledge_ha::linter::Level;
use sqledge_ha::wasm_host::{AdmissionReview, CompiledModule, EMBEDDED, Instance, ObjectSet, Response, with_look_ups};
use sqledge_ha_policy::admission::request::Request;
use sqledge_ha_policy::admission::review::{needs_check, validate};
use sqledge_ha_policy::kubernetes::group_of;
use sqledge_ha_policy::kubernetes::kind::{Kind, WorkloadKind};
use sqledge_ha_policy::rules::parse_settings;
use sqledge_ha_policy::settings::Settings;
use sqledge_ha_policy::view::Scope;
use sqledge_ha_policy::view::index::ObjectIndex;

use crate::shared::{self, lint_file, real_manifests};
use crate::world::generate::objects;
use crate::world::{deployment, right_world};

fn all_engines() -> Value {
    json!({"engines": ["sql-edge", "sql-server"]})
}

/// The objects of a file, those in Lists included.
fn objects_of(path: &Path) -> Vec<Value> {
    shared::objects(&fs::read_to_string(path).unwrap())
}

/// A request about an object; `old` makes it an UPDATE.
fn request(object: &Value, old: Option<&Value>) -> Value {
    let api_version = object["apiVersion"].as_str().unwrap_or_default();
    let kind = json!({"group": group_of(api_version), "version": "v1", "kind": object["kind"]});
    let operation = if old.is_some() { "UPDATE" } else { "CREATE" };
    let metadata = &object["metadata"];
    json!({"uid": "u", "kind": kind, "operation": operation, "name": metadata["name"].as_str(),
        "namespace": metadata["namespace"].as_str().unwrap_or("default"), "object": object, "oldObject": old})
}

/// The answer of the library.
fn native(request: &Value, settings: &Value, world: &[Value]) -> Response {
    let payload = json!({"request": request, "settings": settings}).to_string();
    let verdict = validate(payload.as_bytes(), &ObjectIndex::new(Scope::Request, world));
    Response {
        accepted: verdict.allowed,
        message: verdict.message,
        code: verdict.code,
        mutated_object: verdict.mutated_object,
        audit_annotations: verdict.audit_annotations.into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
        warnings: verdict.warnings,
    }
}

fn instance(world: &[Value]) -> Instance {
    CompiledModule::new(EMBEDDED).unwrap().instance(Arc::new(ObjectSet(world.to_vec()))).unwrap()
}

fn ask(instance: &mut Instance, request: &Value, settings: &Value) -> Response {
    instance.validate(&to_raw_value(request).unwrap(), &with_look_ups(settings)).unwrap()
}

/// The objects that the module can look up, in the version in which an API server serves them.
fn cluster(objects: &[Value]) -> Vec<Value> {
    let stored = |object: &Value| {
        let mut object = object.clone();
        match Kind::from_object(&object) {
            Some(Kind::Service | Kind::Claim) => {}
            Some(Kind::Workload(WorkloadKind::Deployment | WorkloadKind::StatefulSet)) => {
                object["apiVersion"] = json!("apps/v1")
            }
            _ => return None,
        }
        Some(object)
    };
    objects.iter().filter_map(stored).collect()
}

/// Requests that create the object, and that update it from and to another one.
fn requests(object: &Value) -> Vec<Value> {
    let mut other = object.clone();
    if let Some(spec) = other.get_mut("spec").and_then(Value::as_object_mut) {
        spec.insert("revision".to_owned(), json!(1));
    }
    let mut changed = object.clone();
    if let Some(labels) = changed.pointer_mut("/spec/template/metadata").and_then(Value::as_object_mut) {
        labels.insert("annotations".to_owned(), json!({"restarted": "now"}));
    }
    vec![
        request(object, None),
        request(object, Some(object)),
        request(object, Some(&other)),
        request(&changed, Some(object)),
    ]
}

#[test]
fn the_module_and_the_library_agree_on_every_real_object() {
    for path in real_manifests() {
        let objects = objects_of(&path);
        let world = cluster(&objects);
        let mut module = instance(&world);
        for request in objects.iter().flat_map(requests) {
            let settings = all_engines();
            let expected = native(&request, &settings, &world);
            assert_eq!(ask(&mut module, &request, &settings), expected, "{}", path.display());
        }
    }
}

#[test]
fn reserved_names_of_serde_json_are_ordinary_keys() {
    // serde_json uses this key for raw values; a CSI driver can have an attribute with any name.
    let attributes = json!({"$serde_json::private::RawValue": "x", "size": "1"});
    let mut object = deployment();
    let pod = object.pointer_mut("/spec/template/spec").unwrap();
    let driver = json!({"name": "cache", "csi": {"driver": "example.com", "volumeAttributes": attributes}});
    pod["volumes"].as_array_mut().unwrap().push(driver);
    object["spec"].as_object_mut().unwrap().remove("strategy");
    let (request, settings) = (request(&object, None), all_engines());

    let response = native(&request, &settings, &[]);
    assert!(response.accepted, "{response:?}");
    assert_eq!(ask(&mut instance(&[]), &request, &settings), response);
    let mutated = response.mutated_object.clone().unwrap();
    let kept = mutated["spec"]["template"]["spec"]["volumes"].as_array().unwrap().last().unwrap();
    assert_eq!(kept["csi"]["volumeAttributes"], attributes);

    let review = AdmissionReview::read(request.to_string().into()).unwrap();
    let patch = review.patch(&response).unwrap();
    let answer = review.answer(response, patch);
    let patch = BASE64_STANDARD.decode(answer["response"]["patch"].as_str().unwrap()).unwrap();
    let patch: json_patch::Patch = serde_json::from_slice(&patch).unwrap();
    json_patch::patch(&mut object, &patch).unwrap();
    assert_eq!(object, mutated);
}

#[test]
fn used_and_new_instances_give_the_same_answers() {
    let world = right_world();
    let module = CompiledModule::new(EMBEDDED).unwrap();
    let new = || module.instance(Arc::new(ObjectSet(world.clone()))).unwrap();
    let used = RefCell::new(new());
    let mut runner = TestRunner::new(Config { cases: 400, failure_persistence: None, ..Config::default() });
    let settings = [all_engines(), json!({"mode": "validate", "exposure": "public"}), json!({"mod": "wrong"})];
    let outcome = runner.run(&objects(), |object| {
        for settings in &settings {
            let request = request(&object, None);
            prop_assert_eq!(ask(&mut used.borrow_mut(), &request, settings), ask(&mut new(), &request, settings));
        }
        // Unreadable requests do not change the instance either.
        let unreadable = used.borrow_mut().call("validate", br#"{"request": ["#);
        prop_assert!(unreadable.is_ok());
        Ok(())
    });
    outcome.unwrap();
}

#[test]
fn the_module_allows_requests_that_the_webhook_does_not_check() {
    let world = right_world();
    let module = RefCell::new(instance(&world));
    let mut runner = TestRunner::new(Config { cases: 400, failure_persistence: None, ..Config::default() });
    let unchecked = Cell::new(0);
    let outcome = runner.run(&(objects(), objects(), any::<bool>()), |(object, other, with_engine)| {
        for settings in [json!({}), all_engines(), json!({"images": [{"repository": "my/edge", "engine": "sql-edge"}]})]
        {
            for request in [request(&object, None), request(&object, Some(&other)), request(&object, Some(&object))] {
                let text = request.to_string();
                let text = if with_engine { text } else { text.replace("sql", "web").replace("ACCEPT_EULA", "MODE") };
                let parsed = Request::parse(&text).unwrap();
                if !needs_check(&parsed, &parse_settings(&settings).unwrap()).unwrap() {
                    unchecked.set(unchecked.get() + 1);
                    let response = module.borrow_mut().validate_text(&text, &settings.to_string()).unwrap();
                    prop_assert_eq!(response, Response { accepted: true, ..Response::default() });
                }
            }
        }
        Ok(())
    });
    outcome.unwrap();
    assert!(unchecked.get() > 400, "{}", unchecked.get());
}

#[test]
fn the_module_and_the_library_agree_on_generated_objects() {
    let world = right_world();
    let module = RefCell::new(instance(&world));
    let settings =
        [all_engines(), json!({"failoverSeconds": 60, "rules": {"writable-data": "mutate"}, "mode": "validate"})];
    let mut runner = TestRunner::new(Config { cases: 1500, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&(objects(), objects()), |(object, other)| {
        for request in [request(&object, None), request(&object, Some(&other)), request(&other, Some(&object))] {
            for settings in &settings {
                prop_assert_eq!(ask(&mut module.borrow_mut(), &request, settings), native(&request, settings, &world));
            }
        }
        Ok(())
    });
    outcome.unwrap();
}

/// The objects and rules of the linter's errors.
fn lint_errors(path: &Path, settings: &Settings) -> BTreeSet<(Option<String>, Option<String>, String)> {
    let result = lint_file(path, settings, Scope::Application);
    let errors = result.findings.into_iter().filter(|located| located.level() == Level::Error);
    errors
        .map(|located| (located.object.kind.clone(), located.object.name.clone(), located.finding.rule.to_owned()))
        .collect()
}

/// The objects and rules for which `review` rejects or mutates, with all objects known.
fn review_errors(objects: &[Value], settings: &Value) -> BTreeSet<(Option<String>, Option<String>, String)> {
    let world = ObjectIndex::new(Scope::Application, objects);
    let mut errors = BTreeSet::new();
    for object in objects {
        let payload = json!({"request": request(object, None), "settings": settings}).to_string();
        let verdict = validate(payload.as_bytes(), &world);
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let lists = verdict.audit_annotations.iter().filter(|(key, _)| ["rejected", "mutated"].contains(key));
        for rule in lists.flat_map(|(_, rules)| rules.split(',')) {
            errors.insert((text("/kind"), text("/metadata/name"), rule.to_owned()));
        }
    }
    errors
}

/// The objects as `kubectl -n` creates them, if only one namespace is named.
fn in_one_namespace(mut objects: Vec<Value>) -> Vec<Value> {
    let named = objects.iter().filter_map(|object| object.pointer("/metadata/namespace")?.as_str().map(str::to_owned));
    let named: BTreeSet<String> = named.collect();
    if let (Some(namespace), 1) = (named.first(), named.len()) {
        for metadata in objects.iter_mut().filter_map(|object| object.get_mut("metadata")?.as_object_mut()) {
            metadata.insert("namespace".to_owned(), json!(namespace));
        }
    }
    objects
}

#[test]
fn linter_errors_match_review() {
    // A rejected object is not mutated, so its mutations would not show: reject them, too.
    let validating = json!({"engines": ["sql-edge", "sql-server"], "mode": "validate"});
    let settings = parse_settings(&all_engines()).unwrap();
    for path in real_manifests() {
        let reviewed = review_errors(&in_one_namespace(objects_of(&path)), &validating);
        assert_eq!(lint_errors(&path, &settings), reviewed, "{}", path.display());
    }
}

#[test]
fn linter_errors_match_review_for_generated_objects() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("application.json");
    let validating = json!({"engines": ["sql-edge", "sql-server"], "mode": "validate"});
    let settings = parse_settings(&all_engines()).unwrap();
    let mut runner = TestRunner::new(Config { cases: 500, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&prop::collection::vec(objects(), 1..4), |mut objects| {
        // The linter puts objects without a namespace where the databases are, a review where the request is.
        for metadata in objects.iter_mut().filter_map(|object| object.get_mut("metadata")?.as_object_mut()) {
            metadata.remove("namespace");
        }
        let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
        fs::write(&path, list.to_string()).unwrap();
        prop_assert_eq!(lint_errors(&path, &settings), review_errors(&objects, &validating));
        Ok(())
    });
    outcome.unwrap();
}
