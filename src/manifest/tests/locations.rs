//! The locations of pointers.

use super::{document, documents};

#[track_caller]
fn assert_locations(text: &str, locations: &[(&str, &str)]) {
    let document = document(text);
    for (pointer, shown) in locations {
        assert_eq!(text.get(document.locate(pointer)), Some(*shown), "{pointer:?} in {text:?}");
    }
}

#[test]
fn a_scalar_is_located_with_its_quotes_and_a_collection_by_its_key() {
    let text = "kind: Pod\nspec:\n  'name': \"a \\\" b\" # c\n  empty:\n  tagged: !!str 5\n  block: |\n    one\n    two\n\n  plain: x\n    y\n";
    assert_locations(
        text,
        &[
            ("/kind", "Pod"),
            ("/spec", "spec"),
            ("/spec/name", "\"a \\\" b\""),
            ("/spec/empty", "empty"),
            ("/spec/tagged", "5"),
            ("/spec/block", "one\n    two"),
            ("/spec/plain", "x\n    y"),
            ("", "kind: Pod"),
        ],
    );
}

#[test]
fn an_item_is_located_by_its_first_entry() {
    let text =
        "- name: a\n  image: b\n- - x\n  - y\n-\n- env:\n    - A\n- {a: 1}\n- [\n    1]\n- a: |\n    x\n- scalar\n";
    assert_locations(
        text,
        &[
            ("/0", "name: a"),
            ("/1", "x"),
            ("/1/1", "y"),
            ("/2", "-"),
            ("/3", "env"),
            ("/3/env", "env"),
            ("/3/env/0", "A"),
            ("/4", "{a: 1}"),
            ("/5", "1"),
            ("/6", "a"),
            ("/7", "scalar"),
            ("", "name: a"),
        ],
    );
}

#[test]
fn a_flow_collection_on_one_line_is_located_as_a_whole() {
    let text = "a: []\nb: {c: [1, 2], d: }\ne: {\n  f: 1\n}\n";
    assert_locations(
        text,
        &[
            ("/a", "[]"),
            ("/b", "{c: [1, 2], d: }"),
            ("/b/c", "[1, 2]"),
            ("/b/c/1", "2"),
            ("/b/d", "d"),
            ("/e", "e"),
            ("/e/f", "1"),
        ],
    );
}

#[test]
fn json_is_located_like_yaml() {
    let text = "{\n\t\"spec\": {\n\t\t\"items\": [\n\t\t\t{\n\t\t\t\t\"a\": \"é\",\n\t\t\t\t\"b\": 2\n\t\t\t}\n\t\t]\n\t}\n}\n";
    assert_locations(
        text,
        &[
            ("", "\"spec\""),
            ("/spec", "\"spec\""),
            ("/spec/items", "\"items\""),
            ("/spec/items/0", "\"a\": \"é\""),
            ("/spec/items/0/a", "\"é\""),
            ("/spec/items/0/b", "2"),
        ],
    );
}

#[test]
fn a_missing_value_is_located_by_its_nearest_ancestor() {
    let text = "a:\n  b: 1\n  c:\n    - d\n";
    assert_locations(
        text,
        &[
            ("/x", "a"),
            ("/a/x/y", "a"),
            ("/a/b/x", "1"),
            ("/a/c/1", "c"),
            ("/a/c/-", "c"),
            ("/a/c/00", "c"),
            ("/a/c/+0", "c"),
            ("/a/c/99999999999999999999", "c"),
            ("x/b", "a"),
            ("a/b", "a"),
            ("/", "a"),
            ("~", "a"),
            ("//~2/", "a"),
        ],
    );
}

#[test]
fn pointers_are_unescaped() {
    assert_locations(
        "a/b: 1\nc~d: 2\n\"\": 3\ne~1f: 4\n",
        &[("/a~1b", "1"), ("/c~0d", "2"), ("/", "3"), ("/e~01f", "4")],
    );
}

#[test]
fn values_below_an_alias_are_located_in_the_anchored_text() {
    let text = "base: &x\n  a: 1\n  b: {c: 2}\nuse: *x\nlist:\n  - *x\n";
    assert_locations(
        text,
        &[
            ("/use", "*x"),
            ("/use/a", "1"),
            ("/use/b/c", "2"),
            ("/use/nope", "*x"),
            ("/list/0", "*x"),
            ("/list/0/b", "{c: 2}"),
            ("/base/a", "1"),
        ],
    );
}

#[test]
fn merged_entries_are_located_where_they_are_defined() {
    let text = "x: &x\n  a: 1\n  b: 2\nlist:\n  - <<: *x\n    b: 3\n  - c: 4\n    <<: [*x, {d: 5}]\n";
    assert_locations(
        text,
        &[
            ("/list/0", "<<"),
            ("/list/0/a", "1"),
            ("/list/0/b", "3"),
            ("/list/1", "c: 4"),
            ("/list/1/b", "2"),
            ("/list/1/d", "5"),
            ("/list/0/<<", "<<"),
        ],
    );
    let start = text.find("a: 1").unwrap() + 3;
    assert_eq!(document(text).locate("/list/0/a"), start..start + 1);
}

#[test]
fn ranges_count_from_the_start_of_the_whole_text() {
    let text = "\u{feff}a: é\r\n---\r\nb: ü\r\n---\n{\"c\":1}\n{\"d\":\n2}";
    let located: Vec<_> = documents(text)
        .iter()
        .zip(["/a", "/b", "/c", "/d"])
        .map(|(document, pointer)| &text[document.locate(pointer)])
        .collect();
    assert_eq!(located, ["é", "ü", "1", "2"]);
}

#[test]
fn locations_do_not_depend_on_the_value() {
    let text = "a: 1\nb: 2\n";
    let mut document = document(text);
    document.value.take();
    assert_eq!(&text[document.locate("/b")], "2");
}

#[test]
fn a_single_scalar_is_located() {
    assert_locations("--- # c\n'text'\n", &[("", "'text'"), ("/a", "'text'")]);
}

#[test]
fn dropped_spans_are_read_again() {
    let stream = "{\"a\": 1} {\"b\": {\"c\": 2}}\n{\"d\": [3]}\n---\n# e\nf: &g 4\nh: *g\r\n---\ni: 5\n...\n";
    let documents = documents(stream);
    assert_eq!(documents.len(), 5);
    for (document, pointer) in documents.iter().zip(["/a", "/b/c", "/d/0", "/h", "/i"]) {
        let without = document.clone().without_spans();
        let again = without.with_spans(stream);
        assert_eq!((again.locate(pointer), again.index), (document.locate(pointer), document.index), "{pointer}");
        assert_ne!(again.locate(pointer), without.locate(pointer));
    }
}
