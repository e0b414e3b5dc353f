//! What a person reads when a text is broken.

use serde_json::json;

use super::{document, line_column_message, problem, read};

const TEMPLATE: &str = "this is a Helm or Go template, not YAML";

#[test]
fn duplicate_keys_name_both_places() {
    assert_eq!(
        line_column_message("x: 1\n---\na: secret\nb:\n  c: 1\na: secret\n"),
        "6:1 the key `a` stands here again; it already stands 3 lines above"
    );
    assert_eq!(
        line_column_message("{\"a\": 1, \"a\": 2}"),
        "1:10 the key `a` stands here again; it already stands on this line"
    );
    assert_eq!(
        line_column_message("1: a\n\"1\": b\n"),
        "2:1 the key `1` stands here again; it already stands one line above"
    );
    assert_eq!(
        line_column_message("<<: {a: 1}\na: 2\na: 3\n"),
        "3:1 the key `a` stands here again; it already stands one line above"
    );
}

#[test]
fn keys_must_be_scalars_that_json_can_name() {
    assert_eq!(line_column_message("a:\n  ? [b]\n  : c\n"), "2:5 a mapping or a sequence cannot be a key");
    assert_eq!(line_column_message("a: &x [b]\n*x : c\n"), "2:1 a mapping or a sequence cannot be a key");
    assert_eq!(line_column_message("~: a\n"), "1:1 null cannot be a key");
    assert_eq!(line_column_message(": a\n"), "1:1 null cannot be a key");
    assert_eq!(line_column_message("18446744073709551615: a\n"), "1:1 a number this large cannot be a key");
}

#[test]
fn templates_are_named_and_point_at_the_action() {
    for (text, place) in [
        ("replicas: {{ .Values.replicas }}\n", 10),
        ("a: 1\nname: {{ .Release.Name }}-sql\n", 11),
        ("{{- if .Values.enabled }}\na: 1\n{{- end }}\n", 0),
        ("a: 1\n{{ include \"x\" . }}\n", 5),
        ("a:\n  {{- toYaml .Values.a | nindent 2 }}\nb: 1\n", 5),
        ("labels:\n  {{ .Values.key }}: x\n", 10),
        ("a: [1\n{{ end }}\n", 6),
    ] {
        let problem = problem(text);
        assert_eq!((problem.message.as_str(), problem.byte), (TEMPLATE, place), "{text:?}");
        assert!(problem.help.is_some_and(|help| help.contains("--helm CHART") && help.contains("--exclude")));
    }
}

#[test]
fn quoted_actions_are_strings() {
    assert!(read("a: \"{{ .Values.x }}\"\nb: '{{ $labels.x }}'\nc: |\n  {{ if }}\n").iter().all(Result::is_ok));
    assert_ne!(problem("a: \"{{ .x }}\"\nb: \"{{ .y }}\n").message, TEMPLATE);
}

#[test]
fn half_a_document_says_where_it_breaks() {
    assert_eq!(line_column_message("a: 1\nb: \"secret\nc: 2\n"), "2:4 this quote is never closed");
    assert_eq!(line_column_message("{\"a\": {\"b\": 1,"), "1:7 this `{` is never closed");
    assert_eq!(line_column_message("a: [1,\n"), "1:4 this `[` is never closed");
    assert_eq!(line_column_message("a:\n  b: 1\n c: 2\n").split_once(' ').unwrap().0, "3:2");
    assert_eq!(line_column_message("a: 1\nb\n").split_once(' ').unwrap().0.split_once(':').unwrap().0, "2");
}

#[test]
fn broken_documents_do_not_hide_the_others() {
    let read = read("a: ]\n---\nb: 1\n---\nc: \"\n---\nd: 1\n");
    assert_eq!(read.iter().map(Result::is_ok).collect::<Vec<_>>(), [false, true, false, true]);
}

#[test]
fn other_faults_have_a_place_and_words() {
    for (text, message) in [
        ("a: x: y\n", "1:5 a `key: value` is not allowed here"),
        ("a: 1\n\tb: 2\n", "1:4 a tab stands where YAML wants spaces"),
        ("a:\n  b: *nope\n", "2:6 this alias refers to an anchor that does not exist above it"),
        ("a: 1\u{7}\n", "1:5 a control character is not allowed in YAML or JSON"),
        ("a: \"\0\"\n", "1:5 a control character is not allowed in YAML or JSON"),
        ("a: .inf\n", "1:4 a number that is infinite, not a number or too large has no place in JSON"),
        ("a: !!int secret\n", "1:10 this value is not what its tag `!!int` says"),
        ("a: !!binary '%'\n", "1:13 this `!!binary` value is not base64"),
        ("a: &x [*x]\n", "1:8 this alias stands inside of its own anchor"),
        ("a:\n  <<: 1\n", "2:3 `<<` merges a mapping or a sequence of mappings, not this"),
        ("a: &x [{b: 1}]\nc:\n  <<: *x\n", "3:3 `<<` merges a mapping or a sequence of mappings, not this"),
        ("<<: [{a: 1}, 2]\n", "1:1 `<<` merges a mapping or a sequence of mappings, not this"),
    ] {
        assert_eq!(line_column_message(text), message, "{text:?}");
    }
}

#[test]
fn problems_never_quote_values() {
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
        for problem in read(text).into_iter().filter_map(Result::err) {
            assert!(!format!("{} {:?}", problem.message, problem.help).contains("hunter2"), "{problem:?}");
        }
    }
}

#[test]
fn what_ends_a_line_for_kubectl_alone_is_no_yaml() {
    let message = "this invisible character (NEL, LS or PS) ends the line for kubectl, and for nobody else";
    for text in ["a: x\u{85}y\n", "a: 1 # \u{2028}b: 2\n", "a: \"x \u{2029}\"\n", "[a\u{2028}]"] {
        let byte = text.find(|character: char| !character.is_ascii()).unwrap();
        assert_eq!((problem(text).message.as_str(), problem(text).byte), (message, byte), "{text:?}");
    }
    assert_eq!(document("{\"a\": \"x \u{2028} y\u{85}\"}\n").value, json!({"a": "x \u{2028} y\u{85}"}));
    assert_eq!(document("a: \"\\N\\L\\P\"").value, json!({"a": "\u{85}\u{2028}\u{2029}"}));
}

#[test]
fn a_question_mark_in_braces_is_no_text() {
    for text in ["[?a]", "{a: ?b}", "a: [b, ?c: d]"] {
        assert_eq!(problem(text).message, "what follows this `?` is a key for kubectl", "{text}");
    }
    assert_eq!(document("a: ?b\n").value, json!({"a": "?b"}));
    assert_eq!(document("[? a, \"?b\"]").value, json!([{"a": null}, "?b"]));
}

#[test]
fn a_colon_that_is_stuck_to_a_comma_or_a_bracket_is_no_colon() {
    for text in ["{emptyDir:}", "{a:, b: 1}", "[a:]"] {
        assert_eq!(problem(text).message, "kubectl takes the `:` behind this for a part of it", "{text}");
    }
    assert_eq!(document("{\"a\":, b: }").value, json!({"a": null, "b": null}));
}
