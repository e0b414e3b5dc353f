//! The module answers any input, and keeps no state.

#![allow(clippy::unreachable, reason = "a test that meets the unexpected should fail on the spot")]

use std::borrow::BorrowMut;
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};
use sqledge_ha::wasm_host::{Instance, ObjectSet, Response, with_look_ups};

use super::{MODULE, create, requests_with_lookups, service, without_lookups, workload};

fn answer(mut instance: impl BorrowMut<Instance>, payload: &[u8]) -> Response {
    serde_json::from_slice(&instance.borrow_mut().call("validate", payload).unwrap()).unwrap()
}

/// JSON values of any type, with the names and strings that the rules read.
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

/// The JSON Pointers to all values in a value.
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
        let response = answer(without_lookups(), &payload);
        prop_assert_eq!((response.accepted, response.code), (false, Some(500)));
    }

    #[test]
    fn any_bytes_as_settings_get_an_answer(payload in prop::collection::vec(any::<u8>(), 0..64)) {
        let mut instance = without_lookups();
        let answer: Value = serde_json::from_slice(&instance.call("validate_settings", payload).unwrap()).unwrap();
        prop_assert!(answer["valid"].is_boolean());
    }

    #[test]
    fn invalid_settings_are_rejected_with_a_message(settings in any_json()) {
        let answer = without_lookups().validate_settings(&settings).unwrap();
        prop_assert_eq!(answer.valid, answer.message.is_none());
    }

    /// A valid request with one value replaced.
    #[test]
    fn a_changed_request_gets_an_answer(
        which in any::<prop::sample::Index>(), place in any::<prop::sample::Index>(), value in any_json(),
    ) {
        let requests = requests_with_lookups();
        let mut payload = json!({"request": requests[which.index(requests.len())], "settings": {}});
        let mut all = Vec::new();
        pointers(&payload, "", &mut all);
        *payload.pointer_mut(&all[place.index(all.len())]).unwrap() = value;
        let objects = ObjectSet(vec![workload("Deployment"), service()]);
        let instance = MODULE.instance(Arc::new(objects)).unwrap();
        answer(instance, payload.to_string().as_bytes());
    }

    /// A look-up that finds an object with one value replaced.
    #[test]
    fn a_changed_object_in_a_look_up_gets_an_answer(
        which in any::<prop::sample::Index>(), place in any::<prop::sample::Index>(), value in any_json(),
    ) {
        let requests = requests_with_lookups();
        let mut objects = json!([workload("Deployment"), workload("StatefulSet"), service()]);
        let mut all = Vec::new();
        pointers(&objects, "", &mut all);
        *objects.pointer_mut(&all[1 + place.index(all.len() - 1)]).unwrap() = value;
        let Value::Array(objects) = objects else { unreachable!() };
        let mut instance = MODULE.instance(Arc::new(ObjectSet(objects))).unwrap();
        instance.validate(&requests[which.index(requests.len())], &with_look_ups(&json!({}))).unwrap();
    }

    /// A request that is truncated, or in which a byte is changed.
    #[test]
    fn a_damaged_request_gets_an_answer(place in any::<prop::sample::Index>(), byte in any::<Option<u8>>()) {
        let mut payload = json!({"request": create(&workload("Deployment")), "settings": {}}).to_string().into_bytes();
        let place = place.index(payload.len());
        match byte {
            Some(byte) => payload[place] = byte,
            None => payload.truncate(place),
        }
        answer(without_lookups(), &payload);
    }
}

#[test]
fn deep_nesting_is_rejected() {
    let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    for depth in [100, 200, 200_000] {
        let deployment = workload("Deployment").to_string().replacen("{", &format!("{{\"x\":{},", deep(depth)), 1);
        let request = json!({"uid": "1", "operation": "CREATE", "kind": {"group": "apps", "version": "v1", "kind": "Deployment"}});
        let request = request.to_string().replacen('{', &format!("{{\"object\":{deployment},"), 1);
        let response = answer(without_lookups(), format!("{{\"request\":{request},\"settings\":{{}}}}").as_bytes());
        assert_eq!(response.code == Some(500), depth > 128, "{depth}: {response:?}");
        answer(without_lookups(), deep(depth).as_bytes());
        without_lookups().call("validate_settings", deep(depth).as_bytes()).unwrap();
    }
}

#[test]
fn an_unknown_setting_is_rejected_with_a_suggestion() {
    let mut instance = without_lookups();
    let answer = instance.validate_settings(&json!({"failoverSecond": 60})).unwrap();
    let message = "unknown setting `failoverSecond`; did you mean `failoverSeconds`?";
    assert_eq!((answer.valid, answer.message.as_deref()), (false, Some(message)));
    let response = instance.validate(&create(&workload("Deployment")), &json!({"failoverSecond": 60})).unwrap();
    assert_eq!((response.accepted, response.code), (false, Some(500)));
    assert!(response.message.is_some_and(|text| text.contains(message)));
    for valid in [Value::Null, json!({}), json!({"failoverSeconds": 60})] {
        assert!(instance.validate_settings(&valid).unwrap().valid, "{valid}");
    }
}

#[test]
fn an_instance_keeps_no_state() {
    let mut instance = without_lookups();
    let deployment = create(&workload("Deployment"));
    let first = instance.validate(&deployment, &json!({})).unwrap();
    answer(&mut instance, b"nonsense");
    instance.validate(&create(&service()), &json!({"mode": "validate"})).unwrap();
    assert_eq!(instance.validate(&deployment, &json!({})).unwrap(), first);
}
