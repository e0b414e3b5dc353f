//! What a user of this module sees: values, places and problems of whole texts.

use serde_json::{Value, json};

use super::{Document, Lines, Problem, read};

mod edits;
mod hostile;
mod places;
mod problems;
mod properties;
mod values;
mod wild;

/// The documents of a text without problems.
#[track_caller]
fn documents(text: &str) -> Vec<Document> {
    read(text)
        .into_iter()
        .map(|document| document.unwrap_or_else(|problem| panic!("{problem:?} in {text:?}")))
        .collect()
}

/// The one document of a text without problems.
#[track_caller]
fn document(text: &str) -> Document {
    let mut documents = documents(text);
    assert_eq!(documents.len(), 1, "{text:?}");
    documents.remove(0)
}

#[track_caller]
fn value(text: &str) -> Value {
    document(text).value
}

/// The one problem of a text.
#[track_caller]
fn problem(text: &str) -> Problem {
    let problems: Vec<Problem> = read(text).into_iter().filter_map(Result::err).collect();
    let [problem] = problems.as_slice() else { panic!("{problems:?} in {text:?}") };
    assert!(problem.byte <= text.len());
    problem.clone()
}

/// The one problem of a text as a person reads it.
#[track_caller]
fn line_column_message(text: &str) -> String {
    let problem = problem(text);
    let position = Lines::new(text).position(problem.byte);
    format!("{}:{} {problem}", position.line, position.column)
}
