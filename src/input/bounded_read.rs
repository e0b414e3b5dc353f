//! Reads inputs up to a size limit: a device or a pipe may never end.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::message::describe_io_error;

/// The maximum size of an input.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SizeLimit {
    /// The maximum number of bytes.
    pub(crate) bytes: u64,
    /// What to do with a larger input; empty if nothing.
    pub(crate) help: &'static str,
}

/// The number of bytes to read before asking for the file size.
const FIRST_READ: usize = 8 << 10;

/// The limit of a manifest: a quarter of what 32-bit spans can address.
const INPUT_LIMIT: SizeLimit = SizeLimit { bytes: 1 << 30, help: "; split it" };
/// The limit of a configuration file.
pub(crate) const CONFIG_LIMIT: SizeLimit = SizeLimit { bytes: 16 << 20, help: "" };

/// Reads a manifest: a file, pipe or device.
///
/// # Errors
/// Errors of the system, and an error if it is larger than 1 GiB.
pub(crate) fn read_path(path: &Path) -> io::Result<Vec<u8>> {
    read_limited(INPUT_LIMIT, path)
}

/// Reads a file, pipe or device.
///
/// # Errors
/// Errors of the system, and an error if it is larger than the limit.
pub(crate) fn read_limited(limit: SizeLimit, path: &Path) -> io::Result<Vec<u8>> {
    open_and_read(limit, path).map_err(|error| io::Error::new(error.kind(), describe_io_error(&error)))
}

fn open_and_read(limit: SizeLimit, path: &Path) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    read_at_most(limit, &file, || Ok(file.metadata()?.len()))
}

/// Reads a manifest from a stream.
///
/// # Errors
/// As [`read_path`].
pub(super) fn read_stream(stream: impl Read) -> io::Result<Vec<u8>> {
    read_at_most(INPUT_LIMIT, stream, || Ok(0))
}

/// Reads `input` to its end. `length` returns its expected length; it is called only for an input above [`FIRST_READ`]
/// bytes.
fn read_at_most(limit: SizeLimit, input: impl Read, length: impl FnOnce() -> io::Result<u64>) -> io::Result<Vec<u8>> {
    let mut input = input.take(limit.bytes + 1);
    let mut bytes = Vec::with_capacity(FIRST_READ);
    input.by_ref().take(FIRST_READ as u64).read_to_end(&mut bytes)?;
    if bytes.len() == FIRST_READ {
        let length = limit.check(length()?)?;
        bytes.try_reserve_exact(usize::try_from(length).unwrap_or_default().saturating_sub(FIRST_READ))?;
        input.read_to_end(&mut bytes)?;
        limit.check(bytes.len() as u64)?;
    }
    Ok(bytes)
}

impl SizeLimit {
    /// Returns the length if it is within the limit.
    fn check(self, length: u64) -> io::Result<u64> {
        let SizeLimit { bytes, help } = self;
        if length <= bytes {
            return Ok(length);
        }
        let limit =
            if bytes.is_multiple_of(1 << 30) { format!("{} GiB", bytes >> 30) } else { format!("{} MiB", bytes >> 20) };
        Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("the file is larger than the limit of {limit}{help}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_above_the_limit_is_an_error() {
        const MEBIBYTE: u64 = 1 << 20;
        const BLOCK: u64 = FIRST_READ as u64;
        let limit = SizeLimit { bytes: MEBIBYTE, help: "; split it" };
        let read = |input: io::Take<io::Repeat>, expected| read_at_most(limit, input, || Ok(expected));
        for length in [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, MEBIBYTE - 1, MEBIBYTE] {
            for expected in [0, length, MEBIBYTE] {
                assert_eq!(read(io::repeat(b'a').take(length), expected).unwrap().len() as u64, length);
            }
        }
        for (length, expected) in [(u64::MAX, 0), (BLOCK, MEBIBYTE + 1), (MEBIBYTE + 1, MEBIBYTE)] {
            let message = "the file is larger than the limit of 1 MiB; split it";
            assert_eq!(read(io::repeat(b'a').take(length), expected).unwrap_err().to_string(), message);
        }
    }
}
