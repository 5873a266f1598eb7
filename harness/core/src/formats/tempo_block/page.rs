use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;
use flate2::Crc;
use parquet::{
    basic::{Encoding, Type as Physical},
    column::page::{Page, PageMetadata, PageReader},
    errors::ParquetError,
};

use super::{
    budget::Budget,
    fault::{Fault, size},
    footer::Chunk,
    thrift::{Kind, Thrift},
};

/// Codecs by Parquet's numbers; the others have never been Tempo's.
const UNCOMPRESSED: i64 = 0;
const SNAPPY: i64 = 1;
const ZSTD: i64 = 6;

/// The pages of one column chunk, for the `parquet` crate's column reader.
///
/// That crate's own page reader believes the sizes in page headers before it has seen the bytes. This one checks every
/// number against what is there, the payload against its CRC-32 and the whole against a [`Budget`].
pub(super) struct Pages {
    object: Bytes,
    position: usize,
    end: usize,
    codec: i64,
    physical: Physical,
    values_left: usize,
    next: Option<Header>,
    budget: Arc<Budget>,
    current: Arc<AtomicUsize>,
}

/// A `PageHeader` (Apache Parquet parquet.thrift).
struct Header {
    /// Where the header begins.
    offset: usize,
    /// Where the payload begins and ends.
    payload: std::ops::Range<usize>,
    uncompressed: usize,
    crc: u32,
    content: Content,
}

#[derive(Clone, Copy)]
enum Content {
    Dictionary {
        values: u32,
    },
    Data {
        values: u32,
        nulls: u32,
        rows: u32,
        encoding: Encoding,
        definitions: u32,
        repetitions: u32,
        compressed: bool,
    },
}

impl Pages {
    /// The pages of `chunk`. `current` always holds the offset of the page that was read last.
    pub fn new(object: Bytes, chunk: &Chunk, budget: Arc<Budget>, current: Arc<AtomicUsize>) -> Self {
        Self {
            object,
            position: chunk.offset,
            end: chunk.offset + chunk.length,
            codec: chunk.codec,
            physical: chunk.physical,
            values_left: chunk.values,
            next: None,
            budget,
            current,
        }
    }

    /// The next page's header; a page before which the chunk's values are used up is none of its own.
    fn header(&mut self) -> Result<Option<&Header>, Fault> {
        if self.next.is_none() {
            if self.values_left == 0 {
                return Ok(None);
            }
            self.current.store(self.position, Ordering::Relaxed);
            let header = read_header(&self.object, self.position, self.end)?;
            self.position = header.payload.end;
            self.next = Some(header);
        }
        Ok(self.next.as_ref())
    }

    /// Takes the next header and pays for what it announces.
    fn take(&mut self) -> Result<Option<Header>, Fault> {
        self.header()?;
        let Some(header) = self.next.take() else {
            return Ok(None);
        };
        if let Content::Data { values, .. } = header.content {
            let values = values as usize;
            self.values_left = self.values_left.checked_sub(values).ok_or_else(|| {
                let expected = format!("at most {} more values in the column chunk", self.values_left);
                Fault::new(header.offset, expected, values.to_string())
            })?;
            self.budget.levels(header.offset, values)?;
        }
        Ok(Some(header))
    }

    fn page(&mut self) -> Result<Option<Page>, Fault> {
        let Some(header) = self.take()? else {
            return Ok(None);
        };
        let at = header.offset;
        let payload = self.object.slice(header.payload.clone());
        let mut crc = Crc::new();
        crc.update(&payload);
        if crc.sum() != header.crc {
            let expected = format!("a page of CRC-32 {:08x}", header.crc);
            return Err(Fault::new(at, expected, format!("{:08x}", crc.sum())));
        }
        self.budget.bytes(at, header.uncompressed)?;
        match header.content {
            Content::Dictionary { values } => {
                let buf = self.decompress(at, payload, header.uncompressed)?;
                // The decoder makes room for this many values before it looks at the bytes, of which each has one or more.
                if values as usize > buf.len() {
                    let expected = format!("a dictionary of at most {} values", buf.len());
                    return Err(Fault::new(at, expected, values.to_string()));
                }
                Ok(Some(Page::DictionaryPage { buf, num_values: values, encoding: Encoding::PLAIN, is_sorted: false }))
            }
            Content::Data { values, nulls, rows, encoding, definitions, repetitions, compressed } => {
                let levels = definitions as usize + repetitions as usize;
                let body = match header.uncompressed.checked_sub(levels) {
                    Some(body) if levels <= payload.len() => body,
                    _ => {
                        let room = payload.len().min(header.uncompressed);
                        return Err(Fault::new(at, format!("levels of at most {room} bytes"), levels.to_string()));
                    }
                };
                let body = if compressed && self.codec != UNCOMPRESSED {
                    self.decompress(at, payload.slice(levels..), body)?
                } else {
                    exactly(at, payload.slice(levels..), body)?
                };
                check_values(at, encoding, self.physical, &body, values.saturating_sub(nulls) as usize)?;
                // The decoder wants levels and values in one piece.
                let mut buf = Vec::with_capacity(levels + body.len());
                buf.extend_from_slice(&payload.slice(..levels));
                buf.extend_from_slice(&body);
                Ok(Some(Page::DataPageV2 {
                    buf: buf.into(),
                    num_values: values,
                    encoding,
                    num_nulls: nulls,
                    num_rows: rows,
                    def_levels_byte_len: definitions,
                    rep_levels_byte_len: repetitions,
                    is_compressed: false,
                    statistics: None,
                }))
            }
        }
    }

    /// `payload` without the chunk's compression: exactly `length` bytes.
    fn decompress(&self, offset: usize, payload: Bytes, length: usize) -> Result<Bytes, Fault> {
        match self.codec {
            // Pages without values have no compressed bytes at all.
            _ if payload.is_empty() && length == 0 => Ok(payload),
            UNCOMPRESSED => exactly(offset, payload, length),
            SNAPPY => {
                let announced = snap::raw::decompress_len(&payload);
                if announced.as_ref() != Ok(&length) {
                    let found = announced.map_or_else(|error| error.to_string(), |length| length.to_string());
                    return Err(Fault::new(offset, format!("Snappy data of {length} bytes decompressed"), found));
                }
                match snap::raw::Decoder::new().decompress_vec(&payload) {
                    Ok(bytes) => exactly(offset, bytes.into(), length),
                    Err(error) => Err(Fault::new(offset, "Snappy data", error.to_string())),
                }
            }
            ZSTD => match zstd::bulk::decompress(&payload, length) {
                Ok(bytes) => exactly(offset, bytes.into(), length),
                Err(error) => Err(Fault::new(offset, "Zstandard data", error.to_string())),
            },
            other => {
                let expected = "a column chunk without compression (0), or with Snappy (1) or Zstandard (6)";
                Err(Fault::new(offset, expected, format!("codec {other}")))
            }
        }
    }
}

/// `bytes`, if there are `length` of them.
fn exactly(offset: usize, bytes: Bytes, length: usize) -> Result<Bytes, Fault> {
    if bytes.len() == length {
        Ok(bytes)
    } else {
        Err(Fault::new(offset, format!("a page of {length} bytes uncompressed"), bytes.len().to_string()))
    }
}

/// Refuses values that the decoder would make too much room for, or that it would panic on.
fn check_values(
    offset: usize,
    encoding: Encoding,
    physical: Physical,
    body: &[u8],
    values: usize,
) -> Result<(), Fault> {
    let fits = match encoding {
        Encoding::PLAIN => true,
        Encoding::RLE => physical == Physical::BOOLEAN,
        Encoding::RLE_DICTIONARY | Encoding::DELTA_LENGTH_BYTE_ARRAY => physical == Physical::BYTE_ARRAY,
        Encoding::DELTA_BINARY_PACKED => matches!(physical, Physical::INT32 | Physical::INT64),
        _ => false,
    };
    if !fits {
        return Err(Fault::new(offset, format!("an encoding of {physical} that Tempo uses"), encoding.to_string()));
    }
    if matches!(encoding, Encoding::DELTA_BINARY_PACKED | Encoding::DELTA_LENGTH_BYTE_ARRAY) {
        let mut header = Varints(body);
        let numbers = (header.next(), header.next(), header.next());
        // Apache Parquet Encodings.md: blocks of a multiple of 128 values, miniblocks of a multiple of 32.
        let sound = match numbers {
            (Some(block), Some(miniblocks), Some(total)) => {
                (1..=1 << 20).contains(&block)
                    && block.is_multiple_of(128)
                    && miniblocks > 0
                    && block.is_multiple_of(miniblocks.saturating_mul(32))
                    && usize::try_from(total).is_ok_and(|total| total == values)
            }
            _ => false,
        };
        if !sound && !(values == 0 && body.is_empty()) {
            let expected = format!("a delta encoding's header for {values} values");
            return Err(Fault::new(offset, expected, format!("{numbers:?}")));
        }
    }
    Ok(())
}

/// Unsigned LEB128 numbers.
struct Varints<'a>(&'a [u8]);

impl Iterator for Varints<'_> {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..63).step_by(7) {
            let (&byte, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }
}

fn read_header(object: &[u8], offset: usize, end: usize) -> Result<Header, Fault> {
    let bytes = object.get(offset..end).unwrap_or_default();
    let mut thrift = Thrift::new(bytes, offset);
    let mut numbers = [None; 5];
    let (mut dictionary, mut data) = (None, None);
    let mut last = 0;
    while let Some((id, kind)) = thrift.field(&mut last)? {
        match (id, kind) {
            (1..=4, Kind::Integer) => {
                let number = thrift.integer()?;
                if let Some(place) = numbers.get_mut(usize::from(id.unsigned_abs())) {
                    *place = Some(number);
                }
            }
            (7, Kind::Struct) => dictionary = Some(thrift.integers()?),
            (8, Kind::Struct) => data = Some(thrift.integers()?),
            (_, other) => thrift.skip(other)?,
        }
    }
    let [_, page_type, uncompressed, compressed, crc] = numbers;
    let present = |number: Option<i64>, what: &str| {
        number.ok_or_else(|| Fault::new(offset, format!("a page header with {what}"), "none"))
    };
    let count = |number: Option<i64>, what: &str| {
        let number = present(number, what)?;
        u32::try_from(number).map_err(|_| Fault::new(offset, format!("{what} of at least zero"), number.to_string()))
    };
    let content = match (page_type, dictionary, data) {
        (Some(2), Some(fields), _) => {
            let values = count(fields.get(&1).copied(), "a number of values")?;
            match fields.get(&2) {
                Some(0 | 2) => Content::Dictionary { values },
                other => return Err(Fault::new(offset, "a dictionary in plain encoding", format!("{other:?}"))),
            }
        }
        (Some(3), _, Some(fields)) => Content::Data {
            values: count(fields.get(&1).copied(), "a number of values")?,
            nulls: count(fields.get(&2).copied(), "a number of nulls")?,
            rows: count(fields.get(&3).copied(), "a number of rows")?,
            encoding: match fields.get(&4) {
                Some(0) => Encoding::PLAIN,
                Some(3) => Encoding::RLE,
                Some(5) => Encoding::DELTA_BINARY_PACKED,
                Some(6) => Encoding::DELTA_LENGTH_BYTE_ARRAY,
                Some(2 | 8) => Encoding::RLE_DICTIONARY,
                other => return Err(Fault::new(offset, "an encoding that Tempo uses", format!("{other:?}"))),
            },
            definitions: count(fields.get(&5).copied(), "a length of definition levels")?,
            repetitions: count(fields.get(&6).copied(), "a length of repetition levels")?,
            compressed: fields.get(&7) != Some(&0),
        },
        _ => {
            let expected = "a page header of a dictionary (2) or of data of version 2 (3)";
            return Err(Fault::new(offset, expected, format!("type {page_type:?}")));
        }
    };
    let begin = offset + thrift.consumed();
    let length = size(present(compressed, "a compressed size")?, offset, "a size")?;
    let stop = begin.checked_add(length).filter(|&stop| stop <= end).ok_or_else(|| {
        Fault::new(offset, format!("a page that ends with its column chunk at {end}"), format!("{length} bytes"))
    })?;
    let crc = present(crc, "a CRC-32")?;
    let crc = i32::try_from(crc).map_err(|_| Fault::new(offset, "a CRC-32", crc.to_string()))?;
    Ok(Header {
        offset,
        payload: begin..stop,
        uncompressed: size(present(uncompressed, "an uncompressed size")?, offset, "a size")?,
        crc: crc.cast_unsigned(),
        content,
    })
}

impl Iterator for Pages {
    type Item = Result<Page, ParquetError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl PageReader for Pages {
    fn get_next_page(&mut self) -> Result<Option<Page>, ParquetError> {
        self.page().map_err(external)
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>, ParquetError> {
        let header = self.header().map_err(external)?;
        Ok(header.map(|header| match header.content {
            Content::Dictionary { .. } => PageMetadata { num_rows: None, num_levels: None, is_dict: true },
            Content::Data { values, rows, .. } => {
                PageMetadata { num_rows: Some(rows as usize), num_levels: Some(values as usize), is_dict: false }
            }
        }))
    }

    fn skip_next_page(&mut self) -> Result<(), ParquetError> {
        self.take().map(drop).map_err(external)
    }
}

fn external(fault: Fault) -> ParquetError {
    ParquetError::External(Box::new(fault))
}
