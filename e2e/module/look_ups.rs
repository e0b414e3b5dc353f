//! The module's look-ups: permitted, few, and short.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use sqledge_ha::wasm_host::{CompiledModule, EMBEDDED, Limits, LookupSource, ObjectSet, metadata, with_look_ups};
use sqledge_ha_policy::finding::Action;
use sqledge_ha_policy::rules::RULES;

use super::recorder::{Call, Recorder, review_in, review_with};
use super::{MODULE, create, requests_with_lookups, scale, service, workload};

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
fn each_kind_is_listed_once() {
    for request in requests_with_lookups() {
        let (_, calls) = review_in(Recorder::of(vec![workload("Deployment"), service()]), &request);
        let mut listed = BTreeSet::new();
        for call in calls.iter().filter(|call| call.is_list()) {
            assert!(listed.insert(call.kind()), "listed twice: {calls:?}");
        }
    }
}

#[test]
fn nothing_is_looked_up_that_the_settings_do_not_name() {
    for request in requests_with_lookups() {
        let instance = |lookups: &Arc<Recorder>| MODULE.instance(Arc::clone(lookups) as Arc<dyn LookupSource>).unwrap();
        let recorder = Arc::new(Recorder::of(vec![workload("Deployment")]));
        let response = instance(&recorder).validate(&request, &json!({})).unwrap();
        assert!(recorder.calls().is_empty(), "{:?}", recorder.calls());
        let unchecked = response.audit_annotations.get("unchecked");
        assert!(unchecked.is_some_and(|reason| reason.contains("lookUps does not name")), "{response:?}");
        instance(&recorder).validate(&request, &json!({"lookUps": ["Service"]})).unwrap();
        assert!(recorder.calls().iter().all(|call| call.kind().1 == "Service"), "{:?}", recorder.calls());
    }
}

#[test]
fn rules_that_are_off_look_nothing_up() {
    let off: serde_json::Map<_, _> = RULES.iter().map(|rule| (rule.id.to_owned(), json!("off"))).collect();
    for request in requests_with_lookups() {
        let (response, calls) = review_with(Recorder::default(), &request, &json!({"rules": off}));
        assert!(calls.is_empty() && response.audit_annotations.is_empty(), "{calls:?} {response:?}");
    }
}

#[test]
fn the_order_of_a_list_does_not_matter() {
    let named = |name: &str, spec: &[(&str, Value)]| {
        let mut service = service();
        service["metadata"]["name"] = json!(name);
        spec.iter().for_each(|(key, value)| service["spec"][*key] = value.clone());
        service
    };
    let cluster_ip = named("a", &[("type", json!("ClusterIP"))]);
    let headless = named("b", &[("type", json!(null)), ("clusterIP", json!("None"))]);
    let answer = |services: Vec<Value>| review_in(Recorder::of(services), &create(&workload("Deployment"))).0;
    let answers = [answer(vec![cluster_ip.clone(), headless.clone()]), answer(vec![headless, cluster_ip])];
    assert!(!answers[0].warnings.is_empty());
    assert_eq!(answers[0], answers[1]);
}

#[test]
fn only_an_audit_annotation_says_that_a_kind_is_forbidden() {
    for request in requests_with_lookups() {
        let (response, calls) = review_in(Recorder::forbidding(), &request);
        assert!(!calls.is_empty(), "{calls:?}");
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
            let response =
                module.instance(objects).unwrap().validate(&create(&created), &with_look_ups(&json!({}))).unwrap();
            if let Some(unchecked) = response.audit_annotations.get("unchecked") {
                assert!(unchecked.ends_with(": the namespace has too many objects"), "{unchecked}");
                assert!(count > 20, "{count}");
                break;
            }
            count += count / 6;
        }
    }
}
