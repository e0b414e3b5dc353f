//! A text is edited like its value, and nothing else of it changes.

use std::ops::Range;

use granit_parser::{Event, Parser};
use libfuzzer_sys::arbitrary::{Result, Unstructured};
use serde_json::{Map, Value, json};
use sqledge_ha_policy::json::edit::{Edit, apply};

use crate::checks::text::{escaped, pointers, text_and_choices};
use sqledge_ha::manifest::{self, document_spans, edit, read, read_span};

/// Edits one document of a text, and checks what came of it.
pub fn check(bytes: &[u8]) {
    let Some((text, choices)) = text_and_choices(bytes) else { return };
    let ranges: Vec<_> = document_spans(text).collect();
    let mut choices = Unstructured::new(&choices);
    let Ok(range) = choices.choose(&ranges) else { return };
    let chunk = &text[range.clone()];
    let documents = read_span(chunk, 0..chunk.len(), 0);
    let [Ok(document)] = documents.as_slice() else {
        let edit = edit(chunk, &[Edit::Remove { pointer: "/a".into() }]);
        return assert!(edit.is_err(), "there is not one document, and it was edited");
    };
    let Ok(edits) = edits(&mut choices, &document.value) else { return };
    let mut edited = chunk.to_owned();
    for step in &edits {
        match edit(&edited, std::slice::from_ref(step)) {
            Ok(after) => {
                Step { before: &edited, after: &after, edit: step }.check();
                edited = after;
            }
            Err(_) => return assert!(edit(chunk, &edits).is_err()),
        }
    }
    assert_eq!(edit(chunk, &edits).as_deref(), Ok(edited.as_str()));
    let index = read(&text[..range.start]).len();
    others_stay(text, &[&text[..range.start], &edited, &text[range.end..]].concat(), index);
}

/// One edit that was made.
struct Step<'t> {
    before: &'t str,
    after: &'t str,
    edit: &'t Edit,
}

impl Step<'_> {
    fn check(&self) {
        let mut wanted = only(self.before);
        apply(&mut wanted, std::slice::from_ref(self.edit)).expect("what the value refuses, the text refuses");
        assert_eq!(only(self.after), wanted, "{self}");
        self.comments_stay();
        self.line_endings_stay();
        if matches!(self.edit, Edit::Set { pointer, .. } if !pointer.split('/').any(|key| key == "-")) {
            let again = edit(self.after, std::slice::from_ref(self.edit));
            assert_eq!(again.as_deref(), Ok(self.after), "{self}");
        }
    }

    /// Every comment stays but those of what was removed or replaced.
    fn comments_stay(&self) {
        let mut after = comments(self.after);
        let (start, end) = self.gone();
        for (byte, comment) in comments(self.before) {
            match after.iter().position(|(_, other)| *other == comment) {
                Some(found) => {
                    after.remove(found);
                }
                None => assert!((start..end).contains(&byte), "{comment:?} is gone: {self}"),
            }
        }
    }

    /// What of the text before may be gone: all that stood at the pointer, up to the end of its last line.
    fn gone(&self) -> (usize, usize) {
        let documents = read_span(self.before, 0..self.before.len(), 0);
        let Some(Ok(document)) = documents.first() else { return (0, 0) };
        let pointer = self.edit.pointer();
        let Some(value) = document.value.pointer(pointer) else { return (0, 0) };
        let places: Vec<_> =
            pointers(value).into_iter().map(|below| document.locate(&format!("{pointer}{below}"))).collect();
        let start = places.iter().map(|place| place.start).min().unwrap_or_default();
        let end = places.iter().map(|place| place.end).max().unwrap_or_default();
        if matches!(self.edit, Edit::Set { .. }) && !value.is_object() && !value.is_array() {
            return (start, start);
        }
        let line_end = |byte: usize| self.before[byte..].find('\n').map_or(self.before.len(), |feed| byte + feed);
        // Of a collection in brackets on several lines only the key is located.
        let brackets =
            flow_collections(self.before).into_iter().filter(|open| (start..=line_end(end)).contains(&open.start));
        (self.key_line(start), line_end(brackets.map(|brackets| brackets.end).max().unwrap_or_default().max(end)))
    }

    /// The line of the key whose value begins at a byte, if the value has a line of its own: what stands between them
    /// goes with both. Else the byte.
    fn key_line(&self, value: usize) -> usize {
        let line_start = |byte: usize| self.before[..byte].rfind('\n').map_or(0, |feed| feed + 1);
        let mut line = line_start(value);
        if !self.before[line..value].trim().is_empty() {
            return value;
        }
        while let Some(feed) = line.checked_sub(1) {
            let above = line_start(feed);
            let text = self.before[above..feed].trim();
            line = above;
            if !text.is_empty() && !text.starts_with('#') {
                break;
            }
        }
        line
    }

    fn line_endings_stay(&self) {
        let feeds = |text: &str| text.matches('\n').count();
        let windows = |text: &str| text.matches("\r\n").count();
        if windows(self.before) == 0 {
            assert_eq!(windows(self.after), 0, "{self}");
        } else if windows(self.before) == feeds(self.before) {
            assert_eq!(windows(self.after), feeds(self.after), "{self}");
        }
    }
}

impl std::fmt::Display for Step<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Step { before, after, edit } = self;
        write!(f, "{edit:?}\nbefore: {before:?}\nafter:  {after:?}")
    }
}

fn only(chunk: &str) -> Value {
    let mut documents = read_span(chunk, 0..chunk.len(), 0);
    match (documents.pop(), documents.is_empty()) {
        (Some(Ok(document)), true) => document.value,
        other => panic!("not one document: {other:?}"),
    }
}

/// The comments of a text that can be read, and where each begins. They are found as the command finds them: what it
/// takes for none is not missed.
fn comments(text: &str) -> Vec<(usize, &str)> {
    manifest::comments(text).into_iter().map(|place| (place.start, &text[place])).collect()
}

/// Where the collections in braces and brackets of a text stand.
fn flow_collections(text: &str) -> Vec<Range<usize>> {
    let (mut open, mut found) = (Vec::new(), Vec::new());
    for (event, span) in Parser::new_from_str(text).flatten() {
        let Some(place) = span.byte_range() else { continue };
        match event {
            Event::SequenceStart(..) | Event::MappingStart(..) => open.push(place.start),
            Event::SequenceEnd | Event::MappingEnd => found.extend(open.pop().map(|start| start..place.end)),
            _ => {}
        }
    }
    found.retain(|place| text[place.start..].starts_with(['{', '[']));
    found
}

/// The documents beside an edited one stay as they are.
fn others_stay(before: &str, after: &str, edited: usize) {
    let shown = |text: &str| -> Vec<String> {
        let documents = read(text).into_iter().enumerate().map(|(index, read)| match read {
            Ok(_) if index == edited => "edited".to_owned(),
            Ok(document) => document.value.to_string(),
            Err(problem) => problem.message,
        });
        documents.collect()
    };
    assert_eq!(shown(before), shown(after), "before: {before:?}\nafter:  {after:?}");
}

/// Keys and strings that mean something to YAML, to Kubernetes, or to a terminal.
const TEXTS: [&str; 24] = [
    "a",
    "b",
    "name",
    "image",
    "kubernetes.io/arch",
    "amd64",
    "",
    "yes",
    "null",
    "~",
    "1",
    "0644",
    "1e3",
    "-",
    "- a",
    "a: b",
    "# a",
    "it's",
    "\"",
    "<<",
    "*a",
    "é\u{2028}\u{85}",
    "a\nb\n",
    " a ",
];

fn edits(choices: &mut Unstructured<'_>, value: &Value) -> Result<Vec<Edit>> {
    let pointers = pointers(value);
    let count = choices.int_in_range(1..=3)?;
    (0..count)
        .map(|_| {
            let pointer = choices.choose(&pointers)?;
            let key = |choices: &mut Unstructured<'_>| choices.choose(&TEXTS).map(|key| escaped(key));
            Ok(match choices.int_in_range(0..=7)? {
                0..=1 => Edit::Remove { pointer: pointer.clone() },
                2..=3 => Edit::Set { pointer: pointer.clone(), value: a_value(choices, 2)? },
                4 => Edit::Set { pointer: format!("{pointer}/-"), value: a_value(choices, 2)? },
                5 => Edit::Set {
                    pointer: format!("{pointer}/{}/{}", key(choices)?, key(choices)?),
                    value: a_value(choices, 1)?,
                },
                _ => Edit::Set { pointer: format!("{pointer}/{}", key(choices)?), value: a_value(choices, 2)? },
            })
        })
        .collect()
}

fn a_value(choices: &mut Unstructured<'_>, depth: usize) -> Result<Value> {
    let many = |choices: &mut Unstructured<'_>| choices.int_in_range(0..=3);
    Ok(match choices.int_in_range(0..=7)? {
        0 => Value::Null,
        1 => Value::Bool(choices.arbitrary()?),
        2 => Value::from(choices.arbitrary::<i32>()?),
        3 => json!(1.5),
        4 if depth > 0 => {
            let count = many(choices)?;
            Value::Array((0..count).map(|_| a_value(choices, depth - 1)).collect::<Result<_>>()?)
        }
        5 if depth > 0 => {
            let count = many(choices)?;
            let member = |_| Ok(((*choices.choose(&TEXTS)?).to_owned(), a_value(choices, depth - 1)?));
            Value::Object((0..count).map(member).collect::<Result<Map<_, _>>>()?)
        }
        _ => Value::from(*choices.choose(&TEXTS)?),
    })
}
