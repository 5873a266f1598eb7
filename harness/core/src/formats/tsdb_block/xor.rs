//! XOR chunks: float samples (Prometheus tsdb/chunkenc/xor.go). Must not know segments or series.

use super::bits::{BitReader, DataError, signed};

/// Bytes before the samples: their number, big-endian.
pub(super) const HEADER: usize = 2;

/// Payload widths of a timestamp's delta of deltas behind 0 to 4 leading ones.
const DELTA_WIDTHS: [u32; 5] = [0, 14, 17, 20, 64];

/// A float that is stored as the XOR with the one before, reduced to its meaningful bits.
#[derive(Debug, Clone, Default)]
pub(super) struct XorValue {
    /// The float's bits.
    pub(super) bits: u64,
    /// How many of the bits above the meaningful ones are zero.
    leading: u32,
    /// How many of the bits below.
    trailing: u32,
}

impl XorValue {
    /// The next value; false where the stored window of meaningful bits is wider than a float.
    #[inline(always)]
    pub(super) fn read(&mut self, reader: &mut BitReader<'_>) -> bool {
        let window = reader.window();
        if window >> 63 == 0 {
            reader.skip(1);
            return true;
        }
        if window >> 62 == 0b11 {
            self.leading = (window >> 57) as u32 & 31;
            // Six bits can't hold 64, and zero meaningful bits are never stored: zero stands for 64.
            let meaningful = match (window >> 51) as u32 & 63 {
                0 => 64,
                meaningful => meaningful,
            };
            let Some(trailing) = 64_u32.checked_sub(self.leading + meaningful) else { return false };
            self.trailing = trailing;
            reader.skip(13);
        } else {
            reader.skip(2);
        }
        let delta = reader.read(64 - self.leading - self.trailing);
        self.bits ^= delta << self.trailing;
        true
    }

    pub(super) fn value(&self) -> f64 {
        f64::from_bits(self.bits)
    }
}

/// Calls `visit` with time (ms) and value of each of the `samples` that follow the header in `data`.
pub(super) fn for_each_sample(
    data: &[u8],
    samples: u32,
    mut visit: impl FnMut(i64, f64),
) -> Result<BitReader<'_>, DataError> {
    let mut reader = BitReader::new(data);
    let mut value = XorValue::default();
    let (mut time, mut delta) = (0_i64, 0_i64);
    for sample in 0..samples {
        match sample {
            0 => {
                time = reader.varint().ok_or_else(|| too_long(&reader))?;
                value.bits = reader.read(64);
            }
            1 => {
                delta = reader.uvarint().ok_or_else(|| too_long(&reader))? as i64;
                time = time.wrapping_add(delta);
                if !value.read(&mut reader) {
                    return Err(too_wide(&reader));
                }
            }
            _ => {
                let window = reader.window();
                if window >> 63 == 0 {
                    reader.skip(1);
                } else {
                    delta = delta.wrapping_add(delta_of_deltas(&mut reader, window));
                }
                time = time.wrapping_add(delta);
                if !value.read(&mut reader) {
                    return Err(too_wide(&reader));
                }
            }
        }
        if reader.is_past_end() {
            return Err(DataError::end_of_data(sample, samples, data.len()));
        }
        visit(time, value.value());
    }
    Ok(reader)
}

/// A delta of deltas that is not zero.
#[inline(always)]
fn delta_of_deltas(reader: &mut BitReader<'_>, window: u64) -> i64 {
    let ones = (!window).leading_zeros().min(4);
    reader.skip((ones + 1).min(4));
    match DELTA_WIDTHS.get(ones as usize) {
        Some(&width) if width > 0 => signed(reader.read(width), width),
        _ => 0,
    }
}

#[cold]
fn too_long(reader: &BitReader<'_>) -> DataError {
    DataError::at(reader, "a varint of at most 64 bits", "a longer one")
}

/// What is wrong where [`XorValue::read`] fails.
#[cold]
pub(super) fn too_wide(reader: &BitReader<'_>) -> DataError {
    DataError::at(reader, "leading zeros and meaningful bits of a float, 64 together at most", "more")
}
