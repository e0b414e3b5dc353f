//! Makes text safe to print in a terminal.

use sqledge_ha_policy::finding::may_mislead;

/// Replaces control characters and bidirectional formatting characters, which can be part of file and object names, with U+FFFD.
pub fn escape(text: &str) -> String {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return text.to_owned();
    }
    text.chars().map(|character| if may_mislead(character) { '\u{fffd}' } else { character }).collect()
}
