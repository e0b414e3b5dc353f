//! Mutations that keep a request valid JSON, because the parser rejects all other inputs.

use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzzer_mutate;
use serde_json::{Value, json};

/// Words that have a meaning.
const WORDS: [&str; 30] = [
    "CREATE",
    "UPDATE",
    "DELETE",
    "apps",
    "",
    "Deployment",
    "StatefulSet",
    "ReplicaSet",
    "Pod",
    "Service",
    "Scale",
    "scale",
    "deployments",
    "spec",
    "template",
    "metadata",
    "name",
    "image",
    "env",
    "value",
    "ACCEPT_EULA",
    "Y",
    "MSSQL_DATA_DIR",
    "/var/opt/mssql",
    "mcr.microsoft.com/azure-sql-edge",
    "persistentVolumeClaim",
    "null",
    "Recreate",
    "LoadBalancer",
    "kubernetes.io/arch",
];

/// Changes an input in place and returns its new length. Two of three times it changes a JSON value, otherwise bytes.
pub fn mutate(data: &mut [u8], size: usize, most: usize, seed: u32) -> usize {
    let seeds: Vec<u8> = (1_u64..5)
        .flat_map(|round| (u64::from(seed).wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_mul(round)).to_be_bytes())
        .collect();
    match changed(&data[..size], &mut Unstructured::new(&seeds)) {
        Some(changed) if changed.len() <= most => {
            data[..changed.len()].copy_from_slice(&changed);
            changed.len()
        }
        _ => fuzzer_mutate(data, size, most),
    }
}

fn changed(input: &[u8], choices: &mut Unstructured<'_>) -> Option<Vec<u8>> {
    if choices.ratio(1, 3).ok()? {
        return None;
    }
    let mut parts: Vec<Vec<u8>> = input.split(|byte| *byte == 0).map(<[u8]>::to_vec).collect();
    let part = choices.choose_index(parts.len()).ok()?;
    let mut value: Value = serde_json::from_slice(&parts[part]).ok()?;
    let others = value.clone();
    let mut places = Vec::new();
    pointers(&value, String::new(), &mut places);
    let place = choices.choose(&places).ok()?;
    let other = others.pointer(choices.choose(&places).ok()?)?;
    change(value.pointer_mut(place)?, other, choices).ok()?;
    parts[part] = value.to_string().into_bytes();
    Some(parts.join(&0))
}

fn change(value: &mut Value, other: &Value, choices: &mut Unstructured<'_>) -> Result<()> {
    let word = *choices.choose(&WORDS)?;
    match (value, choices.int_in_range(0..=5)?) {
        (Value::Object(members), 0) => {
            let key = members.keys().nth(choices.choose_index(members.len().max(1))?).cloned();
            key.and_then(|key| members.remove(&key));
        }
        (Value::Object(members), 1) => drop(members.insert(word.to_owned(), other.clone())),
        (Value::Array(items), 0) => drop(items.pop()),
        (Value::Array(items), 1) => items.push(other.clone()),
        (value, 2) => *value = Value::Null,
        (value, 3) => *value = other.clone(),
        (value, 4) => *value = Value::from(word),
        (value, _) => {
            *value = choices
                .choose(&[json!(0), json!(1), json!(-1), json!(true), json!({}), json!([]), json!(1e300)])?
                .clone()
        }
    }
    Ok(())
}

fn pointers(value: &Value, pointer: String, found: &mut Vec<String>) {
    match value {
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, item)| pointers(item, format!("{pointer}/{index}"), found));
        }
        Value::Object(members) => members.iter().for_each(|(key, value)| {
            pointers(value, format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1")), found);
        }),
        _ => {}
    }
    found.push(pointer);
}
