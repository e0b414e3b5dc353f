//! Bytes of a text and its UTF-16 code units, which editors and browsers count.

use std::ops::Range;

/// The number of bytes in a block.
const BLOCK: usize = 1024;

/// The UTF-16 code units before each block of a text, so that a line can be as long as the file. It does not contain
/// the text: callers pass the same one each time.
///
/// ```
/// use sqledge_ha::utf16::Utf16Index;
///
/// let text = "a: \u{1F600}!";
/// let index = Utf16Index::new(text);
/// assert_eq!(index.units_before(text, 7), 5);
/// assert_eq!(index.byte(text, 0..text.len(), 5), 7);
/// ```
#[derive(Clone, Debug)]
pub struct Utf16Index {
    /// `None` if all is ASCII.
    blocks: Option<Vec<usize>>,
}

impl Utf16Index {
    /// The index of a text.
    pub fn new(text: &str) -> Self {
        Utf16Index { blocks: (!text.is_ascii()).then(|| units_before_blocks(text.as_bytes())) }
    }

    /// The code units before a byte.
    pub fn units_before(&self, text: &str, byte: usize) -> usize {
        let Some(blocks) = &self.blocks else { return byte };
        let block = byte / BLOCK;
        let before = blocks.get(block).copied().unwrap_or_default();
        before + text.as_bytes().get(block * BLOCK..byte).unwrap_or_default().iter().map(units).sum::<usize>()
    }

    /// The last character boundary in a range of bytes that has at most `wanted` code units of the text before it.
    pub fn byte(&self, text: &str, range: Range<usize>, wanted: usize) -> usize {
        let Range { start, end } = range;
        let Some(blocks) = &self.blocks else { return wanted.clamp(start, end) };
        let block = blocks.partition_point(|before| *before <= wanted).saturating_sub(1);
        let mut byte = (block * BLOCK).max(start);
        let mut before = self.units_before(text, byte);
        for unit in text.as_bytes().get(byte..end).unwrap_or_default() {
            before += units(unit);
            if before > wanted {
                break;
            }
            byte += 1;
        }
        text.floor_char_boundary(byte.min(end))
    }
}

fn units_before_blocks(bytes: &[u8]) -> Vec<usize> {
    let mut before = 0;
    let count = |block: &[u8]| {
        let start = before;
        before += block.iter().map(units).sum::<usize>();
        start
    };
    let mut blocks: Vec<usize> = bytes.chunks(BLOCK).map(count).collect();
    blocks.push(before);
    blocks
}

/// The UTF-16 code units of the character that begins with this byte of UTF-8; 0 for its other bytes.
fn units(byte: &u8) -> usize {
    usize::from(byte & 0xC0 != 0x80) + usize::from(*byte >= 0xF0)
}
