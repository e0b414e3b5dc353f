//! Reading an input to its end, if it has one: a device or a pipe that is named may go on for ever.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Most bytes of one input, 1 GiB: five times the largest file of the tests, and a quarter of what the places in a text,
/// numbers of 32 bits, can count.
const MOST: u64 = 1 << 30;

/// The bytes of the file, pipe or device at a path.
///
/// # Errors
/// Those of the system; and if there are more than [`MOST`].
pub(crate) fn read_path(path: &Path) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    read_at_most(MOST, file, length)
}

/// The bytes of a stream.
///
/// # Errors
/// As of [`read_path`].
pub(super) fn read_stream(stream: impl Read) -> io::Result<Vec<u8>> {
    read_at_most(MOST, stream, 0)
}

/// What `input` holds, for which there is made room for `length` bytes at once.
fn read_at_most(most: u64, input: impl Read, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if length <= most {
        bytes.try_reserve_exact(usize::try_from(length).unwrap_or_default())?;
        input.take(most + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 <= most {
            return Ok(bytes);
        }
    }
    let most = format!("it is larger than {} MiB, the most that is read of one input; split it", most >> 20);
    Err(io::Error::new(io::ErrorKind::FileTooLarge, most))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_is_read_up_to_the_limit_and_none_is_cut() {
        const MEBIBYTE: u64 = 1 << 20;
        for length in [0, 1, MEBIBYTE - 1, MEBIBYTE] {
            for expected in [0, length, MEBIBYTE] {
                let read = read_at_most(MEBIBYTE, io::repeat(b'a').take(length), expected).unwrap();
                assert_eq!(read.len() as u64, length);
            }
        }
        for endless in [read_at_most(MEBIBYTE, io::repeat(b'a'), 0), read_at_most(MEBIBYTE, io::empty(), MEBIBYTE + 1)]
        {
            let message = "it is larger than 1 MiB, the most that is read of one input; split it";
            assert_eq!(endless.unwrap_err().to_string(), message);
        }
    }
}
