//! Every input gets an answer, and a mutated object needs no further mutation.

use serde_json::Value;

use crate::checks::host::call;

/// Sends a request, with the answers to its look-ups after zero bytes, and checks the answer.
pub fn check(bytes: &[u8]) {
    let mut parts = bytes.split(|byte| *byte == 0);
    let payload = parts.next().unwrap_or_default();
    let answers: Vec<&[u8]> = parts.collect();
    assert!(json(call("validate_settings", payload, &[]))["valid"].is_boolean());
    assert_eq!(json(call("protocol_version", payload, &[])), "v1");
    let verdict = verdict(payload, &answers);
    if let Some(mutated) = verdict.get("mutated_object").filter(|mutated| !mutated.is_null()) {
        assert_eq!(verdict["accepted"], true, "{verdict}");
        needs_no_further_mutation(payload, &answers, mutated);
    }
}

/// The answer to a request.
fn verdict(payload: &[u8], answers: &[&[u8]]) -> Value {
    let verdict = json(call("validate", payload, answers));
    let accepted = verdict["accepted"].as_bool().expect("the answer has the field `accepted`");
    let message = verdict["message"].as_str();
    assert_eq!(message.is_none(), accepted, "{verdict}");
    assert!(!message.is_some_and(str::is_empty), "{verdict}");
    for text in message.into_iter().chain(texts(&verdict["warnings"])) {
        assert!(!text.chars().any(|character| character.is_control() && character != '\n'), "{verdict}");
    }
    for warning in texts(&verdict["warnings"]) {
        assert!(warning.chars().count() <= 120 && !warning.contains('\n'), "{warning:?}");
    }
    verdict
}

fn texts(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().map(|text| text.as_str().expect("a text"))
}

fn needs_no_further_mutation(payload: &[u8], answers: &[&[u8]], mutated: &Value) {
    let mut payload: Value = serde_json::from_slice(payload).expect("a mutated request is JSON");
    assert_ne!(payload["request"]["object"], *mutated, "the mutation changes nothing");
    payload["request"]["object"] = mutated.clone();
    let again = verdict(payload.to_string().as_bytes(), answers);
    assert_eq!(again["accepted"], true, "{again}\n{payload}");
    assert!(again["mutated_object"].is_null(), "{again}\n{payload}");
}

fn json(answer: Result<Vec<u8>, Vec<u8>>) -> Value {
    let answer = answer.unwrap_or_else(|error| panic!("the module failed: {}", String::from_utf8_lossy(&error)));
    serde_json::from_slice(&answer).expect("the answer is JSON")
}
