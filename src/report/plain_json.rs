//! JSON on its way out, while it is made: indented, and without characters that would drive a terminal.

use std::io::{self, Write, sink};

use rayon::prelude::*;
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

/// So many groups of items are made side by side before they are written.
const BATCH: usize = 256;

/// Writes a value with a long list in it: the member `list` of `frame`, which is empty there. `make` makes the items of
/// one group, side by side with those of others.
///
/// # Errors
/// Those of `output`.
pub(super) fn write_with_list<G: Sync>(
    frame: &impl Serialize,
    list: &str,
    groups: &[G],
    make: impl Fn(&G, &mut Items) -> io::Result<()> + Sync,
    output: &mut impl Write,
) -> io::Result<()> {
    let mut text = Vec::new();
    write(frame, &mut text)?;
    let text = String::from_utf8(text).map_err(io::Error::other)?;
    // No string looks like it: quotes are escaped in strings.
    let empty = format!("\"{list}\": []");
    let (before, after) = text.split_once(&empty).ok_or_else(|| io::Error::other(format!("there is no {empty}")))?;
    let indent = before.len() - before.rfind('\n').map_or(0, |feed| feed + 1);
    write!(output, "{before}\"{list}\": [")?;
    let mut is_empty = true;
    for batch in groups.chunks(BATCH) {
        let made: Vec<io::Result<Items>> = batch
            .par_iter()
            .map(|group| {
                let mut items = Items { depth: indent / 2 + 1, text: Vec::new() };
                make(group, &mut items).map(|()| items)
            })
            .collect();
        for items in made {
            let items = items?.text;
            // The comma before the first of all is too much.
            output.write_all(items.get(usize::from(is_empty)..).unwrap_or_default())?;
            is_empty &= items.is_empty();
        }
    }
    if !is_empty {
        write!(output, "\n{:indent$}", "")?;
    }
    write!(output, "]{after}")
}

/// Items of a list, each behind a comma.
pub(super) struct Items {
    depth: usize,
    text: Vec<u8>,
}

impl Items {
    /// Adds one.
    ///
    /// # Errors
    /// If it is no JSON.
    pub(super) fn push(&mut self, item: &impl Serialize) -> io::Result<()> {
        write!(self.text, ",\n{:indent$}", "", indent = 2 * self.depth)?;
        item.serialize(&mut Serializer::with_formatter(&mut self.text, Plain::within(self.depth)))?;
        Ok(())
    }
}

/// Indents like serde_json, and escapes in strings whatever could drive a terminal.
#[derive(Default)]
struct Plain(PrettyFormatter<'static>);

impl Plain {
    /// For a value that stands in so many others.
    fn within(depth: usize) -> Self {
        let mut plain = Plain::default();
        // All that it remembers of them is how many they are.
        (0..depth).for_each(|_| drop(plain.0.begin_array(&mut sink())));
        plain
    }
}

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

    #[test]
    fn a_list_that_is_made_side_by_side_is_written_like_any_other() {
        let whole = |list: &[serde_json::Value]| json!({"a": "\"list\": []", "b": [{"list": list}], "c": 1});
        for count in [0, 1, 2, 3 * BATCH + 1] {
            let list: Vec<_> = (0..count).map(|number| json!({"number": number, "more": [[], {}, [number]]})).collect();
            // Some groups have no items.
            let groups: Vec<&[serde_json::Value]> = list.chunks(2).flat_map(|items| [&[], items]).collect();
            let make =
                |group: &&[serde_json::Value], items: &mut Items| group.iter().try_for_each(|item| items.push(item));
            let mut output = Vec::new();
            write_with_list(&whole(&[]), "list", &groups, make, &mut output).unwrap();
            assert_eq!(String::from_utf8(output).unwrap(), format!("{:#}\n", whole(&list)));
        }
    }
}
