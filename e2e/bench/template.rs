//! A manifest to copy with different names.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

/// A text, split at the names.
pub(crate) struct Template {
    /// The file name without extension.
    pub(crate) stem: String,
    /// The extension.
    pub(crate) ending: &'static str,
    /// The number of documents.
    pub(crate) documents: usize,
    /// Whether it can be part of a YAML stream.
    pub(crate) streams: bool,
    pieces: Vec<Piece>,
}

enum Piece {
    /// The same in every copy.
    Text(String),
    /// A name, different in every copy.
    Name(String),
}

impl Template {
    /// Reads a file.
    pub(crate) fn read(path: &Path) -> Self {
        let stem = path.file_stem().unwrap().to_str().unwrap();
        let ending = if path.extension().unwrap() == "json" { "json" } else { "yaml" };
        Template::new(stem, ending, &fs::read_to_string(path).unwrap())
    }

    /// Splits a text.
    pub(crate) fn new(stem: &str, ending: &'static str, text: &str) -> Self {
        let documents: Vec<Value> = serde_saphyr::from_multiple(text).unwrap_or_else(|error| panic!("{stem}: {error}"));
        let mut names = BTreeSet::new();
        documents.iter().for_each(|document| collect_names(document, &mut names));
        Template {
            stem: stem.to_owned(),
            ending,
            documents: documents.len(),
            streams: ending == "yaml" && !text.starts_with('\u{feff}') && !text.contains('\r'),
            pieces: cut(text, &names),
        }
    }

    /// Appends a copy to `text`. Copies with the same number are equal.
    pub(crate) fn copy(&self, number: usize, text: &mut String) {
        for piece in &self.pieces {
            match piece {
                Piece::Text(piece) => text.push_str(piece),
                Piece::Name(name) => {
                    text.push_str(name);
                    text.push('-');
                    text.push_str(&number.to_string());
                }
            }
        }
    }
}

/// The names and labels in a document, by which objects refer to each other.
fn collect_names<'d>(value: &'d Value, names: &mut BTreeSet<&'d str>) {
    match value {
        Value::Object(entries) => {
            if let Some(metadata) = entries.get("metadata") {
                let labels = metadata["labels"].as_object().into_iter().flatten().map(|(_, label)| label);
                let found = labels.chain([&metadata["name"]]).filter_map(Value::as_str);
                names.extend(found.filter(|name| name.len() > 2 && name.chars().all(is_part_of_word)));
            }
            entries.values().for_each(|value| collect_names(value, names));
        }
        Value::Array(items) => items.iter().for_each(|value| collect_names(value, names)),
        _ => {}
    }
}

fn cut(text: &str, names: &BTreeSet<&str>) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut plain = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = rest.find(|character| !is_part_of_word(character)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(length.max(first.len_utf8()));
        // The first pod of a StatefulSet has its name with the suffix `-0`.
        let name = word.strip_suffix("-0").filter(|name| names.contains(name)).unwrap_or(word);
        if names.contains(name) {
            pieces.push(Piece::Text(std::mem::take(&mut plain)));
            pieces.push(Piece::Name(name.to_owned()));
            plain.push_str(&word[name.len()..]);
        } else {
            plain.push_str(word);
        }
        rest = after;
    }
    pieces.push(Piece::Text(plain));
    pieces
}

fn is_part_of_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '-' | '.' | '/' | '_')
}
