//! The module's look-ups: permitted, few, and short.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use sqledge_ha::wasm_host::{CompiledModule, EMBEDDED, Limits, ObjectSet, metadata};
use sqledge_ha_policy::finding::Action;
use sqledge_ha_policy::rules::RULES;

use super::recorder::{Call, Recorder, review_in, review_with};
use super::{create, requests_with_lookups, scale, service, workload};

/// Settings that switch on the rules that are off.
fn every_rule() -> Value {
    let off = RULES.iter().filter(|rule| rule.default_action == Action::Off);
    json!({"rules": off.map(|rule| (rule.id.to_owned(), json!("warn"))).collect::<serde_json::Map<_, _>>()})
}

#[test]
fn the_module_looks_up_exactly_the_kinds_in_its_metadata() {
    let calls = requests_with_lookups()
        .iter()
        .flat_map(|request| review_with(Recorder::of(vec![workload("Deployment")]), request, &every_rule()).1)
        .collect::<Vec<_>>();
    let asked: BTreeSet<(String, String)> = calls.iter().map(Call::kind).collect();
    let metadata = metadata::read(EMBEDDED).unwrap();
    let text = |kind: &Value, key: &str| kind[key].as_str().unwrap().to_owned();
    let granted = metadata["contextAwareResources"].as_array().unwrap().iter();
    let granted: BTreeSet<_> = granted.map(|kind| (text(kind, "apiVersion"), text(kind, "kind"))).collect();
    assert_eq!(asked, granted);
}

#[test]
fn look_ups_have_a_namespace_and_lists_have_field_masks() {
    for request in requests_with_lookups() {
        for call in review_with(Recorder::default(), &request, &every_rule()).1 {
            match call {
                Call::Get(get) => {
                    assert_eq!((get.namespace.as_deref(), get.disable_cache), (Some("db"), false), "{get:?}");
                }
                Call::List(list) => {
                    assert_eq!(
                        (list.namespace.as_deref().unwrap_or_default(), &list.label_selector, &list.field_selector),
                        ("db", &None, &None)
                    );
                    assert!(!list.field_masks.is_empty() && list.field_masks.is_sorted(), "{list:?}");
                }
            }
        }
    }
}

#[test]
fn each_kind_is_listed_once_after_a_get_that_finds_nothing() {
    for request in requests_with_lookups() {
        let (_, calls) = review_in(Recorder::of(vec![workload("Deployment"), service()]), &request);
        let mut listed = BTreeSet::new();
        for (position, call) in calls.iter().enumerate().filter(|(_, call)| call.is_list()) {
            assert!(listed.insert(call.kind()), "listed twice: {calls:?}");
            let probe = calls[..position].iter().rev().find(|earlier| earlier.kind() == call.kind());
            // No object can have such a name, so the answer is always `Cannot find`.
            assert!(matches!(probe, Some(Call::Get(get)) if get.name.contains('_')), "{calls:?}");
        }
    }
}

#[test]
fn a_forbidden_kind_is_not_listed_and_only_an_audit_annotation_says_so() {
    for request in requests_with_lookups() {
        let (response, calls) = review_in(Recorder::forbidding(), &request);
        assert!(!calls.is_empty() && !calls.iter().any(Call::is_list), "{calls:?}");
        assert!(response.accepted, "{response:?}");
        let unchecked = response.audit_annotations.get("unchecked");
        assert!(unchecked.is_some_and(|reason| reason.contains("no permission to read")), "{response:?}");
        assert!(!format!("{response:?}").contains("s3cret"), "{response:?}");
    }
}

#[test]
fn look_ups_change_the_answer() {
    let (response, _) = review_in(Recorder::of(vec![workload("Deployment")]), &scale("apps", "deployments"));
    assert_eq!((response.accepted, response.code), (false, Some(403)), "{response:?}");
    let (response, _) = review_in(Recorder::of(vec![]), &scale("apps", "deployments"));
    assert!(response.accepted, "{response:?}");
    let headless = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "other", "namespace": "db"},
        "spec": {"clusterIP": "None", "selector": {"app": "sql"}, "ports": [{"port": 1433}]}});
    let with = |service| review_in(Recorder::of(vec![service]), &create(&workload("Deployment"))).0;
    assert_ne!(with(service()).warnings, with(headless).warnings);
}

/// `count` Services, Deployments and StatefulSets each, which select each other and have additional data.
fn many_objects(count: usize, ballast: &Value) -> Vec<Value> {
    let named = |mut object: Value, number: usize| {
        object["metadata"]["name"] = json!(format!("sql-{number}"));
        object["metadata"]["annotations"] = json!({"ballast": "x".repeat(number % 100)});
        let pointer = if object["kind"] == "Service" { "/spec/ports" } else { "/spec/template/spec/containers" };
        object.pointer_mut(pointer).unwrap().as_array_mut().unwrap().push(json!({"ballast": ballast}));
        object
    };
    let of_kind = |object: Value| (0..count).map(move |number| named(object.clone(), number));
    [service(), workload("Deployment"), workload("StatefulSet")].into_iter().flat_map(of_kind).collect()
}

#[test]
fn look_ups_do_not_exceed_the_memory() {
    let limits = Limits { deadline: Duration::from_secs(60), memory: 16 << 20 };
    let module = CompiledModule::limited(EMBEDDED, limits).unwrap();
    let ballasts = [
        json!(null),
        json!("x".repeat(5000)),
        json!(vec![1; 2000]),
        json!(vec![""; 1000]),
        json!(vec![json!({"a": 0}); 100]),
        json!(vec![json!([[0]]); 200]),
        (0..100).map(|number| (format!("name-{number:03}"), json!("value"))).collect(),
    ];
    let mut created = service();
    created["metadata"]["name"] = json!("new");
    created["spec"]["type"] = json!("ClusterIP");
    for ballast in ballasts {
        let mut count = 10;
        loop {
            let objects = Arc::new(ObjectSet(many_objects(count, &ballast)));
            let response = module.instance(objects).unwrap().validate(&create(&created), &json!({})).unwrap();
            if let Some(unchecked) = response.audit_annotations.get("unchecked") {
                assert!(unchecked.ends_with(": the namespace has too many objects"), "{unchecked}");
                assert!(count > 20, "{count}");
                break;
            }
            count += count / 6;
        }
    }
}
