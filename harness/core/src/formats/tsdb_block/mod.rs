//! Reader of Prometheus' TSDB blocks as Mimir stores them: bytes of meta.json, index and segment files in, samples out. Must
//! not know buckets, requests or runs.

mod bits;
mod cursor;
mod histogram;
mod index;
mod meta;
mod mimir_layout;
mod samples;
mod segment;
mod xor;

pub use histogram::{CounterReset, STALE_NAN, without_empty_buckets};
pub use index::{ChunkReference, Index, Series};
pub use meta::{BlockCompaction, BlockFile, BlockMeta, BlockOrigin, BlockParent, BlockStats, read_meta};
pub use mimir_layout::{BlockKey, BlockObject, Mark, MimirObject, Ulid};
pub use samples::{for_each_sample, read_samples};
pub use segment::{Chunk, ChunkTimes, Encoding, SegmentFile, StoredValue};

#[cfg(test)]
mod tests;
