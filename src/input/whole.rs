//! Reading an input to its end, if it has one: a device or a pipe that is named may go on for ever.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// How much of something is read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    /// Most bytes.
    pub(crate) most: u64,
    /// What that many are, for whoever has more.
    pub(crate) what: &'static str,
}

/// Of one input, 1 GiB: five times the largest file of the tests, and a quarter of what the places in a text, numbers of
/// 32 bits, can count.
const OF_AN_INPUT: Limit = Limit { most: 1 << 30, what: "the most that is read of one input; split it" };
/// Of a file that says how this command works, all of which people write by hand.
pub(crate) const OF_A_CONFIGURATION: Limit = Limit { most: 16 << 20, what: "the most that is read of such a file" };

/// The bytes of the file, pipe or device at a path that is judged.
///
/// # Errors
/// Those of the system; and if there are more than 1 GiB.
pub(crate) fn read_path(path: &Path) -> io::Result<Vec<u8>> {
    read_within(OF_AN_INPUT, path)
}

/// The bytes of any file, pipe or device.
///
/// # Errors
/// Those of the system; and if there are more than the limit.
pub(crate) fn read_within(limit: Limit, path: &Path) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    read_at_most(limit, file, length)
}

/// The bytes of a stream.
///
/// # Errors
/// As of [`read_path`].
pub(super) fn read_stream(stream: impl Read) -> io::Result<Vec<u8>> {
    read_at_most(OF_AN_INPUT, stream, 0)
}

/// What `input` holds, for which there is made room for `length` bytes at once.
fn read_at_most(Limit { most, what }: Limit, input: impl Read, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if length <= most {
        bytes.try_reserve_exact(usize::try_from(length).unwrap_or_default())?;
        input.take(most + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 <= most {
            return Ok(bytes);
        }
    }
    Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it is larger than {} MiB, {what}", most >> 20)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_is_read_up_to_the_limit_and_none_is_cut() {
        const MEBIBYTE: u64 = 1 << 20;
        let limit = Limit { most: MEBIBYTE, what: "the most of a test" };
        for length in [0, 1, MEBIBYTE - 1, MEBIBYTE] {
            for expected in [0, length, MEBIBYTE] {
                let read = read_at_most(limit, io::repeat(b'a').take(length), expected).unwrap();
                assert_eq!(read.len() as u64, length);
            }
        }
        for endless in [read_at_most(limit, io::repeat(b'a'), 0), read_at_most(limit, io::empty(), MEBIBYTE + 1)] {
            let message = "it is larger than 1 MiB, the most of a test";
            assert_eq!(endless.unwrap_err().to_string(), message);
        }
    }
}
