use super::FormatError;

/// Bounds-checked reading of a slice, whose errors name the object, the offset and what was expected there.
#[derive(Clone)]
pub(super) struct Cursor<'a> {
    object: &'a str,
    part: &'a str,
    bytes: &'a [u8],
    base: usize,
    at: usize,
}

impl<'a> Cursor<'a> {
    /// Reads `bytes`, which stand at byte `base` of `object`.
    pub(super) fn new(object: &'a str, bytes: &'a [u8], base: usize) -> Self {
        Self { object, part: "", bytes, base, at: 0 }
    }

    /// Reads `bytes`, a decompressed part of `object`; errors name `part` and count offsets from its start.
    pub(super) fn of_part(object: &'a str, part: &'a str, bytes: &'a [u8]) -> Self {
        Self { object, part, bytes, base: 0, at: 0 }
    }

    /// Where the next byte stands.
    pub(super) fn offset(&self) -> usize {
        self.base + self.at
    }

    /// Whether every byte was read.
    pub(super) fn is_empty(&self) -> bool {
        self.at >= self.bytes.len()
    }

    /// How many bytes are left.
    pub(super) fn remaining(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// An error at `offset`.
    #[cold]
    pub(super) fn error_at(&self, offset: usize, expected: &str, found: impl Into<String>) -> FormatError {
        let expected =
            if self.part.is_empty() { expected.to_owned() } else { format!("{expected} in the {}", self.part) };
        FormatError::new(self.object, offset, expected, found)
    }

    /// The next `length` bytes.
    #[inline]
    pub(super) fn take(&mut self, length: usize, what: &str) -> Result<&'a [u8], FormatError> {
        let end = self.at.checked_add(length);
        match end.and_then(|end| self.bytes.get(self.at..end)) {
            Some(taken) => {
                self.at += length;
                Ok(taken)
            }
            None => Err(self.too_short(length, what)),
        }
    }

    #[cold]
    fn too_short(&self, length: usize, what: &str) -> FormatError {
        let left = self.remaining();
        self.error_at(self.offset(), &format!("{length} bytes of {what}"), format!("{left} bytes to the end"))
    }

    fn array<const N: usize>(&mut self, what: &str) -> Result<[u8; N], FormatError> {
        let offset = self.offset();
        let taken = self.take(N, what)?;
        taken.try_into().map_err(|_| self.error_at(offset, what, format!("{} bytes", taken.len())))
    }

    /// The next byte.
    pub(super) fn u8(&mut self, what: &str) -> Result<u8, FormatError> {
        self.array::<1>(what).map(|[byte]| byte)
    }

    /// The next four bytes, big-endian.
    pub(super) fn u32be(&mut self, what: &str) -> Result<u32, FormatError> {
        self.array(what).map(u32::from_be_bytes)
    }

    /// The next eight bytes, big-endian.
    pub(super) fn u64be(&mut self, what: &str) -> Result<u64, FormatError> {
        self.array(what).map(u64::from_be_bytes)
    }

    /// The next eight bytes, big-endian, as a position or length inside what this cursor reads.
    pub(super) fn u64be_size(&mut self, what: &str) -> Result<usize, FormatError> {
        let offset = self.offset();
        let value = self.u64be(what)?;
        self.size(value, offset, what)
    }

    /// A base-128 number of at most 64 bits, lowest group first (Go `encoding/binary.Uvarint`).
    #[inline]
    pub(super) fn uvarint(&mut self, what: &str) -> Result<u64, FormatError> {
        match self.bytes.get(self.at) {
            Some(&byte) if byte < 0x80 => {
                self.at += 1;
                Ok(u64::from(byte))
            }
            _ => self.long_uvarint(what),
        }
    }

    fn long_uvarint(&mut self, what: &str) -> Result<u64, FormatError> {
        let mut value = 0_u64;
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        for (index, byte) in (0_u32..10).zip(rest) {
            let group = u64::from(byte & 0x7f);
            if index == 9 && group > 1 {
                break;
            }
            value |= group << (7 * index);
            if byte & 0x80 == 0 {
                self.at += index as usize + 1;
                return Ok(value);
            }
        }
        let found = if rest.len() < 10 {
            format!("{} bytes to the end", rest.len())
        } else {
            "a number of more than 64 bits".to_owned()
        };
        Err(self.error_at(self.offset(), &format!("a uvarint, {what}"), found))
    }

    /// A zig-zag number (Go `encoding/binary.Varint`).
    #[inline]
    pub(super) fn varint(&mut self, what: &str) -> Result<i64, FormatError> {
        let folded = self.uvarint(what)?;
        Ok((folded >> 1).cast_signed() ^ -(folded & 1).cast_signed())
    }

    /// A uvarint that must fit the address space: a length, a count, an offset.
    #[inline]
    pub(super) fn size_uvarint(&mut self, what: &str) -> Result<usize, FormatError> {
        let offset = self.offset();
        let value = self.uvarint(what)?;
        self.size(value, offset, what)
    }

    fn size(&self, value: u64, offset: usize, what: &str) -> Result<usize, FormatError> {
        usize::try_from(value).map_err(|_| self.error_at(offset, what, value.to_string()))
    }

    /// Bytes with their length, a uvarint, before them.
    #[inline]
    pub(super) fn prefixed(&mut self, what: &str) -> Result<&'a [u8], FormatError> {
        let length = self.size_uvarint(what)?;
        self.take(length, what)
    }

    /// `expected` must be the CRC-32C of `bytes`, which stand at `offset`.
    pub(super) fn verify(&self, offset: usize, bytes: &[u8], expected: u32, what: &str) -> Result<(), FormatError> {
        let found = crc32c::crc32c(bytes);
        if found == expected {
            return Ok(());
        }
        Err(self.error_at(offset, &format!("{what} with CRC-32C {expected:08x}"), format!("{found:08x}")))
    }

    /// Nothing may be left.
    pub(super) fn finish(&self, what: &str) -> Result<(), FormatError> {
        if self.is_empty() {
            return Ok(());
        }
        let left = self.remaining();
        Err(self.error_at(self.offset(), &format!("the end of {what}"), format!("{left} more bytes")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uvarints_read_as_go_writes_them() {
        for (bytes, value) in [
            (&[0x00][..], Ok(0)),
            (&[0x7f], Ok(127)),
            (&[0x80, 0x01], Ok(128)),
            (&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], Ok(u64::MAX)),
            (&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02], Err("a number of more than 64 bits")),
            (&[0xff; 11], Err("a number of more than 64 bits")),
            (&[0x80], Err("1 bytes to the end")),
            (&[], Err("0 bytes to the end")),
        ] {
            let found = Cursor::new("object", bytes, 0).uvarint("a count");
            assert_eq!(found.map_err(|error| error.found), value.map_err(str::to_owned), "{bytes:x?}");
        }
    }

    #[test]
    fn varints_are_zig_zag() {
        for (bytes, value) in [(&[0x00][..], 0), (&[0x01], -1), (&[0x02], 1), (&[0x03], -2)] {
            assert_eq!(Cursor::new("object", bytes, 0).varint("a time"), Ok(value));
        }
        let lowest = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        assert_eq!(Cursor::new("object", &lowest, 0).varint("a time"), Ok(i64::MIN));
    }

    #[test]
    fn errors_name_object_offset_and_expectation() {
        let mut cursor = Cursor::new("bucket/key", &[0, 0, 0, 1, 9], 100);
        assert_eq!(cursor.u32be("a length"), Ok(1));
        let error = cursor.u32be("a checksum").unwrap_err();
        assert_eq!(
            error.to_string(),
            "bucket/key: at byte 104: expected 4 bytes of a checksum, found 1 bytes to the end"
        );
        assert_eq!(cursor.take(usize::MAX, "a line").unwrap_err().offset, 104);
        assert_eq!(cursor.finish("the object").unwrap_err().found, "1 more bytes");
    }
}
