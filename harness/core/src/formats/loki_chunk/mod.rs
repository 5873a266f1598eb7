//! Reader of Loki's chunk objects, from the key to the entries. Must not know indexes, buckets or who asks.
//!
//! After Loki pkg/storage/chunk/chunk.go (the envelope), pkg/chunkenc/memchunk.go, unordered.go and symbols.go (the log chunk).
//! Loki itself reads on past a wrong block offset or a damaged block; here each is an error.

mod encoding;
mod envelope;
mod key;
mod log_chunk;
#[cfg(test)]
mod tests;

pub use encoding::Encoding;
pub use key::ChunkKey;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Serialize;

use super::{FormatError, bytes::Cursor};
use crate::signal::{Labels, LogEntry};

/// What [`read`] may keep of one object, in bytes. Loki cuts chunks at 1.5 MB compressed unless told otherwise.
const MEMORY_CEILING: usize = 1 << 30;

/// Bytes of a map's node and a string's header, about, for each label that [`read`] keeps.
const LABEL_OVERHEAD: usize = 64;

/// A chunk with all its entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// What the chunk says of itself.
    pub metadata: ChunkMetadata,
    /// The entries, block after block as stored: by time within a block, and blocks in the order of their times.
    pub entries: Vec<LogEntry>,
}

/// What a chunk says of itself, all of it checked against the rest of the object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChunkMetadata {
    /// Hash of the stream's labels.
    pub fingerprint: u64,
    /// Who pushed the stream.
    pub tenant: String,
    /// Time of the first entry, milliseconds since the Unix epoch, rounded down.
    pub from_ms: i64,
    /// Time of the last entry, milliseconds since the Unix epoch, rounded up.
    pub through_ms: i64,
    /// The stream's labels, without the `__name__` that Loki adds.
    pub labels: Labels,
    /// Version of the log chunk: 4 under schema v13, 3 under v10 to v12, older ones 1 and 2.
    pub format: u8,
    /// How it is compressed.
    pub encoding: Encoding,
    /// CRC-32C of the whole object, the last part of its key.
    pub checksum: u32,
    /// Its blocks, in the order of the object.
    pub blocks: Vec<Block>,
}

impl ChunkMetadata {
    /// The key under which Loki stores this object.
    pub fn key(&self) -> ChunkKey {
        ChunkKey {
            tenant: self.tenant.clone(),
            fingerprint: self.fingerprint,
            from_ms: self.from_ms,
            through_ms: self.through_ms,
            checksum: self.checksum,
        }
    }
}

/// One compressed run of entries.
///
/// The times are what Loki wrote, and it skips blocks by them: where a block begins with an empty line without structured
/// metadata, `min_ns` is the time of a later entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Block {
    /// Number of entries.
    pub entries: u64,
    /// Time of the first entry, nanoseconds since the Unix epoch.
    pub min_ns: i64,
    /// Time of the last entry, nanoseconds since the Unix epoch.
    pub max_ns: i64,
    /// Where in the object it begins.
    pub offset: usize,
    /// Its compressed length in bytes, without its checksum.
    pub length: usize,
    /// From format 3 on: bytes of the lines and eight for each pair of structured metadata.
    pub raw_bytes: Option<u64>,
}

/// One entry, borrowed from the block that is being decoded.
#[derive(Debug, Clone, Copy)]
pub struct EntryRef<'a> {
    /// Nanoseconds since the Unix epoch.
    pub timestamp_ns: i64,
    /// The line as stored.
    pub line: &'a [u8],
    /// Names and values in the order stored; a name may occur twice.
    pub structured_metadata: &'a [(&'a str, &'a str)],
}

/// Everything in the chunk `bytes`.
///
/// `object` names it in errors; where the name ends in a chunk's key, the key's tenant, fingerprint, times and checksum must be
/// the object's. Every checksum is verified. Where an entry has two values under one name of structured metadata, the later one
/// counts, as for a reader of Loki's JSON answers.
///
/// # Errors
/// The first thing in the object that is not as the format has it, and a chunk that would take more than a gibibyte.
pub fn read(object: &str, bytes: &[u8]) -> Result<Chunk, FormatError> {
    let envelope = envelope::open(object, bytes)?;
    let labels = envelope.labels.clone();
    let stream_bytes: usize = labels.iter().map(|(name, value)| LABEL_OVERHEAD + name.len() + value.len()).sum();
    let mut entries = Vec::new();
    let mut kept = 0_usize;
    let metadata = log_chunk::decode(object, bytes, envelope, |entry| {
        let pairs = entry.structured_metadata;
        let pair_bytes: usize = pairs.iter().map(|(name, value)| LABEL_OVERHEAD + name.len() + value.len()).sum();
        kept += size_of::<LogEntry>() + entry.line.len() + stream_bytes + pair_bytes;
        if kept > MEMORY_CEILING {
            let expected = format!("entries of at most {MEMORY_CEILING} bytes in memory");
            return Err(FormatError::new(object, 0, expected, "more"));
        }
        let line_base64 = std::str::from_utf8(entry.line).is_err().then(|| STANDARD.encode(entry.line));
        entries.push(LogEntry {
            stream: labels.clone(),
            timestamp_ns: entry.timestamp_ns,
            line: String::from_utf8_lossy(entry.line).into_owned(),
            structured_metadata: pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            line_base64,
        });
        Ok(())
    })?;
    Ok(Chunk { metadata, entries })
}

/// Shows every entry of the chunk `bytes` to `visit`, without keeping any; otherwise as [`read`].
///
/// # Errors
/// As [`read`], apart from its bound on memory. What was visited before an error is from blocks with correct checksums.
pub fn for_each_entry(
    object: &str,
    bytes: &[u8],
    mut visit: impl FnMut(EntryRef<'_>),
) -> Result<ChunkMetadata, FormatError> {
    let envelope = envelope::open(object, bytes)?;
    log_chunk::decode(object, bytes, envelope, |entry| {
        visit(entry);
        Ok(())
    })
}
