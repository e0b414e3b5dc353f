//! Makes text safe to print in a terminal.

use sqledge_ha_policy::finding::is_control_or_bidi;

/// Replaces control characters and bidirectional formatting characters, which can be part of file and object names,
/// with U+FFFD.
pub fn escape(text: &str) -> String {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return text.to_owned();
    }
    text.chars().map(|character| if is_control_or_bidi(character) { '\u{fffd}' } else { character }).collect()
}

/// Like [`escape`], but keeps the line breaks.
pub fn escape_lines(text: &str) -> String {
    text.split('\n').map(escape).collect::<Vec<_>>().join("\n")
}
