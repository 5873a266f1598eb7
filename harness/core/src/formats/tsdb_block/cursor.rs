//! Bytes of an object or a section of it, read front to back with every length checked. Must not know what they mean.

use crate::formats::FormatError;

/// A place in an object. Errors name the object and the byte.
#[derive(Debug, Clone)]
pub(super) struct Cursor<'a> {
    object: &'a str,
    /// Of `rest` in the object.
    offset: usize,
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    /// Reads `bytes`, which stand at `offset` of `object`.
    pub(super) fn new(object: &'a str, offset: usize, bytes: &'a [u8]) -> Self {
        Self { object, offset, rest: bytes }
    }

    pub(super) fn offset(&self) -> usize {
        self.offset
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn error(&self, expected: impl Into<String>, found: impl Into<String>) -> FormatError {
        FormatError::new(self.object, self.offset, expected, found)
    }

    pub(super) fn take(&mut self, length: usize, what: &str) -> Result<&'a [u8], FormatError> {
        let Some((taken, rest)) = self.rest.split_at_checked(length) else {
            return Err(
                self.error(format!("{what} of {length} bytes"), format!("{} bytes to the end", self.rest.len()))
            );
        };
        self.rest = rest;
        self.offset += length;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self, what: &str) -> Result<[u8; N], FormatError> {
        let bytes = self.take(N, what)?;
        bytes.first_chunk::<N>().copied().ok_or_else(|| self.error(what, "fewer bytes"))
    }

    pub(super) fn u32(&mut self, what: &str) -> Result<u32, FormatError> {
        self.array(what).map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self, what: &str) -> Result<u64, FormatError> {
        self.array(what).map(u64::from_be_bytes)
    }

    /// An unsigned varint as Go writes it.
    pub(super) fn uvarint(&mut self, what: &str) -> Result<u64, FormatError> {
        let mut value = 0_u64;
        for (index, byte) in self.rest.iter().take(10).enumerate() {
            if index == 9 && *byte > 1 {
                break;
            }
            value |= u64::from(byte & 0x7f) << (7 * index);
            if *byte < 0x80 {
                self.take(index + 1, what)?;
                return Ok(value);
            }
        }
        Err(self.error(format!("{what}, a varint of at most 64 bits"), "none"))
    }

    /// A signed varint as Go writes it, zig-zag coded.
    pub(super) fn varint(&mut self, what: &str) -> Result<i64, FormatError> {
        self.uvarint(what).map(|value| (value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// An unsigned varint that says how many bytes follow.
    pub(super) fn length(&mut self, what: &str) -> Result<usize, FormatError> {
        let before = self.clone();
        let length = self.uvarint(what)?;
        usize::try_from(length).map_err(|_| before.error(what, format!("{length} bytes")))
    }

    /// Bytes with their length before them.
    pub(super) fn sized(&mut self, what: &str) -> Result<&'a [u8], FormatError> {
        let length = self.length(what)?;
        self.take(length, what)
    }

    /// A string with its length before it.
    pub(super) fn string(&mut self, what: &str) -> Result<&'a str, FormatError> {
        let before = self.clone();
        let bytes = self.sized(what)?;
        std::str::from_utf8(bytes).map_err(|error| before.error(format!("{what} in UTF-8"), error.to_string()))
    }

    /// `length` bytes and the CRC-32C of them behind.
    pub(super) fn summed(&mut self, length: usize, what: &str) -> Result<Cursor<'a>, FormatError> {
        let start = self.offset;
        let bytes = self.take(length, what)?;
        let place = self.clone();
        let stored = self.u32("a checksum")?;
        let computed = crc32c::crc32c(bytes);
        if stored != computed {
            let expected = format!("checksum {computed:08x} of the {what} at {start}");
            return Err(place.error(expected, format!("{stored:08x}")));
        }
        Ok(Cursor::new(self.object, start, bytes))
    }

    /// A section: its length in four bytes, its bytes, their CRC-32C.
    pub(super) fn section(&mut self, what: &str) -> Result<Cursor<'a>, FormatError> {
        let length = self.u32(what)?;
        let length = usize::try_from(length).map_err(|_| self.error(what, format!("{length} bytes")))?;
        self.summed(length, what)
    }

    /// Skips zeros up to a multiple of `alignment` bytes of the object, or to the end.
    pub(super) fn align(&mut self, alignment: usize) -> Result<(), FormatError> {
        let padding = (alignment - self.offset % alignment) % alignment;
        let place = self.clone();
        let skipped = self.take(padding.min(self.rest.len()), "padding")?;
        if skipped.iter().any(|byte| *byte != 0) {
            return Err(place.error(format!("padding of zeros to a multiple of {alignment}"), hex::encode(skipped)));
        }
        Ok(())
    }

    /// An error where something is left.
    pub(super) fn end(&self, what: &str) -> Result<(), FormatError> {
        if self.is_empty() {
            Ok(())
        } else {
            Err(self.error(format!("the end of the {what}"), format!("{} more bytes", self.rest.len())))
        }
    }
}
