//! What the module asks for: no more than it is granted, in few and short look-ups, which decide.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use sqledge_ha::module::{EMBEDDED, Host, Limits, ObjectSet, metadata};

use super::recorder::{Call, Recorder, review_in};
use super::{create, inquisitive, scale, service, workload};

#[test]
fn the_module_asks_for_the_kinds_in_its_metadata_and_no_others() {
    let calls = inquisitive().iter().flat_map(|request| review_in(Recorder::default(), request).1).collect::<Vec<_>>();
    let asked: BTreeSet<(String, String)> = calls.iter().map(Call::kind).collect();
    let metadata = metadata::read(EMBEDDED).unwrap();
    let text = |kind: &Value, key: &str| kind[key].as_str().unwrap().to_owned();
    let granted = metadata["contextAwareResources"].as_array().unwrap().iter();
    let granted: BTreeSet<_> = granted.map(|kind| (text(kind, "apiVersion"), text(kind, "kind"))).collect();
    assert_eq!(asked, granted);
}

#[test]
fn look_ups_are_alike_so_that_the_host_keeps_few_watches_and_short_answers() {
    for request in inquisitive() {
        for call in review_in(Recorder::default(), &request).1 {
            match call {
                Call::Get(get) => {
                    assert_eq!((get.namespace.as_deref(), get.disable_cache), (Some("db"), false), "{get:?}");
                }
                Call::List(list) => {
                    assert_eq!(
                        (list.namespace.as_str(), &list.label_selector, &list.field_selector),
                        ("db", &None, &None)
                    );
                    assert!(!list.field_masks.is_empty() && list.field_masks.is_sorted(), "{list:?}");
                }
            }
        }
    }
}

#[test]
fn every_list_comes_once_and_after_a_get_that_found_nothing() {
    for request in inquisitive() {
        let (_, calls) = review_in(Recorder::of(vec![workload("Deployment"), service()]), &request);
        let mut listed = BTreeSet::new();
        for (position, call) in calls.iter().enumerate().filter(|(_, call)| call.is_list()) {
            assert!(listed.insert(call.kind()), "listed twice: {calls:?}");
            let probe = calls[..position].iter().rev().find(|earlier| earlier.kind() == call.kind());
            // No object can have such a name, so that the answer is always `Cannot find`.
            assert!(matches!(probe, Some(Call::Get(get)) if get.name.contains('_')), "{calls:?}");
        }
    }
}

#[test]
fn what_may_not_be_read_is_never_listed_and_only_said_to_the_audit_log() {
    for request in inquisitive() {
        let (response, calls) = review_in(Recorder::that_forbids(), &request);
        assert!(!calls.is_empty() && !calls.iter().any(Call::is_list), "{calls:?}");
        assert!(response.accepted, "{response:?}");
        let unchecked = response.audit_annotations.get("unchecked");
        assert!(unchecked.is_some_and(|why| why.contains("may not read")), "{response:?}");
        assert!(!format!("{response:?}").contains("s3cret"), "{response:?}");
    }
}

#[test]
fn what_is_looked_up_decides() {
    let (response, _) = review_in(Recorder::of(vec![workload("Deployment")]), &scale("apps", "deployments"));
    assert_eq!((response.accepted, response.code), (false, Some(403)), "{response:?}");
    let (response, _) = review_in(Recorder::of(vec![]), &scale("apps", "deployments"));
    assert!(response.accepted, "{response:?}");
    let exposed = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "other", "namespace": "elsewhere"},
        "spec": {"type": "LoadBalancer", "selector": {"app": "sql"}, "ports": [{"port": 1433}]}});
    let with = |service| review_in(Recorder::of(vec![service]), &create(&workload("Deployment"))).0;
    assert_ne!(with(service()).warnings, with(exposed).warnings);
}

/// `count` Services, Deployments and StatefulSets each, which belong together and carry a ballast.
fn crowd(count: usize, ballast: &Value) -> Vec<Value> {
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
fn look_ups_never_take_more_memory_than_there_is() {
    let limits = Limits { deadline: Duration::from_secs(60), memory: 16 << 20 };
    let host = Host::limited(EMBEDDED, limits).unwrap();
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
            let world = Arc::new(ObjectSet(crowd(count, &ballast)));
            let response = host.instance(world).unwrap().validate(&create(&created), &json!({})).unwrap();
            if let Some(unchecked) = response.audit_annotations.get("unchecked") {
                assert_eq!(unchecked, "workloads: there is too much to look through");
                assert!(count > 20, "{count}");
                break;
            }
            count += count / 6;
        }
    }
}
