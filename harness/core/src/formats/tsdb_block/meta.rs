//! The description of a block, `meta.json` (Prometheus tsdb/block.go, Mimir pkg/storage/tsdb/block/meta.go). Must not know
//! the files that it describes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Ulid;
use crate::formats::FormatError;

/// The only version of `meta.json`, and of the part that Thanos and Mimir add.
const VERSION: u32 = 1;

/// What `meta.json` says of a block. Unknown fields are passed over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BlockMeta {
    /// The block's identifier.
    pub ulid: Ulid,
    /// Start of the block's time range, milliseconds since the Unix epoch, inclusive.
    pub min_time: i64,
    /// End of the block's time range, milliseconds since the Unix epoch, exclusive.
    pub max_time: i64,
    /// What the block holds.
    #[serde(default)]
    pub stats: BlockStats,
    /// How the block came to be.
    pub compaction: BlockCompaction,
    /// Version of the format, 1.
    pub version: u32,
    /// Whether the block was made of samples that came out of order; says nothing after a compaction.
    #[serde(default, rename = "out_of_order")]
    pub out_of_order: bool,
    /// What the shipper or compactor added; absent in a block that Prometheus keeps for itself.
    #[serde(default)]
    pub thanos: Option<BlockOrigin>,
}

/// Numbers of things in a block.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BlockStats {
    /// Samples of every kind.
    pub num_samples: u64,
    /// Float samples; zero also where the writer did not count them apart.
    pub num_float_samples: u64,
    /// Native histograms; zero also where the writer did not count them apart.
    pub num_histogram_samples: u64,
    /// Series.
    pub num_series: u64,
    /// Chunks.
    pub num_chunks: u64,
}

/// How a block came to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockCompaction {
    /// 1 for a block cut from an ingester's head, one more with every compaction.
    pub level: u32,
    /// The blocks cut from a head that went into this one, itself where it is one.
    #[serde(default)]
    pub sources: Vec<Ulid>,
    /// The blocks that the last compaction replaced by this one.
    #[serde(default)]
    pub parents: Vec<BlockParent>,
    /// What the writer noted, `from-out-of-order` for one.
    #[serde(default)]
    pub hints: Vec<String>,
}

/// A block that went into another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BlockParent {
    /// The block's identifier.
    pub ulid: Ulid,
    /// Start of its time range, milliseconds since the Unix epoch, inclusive.
    pub min_time: i64,
    /// End of its time range, milliseconds since the Unix epoch, exclusive.
    pub max_time: i64,
}

/// Who put the block into the bucket, and which files make it up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockOrigin {
    /// Version of this part, 1; 0 in blocks older than the field.
    #[serde(default)]
    pub version: u32,
    /// Labels that hold for the whole block: `__out_of_order__`, `__compactor_shard_id__`.
    #[serde(default, deserialize_with = "null_as_default")]
    pub labels: BTreeMap<String, String>,
    /// `receive` for an ingester, `compactor`, `block-builder` and others.
    #[serde(default)]
    pub source: String,
    /// The segment files' names, without their folder.
    #[serde(default)]
    pub segment_files: Vec<String>,
    /// All files but `meta.json`'s size.
    #[serde(default)]
    pub files: Vec<BlockFile>,
}

/// One file of a block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockFile {
    /// Path below the block's folder.
    pub rel_path: String,
    /// Size in bytes; `None` for `meta.json`, which can't know its own.
    #[serde(default)]
    pub size_bytes: Option<u64>,
}

fn null_as_default<'de, D: serde::Deserializer<'de>, T: Default + Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// Reads `meta.json`.
pub fn read_meta(object: &str, bytes: &[u8]) -> Result<BlockMeta, FormatError> {
    let meta: BlockMeta = serde_json::from_slice(bytes).map_err(|error| {
        let line_start: usize =
            bytes.split_inclusive(|byte| *byte == b'\n').take(error.line().saturating_sub(1)).map(<[u8]>::len).sum();
        FormatError::new(object, line_start + error.column(), "the description of a block", error.to_string())
    })?;
    let origin = meta.thanos.as_ref().map_or(VERSION, |origin| origin.version.max(VERSION));
    if meta.version != VERSION || origin != VERSION {
        let found = format!("version {}, added part {origin}", meta.version);
        return Err(FormatError::new(object, 0, "meta.json version 1", found));
    }
    if meta.min_time > meta.max_time {
        let found = format!("{} to {}", meta.min_time, meta.max_time);
        return Err(FormatError::new(object, 0, "minTime up to maxTime", found));
    }
    Ok(meta)
}
