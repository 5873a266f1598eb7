use super::{
    Block, ChunkMetadata, Cursor, EntryRef, FormatError,
    encoding::{Compressed, Encoding},
    envelope::Envelope,
};

/// Loki pkg/chunkenc/memchunk.go, `magicNumber`.
const MAGIC: u32 = 0x012E_E56A;

/// Longest block accepted when decompressed, in bytes. Loki cuts a block after 256 KiB unless told otherwise.
const BLOCK_CEILING: usize = 256 << 20;

/// Longest table of metadata strings accepted when decompressed, in bytes.
const SYMBOLS_CEILING: usize = 64 << 20;

/// Bytes of all blocks of an object accepted when decompressed.
const OBJECT_CEILING: usize = 1 << 30;

/// A part of the object that has a checksum of its own behind it.
struct Section<'a> {
    offset: usize,
    bytes: &'a [u8],
}

/// Decodes the log chunk that `envelope` announces, block after block.
pub(super) fn decode(
    object: &str,
    bytes: &[u8],
    envelope: Envelope,
    mut visit: impl FnMut(EntryRef<'_>) -> Result<(), FormatError>,
) -> Result<ChunkMetadata, FormatError> {
    let base = envelope.data_offset;
    let data = bytes.get(base..).unwrap_or_default();
    let layout = Layout::read(object, base, data)?;
    let blocks = layout.blocks(object, data)?;

    let mut symbol_bytes = Vec::new();
    let symbols = match &layout.symbols {
        Some(section) => read_symbols(object, section, layout.encoding, &mut symbol_bytes)?,
        None => Vec::new(),
    };

    let mut buffer = Vec::new();
    let mut pairs = Vec::new();
    let mut decompressed = 0_usize;
    for (index, block) in blocks.iter().enumerate() {
        let what = format!("block {index}");
        let limit = block_limit(block).min(OBJECT_CEILING.saturating_sub(decompressed));
        let compressed = bytes.get(block.offset..block.offset + block.length).unwrap_or_default();
        let content = Compressed { object, offset: block.offset, what: &what, bytes: compressed }.decompress(
            layout.encoding,
            limit,
            &mut buffer,
        )?;
        decompressed += content.len();
        let part = format!("decompressed {what}");
        let mut cursor = Cursor::of_part(object, &part, content);
        let mut count = 0_u64;
        while !cursor.is_empty() {
            let timestamp_ns = cursor.varint("an entry's time")?;
            let line = cursor.prefixed("an entry's line")?;
            pairs.clear();
            if layout.format >= 4 {
                read_pairs(&mut cursor, object, &part, &symbols, &mut pairs)?;
            }
            count += 1;
            visit(EntryRef { timestamp_ns, line, structured_metadata: &pairs })?;
        }
        if count != block.entries {
            let expected = format!("{} entries in {what}", block.entries);
            return Err(FormatError::new(object, block.offset, expected, count.to_string()));
        }
    }

    let Layout { format, encoding, .. } = layout;
    let Envelope { fingerprint, tenant, from_ms, through_ms, labels, checksum, .. } = envelope;
    Ok(ChunkMetadata { fingerprint, tenant, from_ms, through_ms, labels, format, encoding, checksum, blocks })
}

/// How many bytes a block may hold: its lines and, for each entry, a time and three lengths of at most ten bytes; a pair counts
/// eight raw bytes and takes at most ten. Formats 1 and 2 don't tell.
fn block_limit(block: &Block) -> usize {
    let Some(raw) = block.raw_bytes else { return BLOCK_CEILING };
    let declared = raw.saturating_mul(2).saturating_add(block.entries.saturating_mul(40));
    usize::try_from(declared).map_or(BLOCK_CEILING, |declared| declared.min(BLOCK_CEILING))
}

/// An entry's pairs: the length of what follows, their number, then two positions in the table of strings for each.
#[inline]
fn read_pairs<'s>(
    cursor: &mut Cursor<'_>,
    object: &str,
    part: &str,
    symbols: &[&'s str],
    pairs: &mut Vec<(&'s str, &'s str)>,
) -> Result<(), FormatError> {
    let length = cursor.size_uvarint("the length of structured metadata")?;
    let start = cursor.offset();
    let content = cursor.take(length, "structured metadata")?;
    if content == [0] {
        return Ok(());
    }
    let mut section = Cursor::of_part(object, part, content);
    let count = section.uvarint("the number of pairs of structured metadata")?;
    for _ in 0..count {
        let mut symbol = |what| {
            let index = section.size_uvarint(what)?;
            symbols.get(index).copied().ok_or_else(|| {
                let expected = format!("{what}, one of {} strings", symbols.len());
                cursor.error_at(start, &expected, format!("string {index}"))
            })
        };
        pairs.push((symbol("a name of structured metadata")?, symbol("a value of structured metadata")?));
    }
    section.finish("structured metadata")
}

/// The table of strings: their number in plain, then, compressed, each with its length before it.
fn read_symbols<'b>(
    object: &'b str,
    section: &Section<'b>,
    encoding: Encoding,
    buffer: &'b mut Vec<u8>,
) -> Result<Vec<&'b str>, FormatError> {
    let mut cursor = Cursor::new(object, section.bytes, section.offset);
    let count = cursor.uvarint("the number of metadata strings")?;
    let offset = cursor.offset();
    let compressed = cursor.take(cursor.remaining(), "the metadata strings")?;
    let compressed = Compressed { object, offset, what: "the metadata strings", bytes: compressed };
    let content = compressed.decompress(encoding, SYMBOLS_CEILING, buffer)?;
    let mut strings = Cursor::of_part(object, "decompressed metadata strings", content);
    let mut symbols = Vec::new();
    for _ in 0..count {
        let at = strings.offset();
        let string = strings.prefixed("a metadata string")?;
        let string = std::str::from_utf8(string)
            .map_err(|error| strings.error_at(at, "a metadata string in UTF-8", error.to_string()))?;
        symbols.push(string);
    }
    strings.finish("the metadata strings")?;
    Ok(symbols)
}

/// Where the parts of a log chunk are.
struct Layout<'a> {
    format: u8,
    encoding: Encoding,
    /// Where in the object the log chunk begins: its own offsets count from there.
    base: usize,
    /// From format 4 on.
    symbols: Option<Section<'a>>,
    /// Where in the log chunk the first block must begin.
    blocks_start: usize,
    /// Where in the log chunk the last block's checksum must end.
    blocks_end: usize,
    metas: Section<'a>,
}

impl<'a> Layout<'a> {
    /// Reads the head and the tail of a log chunk and verifies the checksums of what the tail points to. The parts must follow
    /// each other without a gap, so that no byte is left out of every check.
    fn read(object: &str, base: usize, data: &'a [u8]) -> Result<Self, FormatError> {
        let mut head = Cursor::new(object, data, base);
        let magic = head.u32be("the log chunk's magic number")?;
        if magic != MAGIC {
            return Err(head.error_at(base, &format!("the magic number {MAGIC:08x}"), format!("{magic:08x}")));
        }
        let format = head.u8("the log chunk's format")?;
        if !(1..=4).contains(&format) {
            return Err(head.error_at(base + 4, "a log chunk of format 1 to 4", format.to_string()));
        }
        let encoding = if format == 1 {
            Encoding::Gzip
        } else {
            let number = head.u8("the log chunk's encoding")?;
            Encoding::from_number(number)
                .ok_or_else(|| head.error_at(base + 5, "an encoding, 0, 1 or 3 to 9", number.to_string()))?
        };
        let head_length = head.offset() - base;

        let tail_length = if format >= 4 { 32 } else { 8 };
        let Some(tail_start) = data.len().checked_sub(tail_length).filter(|start| *start >= head_length) else {
            return Err(head.error_at(base + head_length, "the log chunk's tail", "its end"));
        };
        let mut tail = Cursor::new(object, data.get(tail_start..).unwrap_or_default(), base + tail_start);
        let section = |offset: usize, length: usize, what: &str| -> Result<Section<'a>, FormatError> {
            let end = offset.checked_add(length);
            let bytes = end.and_then(|end| data.get(offset..end));
            let sum = end.and_then(|end| data.get(end..end.checked_add(4)?));
            let (Some(bytes), Some(sum)) = (bytes, sum) else {
                let expected = format!("{what} and a checksum inside the log chunk's {} bytes", data.len());
                return Err(FormatError::new(object, base + tail_start, expected, format!("{length} at {offset}")));
            };
            let mut cursor = Cursor::new(object, sum, base + offset + length);
            let sum = cursor.u32be("a checksum")?;
            cursor.verify(base + offset, bytes, sum, what)?;
            Ok(Section { offset: base + offset, bytes })
        };

        let mut blocks_start = head_length;
        let mut symbols = None;
        if format >= 4 {
            let length = tail.u64be_size("the length of the metadata strings")?;
            let offset = tail.u64be_size("the offset of the metadata strings")?;
            if offset != head_length {
                let expected = format!("metadata strings at {head_length} of the log chunk");
                return Err(tail.error_at(base + tail_start + 8, &expected, offset.to_string()));
            }
            symbols = Some(section(offset, length, "the metadata strings")?);
            blocks_start = offset + length + 4;
        }
        let metas_length = if format >= 4 { Some(tail.u64be_size("the length of the block metas")?) } else { None };
        let metas_offset = tail.u64be_size("the offset of the block metas")?;
        let available = metas_offset.checked_add(4).and_then(|used| tail_start.checked_sub(used));
        let Some(metas_length) = available.filter(|length| metas_length.is_none_or(|declared| declared == *length))
        else {
            let expected = format!("block metas that end, with their checksum, at {tail_start} of the log chunk");
            let found = match metas_length {
                Some(length) => format!("{length} bytes at {metas_offset}"),
                None => format!("an offset of {metas_offset}"),
            };
            return Err(tail.error_at(base + tail_start, &expected, found));
        };
        let metas = section(metas_offset, metas_length, "the block metas")?;
        Ok(Self { format, encoding, base, symbols, blocks_start, blocks_end: metas_offset, metas })
    }

    /// The blocks as the metas list them; each must begin where the one before ends and carry its own checksum.
    fn blocks(&self, object: &str, data: &[u8]) -> Result<Vec<Block>, FormatError> {
        let mut metas = Cursor::new(object, self.metas.bytes, self.metas.offset);
        let count = metas.uvarint("the number of blocks")?;
        let mut blocks = Vec::new();
        let mut start = self.blocks_start;
        for index in 0..count {
            let entries = metas.uvarint("a block's number of entries")?;
            let min_ns = metas.varint("a block's first time")?;
            let max_ns = metas.varint("a block's last time")?;
            let meta_offset = metas.offset();
            let offset = metas.size_uvarint("a block's offset")?;
            let raw_bytes = if self.format >= 3 { Some(metas.uvarint("a block's raw size")?) } else { None };
            let length = metas.size_uvarint("a block's length")?;
            if offset != start {
                let expected = format!("block {index} at {start} of the log chunk, where the part before it ends");
                return Err(metas.error_at(meta_offset, &expected, offset.to_string()));
            }
            let end =
                offset.checked_add(length).filter(|end| end.checked_add(4).is_some_and(|end| end <= self.blocks_end));
            let Some(end) = end else {
                let expected = format!("block {index} to end before the metas at {}", self.blocks_end);
                return Err(metas.error_at(meta_offset, &expected, format!("{length} bytes at {offset}")));
            };
            let sum = Cursor::new(object, data.get(end..).unwrap_or_default(), self.base + end).u32be("a checksum")?;
            let block = data.get(offset..end).unwrap_or_default();
            metas.verify(self.base + offset, block, sum, &format!("block {index}"))?;
            start = end + 4;
            blocks.push(Block { entries, min_ns, max_ns, offset: self.base + offset, length, raw_bytes });
        }
        metas.finish("the block metas")?;
        if start != self.blocks_end {
            let expected =
                format!("the last block to end where the metas begin, at {} of the log chunk", self.blocks_end);
            return Err(metas.error_at(self.metas.offset, &expected, start.to_string()));
        }
        Ok(blocks)
    }
}
