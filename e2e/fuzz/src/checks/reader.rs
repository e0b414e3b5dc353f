//! Text becomes values that know their places.

use std::ops::Range;

use serde_json::Value;

use crate::checks::text::pointers;
use sqledge_ha::manifest::{
    Document, DocumentKind, Lines, ReadError, classify, decode, document_spans, read, read_span,
};

/// Reads bytes, and checks what came of it.
pub fn check(bytes: &[u8]) {
    let text = match decode(bytes.to_vec()) {
        Ok(text) => text,
        Err(problem) => return assert!(problem.byte < bytes.len(), "{problem:?}"),
    };
    let ranges: Vec<Range<usize>> = document_spans(&text).collect();
    covers(&text, &ranges);
    let documents = read(&text);
    same(&documents, &read(&text));
    same(&documents, &one_by_one(&text, &ranges));
    ranges.iter().for_each(|range| kind_is_right(&text[range.clone()]));
    for (index, document) in documents.iter().enumerate() {
        match document {
            Ok(document) => {
                assert_eq!(document.index, index);
                is_placed(&text, document);
                reads_as_itself(document);
            }
            Err(problem) => is_told(&text, problem),
        }
    }
}

/// Ranges stand in order, apart, and leave out only what is no document.
fn covers(text: &str, ranges: &[Range<usize>]) {
    let mut end = 0;
    for range in ranges {
        assert!(end <= range.start && range.start < range.end, "{ranges:?}");
        assert!(read(&text[end..range.start]).is_empty(), "{:?} is left out", &text[end..range.start]);
        end = range.end;
    }
    assert!(read(&text[end..]).is_empty(), "{:?} is left out", &text[end..]);
}

fn one_by_one(text: &str, ranges: &[Range<usize>]) -> Vec<Result<Document, ReadError>> {
    let mut documents = Vec::new();
    for range in ranges {
        documents.extend(read_span(text, range.clone(), documents.len()));
    }
    documents
}

/// What a document is at a glance, it is.
fn kind_is_right(chunk: &str) {
    let seen = classify(chunk);
    if seen == DocumentKind::Unknown {
        return;
    }
    let documents = read(chunk);
    assert!(documents.len() < 2, "{documents:?}");
    for document in documents.iter().flatten() {
        let read = document.value.get("kind").filter(|kind| !kind.is_null());
        // One that goes on on the next line is the name of no kind.
        let word = read.and_then(Value::as_str).and_then(|read| read.split_whitespace().next());
        // Where a scalar goes on in the first column, a line of it may look like a kind, and there is none.
        assert!(read.is_none() || word.map(DocumentKind::Object) == Some(seen), "{read:?}");
    }
}

fn same(one: &[Result<Document, ReadError>], other: &[Result<Document, ReadError>]) {
    assert_eq!(one.len(), other.len());
    for (one, other) in one.iter().zip(other) {
        match (one, other) {
            (Ok(one), Ok(other)) => {
                assert_eq!((one.index, &one.value), (other.index, &other.value));
                // Order is not compared with values.
                assert_eq!(one.value.to_string(), other.value.to_string());
            }
            (one, other) => assert_eq!(one.as_ref().err(), other.as_ref().err()),
        }
    }
}

/// Whatever a pointer leads to, or nearly leads to, stands in the text.
fn is_placed(text: &str, document: &Document) {
    for pointer in pointers(&document.value) {
        for pointer in [pointer.as_str(), &format!("{pointer}/~/0"), &format!("{pointer}/-")] {
            assert!(text.get(document.locate(pointer)).is_some(), "{pointer:?}");
        }
    }
}

/// JSON is YAML.
fn reads_as_itself(document: &Document) {
    let json = document.value.to_string();
    let again = read(&json);
    let [Ok(again)] = again.as_slice() else { panic!("{json} is read as {again:?}") };
    assert_eq!(again.value, document.value, "{json}");
}

fn is_told(text: &str, problem: &ReadError) {
    assert!(problem.byte <= text.len() && !problem.message.is_empty(), "{problem:?}");
    assert!(!problem.message.contains(char::is_control), "{problem:?}");
    assert!(problem.message.chars().count() < 200, "{problem:?}");
    let position = Lines::new(text).position(problem.byte);
    assert!(position.line > 0 && position.column > 0);
}
