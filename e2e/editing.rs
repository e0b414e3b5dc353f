//! The text editor, checked with `kubectl`'s YAML reader: after an edit, both readers must read the old value with the
//! same edit.

use std::fmt::Write;

use serde_json::{Value, json};
use sqledge_ha::manifest::{edit, read_span};
use sqledge_ha_policy::json::edit::{Edit, apply};

use crate::readings::documents::{Choices, written};
use crate::readings::{documents, readings, real, same};

#[derive(Clone, Copy)]
enum Operation {
    Replace,
    Add,
    Append,
    Remove,
}

/// One edit of one document.
struct Trial {
    edit: Edit,
    text: String,
    edited: String,
    expected: Value,
}

/// The edits of many documents.
#[derive(Default)]
struct Trials {
    applied: Vec<Trial>,
    rejected: usize,
}

/// The value of a text with exactly one document.
fn value(text: &str) -> Option<Value> {
    let mut documents = read_span(text, 0..text.len(), 0);
    let document = documents.pop().filter(|_| documents.is_empty())?;
    document.ok().map(|document| document.value)
}

/// The strings to set, most of which have another meaning in some version of YAML.
const STRINGS: [&str; 20] = [
    "amd64", "Recreate", "", " ", "yes", "null", "~", "0644", "1e3", "12:30", "- a", "a: b", "# a", "it's", "\"", "<<",
    "*a", "é", "a\nb\n", "{}",
];

fn scalar(choices: &mut Choices) -> Value {
    match choices.below(6) {
        0 => json!(true),
        1 => json!(choices.below(70_000)),
        2 => Value::Null,
        _ => json!(choices.of(&STRINGS)),
    }
}

fn value_to_set(choices: &mut Choices) -> Value {
    match choices.below(6) {
        0 => json!({"type": scalar(choices), "on": {"b": scalar(choices)}}),
        1 => json!([scalar(choices), {"name": "data", "mountPath": scalar(choices)}]),
        2 => json!({}),
        _ => scalar(choices),
    }
}

/// Every value below a value, with its pointer.
fn pointers<'v>(value: &'v Value, pointer: String, found: &mut Vec<(String, &'v Value)>) {
    match value {
        Value::Object(members) => members.iter().for_each(|(key, value)| {
            pointers(value, format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1")), found);
        }),
        Value::Array(items) => items.iter().enumerate().for_each(|(index, value)| {
            pointers(value, format!("{pointer}/{index}"), found);
        }),
        _ => {}
    }
    found.push((pointer, value));
}

/// A random edit of a value; `None` if the operation does not apply anywhere.
fn random_edit(choices: &mut Choices, operation: Operation, value: &Value) -> Option<Edit> {
    let mut candidates = Vec::new();
    pointers(value, String::new(), &mut candidates);
    let is_in_mapping =
        |pointer: &str| pointer.rsplit_once('/').is_some_and(|(parent, _)| value.pointer(parent).unwrap().is_object());
    candidates.retain(|(pointer, value)| match operation {
        Operation::Replace => !pointer.is_empty() && !value.is_object() && !value.is_array(),
        Operation::Add => value.is_object(),
        Operation::Append => value.is_array(),
        Operation::Remove => is_in_mapping(pointer),
    });
    if candidates.is_empty() {
        return None;
    }
    let (pointer, _) = candidates.swap_remove(choices.below(candidates.len()));
    Some(match operation {
        Operation::Replace => Edit::Set { pointer, value: scalar(choices) },
        Operation::Add => {
            let key = choices.of(&["nodeSelector", "kubernetes.io~1arch", "on", "0644", "x y"]);
            Edit::Set { pointer: format!("{pointer}/{key}"), value: value_to_set(choices) }
        }
        Operation::Append => Edit::Set { pointer: format!("{pointer}/-"), value: value_to_set(choices) },
        Operation::Remove => Edit::Remove { pointer },
    })
}

impl Trials {
    /// Edits each document `times` times with each operation.
    fn new(choices: &mut Choices, documents: &[String], times: usize) -> Self {
        let mut trials = Trials::default();
        for text in documents {
            let Some(before) = value(text) else { continue };
            for operation in [Operation::Replace, Operation::Add, Operation::Append, Operation::Remove].repeat(times) {
                if let Some(edit) = random_edit(choices, operation, &before) {
                    trials.add(text, &before, edit);
                }
            }
        }
        trials
    }

    fn add(&mut self, text: &str, before: &Value, change: Edit) {
        let mut expected = before.clone();
        if apply(&mut expected, std::slice::from_ref(&change)).is_err() || expected == *before {
            return;
        }
        let Ok(edited) = edit(text, std::slice::from_ref(&change)) else {
            self.rejected += 1;
            return;
        };
        assert_eq!(value(&edited).as_ref(), Some(&expected), "{change:?}\n{text}\n{edited}");
        self.applied.push(Trial { edit: change, text: text.to_owned(), edited, expected });
    }

    /// Checks that `kubectl` reads the expected values, of documents that it can read, and that few edits are rejected:
    /// fewer than one in `rejection_rate`.
    fn check(&self, minimum: usize, rejection_rate: usize) {
        let texts =
            |text: fn(&Trial) -> &String| self.applied.iter().map(|trial| text(trial).clone()).collect::<Vec<_>>();
        let before = readings(&texts(|trial| &trial.text));
        let after = readings(&texts(|trial| &trial.edited));
        let (mut alike, mut differences) = (0, String::new());
        for ((trial, before), after) in self.applied.iter().zip(before).zip(after) {
            match after.value {
                _ if before.value.is_err() => {}
                Ok(value) if same(&value, &trial.expected) => alike += 1,
                other => {
                    let Trial { edit, text, edited, .. } = trial;
                    writeln!(differences, "{edit:?}\n{text}\n{edited}\nkubectl: {other:?}").unwrap();
                }
            }
        }
        assert_eq!(differences, "");
        let rejected = self.rejected;
        assert!(alike > minimum && rejected * rejection_rate < alike, "{alike} alike, {rejected} rejected");
    }
}

#[test]
fn edits_of_real_manifests_are_read_by_kubectl_as_expected() {
    Trials::new(&mut Choices::new(), &real(), 2).check(8000, 50);
}

#[test]
fn edits_of_random_documents_are_read_by_kubectl_as_expected() {
    let mut choices = Choices::new();
    let documents = documents((0..4000).map(|_| written(&mut choices)));
    Trials::new(&mut choices, &documents, 1).check(2000, 2);
}
