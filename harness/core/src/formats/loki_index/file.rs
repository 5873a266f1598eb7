use super::{FormatError, Index, IndexedChunk, IndexedSeries, TENANT_LABEL};
use crate::{formats::bytes::Cursor, signal::Labels};

const MAGIC: u32 = 0xBAAA_D700;

/// Seven offsets, two times, a checksum.
const CONTENTS_LENGTH: usize = 9 * 8 + 4;

/// Series begin at multiples of this.
const ALIGNMENT: usize = 16;

/// The offsets that end every index file.
struct Contents {
    symbols: usize,
    series: usize,
    label_indices: usize,
    label_indices_table: usize,
    postings_table: usize,
    fingerprint_offsets: usize,
    from_ms: i64,
    through_ms: i64,
    checksum: u32,
}

struct File<'a> {
    object: &'a str,
    part: &'a str,
    bytes: &'a [u8],
}

/// Reads a decompressed index; errors name `part`, or nothing where it is empty.
pub(super) fn read(object: &str, part: &str, bytes: &[u8]) -> Result<Index, FormatError> {
    let file = File { object, part, bytes };
    let mut head = file.cursor(0, bytes.len())?;
    let magic = head.u32be("the index's magic number")?;
    if magic != MAGIC {
        return Err(head.error_at(0, &format!("the magic number {MAGIC:08x}"), format!("{magic:08x}")));
    }
    let format = head.u8("the index's format")?;
    if !(2..=3).contains(&format) {
        return Err(head.error_at(4, "an index of format 2 or 3", format.to_string()));
    }
    let contents = file.contents()?;
    let symbols = file.symbols(contents.symbols)?;
    let (series, references) = file.series(format, &contents, &symbols)?;
    file.check_postings(contents.postings_table, &references)?;
    file.section(contents.label_indices_table, "the table of label indexes")?;
    file.section(contents.fingerprint_offsets, "the table of fingerprints")?;
    let Contents { from_ms, through_ms, checksum, .. } = contents;
    Ok(Index { format, from_ms, through_ms, checksum, series })
}

impl<'a> File<'a> {
    fn error(&self, offset: usize, expected: &str, found: impl Into<String>) -> FormatError {
        Cursor::of_part(self.object, self.part, self.bytes).error_at(offset, expected, found)
    }

    /// Reads from `start` on and not beyond `end`; offsets count from the start of the file.
    fn cursor(&self, start: usize, end: usize) -> Result<Cursor<'a>, FormatError> {
        let Some(upto) = self.bytes.get(..end).filter(|upto| upto.len() >= start) else {
            let expected = format!("bytes {start} to {end} of {}", self.bytes.len());
            return Err(self.error(start, &expected, "its end"));
        };
        let mut cursor = Cursor::of_part(self.object, self.part, upto);
        cursor.take(start, "the index")?;
        Ok(cursor)
    }

    /// What stands at `offset`: `u32be` length, that many bytes, their CRC-32C.
    fn section(&self, offset: usize, what: &str) -> Result<Cursor<'a>, FormatError> {
        let mut cursor = self.cursor(offset.min(self.bytes.len()), self.bytes.len())?;
        let length = cursor.u32be(what)? as usize;
        let start = cursor.offset();
        let content = cursor.take(length, what)?;
        let checksum = cursor.u32be(what)?;
        cursor.verify(start, content, checksum, what)?;
        self.cursor(start, start + length)
    }

    fn contents(&self) -> Result<Contents, FormatError> {
        let what = "the table of contents";
        let Some(start) = self.bytes.len().checked_sub(CONTENTS_LENGTH) else {
            let expected = format!("{CONTENTS_LENGTH} bytes of {what}");
            return Err(self.error(0, &expected, self.bytes.len().to_string()));
        };
        let end = self.bytes.len() - 4;
        let checksum = self.cursor(end, self.bytes.len())?.u32be(what)?;
        let mut cursor = self.cursor(start, end)?;
        cursor.verify(start, self.bytes.get(start..end).unwrap_or_default(), checksum, what)?;
        let symbols = cursor.u64be_size("the offset of the symbols")?;
        let series = cursor.u64be_size("the offset of the series")?;
        let label_indices = cursor.u64be_size("the offset of the label indexes")?;
        let label_indices_table = cursor.u64be_size("the offset of the table of label indexes")?;
        cursor.u64be_size("the offset of the postings")?;
        Ok(Contents {
            symbols,
            series,
            label_indices,
            label_indices_table,
            postings_table: cursor.u64be_size("the offset of the table of postings")?,
            fingerprint_offsets: cursor.u64be_size("the offset of the table of fingerprints")?,
            from_ms: cursor.u64be("the start of the earliest chunk")?.cast_signed(),
            through_ms: cursor.u64be("the end of the latest chunk")?.cast_signed(),
            checksum,
        })
    }

    fn symbols(&self, offset: usize) -> Result<Vec<&'a str>, FormatError> {
        let mut cursor = self.section(offset, "the symbols")?;
        let count = cursor.u32be("the number of symbols")?;
        let mut symbols = Vec::new();
        for _ in 0..count {
            let at = cursor.offset();
            let symbol = std::str::from_utf8(cursor.prefixed("a symbol")?)
                .map_err(|error| cursor.error_at(at, "a symbol in UTF-8", error.to_string()))?;
            symbols.push(symbol);
        }
        cursor.finish("the symbols")?;
        Ok(symbols)
    }

    /// All series with their references, which are offsets in units of the alignment.
    fn series(
        &self,
        format: u8,
        contents: &Contents,
        symbols: &[&str],
    ) -> Result<(Vec<IndexedSeries>, Vec<u32>), FormatError> {
        let mut all: Vec<IndexedSeries> = Vec::new();
        let mut references = Vec::new();
        let mut cursor = self.cursor(contents.series, contents.label_indices)?;
        loop {
            let padding = cursor.offset().next_multiple_of(ALIGNMENT) - cursor.offset();
            if cursor.remaining() == 0 {
                break;
            }
            let at = cursor.offset();
            if cursor.take(padding, "padding before a series")?.iter().any(|byte| *byte != 0) {
                return Err(cursor.error_at(at, "zeros before a series", "other bytes"));
            }
            let start = cursor.offset();
            let length = cursor.size_uvarint("a series' length")?;
            let content_start = cursor.offset();
            let content = cursor.take(length, "a series")?;
            let checksum = cursor.u32be("a series' checksum")?;
            cursor.verify(content_start, content, checksum, "a series")?;
            let series = read_series(format, &mut self.cursor(content_start, content_start + length)?, symbols)?;
            if all.last().is_some_and(|before| before.fingerprint > series.fingerprint) {
                let found = format!("{:016x}", series.fingerprint);
                return Err(cursor.error_at(start, "series in the order of their fingerprints", found));
            }
            all.push(series);
            references.push(
                u32::try_from(start / ALIGNMENT)
                    .map_err(|_| cursor.error_at(start, "a series within 64 GiB", start.to_string()))?,
            );
        }
        Ok((all, references))
    }

    /// Every list of postings must have its checksum, and the one of all series must name exactly `references`.
    fn check_postings(&self, table: usize, references: &[u32]) -> Result<(), FormatError> {
        let mut cursor = self.section(table, "the table of postings")?;
        let count = cursor.u32be("the number of lists of postings")?;
        let mut all = false;
        for _ in 0..count {
            let at = cursor.offset();
            let names = cursor.uvarint("the number of names of a list of postings")?;
            if names != 2 {
                return Err(cursor.error_at(at, "a name and a value for a list of postings", names.to_string()));
            }
            let name = cursor.prefixed("the name of a list of postings")?;
            let value = cursor.prefixed("the value of a list of postings")?;
            let offset = cursor.size_uvarint("the offset of a list of postings")?;
            let mut list = self.section(offset, "a list of postings")?;
            let length = list.u32be("the number of postings")?;
            if !(name.is_empty() && value.is_empty()) {
                continue;
            }
            all = true;
            let listed = (0..length).map(|_| list.u32be("a posting")).collect::<Result<Vec<_>, _>>()?;
            if listed != references {
                let expected = format!("a list of all {} series", references.len());
                return Err(self.error(offset, &expected, format!("a list of {}, or of others", listed.len())));
            }
        }
        cursor.finish("the table of postings")?;
        if all { Ok(()) } else { Err(self.error(table, "a list of all series", "none")) }
    }
}

/// A series: `u64be` fingerprint, its labels as pairs of symbols, its chunks.
pub(super) fn read_series(format: u8, cursor: &mut Cursor<'_>, symbols: &[&str]) -> Result<IndexedSeries, FormatError> {
    let fingerprint = cursor.u64be("a series' fingerprint")?;
    let count = cursor.uvarint("a series' number of labels")?;
    let mut labels = Labels::new();
    for _ in 0..count {
        let at = cursor.offset();
        let name = cursor.size_uvarint("a label's name")?;
        let value = cursor.size_uvarint("a label's value")?;
        let (Some(name), Some(value)) = (symbols.get(name), symbols.get(value)) else {
            let expected = format!("a label made of the {} symbols", symbols.len());
            return Err(cursor.error_at(at, &expected, format!("symbols {name} and {value}")));
        };
        labels.insert((*name).to_owned(), (*value).to_owned());
    }
    let chunks = if format >= 3 { read_paged_chunks(cursor)? } else { read_chunks(cursor)? };
    let tenant = labels.remove(TENANT_LABEL);
    Ok(IndexedSeries { tenant, labels, fingerprint, chunks })
}

/// Chunks of format 2: their number, then one after the other.
fn read_chunks(cursor: &mut Cursor<'_>) -> Result<Vec<IndexedChunk>, FormatError> {
    let count = cursor.uvarint("a series' number of chunks")?;
    let mut before = 0;
    let chunks = (0..count).map(|_| read_chunk(cursor, &mut before)).collect::<Result<_, _>>()?;
    cursor.finish("a series")?;
    Ok(chunks)
}

/// A summary of up to sixteen chunks, by which Loki skips them or counts them without reading on.
struct Page {
    at: usize,
    chunks: u64,
    kib: u32,
    entries: u32,
    offset: usize,
    min_ms: i64,
    max_ms: i64,
}

/// Chunks of format 3: their number, the length of the pages' summaries, those with their number, then the chunks. A series
/// without chunks has a summary length of zero and yet the number of pages, zero.
fn read_paged_chunks(cursor: &mut Cursor<'_>) -> Result<Vec<IndexedChunk>, FormatError> {
    let count = cursor.uvarint("a series' number of chunks")?;
    let length_at = cursor.offset();
    let length = cursor.u32be("the length of a series' pages")? as usize;
    let pages_start = cursor.offset();
    let mut pages = Vec::new();
    for _ in 0..cursor.uvarint("a series' number of pages")? {
        let at = cursor.offset();
        let chunks = cursor.uvarint("a page's number of chunks")?;
        let kib = cursor.u32be("a page's size")?;
        let entries = cursor.u32be("a page's number of entries")?;
        let offset = cursor.size_uvarint("a page's offset")?;
        let min_ms = cursor.varint("a page's start")?;
        let max_ms = min_ms.wrapping_add(cursor.varint("a page's duration")?);
        pages.push(Page { at, chunks, kib, entries, offset, min_ms, max_ms });
    }
    let chunks_start = cursor.offset();
    if count > 0 && chunks_start - pages_start != length {
        let expected = format!("pages of {} bytes", chunks_start - pages_start);
        return Err(cursor.error_at(length_at, &expected, length.to_string()));
    }

    let mut chunks: Vec<IndexedChunk> = Vec::new();
    let mut before = 0;
    for page in pages {
        if cursor.offset() - chunks_start != page.offset {
            let expected = format!("a page at {} of the series' chunks", cursor.offset() - chunks_start);
            return Err(cursor.error_at(page.at, &expected, page.offset.to_string()));
        }
        let start = chunks.len();
        for _ in 0..page.chunks {
            chunks.push(read_chunk(cursor, &mut before)?);
        }
        let held = chunks.get(start..).unwrap_or_default();
        let sums = held.iter().fold((0_u32, 0_u32), |(kib, entries), chunk| {
            (kib.wrapping_add(chunk.kib), entries.wrapping_add(chunk.entries))
        });
        let min_ms = held.iter().map(|chunk| chunk.from_ms).min().unwrap_or_default();
        let max_ms = held.iter().map(|chunk| chunk.through_ms).fold(0, i64::max);
        let found = (page.kib, page.entries, page.min_ms, page.max_ms);
        if (sums.0, sums.1, min_ms, max_ms) != found {
            let describe = |(kib, entries, from, through): (u32, u32, i64, i64)| {
                format!("{kib} KiB and {entries} entries from {from} to {through}")
            };
            let expected = format!("a page of {}", describe((sums.0, sums.1, min_ms, max_ms)));
            return Err(cursor.error_at(page.at, &expected, describe(found)));
        }
    }
    if chunks.len() as u64 != count {
        return Err(cursor.error_at(length_at, &format!("{count} chunks in pages"), chunks.len().to_string()));
    }
    cursor.finish("a series")?;
    Ok(chunks)
}

/// One chunk; its start counts from the end of the chunk `before`.
fn read_chunk(cursor: &mut Cursor<'_>, before: &mut i64) -> Result<IndexedChunk, FormatError> {
    let at = cursor.offset();
    let distance = cursor.varint("a chunk's start")?;
    let duration = cursor.uvarint("a chunk's duration")?;
    let size_at = cursor.offset();
    let kib = cursor.uvarint("a chunk's size")?;
    let entries = cursor.uvarint("a chunk's number of entries")?;
    let checksum = cursor.u32be("a chunk's checksum")?;
    let times =
        before.checked_add(distance).and_then(|from| Some((from, from.checked_add(i64::try_from(duration).ok()?)?)));
    let Some((from_ms, through_ms)) = times else {
        return Err(cursor.error_at(at, "a chunk's times within 64 bits", format!("{distance} and {duration}")));
    };
    let (Ok(kib), Ok(entries)) = (u32::try_from(kib), u32::try_from(entries)) else {
        return Err(cursor.error_at(
            size_at,
            "a chunk's size and entries within 32 bits",
            format!("{kib} and {entries}"),
        ));
    };
    *before = through_ms;
    Ok(IndexedChunk { from_ms, through_ms, checksum, kib, entries })
}
