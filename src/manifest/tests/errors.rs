//! Error messages and their positions.

use serde_json::json;

use super::{document, line_column_message, read, read_error};

const TEMPLATE: &str = "this is a Helm or Go template, not YAML";

#[test]
fn a_duplicate_key_names_both_lines() {
    assert_eq!(
        line_column_message("x: 1\n---\na: secret\nb:\n  c: 1\na: secret\n"),
        "6:1 duplicate key `a`, first used 3 lines above"
    );
    assert_eq!(line_column_message("{\"a\": 1, \"a\": 2}"), "1:10 duplicate key `a`, first used on this line");
    assert_eq!(line_column_message("1: a\n\"1\": b\n"), "2:1 duplicate key `1`, first used 1 line above");
    assert_eq!(line_column_message("<<: {a: 1}\na: 2\na: 3\n"), "3:1 duplicate key `a`, first used 1 line above");
}

#[test]
fn keys_must_be_scalars_that_json_supports() {
    assert_eq!(line_column_message("a:\n  ? [b]\n  : c\n"), "2:5 a mapping or sequence cannot be a key");
    assert_eq!(line_column_message("a: &x [b]\n*x : c\n"), "2:1 a mapping or sequence cannot be a key");
    assert_eq!(line_column_message("~: a\n"), "1:1 null cannot be a key");
    assert_eq!(line_column_message(": a\n"), "1:1 null cannot be a key");
    assert_eq!(line_column_message("18446744073709551615: a\n"), "1:1 this number is too large for a key");
}

#[test]
fn a_template_error_points_to_the_action() {
    for (text, byte) in [
        ("replicas: {{ .Values.replicas }}\n", 10),
        ("a: 1\nname: {{ .Release.Name }}-sql\n", 11),
        ("{{- if .Values.enabled }}\na: 1\n{{- end }}\n", 0),
        ("a: 1\n{{ include \"x\" . }}\n", 5),
        ("a:\n  {{- toYaml .Values.a | nindent 2 }}\nb: 1\n", 5),
        ("labels:\n  {{ .Values.key }}: x\n", 10),
        ("a: [1\n{{ end }}\n", 6),
    ] {
        let error = read_error(text);
        assert_eq!((error.message.as_str(), error.byte), (TEMPLATE, byte), "{text:?}");
        assert!(error.help.is_some_and(|help| help.contains("--helm CHART") && help.contains("--exclude")));
    }
}

#[test]
fn quoted_actions_are_strings() {
    assert!(read("a: \"{{ .Values.x }}\"\nb: '{{ $labels.x }}'\nc: |\n  {{ if }}\n").iter().all(Result::is_ok));
    assert_ne!(read_error("a: \"{{ .x }}\"\nb: \"{{ .y }}\n").message, TEMPLATE);
}

#[test]
fn an_incomplete_document_points_to_the_unclosed_part() {
    assert_eq!(line_column_message("a: 1\nb: \"secret\nc: 2\n"), "2:4 unclosed quote");
    assert_eq!(line_column_message("{\"a\": {\"b\": 1,"), "1:7 unclosed `{`");
    assert_eq!(line_column_message("a: [1,\n"), "1:4 unclosed `[`");
    assert_eq!(line_column_message("a:\n  b: 1\n c: 2\n").split_once(' ').unwrap().0, "3:2");
    assert_eq!(line_column_message("a: 1\nb\n").split_once(' ').unwrap().0.split_once(':').unwrap().0, "2");
}

#[test]
fn an_error_does_not_affect_other_documents() {
    let read = read("a: ]\n---\nb: 1\n---\nc: \"\n---\nd: 1\n");
    assert_eq!(read.iter().map(Result::is_ok).collect::<Vec<_>>(), [false, true, false, true]);
}

#[test]
fn other_errors_have_a_position_and_a_message() {
    for (text, message) in [
        ("a: x: y\n", "1:5 `key: value` is not allowed here"),
        ("a: 1\n\tb: 2\n", "1:4 tabs cannot be used for indentation"),
        ("a:\n  b: *nope\n", "2:6 unknown alias: no anchor of this name above"),
        ("a: 1\u{7}\n", "1:5 control characters are not allowed in YAML or JSON"),
        ("a: \"\0\"\n", "1:5 control characters are not allowed in YAML or JSON"),
        ("a: .inf\n", "1:4 infinity, NaN and numbers above the range of a float are not allowed in JSON"),
        ("a: !!int secret\n", "1:10 the value does not match its tag `!!int`"),
        ("a: !!binary '%'\n", "1:13 the `!!binary` value is not valid base64"),
        ("a: &x [*x]\n", "1:8 the alias is inside its own anchor"),
        ("a:\n  <<: 1\n", "2:3 `<<` needs a mapping or a sequence of mappings"),
        ("a: &x [{b: 1}]\nc:\n  <<: *x\n", "3:3 `<<` needs a mapping or a sequence of mappings"),
        ("<<: [{a: 1}, 2]\n", "1:1 `<<` needs a mapping or a sequence of mappings"),
    ] {
        assert_eq!(line_column_message(text), message, "{text:?}");
    }
}

#[test]
fn errors_do_not_quote_values() {
    for text in [
        "a: hunter2: x\n",
        "a: \"hunter2\n",
        "a: !!int hunter2\n",
        "a: !!binary hunter2\n",
        "a: hunter2\na: hunter2\n",
        "a: [hunter2\nb: 1\n",
        "hunter2\n---a: b: 1\n",
        "a: !hunter2!x y\n",
        "a: *hunter2\n",
        "- a: 1\n hunter2\n",
        "%hunter2\na",
        "a: {hunter2\n---\n",
        "a: \"\\hunter2\"\n",
    ] {
        for error in read(text).into_iter().filter_map(Result::err) {
            assert!(!format!("{} {:?}", error.message, error.help).contains("hunter2"), "{error:?}");
        }
    }
}

#[test]
fn line_breaks_of_yaml_1_1_only_are_errors() {
    let message = "invisible line break (NEL, LS or PS): only kubectl ends the line here";
    for text in ["a: x\u{85}y\n", "a: 1 # \u{2028}b: 2\n", "a: \"x \u{2029}\"\n", "[a\u{2028}]"] {
        let byte = text.find(|character: char| !character.is_ascii()).unwrap();
        assert_eq!((read_error(text).message.as_str(), read_error(text).byte), (message, byte), "{text:?}");
    }
    assert_eq!(document("{\"a\": \"x \u{2028} y\u{85}\"}\n").value, json!({"a": "x \u{2028} y\u{85}"}));
    assert_eq!(document("a: \"\\N\\L\\P\"").value, json!({"a": "\u{85}\u{2028}\u{2029}"}));
}

#[test]
fn a_question_mark_in_brackets_is_an_error() {
    for text in ["[?a]", "{a: ?b}", "a: [b, ?c: d]"] {
        assert_eq!(read_error(text).message, "kubectl reads the text after `?` as a key", "{text}");
    }
    assert_eq!(document("a: ?b\n").value, json!({"a": "?b"}));
    assert_eq!(document("[? a, \"?b\"]").value, json!([{"a": null}, "?b"]));
}

#[test]
fn a_colon_directly_before_a_comma_or_a_bracket_is_an_error() {
    for text in ["{emptyDir:}", "{a:, b: 1}", "[a:]"] {
        assert_eq!(read_error(text).message, "kubectl reads the `:` as part of this text", "{text}");
    }
    assert_eq!(document("{\"a\":, b: }").value, json!({"a": null, "b": null}));
}
