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
/// Values of one page. A page of version 2 ends with a row, so this bounds what one column of one row unfolds to; Tempo
/// refuses traces of some 5 MB by default.
const MAX_PAGE_VALUES: u32 = 8 << 20;

/// How far the pages of a column chunk have been read, for those who hold the `parquet` crate's reader of them.
#[derive(Debug)]
pub(super) struct Progress {
    /// Offset of the page that was read last.
    pub offset: AtomicUsize,
    /// Values, without the absent ones, that the pages read so far say they hold.
    pub values: AtomicUsize,
    /// Values and absent values of pages not read yet.
    pub left: AtomicUsize,
}

impl Progress {
    /// Nothing read of `chunk`.
    pub fn new(chunk: &Chunk) -> Self {
        Self {
            offset: AtomicUsize::new(chunk.offset),
            values: AtomicUsize::new(0),
            left: AtomicUsize::new(chunk.values),
        }
    }
}

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
    has_dictionary: bool,
    next: Option<Header>,
    budget: Arc<Budget>,
    progress: Arc<Progress>,
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
    /// The pages of `chunk`, about which `progress` is kept.
    pub fn new(object: Bytes, chunk: &Chunk, budget: Arc<Budget>, progress: Arc<Progress>) -> Self {
        Self {
            object,
            position: chunk.offset,
            end: chunk.offset + chunk.length,
            codec: chunk.codec,
            physical: chunk.physical,
            has_dictionary: false,
            next: None,
            budget,
            progress,
        }
    }

    /// The next page's header; a page before which the chunk's values are used up is none of its own.
    fn header(&mut self) -> Result<Option<&Header>, Fault> {
        if self.next.is_none() {
            if self.progress.left.load(Ordering::Relaxed) == 0 {
                return Ok(None);
            }
            self.progress.offset.store(self.position, Ordering::Relaxed);
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
        if let Content::Data { values, nulls, .. } = header.content {
            if values > MAX_PAGE_VALUES {
                let expected = format!("at most {MAX_PAGE_VALUES} values in a page");
                return Err(Fault::new(header.offset, expected, values.to_string()));
            }
            let left = self.progress.left.load(Ordering::Relaxed);
            let (Some(left), Some(present)) = (left.checked_sub(values as usize), values.checked_sub(nulls)) else {
                let expected = format!("at most {left} more values in the column chunk, and no more nulls than values");
                return Err(Fault::new(header.offset, expected, format!("{values} values, {nulls} nulls")));
            };
            self.progress.left.store(left, Ordering::Relaxed);
            self.progress.values.fetch_add(present as usize, Ordering::Relaxed);
            self.budget.levels(header.offset, values as usize)?;
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
                check_values(at, Encoding::PLAIN, self.physical, &buf, values as usize)?;
                self.has_dictionary = true;
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
                if encoding == Encoding::RLE_DICTIONARY && !self.has_dictionary {
                    return Err(Fault::new(at, "a dictionary before values that refer to it", "none"));
                }
                check_values(at, encoding, self.physical, &body, (values - nulls) as usize)?;
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
    let sound = match encoding {
        Encoding::PLAIN => match physical {
            Physical::BOOLEAN => body.len() == values.div_ceil(8),
            Physical::BYTE_ARRAY => holds_byte_arrays(body, values),
            Physical::INT32 => values.checked_mul(4) == Some(body.len()),
            _ => values.checked_mul(8) == Some(body.len()),
        },
        Encoding::DELTA_BINARY_PACKED | Encoding::DELTA_LENGTH_BYTE_ARRAY => {
            (values == 0 && body.is_empty()) || has_delta_header(body, values)
        }
        _ => true,
    };
    if sound {
        Ok(())
    } else {
        let found = format!("{} bytes that hold others", body.len());
        Err(Fault::new(offset, format!("{values} values of {physical} in the encoding {encoding}"), found))
    }
}

/// Whether `body` is that many byte arrays, each after its length.
fn holds_byte_arrays(mut body: &[u8], values: usize) -> bool {
    for _ in 0..values {
        let rest = body.split_first_chunk::<4>().and_then(|(length, rest)| {
            let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
            rest.get(length..)
        });
        match rest {
            Some(rest) => body = rest,
            None => return false,
        }
    }
    body.is_empty()
}

/// Whether the header of a delta encoding is one that its decoder can follow (Apache Parquet Encodings.md: blocks of a
/// multiple of 128 values, miniblocks of a multiple of 32). The decoder makes room for as many values as it says.
fn has_delta_header(body: &[u8], values: usize) -> bool {
    let mut header = Varints(body);
    match (header.next(), header.next(), header.next()) {
        (Some(block), Some(miniblocks), Some(total)) => {
            (1..=1 << 20).contains(&block)
                && block.is_multiple_of(128)
                && miniblocks > 0
                && block.is_multiple_of(miniblocks.saturating_mul(32))
                && usize::try_from(total).is_ok_and(|total| total == values)
        }
        _ => false,
    }
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
