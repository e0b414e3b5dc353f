//! JSON on its way out, while it is made: indented, and without characters that would drive a terminal.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::{Formatter, PrettyFormatter};
use sqledge_ha_policy::finding::may_mislead;

/// Writes a value, and the end of a line.
///
/// # Errors
/// Those of `output`.
pub(super) fn write(value: &impl Serialize, mut output: &mut impl Write) -> io::Result<()> {
    value.serialize(&mut Serializer::with_formatter(&mut output, Plain::default()))?;
    writeln!(output)
}

/// Indents like serde_json, and escapes in strings whatever could drive a terminal.
#[derive(Default)]
struct Plain(PrettyFormatter<'static>);

impl Formatter for Plain {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        // Nearly all text: what serde itself escapes is not in a fragment.
        if fragment.bytes().fold(true, |is_plain, byte| is_plain & (b' '..0x7f).contains(&byte)) {
            return writer.write_all(fragment.as_bytes());
        }
        let mut rest = fragment;
        while let Some((before, from)) = rest.find(may_mislead).and_then(|at| rest.split_at_checked(at)) {
            writer.write_all(before.as_bytes())?;
            let mut characters = from.chars();
            let misleading = characters.next().map_or(0, u32::from);
            write!(writer, "\\u{misleading:04x}")?;
            rest = characters.as_str();
        }
        writer.write_all(rest.as_bytes())
    }

    fn begin_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_array(writer)
    }

    fn end_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array(writer)
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_array_value(writer, first)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array_value(writer)
    }

    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object(writer)
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_object_key(writer, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object_value(writer)
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_value(writer)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_drives_a_terminal_is_escaped_and_reads_as_before() {
        let value = json!({"a\u{9b}": ["\u{1b}[2J", "é\u{202e}\"\\x", [], {}], "b": null});
        let mut output = Vec::new();
        write(&value, &mut output).unwrap();
        let text = String::from_utf8(output).unwrap();
        assert!(!text.chars().any(|character| character != '\n' && may_mislead(character)), "{text:?}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
        let usual = json!({"a": ["é", [], {}], "b": null});
        let mut output = Vec::new();
        write(&usual, &mut output).unwrap();
        assert_eq!(String::from_utf8(output).unwrap(), format!("{usual:#}\n"));
    }
}
