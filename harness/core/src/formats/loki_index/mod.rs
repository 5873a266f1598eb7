//! Reader of Loki's TSDB indexes: which chunks they list. Must not know what is in a chunk, buckets or who asks.
//!
//! After Loki pkg/storage/stores/shipper/indexshipper/tsdb/index/index.go and chunk.go, a fork of Prometheus' index with a
//! fingerprint in each series and chunks named by time and checksum.

mod file;
mod key;
#[cfg(test)]
mod tests;

pub use key::{IndexFile, IndexKey};

use std::io::Read;

use serde::Serialize;

use super::{FormatError, loki_chunk::ChunkKey};
use crate::signal::Labels;

/// Longest index accepted when decompressed, in bytes.
const CEILING: usize = 1 << 30;

/// The label that stands for the tenant in an index of many.
const TENANT_LABEL: &str = "__loki_tenant__";

/// An index with everything it lists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Index {
    /// The file's version: 3 under schema v13, 2 before.
    pub format: u8,
    /// Start of the earliest chunk, milliseconds since the Unix epoch.
    pub from_ms: i64,
    /// End of the latest chunk, milliseconds since the Unix epoch.
    pub through_ms: i64,
    /// CRC-32C of the table of contents, the last part of a compacted file's name.
    pub checksum: u32,
    /// The series, in the order of their fingerprints.
    pub series: Vec<IndexedSeries>,
}

impl Index {
    /// The entry that lists the chunk under `key`. A series without a tenant counts for every tenant.
    pub fn find(&self, key: &ChunkKey) -> Option<(&IndexedSeries, &IndexedChunk)> {
        let start = self.series.partition_point(|series| series.fingerprint < key.fingerprint);
        let same = self.series.get(start..)?.iter().take_while(|series| series.fingerprint == key.fingerprint);
        same.filter_map(|series| Some((series, series.find(key)?))).next()
    }
}

/// One stream and its chunks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IndexedSeries {
    /// Whose stream it is: from the label that an index of many tenants adds, otherwise from the file's name where it has one.
    pub tenant: Option<String>,
    /// The stream's labels, without that of the tenant.
    pub labels: Labels,
    /// Hash of the stream's labels, as in the chunk's key.
    pub fingerprint: u64,
    /// Its chunks, in the order of their start.
    pub chunks: Vec<IndexedChunk>,
}

impl IndexedSeries {
    /// The chunk of this series that is stored under `key`.
    pub fn find(&self, key: &ChunkKey) -> Option<&IndexedChunk> {
        let same_tenant = self.tenant.as_ref().is_none_or(|tenant| *tenant == key.tenant);
        let same = same_tenant && self.fingerprint == key.fingerprint;
        self.chunks.iter().find(|chunk| same && chunk.is_at(key))
    }
}

/// One chunk as the index lists it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct IndexedChunk {
    /// Time of the first entry, milliseconds since the Unix epoch, rounded down.
    pub from_ms: i64,
    /// Time of the last entry, milliseconds since the Unix epoch, rounded up.
    pub through_ms: i64,
    /// CRC-32C of the chunk object.
    pub checksum: u32,
    /// Size of its content before compression, rounded to KiB.
    pub kib: u32,
    /// Number of entries.
    pub entries: u32,
}

impl IndexedChunk {
    /// Whether times and checksum are those of `key`; tenant and fingerprint are the series', see [`IndexedSeries::find`].
    pub fn is_at(&self, key: &ChunkKey) -> bool {
        (self.from_ms, self.through_ms, self.checksum) == (key.from_ms, key.through_ms, key.checksum)
    }
}

/// Everything that the index `bytes` lists, compressed with gzip or not.
///
/// `object` names it in errors; where it ends in an index's key, the key's tenant is that of the series, and a compacted file's
/// bounds and checksum must be the index's. All sections' checksums are verified, and the list of all series that queries start
/// from must be the series found. Offsets in errors about a compressed index count in the decompressed one.
///
/// # Errors
/// The first thing in the object that is not as the format has it, and an index of more than a gibibyte.
pub fn read(object: &str, bytes: &[u8]) -> Result<Index, FormatError> {
    let key = IndexKey::of_object(object);
    let index = if bytes.starts_with(&[0x1f, 0x8b]) {
        file::read(object, "decompressed index", &gunzip(object, bytes)?)?
    } else {
        file::read(object, "", bytes)?
    };
    match key {
        None => Ok(index),
        Some(key) => of_key(object, key, index),
    }
}

/// Holds the index against its key and takes the tenant from there.
fn of_key(object: &str, key: IndexKey, mut index: Index) -> Result<Index, FormatError> {
    if let IndexFile::Compacted { from_ms, through_ms, checksum, .. } = key.file {
        let named = (from_ms, through_ms, checksum);
        let found = (index.from_ms, index.through_ms, index.checksum);
        if named != found {
            let describe = |(from, through, checksum)| format!("{from} to {through} with checksum {checksum:x}");
            let expected = format!("an index of {}, as its key says", describe(named));
            return Err(FormatError::new(object, 0, expected, describe(found)));
        }
    }
    if let Some(tenant) = key.tenant {
        for series in &mut index.series {
            series.tenant.get_or_insert_with(|| tenant.clone());
        }
    }
    Ok(index)
}

fn gunzip(object: &str, bytes: &[u8]) -> Result<Vec<u8>, FormatError> {
    let mut decompressed = Vec::new();
    let mut decoder = flate2::bufread::GzDecoder::new(bytes);
    decoder
        .by_ref()
        .take(CEILING as u64 + 1)
        .read_to_end(&mut decompressed)
        .map_err(|error| FormatError::new(object, 0, "an index compressed with gzip", error.to_string()))?;
    if decompressed.len() > CEILING {
        let expected = format!("an index of at most {CEILING} bytes when decompressed");
        return Err(FormatError::new(object, 0, expected, "more"));
    }
    match decoder.get_ref().len() {
        0 => Ok(decompressed),
        left => {
            let end = bytes.len() - left;
            Err(FormatError::new(object, end, "the end of the compressed index", format!("{left} more bytes")))
        }
    }
}
