//! The index, version 2 (Prometheus tsdb/docs/format/index.md, tsdb/index/index.go). Must not know samples or buckets.

use std::{ops::Range, slice::ChunksExact};

use super::cursor::Cursor;
use crate::{formats::FormatError, signal::Labels};

const MAGIC: u32 = 0xbaaa_d700;
const VERSION: u8 = 2;
/// Magic and version.
const HEADER: usize = 5;
/// Six references of eight bytes and a checksum.
const TABLE_OF_CONTENTS: usize = 6 * 8 + 4;
/// A series is referred to by its offset divided by this.
const SERIES_ALIGNMENT: usize = 16;
/// Of label indices and postings lists.
const SECTION_ALIGNMENT: usize = 4;

/// An index of which everything but the series was verified: header, table of contents, symbols, postings, all checksums.
/// Each series is verified as it is read.
#[derive(Debug, Clone)]
pub struct Index<'a> {
    object: &'a str,
    bytes: &'a [u8],
    symbols: Vec<&'a str>,
    series: Range<usize>,
    /// References to all series in ascending order, four bytes each.
    all_series: &'a [u8],
}

/// A series of a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Series {
    /// The series' labels, `__name__` included.
    pub labels: Labels,
    /// Where its samples are, in the order of their times.
    pub chunks: Vec<ChunkReference>,
}

/// Where a chunk is and which times it covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkReference {
    /// Time of the first sample, milliseconds since the Unix epoch.
    pub min_ms: i64,
    /// Time of the last sample, milliseconds since the Unix epoch.
    pub max_ms: i64,
    /// Number of the segment file as it stands in its name: 1 for `chunks/000001`.
    pub segment: u64,
    /// Byte of the segment file at which the chunk begins.
    pub offset: u32,
}

/// Where the sections are.
struct Contents {
    series: usize,
    label_indices: usize,
    postings: usize,
    label_indices_table: usize,
    postings_table: usize,
    end: usize,
}

impl<'a> Index<'a> {
    /// Verifies all of the index but its series. Memory: at most 16 times the size of the symbol table, plus twice the size
    /// of the postings.
    pub fn open(object: &'a str, bytes: &'a [u8]) -> Result<Self, FormatError> {
        let mut header = Cursor::new(object, 0, bytes);
        let magic = header.u32("index magic")?;
        if magic != MAGIC {
            return Err(FormatError::new(object, 0, format!("index magic {MAGIC:08x}"), format!("{magic:08x}")));
        }
        let [version] = header.array("index version")?;
        if version != VERSION {
            return Err(FormatError::new(object, 4, "index version 2", format!("index version {version}")));
        }
        let contents = Contents::read(object, bytes)?;
        let section = |range: Range<usize>| Cursor::new(object, range.start, bytes.get(range).unwrap_or_default());

        let symbols = read_symbols(section(HEADER..contents.series))?;
        let mut label_indices = section(contents.label_indices..contents.postings);
        label_indices.align(SECTION_ALIGNMENT)?;
        while !label_indices.is_empty() {
            label_indices.section("label index")?;
            label_indices.align(SECTION_ALIGNMENT)?;
        }
        let mut label_indices_table = section(contents.label_indices_table..contents.postings_table);
        while !label_indices_table.is_empty() {
            label_indices_table.section("label offset table")?;
        }
        let postings = Postings::read(section(contents.postings..contents.label_indices_table))?;
        let all_series = postings.of_all_series(section(contents.postings_table..contents.end))?;
        Ok(Self { object, bytes, symbols, series: contents.series..contents.label_indices, all_series })
    }

    /// How many series the postings list.
    pub fn len(&self) -> usize {
        self.all_series.len() / 4
    }

    /// Whether the block has no series.
    pub fn is_empty(&self) -> bool {
        self.all_series.is_empty()
    }

    /// All series in the order of their labels; ends after the first error. A series that stands in the file but not in the
    /// postings, or the other way round, is an error: queries go by the postings.
    pub fn series(&self) -> impl Iterator<Item = Result<Series, FormatError>> {
        SeriesReader {
            symbols: &self.symbols,
            cursor: Some(Cursor::new(
                self.object,
                self.series.start,
                self.bytes.get(self.series.clone()).unwrap_or_default(),
            )),
            listed: self.all_series.chunks_exact(4),
        }
    }
}

impl Contents {
    fn read(object: &str, bytes: &[u8]) -> Result<Self, FormatError> {
        let end = bytes.len().checked_sub(TABLE_OF_CONTENTS).filter(|end| *end >= HEADER).ok_or_else(|| {
            let expected = format!("a header of {HEADER} bytes and a table of contents of {TABLE_OF_CONTENTS}");
            FormatError::new(object, 0, expected, format!("{} bytes", bytes.len()))
        })?;
        let mut table = Cursor::new(object, end, bytes.get(end..).unwrap_or_default())
            .summed(TABLE_OF_CONTENTS - 4, "table of contents")?;

        // A reference of zero says that there is no such section; only label indices, no longer in use, may be missing.
        let mut references = [0; 6];
        for reference in &mut references {
            *reference = table.u64("a reference")?;
        }
        let [symbols, series, mut label_indices, mut label_indices_table, postings, postings_table] = references;
        if label_indices == 0 {
            label_indices = postings;
        }
        if label_indices_table == 0 {
            label_indices_table = postings_table;
        }
        let ordered = [symbols, series, label_indices, postings, label_indices_table, postings_table, end as u64];
        if symbols != HEADER as u64 || !ordered.is_sorted() {
            return Err(FormatError::new(
                object,
                end,
                format!(
                    "sections in order from {HEADER} to {end}: symbols, series, label indices, postings, their tables"
                ),
                format!("{ordered:?}"),
            ));
        }
        // All are at most `end`, which is a length in memory.
        let [_, series, label_indices, postings, label_indices_table, postings_table, _] =
            ordered.map(|reference| usize::try_from(reference).unwrap_or(end));
        Ok(Self { series, label_indices, postings, label_indices_table, postings_table, end })
    }
}

/// The symbols in ascending order.
fn read_symbols(mut section: Cursor<'_>) -> Result<Vec<&str>, FormatError> {
    let mut table = section.section("symbol table")?;
    section.align(SERIES_ALIGNMENT)?;
    section.end("symbol table")?;
    let number = table.u32("the number of symbols")?;
    let mut symbols: Vec<&str> = Vec::new();
    for _ in 0..number {
        let place = table.clone();
        let symbol = table.string("a symbol")?;
        if let Some(before) = symbols.last().filter(|before| **before >= symbol) {
            return Err(place.error(format!("a symbol greater than {before:?}"), format!("{symbol:?}")));
        }
        symbols.push(symbol);
    }
    table.end("symbol table")?;
    Ok(symbols)
}

/// Lists of references to series, each ascending, in the order of their offsets.
struct Postings<'a> {
    lists: Vec<(usize, &'a [u8])>,
}

impl<'a> Postings<'a> {
    fn read(mut section: Cursor<'a>) -> Result<Self, FormatError> {
        let mut lists = Vec::new();
        section.align(SECTION_ALIGNMENT)?;
        while !section.is_empty() {
            let offset = section.offset();
            let mut list = section.section("postings list")?;
            let place = list.clone();
            let number = list.u32("the number of postings")?;
            let references = list.take((number as usize).saturating_mul(4), "postings")?;
            list.end("postings list")?;
            let (each, next) = (references.chunks_exact(4), references.chunks_exact(4).skip(1));
            if !each.zip(next).all(|(reference, next)| reference < next) {
                return Err(place.error("postings in ascending order", "others"));
            }
            lists.push((offset, references));
            section.align(SECTION_ALIGNMENT)?;
        }
        Ok(Self { lists })
    }

    /// The list that stands for every series: that of the empty label. Verifies on the way that each entry of the table
    /// leads to a list.
    fn of_all_series(&self, mut section: Cursor<'a>) -> Result<&'a [u8], FormatError> {
        let mut table = section.section("postings offset table")?;
        section.end("postings offset table")?;
        let number = table.u32("the number of postings lists")?;
        let mut all = None;
        for _ in 0..number {
            let place = table.clone();
            let [parts] = table.array("the number of parts of a label")?;
            if parts != 2 {
                return Err(place.error("a label of 2 parts", format!("{parts} parts")));
            }
            let (name, value) = (table.string("a label's name")?, table.string("a label's value")?);
            let offset = table.uvarint("a postings list's offset")?;
            let found = self.lists.binary_search_by_key(&offset, |(offset, _)| *offset as u64).ok();
            let Some((_, list)) = found.and_then(|found| self.lists.get(found)) else {
                return Err(
                    place.error(format!("the offset of a postings list for {name}={value:?}"), offset.to_string())
                );
            };
            if name.is_empty() && value.is_empty() {
                all = Some(*list);
            }
        }
        table.end("postings offset table")?;
        all.ok_or_else(|| table.error("a postings list of all series", "none"))
    }
}

struct SeriesReader<'i, 'a> {
    symbols: &'i [&'a str],
    /// `None` after an error and at the end.
    cursor: Option<Cursor<'a>>,
    listed: ChunksExact<'a, u8>,
}

impl Iterator for SeriesReader<'_, '_> {
    type Item = Result<Series, FormatError>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut cursor = self.cursor.take()?;
        let series = self.read(&mut cursor).transpose()?;
        if series.is_ok() {
            self.cursor = Some(cursor);
        }
        Some(series)
    }
}

impl<'a> SeriesReader<'_, 'a> {
    fn read(&mut self, cursor: &mut Cursor<'a>) -> Result<Option<Series>, FormatError> {
        cursor.align(SERIES_ALIGNMENT)?;
        let listed = self.listed.next().and_then(|bytes| bytes.first_chunk()).map(|bytes| u32::from_be_bytes(*bytes));
        let found = (!cursor.is_empty()).then(|| cursor.offset() / SERIES_ALIGNMENT);
        if listed.map(u64::from) != found.map(|found| found as u64) {
            let say =
                |reference: Option<String>| reference.map_or("no more series".to_owned(), |at| format!("series {at}"));
            let (listed, found) = (listed.map(|at| at.to_string()), found.map(|at| at.to_string()));
            return Err(cursor.error(format!("{}, as the postings list", say(listed)), say(found)));
        }
        if found.is_none() {
            return Ok(None);
        }
        let length = cursor.length("a series' length")?;
        let mut entry = cursor.summed(length, "series")?;
        let labels = self.read_labels(&mut entry)?;
        let chunks = read_chunk_references(&mut entry)?;
        entry.end("series")?;
        Ok(Some(Series { labels, chunks }))
    }

    fn read_labels(&self, entry: &mut Cursor<'a>) -> Result<Labels, FormatError> {
        let mut labels = Labels::new();
        for _ in 0..entry.uvarint("the number of labels")? {
            let place = entry.clone();
            let (name, value) = (self.read_symbol(entry)?, self.read_symbol(entry)?);
            if let Some((before, _)) = labels.last_key_value().filter(|(before, _)| before.as_str() >= name) {
                return Err(place.error(format!("a label name greater than {before:?}"), format!("{name:?}")));
            }
            labels.insert(name.to_owned(), value.to_owned());
        }
        Ok(labels)
    }

    fn read_symbol(&self, entry: &mut Cursor<'a>) -> Result<&'a str, FormatError> {
        let place = entry.clone();
        let number = entry.uvarint("a symbol's number")?;
        usize::try_from(number).ok().and_then(|number| self.symbols.get(number)).copied().ok_or_else(|| {
            place.error(format!("the number of one of {} symbols", self.symbols.len()), number.to_string())
        })
    }
}

/// The times are deltas to the time before, the references deltas to the reference before.
fn read_chunk_references(entry: &mut Cursor<'_>) -> Result<Vec<ChunkReference>, FormatError> {
    let mut chunks = Vec::new();
    let (mut time, mut reference) = (0_i64, 0_u64);
    for chunk in 0..entry.uvarint("the number of chunks")? {
        let place = entry.clone();
        let out_of_range = || place.error("chunk times and references of 64 bits", "an overflow");
        if chunk == 0 {
            time = entry.varint("a chunk's first time")?;
        } else {
            let gap = entry.uvarint("the time since the chunk before")?;
            time = time.checked_add_unsigned(gap).ok_or_else(out_of_range)?;
        }
        let min_ms = time;
        let duration = entry.uvarint("a chunk's duration")?;
        time = time.checked_add_unsigned(duration).ok_or_else(out_of_range)?;
        if chunk == 0 {
            reference = entry.uvarint("a chunk's reference")?;
        } else {
            let step = entry.varint("the distance from the chunk before")?;
            reference = reference.checked_add_signed(step).ok_or_else(out_of_range)?;
        }
        chunks.push(ChunkReference {
            min_ms,
            max_ms: time,
            segment: (reference >> 32) + 1,
            offset: (reference & u64::from(u32::MAX)) as u32,
        });
    }
    Ok(chunks)
}
