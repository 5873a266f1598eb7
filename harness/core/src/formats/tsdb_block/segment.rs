//! Segment files `chunks/NNNNNN` (Prometheus tsdb/docs/format/chunks.md) and the samples of their chunks. Must not know
//! which series a chunk belongs to.

use super::{
    bits::{BitReader, DataError},
    histogram::{self, CounterReset},
    mimir_layout::segment_number,
    xor,
};
use crate::{
    formats::FormatError,
    signal::{Histogram, HistogramKind},
};

const MAGIC: [u8; 4] = [0x85, 0xbd, 0x40, 0xdd];
const VERSION: u8 = 1;
/// Magic, version and three bytes of padding.
const HEADER: usize = 8;
/// Most bytes of a chunk's length, a 32-bit varint.
const MOST_LENGTH_BYTES: usize = 5;

/// A segment file whose header was verified.
#[derive(Debug, Clone, Copy)]
pub struct SegmentFile<'a> {
    object: &'a str,
    bytes: &'a [u8],
    number: u64,
}

/// How a chunk holds its samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// 1: floats.
    Xor,
    /// 2: native histograms of integer counts.
    Histogram,
    /// 3: native histograms of float counts.
    FloatHistogram,
}

/// One chunk whose checksum was verified.
#[derive(Debug, Clone, Copy)]
pub struct Chunk<'a> {
    object: &'a str,
    /// Of `data` in the object.
    data_offset: usize,
    encoding: Encoding,
    samples: u16,
    /// Everything after the encoding, before the checksum.
    data: &'a [u8],
    /// Of the byte after the checksum in the object.
    end: usize,
}

/// A sample's value as it stands in a chunk.
#[derive(Debug, Clone, Copy)]
pub enum StoredValue<'a> {
    /// A float, exact to the bit.
    Float(f64),
    /// A native histogram; overwritten by the chunk's next sample.
    Histogram(&'a Histogram),
}

/// The times of a chunk's first and last sample, milliseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkTimes {
    /// Of the first sample.
    pub first_ms: i64,
    /// Of the last sample.
    pub last_ms: i64,
}

impl<'a> SegmentFile<'a> {
    /// Verifies the header and takes the segment's number from the object's name, whose last part is `NNNNNN`.
    pub fn open(object: &'a str, bytes: &'a [u8]) -> Result<Self, FormatError> {
        let name = object.rsplit('/').next().unwrap_or(object);
        let number = segment_number(name).ok_or_else(|| {
            FormatError::new(object, 0, "a segment file named by its number from 000001 on", format!("{name:?}"))
        })?;
        let Some((header, _)) = bytes.split_first_chunk::<HEADER>() else {
            return Err(FormatError::new(object, 0, "a segment header of 8 bytes", format!("{} bytes", bytes.len())));
        };
        let [a, b, c, d, version, padding @ ..] = *header;
        if [a, b, c, d] != MAGIC {
            return Err(FormatError::new(object, 0, "segment magic 85bd40dd", hex::encode([a, b, c, d])));
        }
        if version != VERSION {
            return Err(FormatError::new(object, 4, "segment version 1", version.to_string()));
        }
        if padding != [0; 3] {
            return Err(FormatError::new(object, 5, "three bytes of zero", hex::encode(padding)));
        }
        Ok(Self { object, bytes, number })
    }

    /// The number in the file's name, 1 for `000001`.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The chunk that begins at `offset`, its checksum verified.
    pub fn chunk(&self, offset: usize) -> Result<Chunk<'a>, FormatError> {
        let error = |at: usize, expected: &str, found: String| FormatError::new(self.object, at, expected, found);
        let rest = self.bytes.get(offset..).filter(|rest| offset >= HEADER && !rest.is_empty()).ok_or_else(|| {
            error(offset, "a chunk between header and end", format!("a segment of {} bytes", self.bytes.len()))
        })?;
        let (length, length_bytes) = chunk_length(rest)
            .ok_or_else(|| error(offset, "a chunk's length, a varint of at most 5 bytes", "none".to_owned()))?;
        let start = offset + length_bytes;
        // The encoding counts neither for the length nor is it part of the data, but the checksum covers it.
        let (summed, after) =
            rest.get(length_bytes..).and_then(|rest| rest.split_at_checked(length + 1)).ok_or_else(|| {
                error(offset, &format!("a chunk of {length} bytes"), format!("{} bytes to the end", rest.len()))
            })?;
        let Some((stored, _)) = after.split_first_chunk::<4>() else {
            return Err(error(start + summed.len(), "a checksum of 4 bytes", format!("{} bytes", after.len())));
        };
        let computed = crc32c::crc32c(summed);
        if computed != u32::from_be_bytes(*stored) {
            let expected = format!("checksum {computed:08x} of the chunk at {offset}");
            return Err(error(start + summed.len(), &expected, hex::encode(stored)));
        }
        let Some((&number, data)) = summed.split_first() else {
            return Err(error(start, "an encoding", "nothing".to_owned()));
        };
        let encoding = match number {
            1 => Encoding::Xor,
            2 => Encoding::Histogram,
            3 => Encoding::FloatHistogram,
            other => {
                let expected = "chunk encoding 1 (XOR), 2 (histogram) or 3 (float histogram)";
                return Err(error(start, expected, format!("unknown chunk encoding {other}")));
            }
        };
        let header = match encoding {
            Encoding::Xor => xor::HEADER,
            Encoding::Histogram | Encoding::FloatHistogram => histogram::HEADER,
        };
        let samples = data.first_chunk::<2>().filter(|_| data.len() >= header).map(|bytes| u16::from_be_bytes(*bytes));
        match samples {
            None => {
                Err(error(start + 1, &format!("a chunk header of {header} bytes"), format!("{} bytes", data.len())))
            }
            Some(0) => Err(error(start + 1, "at least one sample", "a chunk of none".to_owned())),
            Some(samples) => Ok(Chunk {
                object: self.object,
                data_offset: start + 1,
                encoding,
                samples,
                data,
                end: start + summed.len() + stored.len(),
            }),
        }
    }

    /// All chunks, one behind the other, whether an index lists them or not; ends after the first error.
    pub fn chunks(&self) -> impl Iterator<Item = Result<Chunk<'a>, FormatError>> {
        let file = *self;
        let mut next = Some(HEADER);
        std::iter::from_fn(move || {
            let offset = next.filter(|offset| *offset < file.bytes.len())?;
            let chunk = file.chunk(offset);
            next = chunk.as_ref().ok().map(|chunk| chunk.end);
            Some(chunk)
        })
    }
}

/// A chunk's length without its encoding, and how many bytes say so.
fn chunk_length(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut length = 0_u64;
    for (index, byte) in bytes.iter().take(MOST_LENGTH_BYTES).enumerate() {
        length |= u64::from(byte & 0x7f) << (7 * index);
        if *byte < 0x80 {
            return Some((usize::try_from(u32::try_from(length).ok()?).ok()?, index + 1));
        }
    }
    None
}

impl<'a> Chunk<'a> {
    /// How the samples are held.
    pub fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// How many samples the chunk's header promises, at least one.
    pub fn samples(&self) -> u16 {
        self.samples
    }

    /// The chunk's data: header and samples, without length, encoding and checksum.
    pub fn data(&self) -> &'a [u8] {
        self.data
    }

    /// What a histogram chunk says of counter resets; `None` for floats.
    pub fn counter_reset(&self) -> Option<CounterReset> {
        match self.encoding {
            Encoding::Xor => None,
            Encoding::Histogram | Encoding::FloatHistogram => {
                self.data.get(2).map(|flags| CounterReset::from_flags(*flags))
            }
        }
    }

    /// Calls `visit` with time (milliseconds since the Unix epoch) and value of every sample, in the order stored. Allocates
    /// nothing per sample. What was visited before an error is void.
    #[inline]
    pub fn for_each_sample(&self, mut visit: impl FnMut(i64, StoredValue<'_>)) -> Result<ChunkTimes, FormatError> {
        let mut times: Option<ChunkTimes> = None;
        let mut note = |time: i64| match &mut times {
            Some(times) => times.last_ms = time,
            None => times = Some(ChunkTimes { first_ms: time, last_ms: time }),
        };
        let samples = u32::from(self.samples);
        let (header, decoded) = match self.encoding {
            Encoding::Xor => {
                let data = self.data.get(xor::HEADER..).unwrap_or_default();
                let visit = |time, value| {
                    note(time);
                    visit(time, StoredValue::Float(value));
                };
                (xor::HEADER, xor::for_each_sample(data, samples, visit))
            }
            Encoding::Histogram | Encoding::FloatHistogram => {
                let kind = match self.encoding {
                    Encoding::FloatHistogram => HistogramKind::Float,
                    _ => HistogramKind::Int,
                };
                let data = self.data.get(histogram::HEADER..).unwrap_or_default();
                let visit = |time, histogram: &Histogram| {
                    note(time);
                    visit(time, StoredValue::Histogram(histogram));
                };
                (histogram::HEADER, histogram::for_each_sample(kind, data, samples, visit))
            }
        };
        let reader = decoded.and_then(at_padding).map_err(|error| self.error(header, error))?;
        times.ok_or_else(|| self.error(header, DataError::at(&reader, "at least one sample", "none")))
    }

    fn error(&self, header: usize, error: DataError) -> FormatError {
        FormatError::new(self.object, self.data_offset + header + error.offset, error.expected, error.found)
    }
}

/// Nothing but padding may follow the last sample.
fn at_padding(reader: BitReader<'_>) -> Result<BitReader<'_>, DataError> {
    if reader.is_at_padding() {
        Ok(reader)
    } else {
        let found = format!("{} more bits", reader.remaining());
        Err(DataError::at(&reader, "the end of the chunk behind its last sample", found))
    }
}
