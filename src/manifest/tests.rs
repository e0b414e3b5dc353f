//! Tests of the public functions: values, locations and errors of whole texts.

use serde_json::{Value, json};

use super::{Document, Lines, ReadError, read};

mod edits;
mod errors;
mod hostile;
mod locations;
mod properties;
mod values;
mod wild;

/// The documents of a text without errors.
#[track_caller]
fn documents(text: &str) -> Vec<Document> {
    read(text).into_iter().map(|document| document.unwrap_or_else(|error| panic!("{error:?} in {text:?}"))).collect()
}

/// The only document of a text without errors.
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

/// The only error of a text.
#[track_caller]
fn read_error(text: &str) -> ReadError {
    let errors: Vec<ReadError> = read(text).into_iter().filter_map(Result::err).collect();
    let [error] = errors.as_slice() else { panic!("{errors:?} in {text:?}") };
    assert!(error.byte <= text.len());
    error.clone()
}

/// The only error of a text, formatted as line, column and message.
#[track_caller]
fn line_column_message(text: &str) -> String {
    let error = read_error(text);
    let position = Lines::new(text).position(error.byte);
    format!("{}:{} {error}", position.line, position.column)
}
