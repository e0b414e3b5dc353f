//! Malicious texts: each is read in linear time or is an error.

use std::fmt::Write;

use super::{documents, line_column_message, read, read_error, value};
use crate::manifest::syntax_error::MAX_DEPTH;

const TOO_DEEP: &str = "nesting is deeper than 256 levels";

#[test]
fn deep_nesting_is_an_error() {
    let stairs = (0..2000).fold(String::new(), |mut text, depth| {
        let _ = writeln!(text, "{}a:", " ".repeat(depth));
        text
    });
    for text in [
        "[".repeat(10_000),
        "{\"a\":".repeat(10_000),
        "- ".repeat(10_000),
        "? ".repeat(10_000),
        stairs,
        format!("{}{}{}", "- ".repeat(200), "[".repeat(200), "]".repeat(200)),
        "[".repeat(10_000) + &"]".repeat(10_000),
    ] {
        let error = read_error(&text);
        assert!(error.message == TOO_DEEP || text.starts_with('?'), "{error}");
    }
}

#[test]
fn the_deepest_value_can_be_cloned_printed_and_dropped() {
    let text = "[".repeat(MAX_DEPTH) + &"]".repeat(MAX_DEPTH);
    assert_eq!(value(&text).clone().to_string(), text);
    assert_eq!(read_error(&format!("[{text}]")).message, TOO_DEEP);
}

#[test]
fn nesting_through_aliases_counts() {
    let mut text = "a0: &a0 []\n".to_owned();
    for depth in 1..=300 {
        let _ = writeln!(text, "a{depth}: &a{depth} [*a{}]", depth - 1);
    }
    assert_eq!(read_error(&text).message, TOO_DEEP);
}

#[test]
fn alias_bombs_are_an_error() {
    let mut text = "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n".to_owned();
    for depth in 1..9 {
        let _ = writeln!(text, "a{depth}: &a{depth} [{}]", vec![format!("*a{}", depth - 1); 9].join(", "));
    }
    let long = format!("a: &a \"{}\"\nb: [{}]\n", "x".repeat(1_000_000), vec!["*a"; 1000].join(","));
    let merged = format!("a: &a {{{}}}\nb: [{}]\n", "k: {}, l: []", vec!["{<<: *a}"; 200_000].join(","));
    for text in [text, long, merged] {
        assert_eq!(read_error(&text).message, "YAML aliases expand to too many values");
    }
}

#[test]
fn ten_thousand_aliases_are_read() {
    let text = format!("a: &a {{b: c}}\nd: [{}]\n", vec!["*a"; 10_000].join(","));
    assert_eq!(value(&text).pointer("/d/9999/b"), Some(&"c".into()));
}

#[test]
fn many_keys_documents_and_long_lines_are_read_in_linear_time() {
    let keys = (0..50_000).fold(String::new(), |mut text, key| {
        let _ = writeln!(text, "k{key}: {key}");
        text
    });
    assert_eq!(value(&keys).as_object().map(serde_json::Map::len), Some(50_000));
    assert_eq!(documents(&"---\na: 1\n".repeat(50_000)).len(), 50_000);
    assert_eq!(documents(&"{\"a\":1}\n".repeat(50_000)).len(), 50_000);
    assert_eq!(documents(&"---\r".repeat(20_000)).len(), 0);
    assert_eq!(
        value(&format!("a: \"{}\"", "x ".repeat(1_000_000))).pointer("/a").and_then(|text| text.as_str()).map(str::len),
        Some(2_000_000)
    );
    let items = format!("[{}1]", "1, \"a\" , {b: c},\n".repeat(100_000));
    assert_eq!(value(&items).as_array().map(Vec::len), Some(300_001));
    for piece in ["a ", "\"a\" ", "\"a\": ", "? ", "a, ", "{}, ", "a\n", "- ", ": ", "*a ", "&a "] {
        let text = piece.repeat(200_000);
        assert!(!read(&format!("[{text}")).is_empty() && !read(&format!("{{{text}")).is_empty());
    }
    for text in [
        "a".repeat(1_000_000),
        "[a, ".repeat(200_000),
        "{a ".repeat(200_000),
        "\"a\" ".repeat(100_000),
        "a: ".repeat(100_000),
    ] {
        assert_eq!(read(&text).len(), 1);
    }
}

#[test]
fn many_markers_and_errors_are_read_in_linear_time() {
    assert!(documents(&"...\n---\n".repeat(10_000)).is_empty());
    assert_eq!(read(&"---\na: 1\na: 2\n".repeat(50_000)).iter().filter(|read| read.is_err()).count(), 50_000);
    assert!(line_column_message(&format!("a: {}", "*".repeat(1000))).starts_with("1:4 "));
}
