//! Bits of a chunk, most significant first, as Prometheus packs them (tsdb/chunkenc/bstream.go, varbit.go). Must not know
//! what the bits mean.

/// Most bits that one look at the stream is sure to hold: a word less the bits before the position in its first byte.
const WINDOW: u32 = 57;

/// Widths of the payloads behind 0 to 8 leading ones of a varbit number (tsdb/chunkenc/varbit.go).
const VARBIT_WIDTHS: [u32; 9] = [0, 3, 6, 9, 12, 18, 25, 56, 64];

/// Reads bits from a slice. Beyond the end it reads zeros, so that a hot loop asks only once a sample whether it
/// [ran past the end](Self::is_past_end).
#[derive(Debug, Clone)]
pub(super) struct BitReader<'a> {
    bytes: &'a [u8],
    /// In bits, from the start of `bytes`.
    position: usize,
}

impl<'a> BitReader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    /// Byte in which the next bit lies.
    pub(super) fn byte_position(&self) -> usize {
        self.position >> 3
    }

    /// Whether more was read than there is.
    pub(super) fn is_past_end(&self) -> bool {
        self.position > self.bytes.len() << 3
    }

    /// How many bits are left.
    pub(super) fn remaining(&self) -> usize {
        (self.bytes.len() << 3).saturating_sub(self.position)
    }

    /// The next bits from the top of a word, at least [`WINDOW`] of them.
    #[inline(always)]
    pub(super) fn window(&self) -> u64 {
        let byte = self.position >> 3;
        let word = match self.bytes.get(byte..).and_then(|rest| rest.first_chunk::<8>()) {
            Some(word) => u64::from_be_bytes(*word),
            None => self.last_word(byte),
        };
        word << (self.position & 7)
    }

    /// The word at `byte` where fewer than eight bytes are left, filled up with zeros.
    #[cold]
    fn last_word(&self, byte: usize) -> u64 {
        let rest = self.bytes.get(byte..).unwrap_or_default();
        rest.iter().zip([56, 48, 40, 32, 24, 16, 8, 0]).fold(0, |word, (byte, shift)| word | u64::from(*byte) << shift)
    }

    #[inline(always)]
    pub(super) fn skip(&mut self, width: u32) {
        self.position += width as usize;
    }

    /// The next 1 to 64 bits as a number.
    #[inline(always)]
    pub(super) fn read(&mut self, width: u32) -> u64 {
        debug_assert!((1..=64).contains(&width), "a read of {width} bits");
        if width <= WINDOW {
            let bits = self.window() >> (64 - width);
            self.skip(width);
            bits
        } else {
            let high = self.window() >> 32;
            self.skip(32);
            let low = self.window() >> (96 - width);
            self.skip(width - 32);
            high << (width - 32) | low
        }
    }

    /// An unsigned varint as Go writes it (encoding/binary), byte by byte at whatever bit the reader stands; `None` where it
    /// exceeds 64 bits.
    pub(super) fn uvarint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.read(8);
            if shift == 63 && byte > 1 {
                return None;
            }
            value |= (byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    /// A signed varint as Go writes it, zig-zag coded.
    pub(super) fn varint(&mut self) -> Option<i64> {
        self.uvarint().map(|value| (value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// The payload of a varbit number and its width.
    #[inline(always)]
    fn varbit(&mut self) -> (u64, u32) {
        let ones = (!self.window()).leading_zeros().min(8);
        self.skip(if ones < 8 { ones + 1 } else { 8 });
        match VARBIT_WIDTHS.get(ones as usize) {
            Some(&width) if width > 0 => (self.read(width), width),
            _ => (0, 0),
        }
    }

    /// `varbit_uint` of tsdb/docs/format/chunks.md.
    #[inline]
    pub(super) fn varbit_uint(&mut self) -> u64 {
        self.varbit().0
    }

    /// `varbit_int` of tsdb/docs/format/chunks.md.
    #[inline]
    pub(super) fn varbit_int(&mut self) -> i64 {
        let (bits, width) = self.varbit();
        signed(bits, width)
    }

    /// Whether what is left is only what fills the last byte: fewer than eight bits, all zero.
    pub(super) fn is_at_padding(&self) -> bool {
        self.remaining() < 8 && self.window() == 0
    }
}

/// A number of `width` bits in Prometheus' range of signed ones, which reaches from -(2^(width-1) - 1) to 2^(width-1): the
/// pattern of the lowest two's complement number stands for the highest.
#[inline(always)]
pub(super) fn signed(bits: u64, width: u32) -> i64 {
    if (1..64).contains(&width) && bits > 1 << (width - 1) {
        (bits as i64).wrapping_sub(1 << width)
    } else {
        bits as i64
    }
}

/// Why a chunk's data is no such chunk; the offset counts from the start of the data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DataError {
    pub(super) offset: usize,
    pub(super) expected: String,
    pub(super) found: String,
}

impl DataError {
    pub(super) fn at(reader: &BitReader<'_>, expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self { offset: reader.byte_position(), expected: expected.into(), found: found.into() }
    }

    #[cold]
    pub(super) fn end_of_data(samples_read: u32, samples: u32, data_len: usize) -> Self {
        Self {
            offset: data_len,
            expected: format!("sample {} of {samples}", samples_read + 1),
            found: "the end of the chunk".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn signed_numbers_lean_to_the_positive_side() {
        for (bits, width, number) in
            [(0, 14, 0), (1, 3, 1), (4, 3, 4), (5, 3, -3), (7, 3, -1), (8192, 14, 8192), (8193, 14, -8191)]
        {
            assert_eq!(signed(bits, width), number, "{bits} in {width} bits");
        }
        assert_eq!(signed(u64::MAX, 64), -1);
        assert_eq!(signed(0, 0), 0);
    }

    #[test]
    fn a_varint_beyond_64_bits_is_refused() {
        let mut bytes = [0xff; 10];
        assert_eq!(BitReader::new(&bytes).uvarint(), None);
        bytes[9] = 1;
        assert_eq!(BitReader::new(&bytes).uvarint(), Some(u64::MAX));
        bytes[9] = 2;
        assert_eq!(BitReader::new(&bytes).uvarint(), None);
    }

    proptest! {
        #[test]
        fn reads_are_the_bits_one_by_one(bytes in prop::collection::vec(any::<u8>(), 0..40), widths in prop::collection::vec(1..=64u32, 0..12)) {
            let bit = |at: usize| u64::from(bytes.get(at / 8).is_some_and(|byte| byte >> (7 - at % 8) & 1 == 1));
            let mut reader = BitReader::new(&bytes);
            let mut at = 0;
            for width in widths {
                let expected = (at..at + width as usize).fold(0, |number, at| number << 1 | bit(at));
                prop_assert_eq!(reader.read(width), expected);
                at += width as usize;
                prop_assert_eq!(reader.is_past_end(), at > bytes.len() * 8);
            }
        }
    }
}
