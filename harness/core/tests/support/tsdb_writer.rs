//! Writes chunks and segment files as Prometheus does, for tests and benchmarks of their reader. Must not know the reader.

/// Bits, most significant first.
#[derive(Debug, Default)]
pub struct BitWriter {
    bytes: Vec<u8>,
    /// How many bits of the last byte are in use, 0 where it is full.
    used: u32,
}

impl BitWriter {
    /// Appends the lowest `width` bits of `bits`.
    pub fn write(&mut self, bits: u64, width: u32) -> &mut Self {
        for shift in (0..width).rev() {
            if self.used == 0 {
                self.bytes.push(0);
            }
            if let Some(last) = self.bytes.last_mut() {
                *last |= ((bits >> shift & 1) as u8) << (7 - self.used);
            }
            self.used = (self.used + 1) % 8;
        }
        self
    }

    /// Appends an unsigned varint, byte by byte.
    pub fn uvarint(&mut self, mut value: u64) -> &mut Self {
        while value >= 0x80 {
            self.write(value & 0x7f | 0x80, 8);
            value >>= 7;
        }
        self.write(value, 8)
    }

    /// What was written, the last byte filled up with zeros.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// The data of an XOR chunk: header and samples, given as time and bits of the float.
pub fn xor_chunk(samples: &[(i64, u64)]) -> Vec<u8> {
    let mut bits = BitWriter::default();
    bits.write(samples.len() as u64, 16);
    let (mut time, mut delta, mut value) = (0_i64, 0_i64, 0_u64);
    let mut window = None;
    for (index, (next_time, next_value)) in samples.iter().enumerate() {
        let next_delta = next_time.wrapping_sub(time);
        match index {
            0 => {
                bits.uvarint((next_time << 1 ^ next_time >> 63) as u64).write(*next_value, 64);
            }
            1 => {
                bits.uvarint(next_delta as u64);
                xor(&mut bits, next_value ^ value, &mut window);
            }
            _ => {
                let change = next_delta.wrapping_sub(delta);
                let fits = |width: u32| change >= 1 - (1 << (width - 1)) && change <= 1 << (width - 1);
                match change {
                    0 => bits.write(0, 1),
                    _ if fits(14) => bits.write(0b10, 2).write(change as u64, 14),
                    _ if fits(17) => bits.write(0b110, 3).write(change as u64, 17),
                    _ if fits(20) => bits.write(0b1110, 4).write(change as u64, 20),
                    _ => bits.write(0b1111, 4).write(change as u64, 64),
                };
                xor(&mut bits, next_value ^ value, &mut window);
            }
        }
        delta = if index == 0 { 0 } else { next_delta };
        (time, value) = (*next_time, *next_value);
    }
    bits.into_bytes()
}

/// Appends the difference of two floats' bits; `window` is the leading and trailing zeros that the next one may share.
fn xor(bits: &mut BitWriter, delta: u64, window: &mut Option<(u32, u32)>) {
    if delta == 0 {
        bits.write(0, 1);
        return;
    }
    let (leading, trailing) = (delta.leading_zeros().min(31), delta.trailing_zeros());
    match *window {
        Some((shared_leading, shared_trailing)) if leading >= shared_leading && trailing >= shared_trailing => {
            bits.write(0b10, 2).write(delta >> shared_trailing, 64 - shared_leading - shared_trailing);
        }
        _ => {
            let meaningful = 64 - leading - trailing;
            bits.write(0b11, 2).write(u64::from(leading), 5).write(u64::from(meaningful & 63), 6);
            bits.write(delta >> trailing, meaningful);
            *window = Some((leading, trailing));
        }
    }
}

/// A segment file of chunks, each given by the number of its encoding and its data.
pub fn segment_file(chunks: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let mut file = vec![0x85, 0xbd, 0x40, 0xdd, 1, 0, 0, 0];
    for (encoding, data) in chunks {
        let mut length = BitWriter::default();
        length.uvarint(data.len() as u64);
        file.extend(length.into_bytes());
        let start = file.len();
        file.push(*encoding);
        file.extend(data);
        let checksum = crc32c::crc32c(file.get(start..).unwrap_or_default());
        file.extend(checksum.to_be_bytes());
    }
    file
}
