//! Properties of all texts and values.

use proptest::prelude::*;
use serde_json::{Map, Number, Value};

use super::{Lines, document, read};
use crate::manifest::{DocumentKind, classify, decode, document_spans, read_span};

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        // Kubernetes reads whole floats as integers.
        any::<f64>()
            .prop_filter_map("whole", |float| (float.fract() != 0.0).then(|| Number::from_f64(float))?)
            .prop_map(Value::Number),
        strings().prop_map(Value::String),
        "[a-z0-9:#{}\\[\\],&*!|>'\"%@`~ -]{0,12}".prop_map(Value::String),
    ];
    let values = leaf.prop_recursive(6, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            prop::collection::vec((strings(), inner), 0..6)
                .prop_map(|entries| Value::Object(entries.into_iter().collect::<Map<_, _>>())),
        ]
    });
    values.prop_map(|value| Value::Array(vec![value]))
}

/// Strings without line breaks of YAML 1.1 only.
fn strings() -> impl Strategy<Value = String> {
    any::<String>().prop_map(|text| text.replace(['\u{85}', '\u{2028}', '\u{2029}'], ""))
}

/// JSON objects with `kind` members, some of them invalid.
fn json_texts() -> impl Strategy<Value = String> {
    let pieces = [
        "\"kind\":",
        "\"k\\u0069nd\" : ",
        "\"Pod\"",
        "\"a\":",
        "{",
        "}",
        "[",
        "]",
        ",",
        ",\n",
        "1",
        "null",
        "\"",
        "<<: ",
    ];
    let members = prop::collection::vec(prop::sample::select(pieces.to_vec()), 0..8).prop_map(|pieces| pieces.concat());
    let member =
        prop::sample::select(vec!["\"kind\": \"Pod\"", "\"kind\":null", "\"a\": {\"kind\": \"Pod\"}", "\"b\": [1]"]);
    let whole = prop::collection::vec(member, 0..3).prop_map(|members| members.join(","));
    prop_oneof![members, whole].prop_map(|members| format!("{{{members}}}\n"))
}

/// Random sequences of YAML tokens.
fn texts() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "a",
        "b",
        "kind: Pod\n",
        "\nkind: Job\n",
        "\n\"kind\": Job\n",
        "\n kind : Job\n",
        ": ",
        ":",
        "\n",
        "\n  ",
        "\n- ",
        "- ",
        "---\n",
        "\n---",
        "...\n",
        "\"",
        "'",
        "{",
        "}",
        "[",
        "]",
        ", ",
        "&a ",
        "*a",
        "<<: ",
        "|",
        ">",
        "|-\n  ",
        "#",
        " # c\n",
        "\t",
        "\r\n",
        "\r",
        "? ",
        "!!str ",
        "!x ",
        "%YAML 1.1\n",
        "~",
        "1",
        "0x",
        ".inf",
        "{{ ",
        " }}",
        "é",
        "\u{feff}",
        "\\",
        "\\ud83d",
        "\u{2028}",
        "\u{85}",
        "\0",
        "@",
        "`",
        "=",
    ]);
    prop::collection::vec(pieces, 0..40).prop_map(|pieces| pieces.concat())
}

fn read_and_locate_every_pointer(text: &str) {
    let lines = Lines::new(text);
    for read in read(text) {
        match read {
            Ok(document) => each_pointer(&document.value, String::new(), &mut |pointer, _| {
                for pointer in [pointer, &format!("{pointer}/0/~/x"), &format!("{pointer}/")] {
                    assert!(text.get(document.locate(pointer)).is_some(), "{pointer:?} in {text:?}");
                }
            }),
            Err(error) => {
                assert!(error.byte <= text.len());
                let _ = lines.position(error.byte);
            }
        }
    }
}

/// Visits every value below a value, with its pointer.
pub(super) fn each_pointer(value: &Value, pointer: String, visit: &mut impl FnMut(&str, &Value)) {
    visit(&pointer, value);
    match value {
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, item)| each_pointer(item, format!("{pointer}/{index}"), visit))
        }
        Value::Object(entries) => entries.iter().for_each(|(key, value)| {
            each_pointer(value, format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1")), visit)
        }),
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_bytes_and_no_pointer_panic(bytes: Vec<u8>, pointer: String) {
        if let Ok(text) = decode(bytes) {
            for document in read(&text).into_iter().flatten() {
                prop_assert!(text.get(document.locate(&pointer)).is_some());
            }
        }
    }

    #[test]
    fn no_text_panics(text in texts()) {
        read_and_locate_every_pointer(&text);
    }

    #[test]
    fn the_classified_kind_is_the_parsed_kind(text in prop_oneof![texts(), json_texts()]) {
        for span in document_spans(&text) {
            let classified = classify(&text[span.clone()]);
            for document in read_span(&text, span, 0).into_iter().flatten() {
                let read = document.value.get("kind").filter(|kind| !kind.is_null());
                // A kind that continues on the next line is not the name of a kind.
                let word = read.and_then(Value::as_str).and_then(|read| read.split_whitespace().next());
                let is_right = match classified {
                    DocumentKind::Object(kind) => read.is_none() || word == Some(kind),
                    DocumentKind::NotAnObject => read.is_none(),
                    DocumentKind::Unknown => true,
                };
                prop_assert!(is_right, "{:?}: {:?}, not {:?}", text, read, classified);
            }
        }
    }

    #[test]
    fn json_reads_as_itself_and_every_scalar_is_located(value in values()) {
        for text in [value.to_string(), serde_json::to_string_pretty(&value).unwrap(), format!("%YAML 1.1\n--- {value}\n")] {
            let document = document(&text);
            prop_assert_eq!(&document.value, &value, "{}", text);
            let mut missed = Vec::new();
            each_pointer(&value, String::new(), &mut |pointer, value| {
                let shown = &text[document.locate(pointer)];
                if !value.is_array() && !value.is_object() && value.to_string().as_str() != shown {
                    missed.push((pointer.to_owned(), shown.to_owned()));
                }
            });
            prop_assert!(missed.is_empty(), "{:?} in {}", missed, text);
        }
    }
}
