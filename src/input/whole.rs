//! Reading an input to its end, if it has one: a device or a pipe that is named may go on for ever.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::exit::in_words;

/// How much of something is read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    /// Most bytes.
    pub(crate) most: u64,
    /// What that many are, for whoever has more.
    pub(crate) what: &'static str,
}

/// What is read before anything else is asked.
const SHORT: usize = 8 << 10;

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
/// Those of the system, in words; and if there are more than the limit.
pub(crate) fn read_within(limit: Limit, path: &Path) -> io::Result<Vec<u8>> {
    open_and_read(limit, path).map_err(|error| io::Error::new(error.kind(), in_words(&error)))
}

fn open_and_read(limit: Limit, path: &Path) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    read_at_most(limit, &file, || Ok(file.metadata()?.len()))
}

/// The bytes of a stream.
///
/// # Errors
/// As of [`read_path`].
pub(super) fn read_stream(stream: impl Read) -> io::Result<Vec<u8>> {
    read_at_most(OF_AN_INPUT, stream, || Ok(0))
}

/// What `input` holds. Only of a long one `length` is asked how long it may be: most are at their end by then.
fn read_at_most(limit: Limit, input: impl Read, length: impl FnOnce() -> io::Result<u64>) -> io::Result<Vec<u8>> {
    let mut input = input.take(limit.most + 1);
    let mut bytes = Vec::with_capacity(SHORT);
    input.by_ref().take(SHORT as u64).read_to_end(&mut bytes)?;
    if bytes.len() == SHORT {
        let length = limit.check(length()?)?;
        bytes.try_reserve_exact(usize::try_from(length).unwrap_or_default().saturating_sub(SHORT))?;
        input.read_to_end(&mut bytes)?;
        limit.check(bytes.len() as u64)?;
    }
    Ok(bytes)
}

impl Limit {
    /// The length, if that is not too much.
    fn check(self, length: u64) -> io::Result<u64> {
        let Limit { most, what } = self;
        if length <= most {
            return Ok(length);
        }
        Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it is larger than {} MiB, {what}", most >> 20)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_is_read_up_to_the_limit_and_none_is_cut() {
        const MEBIBYTE: u64 = 1 << 20;
        const BLOCK: u64 = SHORT as u64;
        let limit = Limit { most: MEBIBYTE, what: "the most of a test" };
        let read = |input: io::Take<io::Repeat>, expected| read_at_most(limit, input, || Ok(expected));
        for length in [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, MEBIBYTE - 1, MEBIBYTE] {
            for expected in [0, length, MEBIBYTE] {
                assert_eq!(read(io::repeat(b'a').take(length), expected).unwrap().len() as u64, length);
            }
        }
        for (length, expected) in [(u64::MAX, 0), (BLOCK, MEBIBYTE + 1), (MEBIBYTE + 1, MEBIBYTE)] {
            let message = "it is larger than 1 MiB, the most of a test";
            assert_eq!(read(io::repeat(b'a').take(length), expected).unwrap_err().to_string(), message);
        }
    }
}
