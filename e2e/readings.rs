//! The reader beside `kubectl`'s own: where both read a document they read the same, and where only one does, it is for a
//! reason that is listed here.

pub(crate) mod documents;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use sqledge_ha::manifest::{Problem, chunks, read_chunk};

use self::documents::{Choices, mutated, written};
use crate::shared::{real_manifests, root};
use crate::tools::tool;

/// What `sigs.k8s.io/yaml` makes of a document.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) value: Result<Value, String>,
    /// It holds a key twice, which `kubectl` forgives.
    repeats: bool,
}

/// Lets kubectl's reader read documents, which hold no zero bytes.
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
    Reading { value, repeats: line["repeated"].is_string() }
}

/// One document as the linter reads it; `None` if it is none, or several.
fn ours(text: &str) -> Option<Result<Value, Problem>> {
    let mut documents = read_chunk(text, 0..text.len(), 0);
    let document = documents.pop().filter(|_| documents.is_empty())?;
    Some(document.map(|document| document.value))
}

/// Whether two values are the same to the API server, which knows integers of 64 bits and floats.
pub(crate) fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => {
            // Of floats the last digit is lost where the test reads them.
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

/// What only `kubectl` reads: how our problems begin, and why it is well that they are problems.
const ONLY_KUBECTL_READS: [(&str, &str); 20] = [
    ("the key `", "of two values one would be lost"),
    ("this invisible character", "it ends a line in YAML 1.1 only"),
    ("what follows this `?`", "it says in YAML 1.1 only that a key follows"),
    ("kubectl takes the `:`", "in YAML 1.2 the key ends before it"),
    ("a BOM must not appear", "a character that nobody sees"),
    ("a number that is infinite", "it stands at a key that is repeated"),
    ("comments must be separated", "`#` is text or a comment, who knows"),
    ("did not find expected <document start>", "kubectl stops reading here without a word"),
    ("misplaced bracket", "kubectl stops reading here without a word"),
    ("missing explicit document end", "kubectl stops reading here without a word"),
    ("comment intercepting", "kubectl stops reading here without a word"),
    ("simple key expected", "a `|` below a key and in its column"),
    ("while scanning a tag", "a bracket in a tag"),
    ("unexpected character: `\\u{7f}'", "a character that nobody sees"),
    ("did not find expected ',' or '}'", "a colon before a bracket, as above"),
    ("is never closed", "kubectl stops reading here without a word"),
    ("\"-\" is only valid", "kubectl stops reading here without a word"),
    ("while scanning a directive", "kubectl stops reading here without a word"),
    ("wrongly indented line", "a comment where a text should begin"),
    ("invalid trailing content", "kubectl stops reading here without a word"),
];

/// What only we read: what `kubectl`'s errors say, and why it does no harm: nothing of it gets into a cluster.
const ONLY_WE_READ: [(&str, &str); 13] = [
    ("found a tab character", "a tab between tokens"),
    ("found character that cannot start any token", "a tab between tokens"),
    ("found unknown escape character", "an escape of JSON, which kubectl reads in JSON only"),
    ("found invalid Unicode character escape code", "a pair of escapes of JSON, as above"),
    ("unsupported map key", "a colon in the name of an anchor"),
    ("mapping values are not allowed", "a colon in the name of an anchor"),
    ("did not find expected alphabetic", "an odd character in the name of an anchor"),
    ("did not find expected whitespace", "a brace in a tag"),
    ("map merge requires", "a `<<` whose tag says that it is none"),
    ("cannot decode", "a date that is none"),
    ("did not find expected node content", "`[:a]`"),
    ("did not find expected ',' or", "`{a: ?b}`"),
    ("could not find expected ':'", "a key on two lines"),
];

/// What became of documents.
#[derive(Debug, Default)]
struct Tally {
    alike: usize,
    only_kubectl: usize,
    only_we: usize,
    neither: usize,
}

/// Compares the readings of documents.
fn compare(documents: &[String]) -> Tally {
    let mut tally = Tally::default();
    let is_listed = |list: &[(&str, &str)], text: &str| list.iter().any(|(part, _)| text.contains(part));
    for (text, reading) in documents.iter().zip(readings(documents)) {
        let Some(ours) = ours(text) else { continue };
        match (ours, reading.value) {
            // A document that is mere text is nothing to Kubernetes.
            (Ok(Value::String(_)), Ok(Value::String(_))) => {}
            (Ok(ours), Ok(theirs)) => {
                assert!(same(&ours, &theirs), "we read {ours}, kubectl {theirs} in {text:?}");
                // What a merge key brought may be replaced.
                assert!(!reading.repeats || text.contains("<<"), "a key that stands twice is not noticed in {text:?}");
                tally.alike += 1;
            }
            (Err(problem), Ok(_)) => {
                assert!(reading.repeats || !problem.message.starts_with("the key `"), "{problem} in {text:?}");
                assert!(is_listed(&ONLY_KUBECTL_READS, &problem.message), "{problem} in {text:?}");
                tally.only_kubectl += 1;
            }
            (Ok(_), Err(error)) => {
                assert!(is_listed(&ONLY_WE_READ, &error), "{error} in {text:?}");
                tally.only_we += 1;
            }
            (Err(_), Err(_)) => tally.neither += 1,
        }
    }
    tally
}

/// The documents of texts, without those that hold zero bytes.
pub(crate) fn documents(texts: impl IntoIterator<Item = String>) -> Vec<String> {
    let split = |text: String| chunks(&text).map(|range| text[range].to_owned()).collect::<Vec<_>>();
    texts.into_iter().flat_map(split).filter(|text| !text.contains('\0')).collect()
}

/// The documents of every manifest that is here.
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
fn what_yaml_can_write_is_read_as_kubectl_reads_it() {
    let mut choices = Choices::new();
    let documents = documents((0..8000).map(|_| written(&mut choices)));
    let tally = compare(&documents);
    assert!(tally.alike > 2000, "{tally:?}");
}

#[test]
fn manifests_with_mistakes_are_read_as_kubectl_reads_them() {
    let mut choices = Choices::new();
    let real = real();
    let documents = documents((0..8000).map(|_| mutated(&mut choices, &real)));
    let tally = compare(&documents);
    assert!(tally.alike > 2000 && tally.neither > 1000, "{tally:?}");
}
