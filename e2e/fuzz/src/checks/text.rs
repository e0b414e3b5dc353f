//! Texts, and what is chosen to be done with them.

use serde_json::Value;

/// The text of an input, and the bytes that choose what is done with it: those behind the last zero byte, or, so that
/// any text is a seed, what follows from the text.
pub fn text_and_choices(bytes: &[u8]) -> Option<(&str, Vec<u8>)> {
    let zero = bytes.iter().rposition(|byte| *byte == 0);
    let (text, choices) = match zero {
        Some(zero) => (&bytes[..zero], bytes[zero + 1..].to_vec()),
        None => (bytes, digest(bytes)),
    };
    Some((std::str::from_utf8(text).ok()?, choices))
}

/// Bytes that look random and depend on all of the input: FNV-1a, drawn out.
fn digest(bytes: &[u8]) -> Vec<u8> {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let mut hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| step(hash, *byte));
    let mut drawn = Vec::new();
    for byte in 0..6 {
        hash = step(hash, byte);
        drawn.extend(hash.to_le_bytes());
    }
    drawn
}

/// The pointers of a value and of everything below it.
pub fn pointers(value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    add_pointers(value, &mut String::new(), &mut found);
    found
}

fn add_pointers(value: &Value, pointer: &mut String, found: &mut Vec<String>) {
    found.push(pointer.clone());
    let length = pointer.len();
    let mut add = |key: &str, value: &Value| {
        pointer.push('/');
        pointer.push_str(key);
        add_pointers(value, pointer, found);
        pointer.truncate(length);
    };
    match value {
        Value::Array(items) => items.iter().enumerate().for_each(|(index, item)| add(&index.to_string(), item)),
        Value::Object(members) => members.iter().for_each(|(key, value)| add(&escaped(key), value)),
        _ => {}
    }
}

/// A key in a JSON Pointer (RFC 6901).
pub fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}
