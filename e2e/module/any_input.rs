//! Nothing makes the module fail: whatever it is sent gets an answer, and leaves no trace.

#![allow(clippy::unreachable, reason = "a test that meets the unexpected should fail on the spot")]

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};
use sqledge_ha::module::{Instance, ObjectSet, Response};

use super::{HOST, create, inquisitive, lonely, service, workload};

fn answer(instance: &Instance, payload: &[u8]) -> Response {
    serde_json::from_slice(&instance.call("validate", payload).unwrap()).unwrap()
}

/// JSON values as a request may hold them where something else is expected.
fn any_json() -> impl Strategy<Value = Value> {
    let words =
        ["", "db", "sql", "mcr.microsoft.com/azure-sql-edge", "ACCEPT_EULA", "/var/opt/mssql", "Recreate", "\u{0}é"];
    let keys = ["metadata", "spec", "template", "containers", "env", "name", "image", "ports", "selector", "replicas"];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop::sample::select(words.to_vec()).prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 48, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(prop::sample::select(keys.to_vec()), inner, 0..5)
                .prop_map(|members| json!(members)),
        ]
    })
}

/// The pointers to everything in a value.
fn pointers(value: &Value, at: &str, all: &mut Vec<String>) {
    all.push(at.to_owned());
    match value {
        Value::Object(members) => members.iter().for_each(|(key, value)| {
            pointers(value, &format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")), all);
        }),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, item)| pointers(item, &format!("{at}/{index}"), all))
        }
        _ => {}
    }
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config(512))]

    #[test]
    fn any_bytes_get_an_answer(payload in prop::collection::vec(any::<u8>(), 0..256)) {
        let response = answer(&lonely(), &payload);
        prop_assert_eq!((response.accepted, response.code), (false, Some(500)));
    }

    #[test]
    fn any_bytes_are_judged_as_settings(payload in prop::collection::vec(any::<u8>(), 0..64)) {
        let instance = lonely();
        let judged: Value = serde_json::from_slice(&instance.call("validate_settings", &payload).unwrap()).unwrap();
        prop_assert!(judged["valid"].is_boolean());
    }

    #[test]
    fn any_settings_are_judged_and_refused_with_a_reason(settings in any_json()) {
        let judged = lonely().validate_settings(&settings).unwrap();
        prop_assert_eq!(judged.valid, judged.message.is_none());
    }

    /// A request that means something, with one part of it replaced.
    #[test]
    fn a_mangled_request_gets_an_answer(
        which in any::<prop::sample::Index>(), place in any::<prop::sample::Index>(), value in any_json(),
    ) {
        let requests = inquisitive();
        let mut payload = json!({"request": requests[which.index(requests.len())], "settings": {}});
        let mut all = Vec::new();
        pointers(&payload, "", &mut all);
        *payload.pointer_mut(&all[place.index(all.len())]).unwrap() = value;
        let world = ObjectSet(vec![workload("Deployment"), service()]);
        let instance = HOST.instance(Arc::new(world)).unwrap();
        answer(&instance, payload.to_string().as_bytes());
    }

    /// What the module looks up is as wild as the cluster.
    #[test]
    fn a_mangled_world_gets_an_answer(which in any::<prop::sample::Index>(), place in any::<prop::sample::Index>(), value in any_json()) {
        let requests = inquisitive();
        let mut world = json!([workload("Deployment"), workload("StatefulSet"), service()]);
        let mut all = Vec::new();
        pointers(&world, "", &mut all);
        *world.pointer_mut(&all[1 + place.index(all.len() - 1)]).unwrap() = value;
        let Value::Array(objects) = world else { unreachable!() };
        let instance = HOST.instance(Arc::new(ObjectSet(objects))).unwrap();
        instance.validate(&requests[which.index(requests.len())], &json!({})).unwrap();
    }

    /// A request that breaks off, or in which a byte is wrong.
    #[test]
    fn a_damaged_request_gets_an_answer(place in any::<prop::sample::Index>(), byte in any::<Option<u8>>()) {
        let mut payload = json!({"request": create(&workload("Deployment")), "settings": {}}).to_string().into_bytes();
        let place = place.index(payload.len());
        match byte {
            Some(byte) => payload[place] = byte,
            None => payload.truncate(place),
        }
        answer(&lonely(), &payload);
    }
}

#[test]
fn deep_nesting_is_refused_not_followed() {
    let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    for depth in [100, 200, 200_000] {
        let deployment = workload("Deployment").to_string().replacen("{", &format!("{{\"x\":{},", deep(depth)), 1);
        let request = json!({"uid": "1", "operation": "CREATE", "kind": {"group": "apps", "version": "v1", "kind": "Deployment"}});
        let request = request.to_string().replacen('{', &format!("{{\"object\":{deployment},"), 1);
        let response = answer(&lonely(), format!("{{\"request\":{request},\"settings\":{{}}}}").as_bytes());
        assert_eq!(response.code == Some(500), depth > 128, "{depth}: {response:?}");
        answer(&lonely(), deep(depth).as_bytes());
        lonely().call("validate_settings", deep(depth).as_bytes()).unwrap();
    }
}

#[test]
fn settings_that_are_not_understood_are_refused_with_the_right_name() {
    let instance = lonely();
    let judged = instance.validate_settings(&json!({"failoverSecond": 60})).unwrap();
    let message = "there is no setting `failoverSecond`; did you mean `failoverSeconds`?";
    assert_eq!((judged.valid, judged.message.as_deref()), (false, Some(message)));
    let response = instance.validate(&create(&workload("Deployment")), &json!({"failoverSecond": 60})).unwrap();
    assert_eq!((response.accepted, response.code), (false, Some(500)));
    assert!(response.message.is_some_and(|text| text.contains(message)));
    for valid in [Value::Null, json!({}), json!({"failoverSeconds": 60})] {
        assert!(instance.validate_settings(&valid).unwrap().valid, "{valid}");
    }
}

#[test]
fn an_instance_remembers_nothing() {
    let instance = lonely();
    let deployment = create(&workload("Deployment"));
    let first = instance.validate(&deployment, &json!({})).unwrap();
    answer(&instance, b"nonsense");
    instance.validate(&create(&service()), &json!({"mode": "validate"})).unwrap();
    assert_eq!(instance.validate(&deployment, &json!({})).unwrap(), first);
}
