//! Text edits: results, unchanged parts and errors.

use std::cell::Cell;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use sqledge_ha_policy::json::edit::{Edit, apply};

use super::super::{EditError, edit, read, yaml};

fn set(pointer: &str, value: Value) -> Edit {
    Edit::Set { pointer: pointer.to_owned(), value }
}

fn remove(pointer: &str) -> Edit {
    Edit::Remove { pointer: pointer.to_owned() }
}

#[test]
fn replacing_a_scalar_keeps_its_quotes() {
    for (before, after) in [
        ("type: RollingUpdate # why\n", "type: Recreate # why\n"),
        ("type: \"RollingUpdate\"\n", "type: \"Recreate\"\n"),
        ("type: 'RollingUpdate'\r\n", "type: 'Recreate'\r\n"),
        ("{\"type\": \"RollingUpdate\"}", "{\"type\": \"Recreate\"}"),
        ("\u{feff}type: RollingUpdate", "\u{feff}type: Recreate"),
        ("---\n# first\ntype: &a RollingUpdate\n...\n", "---\n# first\ntype: &a Recreate\n...\n"),
        ("type:\nother: 1\n", "type: Recreate\nother: 1\n"),
        ("type: ~\n", "type: Recreate\n"),
    ] {
        assert_eq!(edit(before, &[set("/type", json!("Recreate"))]).as_deref(), Ok(after), "{before}");
    }
    assert_eq!(edit("a: x\n", &[set("/a", json!("yes"))]).as_deref(), Ok("a: \"yes\"\n"));
    assert_eq!(edit("a: 'x'\n", &[set("/a", json!("it's"))]).as_deref(), Ok("a: 'it''s'\n"));
}

#[test]
fn uncommented_lines_after_an_insertion_stay_with_their_parent() {
    let volume = || set("/spec/volumes/-", json!({"name": "new"}));
    let key = || set("/spec/new", json!(1));
    for (before, edit_of, after) in [
        // They belong to the last item, in different styles of comments.
        (
            "spec:\n  volumes:\n    - name: a\n      # emptyDir: {}\n",
            volume(),
            "spec:\n  volumes:\n    - name: a\n      # emptyDir: {}\n    - name: new\n",
        ),
        (
            "spec:\n  volumes:\n    - name: a\n#       emptyDir: {}\n\n#       x: 1\nb: 1\n",
            volume(),
            "spec:\n  volumes:\n    - name: a\n#       emptyDir: {}\n\n#       x: 1\n    - name: new\nb: 1\n",
        ),
        (
            "spec:\n  volumes:\n    - name: a\n    #   emptyDir: {}\n",
            volume(),
            "spec:\n  volumes:\n    - name: a\n    #   emptyDir: {}\n    - name: new\n",
        ),
        // They are items of their own.
        (
            "spec:\n  volumes:\n    - name: a\n    # - name: b\n    #   emptyDir: {}\n",
            volume(),
            "spec:\n  volumes:\n    - name: a\n    - name: new\n    # - name: b\n    #   emptyDir: {}\n",
        ),
        // They belong to a collection above.
        (
            "spec:\n  volumes:\n    - name: a\n    # - name: b\n",
            key(),
            "spec:\n  volumes:\n    - name: a\n    # - name: b\n  new: 1\n",
        ),
        (
            "spec:\n  a:\n    b: 1\n    # c: 2\n  # d: 3\n",
            key(),
            "spec:\n  a:\n    b: 1\n    # c: 2\n  new: 1\n  # d: 3\n",
        ),
        ("spec:\n  a:\n    b: 1\n    # c: 2", key(), "spec:\n  a:\n    b: 1\n    # c: 2\n  new: 1"),
    ] {
        assert_eq!(edit(before, std::slice::from_ref(&edit_of)).as_deref(), Ok(after), "{before}");
        // The uncommented texts have the same value with the edit.
        let uncommented = |text: &str| text.replace("# ", "").replace('#', "");
        let mut wanted = read(&uncommented(before)).pop().unwrap().unwrap().value;
        let is_item = before.contains("# - name");
        if apply(&mut wanted, &[edit_of]).is_ok() && !is_item {
            assert_eq!(read(&uncommented(after)).pop().unwrap().unwrap().value, wanted, "{after}");
        }
    }
}

#[test]
fn a_new_key_is_inserted_at_the_end_of_its_mapping() {
    let arch = || set("/spec/nodeSelector/kubernetes.io~1arch", json!("amd64"));
    for (before, after) in [
        (
            "spec:\n  a: 1 # one\n# below\n",
            "spec:\n  a: 1 # one\n  nodeSelector:\n    kubernetes.io/arch: amd64\n# below\n",
        ),
        (
            "spec:\n    a:\n        b: 1",
            "spec:\n    a:\n        b: 1\n    nodeSelector:\n        kubernetes.io/arch: amd64",
        ),
        ("spec:\r\n  a: 1\r\n", "spec:\r\n  a: 1\r\n  nodeSelector:\r\n    kubernetes.io/arch: amd64\r\n"),
        (
            "spec:\n  nodeSelector:\n    disk: ssd\n  z: 1\n",
            "spec:\n  nodeSelector:\n    disk: ssd\n    kubernetes.io/arch: amd64\n  z: 1\n",
        ),
        ("spec:\n  nodeSelector: {}\n", "spec:\n  nodeSelector: {kubernetes.io/arch: amd64}\n"),
        ("spec:\n  nodeSelector:\n", "spec:\n  nodeSelector:\n    kubernetes.io/arch: amd64\n"),
        ("spec:\n  nodeSelector: null # none\n", "spec:\n  nodeSelector: {kubernetes.io/arch: amd64} # none\n"),
        ("spec: {a: 1}\n", "spec: {a: 1, nodeSelector: {kubernetes.io/arch: amd64}}\n"),
        ("{\"spec\": {\"a\": 1}}", "{\"spec\": {\"a\": 1, \"nodeSelector\": {\"kubernetes.io/arch\": \"amd64\"}}}"),
        (
            "{\n  \"spec\": {\n    \"a\": 1\n  }\n}\n",
            "{\n  \"spec\": {\n    \"a\": 1,\n    \"nodeSelector\": {\"kubernetes.io/arch\": \"amd64\"}\n  }\n}\n",
        ),
        (
            "{\r\n\t\"spec\": {\r\n\t \t\"a\": 1\r\n\t}\r\n}",
            "{\r\n\t\"spec\": {\r\n\t \t\"a\": 1,\r\n\t \t\"nodeSelector\": {\"kubernetes.io/arch\": \"amd64\"}\r\n\t}\r\n}",
        ),
        (
            "spec: {\n \ta: 1, # one\n \tb: 2 # two\n }\n",
            "spec: {\n \ta: 1, # one\n \tb: 2,\n \tnodeSelector: {kubernetes.io/arch: amd64} # two\n }\n",
        ),
        (
            "spec:\n  text: |\n    a\n    b\n",
            "spec:\n  text: |\n    a\n    b\n  nodeSelector:\n    kubernetes.io/arch: amd64\n",
        ),
    ] {
        assert_eq!(edit(before, &[arch()]).as_deref(), Ok(after), "{before}");
    }
}

#[test]
fn a_new_item_is_formatted_like_the_others() {
    let mount = || set("/mounts/-", json!({"name": "data", "path": "/var/opt"}));
    for (before, after) in [
        (
            "mounts:\n- name: a\n  path: b\nz: 1\n",
            "mounts:\n- name: a\n  path: b\n- name: data\n  path: /var/opt\nz: 1\n",
        ),
        ("mounts:\n  - name: a\n", "mounts:\n  - name: a\n  - name: data\n    path: /var/opt\n"),
        ("mounts:\n- {name: a}\n", "mounts:\n- {name: a}\n- name: data\n  path: /var/opt\n"),
        ("mounts:\n- -c\n", "mounts:\n- -c\n- name: data\n  path: /var/opt\n"),
        (
            "mounts: &m\n  -   # a-b\n    name: a\n",
            "mounts: &m\n  -   # a-b\n    name: a\n  - name: data\n    path: /var/opt\n",
        ),
        ("mounts:\n-\n-\n", "mounts:\n-\n-\n- name: data\n  path: /var/opt\n"),
        ("x:\n- a\nargs:\n  - -c\n", "x:\n- a\nargs:\n  - -c\nmounts:\n- name: data\n  path: /var/opt\n"),
        ("args:\n- -c\n", "args:\n- -c\nmounts:\n- name: data\n  path: /var/opt\n"),
        ("mounts: []\n", "mounts: [{name: data, path: /var/opt}]\n"),
        ("mounts: [{name: a}]\n", "mounts: [{name: a}, {name: data, path: /var/opt}]\n"),
        ("a: 1\n", "a: 1\nmounts:\n- name: data\n  path: /var/opt\n"),
        ("others:\n  - x\n", "others:\n  - x\nmounts:\n  - name: data\n    path: /var/opt\n"),
    ] {
        assert_eq!(edit(before, &[mount()]).as_deref(), Ok(after), "{before}");
    }
}

#[test]
fn removing_a_key_removes_its_lines() {
    for (before, after) in [
        ("a: 1\nb:\n  c: 1\n  d: 2\n# kept\ne: 3\n", "a: 1\n# kept\ne: 3\n"),
        ("a: 1\nb: 2 # gone", "a: 1"),
        ("a: 1\r\nb: 2\r\nc: 3\r\n", "a: 1\r\nc: 3\r\n"),
        ("x:\n- b: 1\n  a: 2\n", "x:\n- a: 2\n"),
        ("{a: 1, b: 2, c: 3}\n", "{a: 1, c: 3}\n"),
        ("{\"a\": 1, \"b\": 2}", "{\"a\": 1}"),
    ] {
        let pointer = if before.starts_with('x') { "/x/0/b" } else { "/b" };
        assert_eq!(edit(before, &[remove(pointer)]).as_deref(), Ok(after), "{before}");
    }
    assert_eq!(edit("a:\n  b: 1\nc: 2\n", &[remove("/a/b")]).as_deref(), Ok("a: {}\nc: 2\n"));
    assert_eq!(
        edit("a: # of a\r\n  # before b\r\n  b: 1 # of b\r\n  # after b\r\nc: 2\r\n", &[remove("/a/b")]).as_deref(),
        Ok("a: {} # of a\r\n  # before b\r\n  # after b\r\nc: 2\r\n")
    );
    assert_eq!(edit("a: 1\n", &[remove("/b")]).as_deref(), Ok("a: 1\n"));
}

#[test]
fn removing_an_item_removes_its_lines() {
    for (before, pointer, after) in [
        ("a:\n- 1 # one\n# two\n- 2\nb: 1\n", "/a/0", "a:\n# two\n- 2\nb: 1\n"),
        ("a:\n- 1\n- 2", "/a/1", "a:\n- 1"),
        ("a:\r\n  -  b: 1\r\n     c: 2\r\n  - 2\r\n", "/a/0", "a:\r\n  - 2\r\n"),
        ("a: [1, 2, 3]\n", "/a/2", "a: [1, 2]\n"),
        ("{\"a\": [1, 2]}", "/a/0", "{\"a\": [2]}"),
    ] {
        assert_eq!(edit(before, &[remove(pointer)]).as_deref(), Ok(after), "{before}");
    }
    for before in ["a:\n- 1\n", "- - 1\n  - 2\n"] {
        let pointer = if before.starts_with('a') { "/a/0" } else { "/0/0" };
        assert_eq!(edit(before, &[remove(pointer)]), Err(EditError::UnsupportedLayout), "{before}");
    }
}

#[test]
fn removing_a_key_keeps_other_comments() {
    for (before, after) in [
        ("x:\n- b: 1 # of b\n  # of a\n  a: 2\n", "x:\n-\n  # of a\n  a: 2\n"),
        ("x:\n  -   b: 1\n# aside\n      a: 2\n", "x:\n  -\n# aside\n      a: 2\n"),
        ("x:\r\n- b: 1\r\n  # of a\r\n  a: 2\r\n", "x:\r\n-\r\n  # of a\r\n  a: 2\r\n"),
        ("x: [{b: 1, # of b\n  # of a\n  a: 2}]\n", "x: [{\n  # of a\n  a: 2}]\n"),
        ("x: [{\n  b: 1,\n  # of a\n  a: 2\n}]\n", "x: [{\n  # of a\n  a: 2\n}]\n"),
        ("x: [{\n  a: 2, # of a\n  b: 1\n}]\n", "x: [{\n  a: 2, # of a\n}]\n"),
        ("x: [{a: 2, # of a\n  b: 1}]\n", "x: [{a: 2, # of a\n  }]\n"),
    ] {
        assert_eq!(edit(before, &[remove("/x/0/b")]).as_deref(), Ok(after), "{before}");
    }
    // The comma is on another line than its entry.
    assert_eq!(edit("x: [{b: 1\n  # of a\n  , a: 2}]\n", &[remove("/x/0/b")]), Err(EditError::WrongResult));
}

#[test]
fn values_shared_by_aliases_and_merge_keys_are_not_edited() {
    let aliased = "base: &base\n  a: 1\none: *base\n";
    assert_eq!(edit(aliased, &[set("/one/a", json!(2))]), Err(EditError::Aliased(0)));
    assert_eq!(edit(aliased, &[set("/one/b", json!(2))]), Err(EditError::Aliased(0)));
    assert_eq!(edit(aliased, &[set("/base/a", json!(2))]), Err(EditError::UsedByAlias));
    let merged = "base: &base\n  a: 1\none:\n  <<: *base\n  c: 3\n";
    assert_eq!(edit(merged, &[set("/one/a", json!(2))]), Err(EditError::Aliased(14)));
    assert_eq!(edit(merged, &[set("/base/a", json!(2))]), Err(EditError::UsedByAlias));
    assert_eq!(
        edit(merged, &[set("/one/d", json!(2))]).as_deref(),
        Ok("base: &base\n  a: 1\none:\n  <<: *base\n  c: 3\n  d: 2\n")
    );
    assert_eq!(edit("a: 1\n---\nb: 2\n", &[set("/a", json!(2))]), Err(EditError::NotOneDocument));
}

#[test]
fn edits_before_a_blank_line_with_a_tab_are_rejected() {
    for (text, edit_of_it) in [
        ("a: 1\nb: x\n \t\n", set("/b", json!("yes"))),
        ("a: 1\r\nb: x\r\n\r\n \t\r\n", set("/b", json!("yes"))),
        ("a: {}\nb: x\n \t\nc: 1\n", remove("/b")),
        ("a: |\n  x\n \t\nb: 1\n", remove("/a")),
        ("a: x\n \t", set("/c", json!({}))),
    ] {
        assert_eq!(edit(text, &[edit_of_it]), Err(EditError::UnsupportedLayout), "{text:?}");
    }
    for (before, after) in [
        ("a: x\t# c\n", "a: \"yes\"\t# c\n"),
        ("a: x\n\n\t# c\n", "a: \"yes\"\n\n\t# c\n"),
        ("{\n\t\"a\": 1,\n\t\n\t\"b\": 2\n}", "{\n\t\"a\": \"yes\",\n\t\n\t\"b\": 2\n}"),
    ] {
        assert_eq!(edit(before, &[set("/a", json!("yes"))]).as_deref(), Ok(after), "{before:?}");
    }
}

fn values() -> impl Strategy<Value = Value> {
    let scalars = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        prop_oneof!["[a-z/.:#'\" -]{0,8}", Just("yes".to_owned()), Just("0644".to_owned())].prop_map(Value::from),
    ];
    scalars.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-d]|on", inner, 0..4).prop_map(|members| json!(members)),
        ]
    })
}

fn edits() -> impl Strategy<Value = Edit> {
    let pointer = prop::collection::vec("[a-d]|on|0|1|-", 1..4).prop_map(|keys| format!("/{}", keys.join("/")));
    (pointer, values(), any::<bool>())
        .prop_map(|(pointer, value, sets)| if sets { Edit::Set { pointer, value } } else { Edit::Remove { pointer } })
}

/// An edit changes the text and the value in the same way, or fails, which is rare.
#[test]
fn text_and_value_are_edited_alike() {
    let (applied, rejected) = (Cell::new(0), Cell::new(0));
    let config = Config { cases: 3000, failure_persistence: None, ..Config::default() };
    let cases = (values(), prop::collection::vec(edits(), 1..4), any::<bool>());
    let outcome = TestRunner::new(config).run(&cases, |(value, edits, json)| {
        let text = if json { serde_json::to_string_pretty(&value).unwrap() } else { yaml(&value) };
        let mut wanted = value.clone();
        if apply(&mut wanted, &edits).is_err() {
            prop_assert!(edit(&text, &edits).is_err(), "{}", text);
        } else if let Ok(edited) = edit(&text, &edits) {
            applied.set(applied.get() + 1);
            let value = read(&edited).pop().unwrap().unwrap().value;
            prop_assert_eq!(value, wanted, "{}\n{}", text, edited);
        } else {
            rejected.set(rejected.get() + 1);
        }
        Ok(())
    });
    outcome.unwrap();
    assert!(applied.get() > 3 * rejected.get(), "{applied:?} edits applied, {rejected:?} rejected");
}

#[test]
fn a_formatted_value_reads_as_itself() {
    let config = Config { cases: 3000, failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(&values(), |value| {
        let text = yaml(&value);
        let read = read(&text).pop().map_or(Value::Null, |document| document.unwrap().value);
        prop_assert_eq!(read, value, "{}", text);
        Ok(())
    });
    outcome.unwrap();
}
