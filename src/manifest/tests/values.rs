//! The values of texts.

use super::{document, documents, json, value};

#[test]
fn plain_scalars_are_read_as_kubectl_reads_them() {
    assert_eq!(
        value(
            "on: yes\nmode: 0644\nsize: 1_000\nfloat: 1e3\nhalf: .5\nnothing:\nquoted: \"yes\"\nblock: |\n  no\ndate: 2019-11-04\n"
        ),
        json!({"true": true, "mode": 420, "size": 1000, "float": 1000, "half": 0.5, "nothing": null, "quoted": "yes",
            "block": "no\n", "date": "2019-11-04"})
    );
}

#[test]
fn keys_become_strings() {
    assert_eq!(
        value("1: a\n1.5: b\nno: c\n0x10: d\n\"2\": e\n? f\n: g\n&k h: i\nj: *k\nk:\n  *k : l\n"),
        json!({"1": "a", "1.5": "b", "false": "c", "16": "d", "2": "e", "f": "g", "h": "i", "j": "h", "k": {"h": "l"}})
    );
}

#[test]
fn tags_set_the_type() {
    assert_eq!(
        value(
            "a: !!str 5\nb: !!int \"5\"\nc: !!float 1\nd: !!binary aGk=\ne: !Ref 5\nf: !!map {a: 1}\ng: ! \"5\"\nh: !!str\ni: !!null\n"
        ),
        json!({"a": "5", "b": 5, "c": 1, "d": "hi", "e": "5", "f": {"a": 1}, "g": "5", "h": "", "i": null})
    );
}

#[test]
fn invalid_utf8_in_binary_values_is_replaced() {
    assert_eq!(value("!!binary 4oI=\n"), json!("\u{fffd}\u{fffd}"));
}

#[test]
fn aliases_are_copies() {
    assert_eq!(
        value("a: &x {p: [1, &y two]}\nb: *x\nc: [*y, *x]\n"),
        json!({"a": {"p": [1, "two"]}, "b": {"p": [1, "two"]}, "c": ["two", {"p": [1, "two"]}]})
    );
}

#[test]
fn an_anchor_can_be_redefined() {
    assert_eq!(value("a: &x 1\nb: *x\nc: &x 2\nd: *x\n"), json!({"a": 1, "b": 1, "c": 2, "d": 2}));
}

#[test]
fn merge_keys_are_merged_in_text_order() {
    let merged =
        value("d: &d {a: 1, b: 2}\ne: &e {b: 3, c: 4}\nf:\n  a: 0\n  <<: [*d, *e]\n  b: 5\n").pointer("/f").cloned();
    assert_eq!(merged, Some(json!({"a": 1, "b": 5, "c": 4})));
    assert_eq!(value("<<: {a: 1}\n<<: {b: 2}\n"), json!({"a": 1, "b": 2}));
    assert_eq!(value("\"<<\": 1\nb: <<\n"), json!({"<<": 1, "b": "<<"}));
    assert_eq!(value("!!merge <<: {a: 1}\n"), json!({"a": 1}));
    assert_eq!(value("! <<: {a: 1}\n! \"<<\": {b: 1}\n!!str <<: 2\n"), json!({"a": 1, "b": 1, "<<": 2}));
}

#[test]
fn a_block_scalar_at_the_end_of_the_file_ends_as_in_libyaml() {
    assert_eq!(value("a: |\n  text"), json!({"a": "text"}));
    assert_eq!(value("a: |\n  text\n"), json!({"a": "text\n"}));
}

#[test]
fn json_is_read_with_its_escapes_and_tabs() {
    assert_eq!(
        value(
            "{\n\t\"a\":1,\t\"b\":\"x\\/y\\ud83d\\ude00\\u00e9\",\r\n\t\"c\":[true,null,-1.5e-3,{}],\"d\":{\"e\":\"f: #\"}\n}\n"
        ),
        json!({"a": 1, "b": "x/y😀é", "c": [true, null, -1.5e-3, {}], "d": {"e": "f: #"}})
    );
}

#[test]
fn long_json_keys_are_read() {
    let key = "k".repeat(5000);
    assert_eq!(value(&format!("{{\"{key}\": 1}}")), json!({key: 1}));
}

#[test]
fn json_values_can_follow_each_other() {
    let values: Vec<_> =
        documents("{\"a\":1}{\"a\":2}\n[3]\n\n{\"a\":4}").into_iter().map(|document| document.value).collect();
    assert_eq!(values, [json!({"a": 1}), json!({"a": 2}), json!([3]), json!({"a": 4})]);
}

#[test]
fn empty_documents_are_not_counted() {
    let read = super::read(
        "# c\n---\na: 1\n---\n---\n# only a comment\n---\nb: ]\n---\nnull\n...\n%YAML 1.1\n---\nc: 1\n--- text\n",
    );
    let seen: Vec<_> =
        read.iter().map(|read| read.as_ref().map(|document| (document.index, document.value.clone())).ok()).collect();
    assert_eq!(
        seen,
        [
            Some((0, json!({"a": 1}))),
            None,
            Some((2, json!(null))),
            Some((3, json!({"c": 1}))),
            Some((4, json!("text")))
        ]
    );
}

#[test]
fn bare_carriage_returns_end_lines_too() {
    let values: Vec<_> = documents("a: 1\r---\rb: 2\r").into_iter().map(|document| document.value).collect();
    assert_eq!(values, [json!({"a": 1}), json!({"b": 2})]);
}

#[test]
fn windows_files_are_read() {
    let text = "\u{feff}a: 1\r\nb: |\r\n  x\r\n---\r\nc: 2\r\n";
    let values: Vec<_> = documents(text).into_iter().map(|document| document.value).collect();
    assert_eq!(values, [json!({"a": 1, "b": "x\n"}), json!({"c": 2})]);
}

#[test]
fn keys_keep_their_order() {
    let keys: Vec<String> = document("b: 1\na: 2\nc: 3\n").value.as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys, ["b", "a", "c"]);
}
