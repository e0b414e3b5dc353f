//! The editor beside another one, the crate `yaml-edit`, which reads with a parser of its own and edits a tree where ours
//! edits text.
//!
//! Both make the same edit in the same document. What comes of ours is read by our reader and by `kubectl`'s, and has to be
//! the value with the edit, whatever the other one does. Nearly always both make the edit and mean the same. Where they
//! differ, either theirs is wrong, or ours refuses, which has to be rare; `target/tmp/editing-*.txt` shows how, with an
//! example of each.

mod theirs;

use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use sqledge_ha::manifest::{Refusal, read_chunk};
use sqledge_ha_policy::finding::{Edit, apply};

use crate::readings::documents::{Choices, written};
use crate::readings::{documents, readings, real, same};

/// What is done to a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Replace,
    Add,
    Append,
    Remove,
}

/// One edit of one document, and what both editors make of it.
struct Trial {
    kind: Kind,
    edit: Edit,
    text: String,
    /// What the edited text has to mean.
    wanted: Value,
    ours: Result<String, Refusal>,
    theirs: Result<String, String>,
}

/// The value of a text that is one document.
fn value(text: &str) -> Result<Value, String> {
    let mut documents = read_chunk(text, 0..text.len(), 0);
    match (documents.pop(), documents.is_empty()) {
        (Some(Ok(document)), true) => Ok(document.value),
        (Some(Err(problem)), _) => Err(problem.message),
        _ => Err("not one document".to_owned()),
    }
}

impl Trial {
    /// `None` if the edit changes nothing.
    fn new(text: &str, before: &Value, kind: Kind, edit: Edit) -> Option<Self> {
        let mut wanted = before.clone();
        apply(&mut wanted, std::slice::from_ref(&edit)).ok().filter(|()| wanted != *before)?;
        let ours = sqledge_ha::manifest::edit(text, std::slice::from_ref(&edit));
        if let Ok(edited) = &ours {
            assert_eq!(value(edited).as_ref(), Ok(&wanted), "{edit:?}\n{text}\n{edited}");
        }
        let theirs = theirs::edit(text, &edit);
        Some(Trial { kind, edit, text: text.to_owned(), wanted, ours, theirs })
    }

    /// What is wrong with theirs; `None` if nothing is.
    fn fault_of_theirs(&self) -> Option<String> {
        match &self.theirs {
            Err(why) => Some(why.clone()),
            Ok(text) => match value(text) {
                Ok(value) if same(&value, &self.wanted) => None,
                Ok(_) => Some("its text means something else".to_owned()),
                Err(problem) => Some(format!("its text cannot be read: {problem}")),
            },
        }
    }
}

/// The strings that edits put in, most of which mean something else in some version of YAML.
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

/// The pointers of everything in a value, and what is there.
fn places<'v>(value: &'v Value, pointer: String, places: &mut Vec<(String, &'v Value)>) {
    match value {
        Value::Object(members) => members.iter().for_each(|(key, value)| {
            self::places(value, format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1")), places);
        }),
        Value::Array(items) => items.iter().enumerate().for_each(|(index, value)| {
            self::places(value, format!("{pointer}/{index}"), places);
        }),
        _ => {}
    }
    places.push((pointer, value));
}

/// An edit of a kind somewhere in a value; `None` where there is no place for it.
fn an_edit(choices: &mut Choices, kind: Kind, value: &Value) -> Option<Edit> {
    let mut all = Vec::new();
    places(value, String::new(), &mut all);
    let is_in_mapping =
        |pointer: &str| pointer.rsplit_once('/').is_some_and(|(parent, _)| value.pointer(parent).unwrap().is_object());
    all.retain(|(pointer, value)| match kind {
        Kind::Replace => !pointer.is_empty() && !value.is_object() && !value.is_array(),
        Kind::Add => value.is_object(),
        Kind::Append => value.is_array(),
        Kind::Remove => is_in_mapping(pointer),
    });
    if all.is_empty() {
        return None;
    }
    let (pointer, _) = all.swap_remove(choices.below(all.len()));
    Some(match kind {
        Kind::Replace => Edit::Set { pointer, value: scalar(choices) },
        Kind::Add => {
            let key = choices.of(&["nodeSelector", "kubernetes.io~1arch", "on", "0644", "x y"]);
            Edit::Set { pointer: format!("{pointer}/{key}"), value: value_to_set(choices) }
        }
        Kind::Append => Edit::Set { pointer: format!("{pointer}/-"), value: value_to_set(choices) },
        Kind::Remove => Edit::Remove { pointer },
    })
}

/// Tries each kind of edit so many times in each of the documents.
fn trials(choices: &mut Choices, documents: &[String], times: usize) -> Vec<Trial> {
    let mut trials = Vec::new();
    for text in documents {
        let Ok(value) = value(text) else { continue };
        for kind in [Kind::Replace, Kind::Add, Kind::Append, Kind::Remove].repeat(times) {
            let edit = an_edit(choices, kind, &value);
            trials.extend(edit.and_then(|edit| Trial::new(text, &value, kind, edit)));
        }
    }
    trials
}

/// How many trials came to what, and the shortest example of each way to differ.
#[derive(Default)]
struct Tally<'t> {
    alike: usize,
    /// What only theirs does.
    refused: usize,
    counts: BTreeMap<(Kind, &'static str), usize>,
    examples: BTreeMap<String, (usize, &'t Trial)>,
}

impl<'t> Tally<'t> {
    fn of(trials: &'t [Trial]) -> Self {
        let mut tally = Tally::default();
        for trial in trials {
            let fault = trial.fault_of_theirs();
            let (outcome, difference) = match (&trial.ours, fault) {
                (Ok(_), None) => ("alike", None),
                (Ok(_), Some(fault)) => ("right with us only", Some(format!("theirs: {fault}"))),
                (Err(refusal), None) => ("right with them only", Some(format!("ours: {refusal}"))),
                (Err(_), Some(_)) => ("with neither", None),
            };
            tally.alike += usize::from(outcome == "alike");
            tally.refused += usize::from(outcome == "right with them only");
            *tally.counts.entry((trial.kind, outcome)).or_default() += 1;
            if let Some(difference) = difference {
                let (count, shortest) =
                    tally.examples.entry(format!("{:?}, {difference}", trial.kind)).or_insert((0, trial));
                *count += 1;
                if trial.text.len() < shortest.text.len() {
                    *shortest = trial;
                }
            }
        }
        tally
    }

    /// What a person wants to know of it.
    fn report(&self) -> String {
        let mut report = String::new();
        for ((kind, outcome), count) in &self.counts {
            writeln!(report, "{kind:?}: {count} {outcome}").unwrap();
        }
        for (difference, (count, trial)) in &self.examples {
            writeln!(report, "\n{difference}: {count} times, e.g.\n{trial}").unwrap();
        }
        report
    }
}

impl fmt::Display for Trial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let result = |result: Result<&String, String>| match result {
            Ok(text) => format!("|\n{}", lines(text)),
            Err(why) => format!("{why}\n"),
        };
        let ours = result(self.ours.as_ref().map_err(Refusal::to_string));
        let theirs = result(self.theirs.as_ref().map_err(Clone::clone));
        write!(f, "{:?}\nbefore: |\n{}ours: {ours}theirs: {theirs}", self.edit, lines(&self.text))
    }
}

/// The lines of a text, indented, and with whatever nobody would see.
fn lines(text: &str) -> String {
    let shown = |character: char| match character {
        '\n' => "\n".to_owned(),
        _ if character.is_control() => character.escape_default().to_string(),
        _ => character.to_string(),
    };
    let text: String = text.chars().map(shown).collect();
    text.lines().map(|line| format!("    {line}\n")).collect()
}

/// Asks `kubectl`'s reader what our edited texts mean, of those documents that it can read.
fn kubectl_reads_what_we_meant(trials: &[Trial]) {
    let made: Vec<(&Trial, &String)> =
        trials.iter().filter_map(|trial| Some((trial, trial.ours.as_ref().ok()?))).collect();
    let before = readings(&made.iter().map(|(trial, _)| trial.text.clone()).collect::<Vec<_>>());
    let after = readings(&made.iter().map(|(_, text)| (*text).clone()).collect::<Vec<_>>());
    let (mut alike, mut lost) = (0, String::new());
    for (((trial, _), before), after) in made.into_iter().zip(before).zip(after) {
        match after.value {
            _ if before.value.is_err() => {}
            Ok(value) if same(&value, &trial.wanted) => alike += 1,
            other => writeln!(lost, "kubectl: {other:?}\n{trial}").unwrap(),
        }
    }
    assert_eq!(lost, "");
    assert!(alike > trials.len() / 2, "{alike} of {}", trials.len());
}

/// Compares trials, of which so many have to come to the same. For each that only theirs does there have to be so many.
fn compare(name: &str, trials: &[Trial], alike: usize, for_each_refusal: usize) {
    kubectl_reads_what_we_meant(trials);
    let tally = Tally::of(trials);
    let report = tally.report();
    fs::write(Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("editing-{name}.txt")), &report).unwrap();
    assert!(tally.alike > alike && tally.refused * for_each_refusal < tally.alike, "{report}");
}

#[test]
fn real_manifests_are_edited_alike() {
    compare("real", &trials(&mut Choices::new(), &real(), 2), 8000, 100);
}

#[test]
fn what_yaml_can_write_is_edited_alike() {
    let mut choices = Choices::new();
    let documents = documents((0..4000).map(|_| written(&mut choices)));
    compare("written", &trials(&mut choices, &documents, 1), 2000, 2);
}
