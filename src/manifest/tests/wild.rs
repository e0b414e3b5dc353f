//! Published manifests.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::properties::each_pointer;
use super::read;
use crate::manifest::decode;

#[test]
fn published_manifests_are_read_and_every_scalar_is_located() {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/wild"));
    let Ok(entries) = fs::read_dir(folder) else {
        eprintln!("SKIPPED: no published manifests in {}", folder.display());
        return;
    };
    let mut scalars = 0;
    for path in
        entries.map(|entry| entry.unwrap().path()).filter(|path| path.extension().is_some_and(|end| end == "yaml"))
    {
        let text = decode(fs::read(&path).unwrap()).unwrap();
        for document in read(&text) {
            let document = document.unwrap_or_else(|error| panic!("{}: {error:?}", path.display()));
            each_pointer(&document.value, String::new(), &mut |pointer, value| {
                let shown = text.get(document.locate(pointer)).unwrap();
                let (Some(scalar), true) = (words(value), !shown.is_empty()) else { return };
                scalars += 1;
                assert!(squeeze(shown).contains(&scalar), "{} {pointer}: {shown:?} is not {scalar:?}", path.display());
            });
        }
    }
    assert!(scalars > 1000, "{scalars} scalars");
}

/// A string or number without white space, which YAML can fold. Booleans and nulls have several spellings.
fn words(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(squeeze(text)),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Removes white space and escapes.
fn squeeze(text: &str) -> String {
    text.replace("''", "'").chars().filter(|letter| !letter.is_whitespace() && *letter != '\\').collect()
}
