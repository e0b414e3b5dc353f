//! Writes JSON without characters that a terminal would interpret.

use std::io::{self, Write};

use serde::Serialize;
use sqledge_ha_policy::finding::is_control_or_bidi;

/// Writes a value as indented JSON with a final line feed. Control characters and bidirectional formatting characters
/// are escaped.
///
/// # Errors
/// Errors of `output`.
pub(crate) fn write(value: &impl Serialize, output: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer_pretty(EscapingWriter(&mut *output), value)?;
    writeln!(output)
}

/// Replaces characters in JSON text by escape sequences. Outside of strings, JSON contains ASCII only; in strings,
/// serde_json has escaped control characters below U+0020. Each call of `write` must pass whole characters, as
/// serde_json does.
struct EscapingWriter<W>(W);

impl<W: Write> Write for EscapingWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes).map(|()| bytes.len())
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        let is_safe = |byte: u8| (b' '..0x7f).contains(&byte) || byte == b'\n';
        let Some(mut rest) = std::str::from_utf8(bytes).ok().filter(|_| !bytes.iter().all(|byte| is_safe(*byte)))
        else {
            return self.0.write_all(bytes);
        };
        let is_escaped = |character: char| character != '\n' && is_control_or_bidi(character);
        while let Some((before, from)) = rest.find(is_escaped).and_then(|at| rest.split_at_checked(at)) {
            let mut characters = from.chars();
            let escaped = characters.next().map_or(0, u32::from);
            write!(self.0, "{before}\\u{escaped:04x}")?;
            rest = characters.as_str();
        }
        self.0.write_all(rest.as_bytes())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn written(value: &serde_json::Value) -> String {
        let mut output = Vec::new();
        write(value, &mut output).unwrap();
        String::from_utf8(output).unwrap()
    }

    #[test]
    fn terminal_control_characters_are_escaped_and_read_as_before() {
        let value = json!({"a\u{9b}": ["\u{1b}[2J", "é\u{202e}\"\\x", [], {}], "b": null});
        let text = written(&value);
        assert!(!text.chars().any(|character| character != '\n' && is_control_or_bidi(character)), "{text:?}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }

    #[test]
    fn other_json_is_formatted_as_usual() {
        let usual = json!({"a": ["é", [], {}], "b": null});
        assert_eq!(written(&usual), format!("{usual:#}\n"));
    }
}
