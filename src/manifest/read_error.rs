//! The error of a text that cannot be read, and decoding.

/// Why a text, or one document of it, cannot be read. `Display` prints the message only.
///
/// Message and help can quote keys, but no values, because a value can be a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ReadError {
    /// What is wrong, without a full stop.
    pub message: String,
    /// What to do, if the message does not make that clear.
    pub help: Option<String>,
    /// The byte offset from the start of the whole text, at most its length.
    pub byte: usize,
}

impl ReadError {
    /// An error of the whole text, without help.
    pub fn new(message: impl Into<String>) -> Self {
        ReadError { message: message.into(), help: None, byte: 0 }
    }
}

/// Decodes a file's bytes as UTF-8, the only encoding that both `kubectl` and the API server read.
///
/// The text keeps a byte-order mark, so that offsets in the text are offsets in the file. [`read`](super::read) skips
/// it, and [`Lines`](super::Lines) does not count it as a column.
///
/// # Errors
/// [`ReadError`] at the first byte that is not UTF-8. The message is different for a file with a UTF-16 byte-order
/// mark.
pub fn decode(bytes: Vec<u8>) -> Result<String, ReadError> {
    let utf16 = bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]);
    String::from_utf8(bytes).map_err(|error| {
        let byte = if utf16 { 0 } else { error.utf8_error().valid_up_to() };
        let line = error.as_bytes().iter().take(byte).filter(|byte| **byte == b'\n').count() + 1;
        let message = format!("line {line} is not valid UTF-8");
        ReadError {
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
    fn utf8_is_unchanged_and_keeps_a_byte_order_mark() {
        for text in ["", "a: é\r\n", "\u{feff}a: 1\n"] {
            assert_eq!(decode(text.as_bytes().to_vec()).as_deref(), Ok(text));
        }
    }

    #[test]
    fn the_error_is_at_the_first_invalid_byte() {
        let problem = decode(b"a: \xc3\xa9\nb: \xe9\n".to_vec()).unwrap_err();
        assert_eq!((problem.byte, problem.to_string().as_str()), (9, "line 2 is not valid UTF-8"));
    }

    #[test]
    fn utf16_has_its_own_message() {
        for bytes in [b"\xff\xfea\0".to_vec(), b"\xfe\xff\0a".to_vec()] {
            let problem = decode(bytes).unwrap_err();
            assert_eq!((problem.byte, problem.message.as_str()), (0, "the file is UTF-16, not UTF-8"));
        }
    }
}
