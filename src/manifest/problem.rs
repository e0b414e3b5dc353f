//! What a person is told about a text that cannot be read, and the first thing that can go wrong: its encoding.

/// Why a text, or one document of it, could not be read. Displays as the message alone.
///
/// Neither message nor help ever quotes a value, which may be a secret; keys are quoted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Problem {
    /// What is wrong: a sentence without a full stop.
    pub message: String,
    /// What to do about it, if there is something better than reading the message again.
    pub help: Option<String>,
    /// Where: a byte offset from the start of the whole text, at most its length.
    pub byte: usize,
}

/// Decodes a file's bytes as UTF-8, the one encoding that both `kubectl` and the API server read.
///
/// A byte-order mark stays where it is, so that offsets in the text are offsets in the file; [`read`](super::read) skips it and
/// [`Lines`](super::Lines) does not count it as a column.
///
/// # Errors
/// The first byte that is not UTF-8. A file that begins with a UTF-16 byte-order mark is named as such.
pub fn decode(bytes: Vec<u8>) -> Result<String, Problem> {
    let utf16 = bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]);
    String::from_utf8(bytes).map_err(|error| {
        let byte = if utf16 { 0 } else { error.utf8_error().valid_up_to() };
        let line = error.as_bytes().iter().take(byte).filter(|byte| **byte == b'\n').count() + 1;
        let message = format!("a byte on line {line} is not UTF-8");
        Problem {
            message: if utf16 { "the file is UTF-16, not UTF-8".into() } else { message },
            help: Some("save the file as UTF-8".into()),
            byte,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn utf8_is_kept_byte_for_byte_with_its_mark() {
        for text in ["", "a: é\r\n", "\u{feff}a: 1\n"] {
            assert_eq!(decode(text.as_bytes().to_vec()).as_deref(), Ok(text));
        }
    }

    #[test]
    fn the_first_wrong_byte_is_named() {
        let problem = decode(b"a: \xc3\xa9\nb: \xe9\n".to_vec()).unwrap_err();
        assert_eq!((problem.byte, problem.to_string().as_str()), (9, "a byte on line 2 is not UTF-8"));
    }

    #[test]
    fn utf16_is_named() {
        for bytes in [b"\xff\xfea\0".to_vec(), b"\xfe\xff\0a".to_vec()] {
            let problem = decode(bytes).unwrap_err();
            assert_eq!((problem.byte, problem.message.as_str()), (0, "the file is UTF-16, not UTF-8"));
        }
    }
}
