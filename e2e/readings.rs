//! Compares the YAML reader with `kubectl`'s. If both read a document, they read the same value. If only one of them
//! reads it, the reason is listed here.

pub(crate) mod documents;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use sqledge_ha::manifest::{ReadError, document_spans, read_span};

use self::documents::{Choices, mutated, written};
use crate::shared::{real_manifests, root};
use crate::tools::tool;

/// A document as `sigs.k8s.io/yaml` reads it.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) value: Result<Value, String>,
    /// The document has a duplicate key, which `kubectl` accepts.
    has_duplicate_key: bool,
}

/// Reads documents with `kubectl`'s reader. The documents must not contain zero bytes.
pub(crate) fn readings(documents: &[String]) -> Vec<Reading> {
    let mut process = Command::new(tool("yaml-reader")).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let input: Vec<u8> = documents.iter().flat_map(|document| [document.as_bytes(), b"\0"].concat()).collect();
    let mut stdin = process.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = process.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    let lines = std::str::from_utf8(&output.stdout).unwrap().lines();
    let readings: Vec<Reading> = lines.map(|line| reading(serde_json::from_str(line).unwrap())).collect();
    assert_eq!(readings.len(), documents.len());
    readings
}

fn reading(mut line: Value) -> Reading {
    let value = match line["error"].as_str() {
        Some(error) => Err(error.to_owned()),
        None => Ok(line["value"].take()),
    };
    Reading { value, has_duplicate_key: line["repeated"].is_string() }
}

/// The document as the linter reads it; `None` if the text is not exactly one document.
fn ours(text: &str) -> Option<Result<Value, ReadError>> {
    let mut documents = read_span(text, 0..text.len(), 0);
    let document = documents.pop().filter(|_| documents.is_empty())?;
    Some(document.map(|document| document.value))
}

/// Whether two values are the same for the API server, which has 64-bit integers and floats.
pub(crate) fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => {
            // Reading a float in the test can lose the last digit.
            let (one_float, other_float) = (one.as_f64().unwrap(), other.as_f64().unwrap());
            let is_close = (one_float - other_float).abs() <= one_float.abs() * 1e-15;
            one.as_i64() == other.as_i64() && is_close
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(key, one)| other.get(key).is_some_and(|other| same(one, other)))
        }
        (one, other) => one == other,
    }
}

/// Documents that only `kubectl` reads: a part of our error message, and the reason why it is an error.
const ONLY_KUBECTL_READS: [(&str, &str); 20] = [
    ("duplicate key `", "one of the two values would be lost"),
    ("invisible line break", "it ends a line in YAML 1.1 only"),
    ("kubectl reads the text after `?`", "it is a key indicator in YAML 1.1 only"),
    ("kubectl reads the `:`", "in YAML 1.2 the key ends before it"),
    ("a BOM must not appear", "an invisible character"),
    ("infinity, NaN", "the value of a duplicate key"),
    ("comments must be separated", "`#` can be text or a comment"),
    ("did not find expected <document start>", "kubectl silently stops reading here"),
    ("misplaced bracket", "kubectl silently stops reading here"),
    ("missing explicit document end", "kubectl silently stops reading here"),
    ("comment intercepting", "kubectl silently stops reading here"),
    ("expected `: ` after", "a `|` below a key, in the same column"),
    ("while scanning a tag", "a bracket in a tag"),
    ("a value cannot begin with `\\u{7f}`", "an invisible character"),
    ("expected `,` or `}`", "a colon before a bracket, as above"),
    ("unclosed ", "kubectl silently stops reading here"),
    ("\"-\" is only valid", "kubectl silently stops reading here"),
    ("while scanning a directive", "kubectl silently stops reading here"),
    ("wrongly indented line", "a comment where a value should begin"),
    ("invalid trailing content", "kubectl silently stops reading here"),
];

/// Documents that only the linter reads: a part of `kubectl`'s error message, and the cause. They cannot get into a
/// cluster.
const ONLY_WE_READ: [(&str, &str); 16] = [
    ("found unknown directive name", "a directive that YAML does not define, which is ignored"),
    ("found a tab character", "a tab between tokens"),
    ("could not find expected directive name", "a special character in the name of a directive, which is ignored"),
    ("found unexpected non-alphabetical character", "the same"),
    ("found character that cannot start any token", "a tab between tokens"),
    ("found unknown escape character", "an escape of JSON, which kubectl reads in JSON only"),
    ("found invalid Unicode character escape code", "a pair of escapes of JSON, as above"),
    ("unsupported map key", "a colon in the name of an anchor"),
    ("mapping values are not allowed", "a colon in the name of an anchor"),
    ("did not find expected alphabetic", "a special character in the name of an anchor"),
    ("did not find expected whitespace", "a brace in a tag"),
    ("map merge requires", "a `<<` with a tag that makes it an ordinary key"),
    ("cannot decode", "an invalid date"),
    ("did not find expected node content", "`[:a]`"),
    ("did not find expected ',' or", "`{a: ?b}`"),
    ("could not find expected ':'", "a key on two lines"),
];

/// The number of documents by result.
#[derive(Debug, Default)]
struct Tally {
    alike: usize,
    only_kubectl: usize,
    only_ours: usize,
    neither: usize,
}

/// Reads documents with both readers and compares the values.
fn compare(documents: &[String]) -> Tally {
    let mut tally = Tally::default();
    let is_listed = |list: &[(&str, &str)], text: &str| list.iter().any(|(part, _)| text.contains(part));
    for (text, reading) in documents.iter().zip(readings(documents)) {
        let Some(ours) = ours(text) else { continue };
        match (ours, reading.value) {
            // Kubernetes does not accept a document that is a string.
            (Ok(Value::String(_)), Ok(Value::String(_))) => {}
            (Ok(ours), Ok(theirs)) => {
                assert!(same(&ours, &theirs), "we read {ours}, kubectl {theirs} in {text:?}");
                // Merged entries can be replaced.
                let is_valid = !reading.has_duplicate_key || text.contains("<<");
                assert!(is_valid, "a duplicate key is not an error in {text:?}");
                tally.alike += 1;
            }
            (Err(error), Ok(_)) => {
                let is_duplicate = error.message.starts_with("duplicate key");
                assert!(reading.has_duplicate_key || !is_duplicate, "{error} in {text:?}");
                assert!(is_listed(&ONLY_KUBECTL_READS, &error.message), "{error} in {text:?}");
                tally.only_kubectl += 1;
            }
            (Ok(_), Err(error)) => {
                assert!(is_listed(&ONLY_WE_READ, &error), "{error} in {text:?}");
                tally.only_ours += 1;
            }
            (Err(_), Err(_)) => tally.neither += 1,
        }
    }
    tally
}

/// The documents of texts, without those that contain zero bytes.
pub(crate) fn documents(texts: impl IntoIterator<Item = String>) -> Vec<String> {
    let split = |text: String| document_spans(&text).map(|range| text[range].to_owned()).collect::<Vec<_>>();
    texts.into_iter().flat_map(split).filter(|text| !text.contains('\0')).collect()
}

/// The documents of all manifests in the repository and of the published ones.
pub(crate) fn real() -> Vec<String> {
    let mut files = Vec::new();
    for folder in ["e2e/corpus", "e2e/examples", "e2e/fuzz/seeds"] {
        add_files(&root().join(folder), &mut files);
    }
    files.extend(real_manifests());
    documents(files.iter().filter_map(|file| fs::read_to_string(file).ok()))
}

fn add_files(folder: &Path, files: &mut Vec<PathBuf>) {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() { add_files(&path, files) } else { files.push(path) }
    }
}

#[test]
fn real_manifests_are_read_as_kubectl_reads_them() {
    let documents = real();
    let tally = compare(&documents);
    assert!(tally.alike > 1000 && tally.alike + 4 > documents.len(), "{tally:?} of {}", documents.len());
}

#[test]
fn random_documents_are_read_as_kubectl_reads_them() {
    let mut choices = Choices::new();
    let documents = documents((0..8000).map(|_| written(&mut choices)));
    let tally = compare(&documents);
    assert!(tally.alike > 2000, "{tally:?}");
}

#[test]
fn mutated_manifests_are_read_as_kubectl_reads_them() {
    let mut choices = Choices::new();
    let real = real();
    let documents = documents((0..8000).map(|_| mutated(&mut choices, &real)));
    let tally = compare(&documents);
    assert!(tally.alike > 2000 && tally.neither > 1000, "{tally:?}");
}
