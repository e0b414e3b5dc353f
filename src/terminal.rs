//! Text for a terminal: wrapped at its width, and in ASCII if its locale has no other characters.
//!
//! | file | contents |
//! |---|---|
//! | `wrap` | wrapping lines and Markdown |
//! | `ascii` | replacing characters that are not ASCII |

mod ascii;
mod wrap;

use std::borrow::Cow;
use std::env;
use std::io::{self, Write};

use self::ascii::to_ascii;
use self::wrap::wrap_line;
pub use self::wrap::wrap_markdown;

/// The smallest width that text is wrapped at, in columns.
const MIN_WIDTH: usize = 40;

/// How text is laid out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// The columns of the terminal; `None` if the output is no terminal and COLUMNS is not set.
    pub width: Option<usize>,
    /// Whether the locale has only ASCII.
    pub is_ascii: bool,
}

impl Layout {
    /// The layout for standard output.
    pub fn of_stdout() -> Self {
        Layout::new(terminal_size::terminal_size_of(io::stdout()))
    }

    /// The layout for standard error.
    pub fn of_stderr() -> Self {
        Layout::new(terminal_size::terminal_size_of(io::stderr()))
    }

    fn new(size: Option<(terminal_size::Width, terminal_size::Height)>) -> Self {
        let columns = || env::var("COLUMNS").ok()?.parse().ok();
        let width: Option<usize> = size.map(|(terminal_size::Width(width), _)| width.into()).or_else(columns);
        Layout {
            width: width.map(|width| width.max(MIN_WIDTH)),
            is_ascii: ascii::is_locale_ascii(|name| env::var(name).ok()),
        }
    }

    /// A line in this layout.
    pub fn line<'l>(&self, line: &'l str) -> Cow<'l, str> {
        let line = if self.is_ascii { to_ascii(line) } else { Cow::Borrowed(line) };
        match self.width {
            Some(width) => wrap_line(line, width),
            None => line,
        }
    }
}

/// Lays out what is written, line by line.
#[derive(Debug)]
pub struct TextOutput<W: Write> {
    output: W,
    layout: Layout,
    /// The start of a line that has not ended.
    pending: Vec<u8>,
}

impl<W: Write> TextOutput<W> {
    /// Lays out what is written to `output`.
    pub fn new(output: W, layout: Layout) -> Self {
        TextOutput { output, layout, pending: Vec::new() }
    }

    fn write_line(&mut self, line: &[u8]) -> io::Result<()> {
        match std::str::from_utf8(line) {
            Ok(line) => self.output.write_all(self.layout.line(line).as_bytes()),
            Err(_) => self.output.write_all(line),
        }
    }
}

impl<W: Write> Write for TextOutput<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.layout == Layout::default() {
            return self.output.write(bytes);
        }
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.pending.extend_from_slice(part);
            if let Some(line) = part.ends_with(b"\n").then(|| std::mem::take(&mut self.pending)) {
                self.write_line(line.strip_suffix(b"\n").unwrap_or(&line))?;
                self.output.write_all(b"\n")?;
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let line = std::mem::take(&mut self.pending);
        self.write_line(&line)?;
        self.output.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(parts: &[&str], layout: Layout) -> String {
        let mut output = TextOutput::new(Vec::new(), layout);
        parts.iter().for_each(|part| output.write_all(part.as_bytes()).unwrap());
        output.flush().unwrap();
        String::from_utf8(output.output).unwrap()
    }

    #[test]
    fn lines_are_laid_out_however_they_are_written() {
        let layout = Layout { width: Some(MIN_WIDTH), is_ascii: true };
        let text = "note: the database is stopped before the next one starts…\nend";
        let expected = "note: the database is stopped before the\n  next one starts...\nend";
        assert_eq!(written(&[text], layout), expected);
        let parts: Vec<String> = text.chars().map(String::from).collect();
        assert_eq!(written(&parts.iter().map(String::as_str).collect::<Vec<_>>(), layout), expected);
        assert_eq!(written(&[text], Layout::default()), text);
    }
}
