//! Protobuf, written front to back: lengths are known before, so nothing is built that is then thrown away.

use bytes::Bytes;

/// How many bytes `value` takes as a varint.
pub(super) fn varint_length(value: u64) -> usize {
    let bits = 64 - (value | 1).leading_zeros() as usize;
    bits.div_ceil(7)
}

pub(super) fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Tag and length of field `field`, of `length` bytes (wire type 2).
pub(super) fn head(field: u8, length: usize, out: &mut Vec<u8>) {
    out.push(field << 3 | 2);
    varint(length as u64, out);
}

/// Bytes of a field of `length` bytes, with its tag and length; the field's number is below 16.
pub(super) fn field_length(length: usize) -> usize {
    1 + varint_length(length as u64) + length
}

/// Field `field` with `content` (wire type 2).
pub(super) fn field(number: u8, content: &[u8], out: &mut Vec<u8>) {
    head(number, content.len(), out);
    out.extend_from_slice(content);
}

/// Field `field` as a varint (wire type 0).
pub(super) fn number(field: u8, value: u64, out: &mut Vec<u8>) {
    out.push(field << 3);
    varint(value, out);
}

/// Field `field` as eight bytes (wire type 1).
pub(super) fn fixed(field: u8, value: u64, out: &mut Vec<u8>) {
    out.push(field << 3 | 1);
    out.extend_from_slice(&value.to_le_bytes());
}

/// `message` as a raw snappy block.
pub(super) fn snappy(message: &[u8]) -> Bytes {
    // Fails for more than 4 GiB alone, which no push has.
    snap::raw::Encoder::new().compress_vec(message).map(Bytes::from).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_varint_is_as_long_as_is_said() {
        for value in [0, 1, 127, 128, 16_383, 16_384, u64::from(u32::MAX), u64::MAX] {
            let mut out = Vec::new();
            varint(value, &mut out);
            assert_eq!(out.len(), varint_length(value), "{value}");
            assert_eq!(prost::encoding::decode_varint(&mut out.as_slice()).unwrap(), value);
        }
    }
}
