//! Any bytes get an answer, and what was mended once needs nothing more.

use serde_json::Value;

use crate::checks::host::call;

/// Sends a request, whose look-ups find the answers behind its zero bytes, and checks what came of it.
pub fn check(bytes: &[u8]) {
    let mut parts = bytes.split(|byte| *byte == 0);
    let payload = parts.next().unwrap_or_default();
    let answers: Vec<&[u8]> = parts.collect();
    assert!(json(call("validate_settings", payload, &[]))["valid"].is_boolean());
    assert_eq!(json(call("protocol_version", payload, &[])), "v1");
    let verdict = verdict(payload, &answers);
    if let Some(mended) = verdict.get("mutated_object").filter(|mended| !mended.is_null()) {
        assert_eq!(verdict["accepted"], true, "{verdict}");
        is_mended_once(payload, &answers, mended);
    }
}

/// The answer to a request.
fn verdict(payload: &[u8], answers: &[&[u8]]) -> Value {
    let verdict = json(call("validate", payload, answers));
    let accepted = verdict["accepted"].as_bool().expect("the answer says whether the request is accepted");
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

fn is_mended_once(payload: &[u8], answers: &[&[u8]], mended: &Value) {
    let mut payload: Value = serde_json::from_slice(payload).expect("what is mended is JSON");
    assert_ne!(payload["request"]["object"], *mended, "nothing was mended");
    payload["request"]["object"] = mended.clone();
    let again = verdict(payload.to_string().as_bytes(), answers);
    assert_eq!(again["accepted"], true, "{again}\n{payload}");
    assert!(again["mutated_object"].is_null(), "{again}\n{payload}");
}

fn json(answer: Result<Vec<u8>, Vec<u8>>) -> Value {
    let answer = answer.unwrap_or_else(|error| panic!("the module failed: {}", String::from_utf8_lossy(&error)));
    serde_json::from_slice(&answer).expect("the answer is JSON")
}
