//! A text as an editor has it: lines by the definition of the protocol, columns in UTF-16.

use serde_json::{Value, json};

/// The byte of a position.
fn byte(text: &str, position: &Value) -> usize {
    let number = |field: &str| usize::try_from(position[field].as_u64().unwrap()).unwrap();
    let (mut start, mut rest) = (0, text);
    for _ in 0..number("line") {
        let end = rest.find(['\n', '\r']).unwrap();
        let ending = if rest[end..].starts_with("\r\n") { 2 } else { 1 };
        start += end + ending;
        rest = &rest[end + ending..];
    }
    let mut left = number("character");
    for (at, character) in rest.char_indices() {
        if left == 0 {
            return start + at;
        }
        assert!(!['\n', '\r'].contains(&character), "{position} is behind its line in {text:?}");
        left = left.checked_sub(character.len_utf16()).expect("a position is not inside a character");
    }
    assert_eq!(left, 0, "{position} is behind its line in {text:?}");
    text.len()
}

/// The part of a text in a range.
pub(super) fn part<'t>(text: &'t str, range: &Value) -> &'t str {
    &text[byte(text, &range["start"])..byte(text, &range["end"])]
}

/// The text after the edits of a workspace edit, of which all are in this text.
pub(super) fn edited(text: &str, workspace_edit: &Value) -> String {
    let [change] = workspace_edit["documentChanges"].as_array().unwrap().as_slice() else { panic!("{workspace_edit}") };
    let edits = change["edits"].as_array().unwrap().iter().map(|edit| {
        let range = &edit["range"];
        (byte(text, &range["start"])..byte(text, &range["end"]), edit["newText"].as_str().unwrap())
    });
    let mut edits: Vec<_> = edits.collect();
    edits.sort_by_key(|(range, _)| range.start);
    assert!(edits.windows(2).all(|pair| pair[0].0.end <= pair[1].0.start), "{edits:?} overlap");
    let mut text = text.to_owned();
    for (range, new) in edits.into_iter().rev() {
        text.replace_range(range, new);
    }
    text
}

/// The position of a byte.
pub(super) fn position(text: &str, byte: usize) -> Value {
    let (mut line, mut start) = (0, 0);
    for (at, character) in text[..byte].char_indices() {
        let is_first_of_two = character == '\r' && text[at + 1..].starts_with('\n');
        if ['\n', '\r'].contains(&character) && !is_first_of_two {
            (line, start) = (line + 1, at + 1);
        }
    }
    json!({"line": line, "character": text[start..byte].encode_utf16().count()})
}

/// The change that replaces some bytes of a text.
pub(super) fn replacement(text: &str, range: std::ops::Range<usize>, new: &str) -> Value {
    json!({"range": {"start": position(text, range.start), "end": position(text, range.end)}, "text": new})
}
