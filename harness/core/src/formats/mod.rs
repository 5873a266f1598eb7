//! Readers of what the stack stores: bytes in, exact records out, nothing trusted. Must not know buckets, requests or runs.

mod bytes;
mod error;
pub mod loki_chunk;
pub mod loki_index;
pub mod loki_layout;
pub mod tempo_block;
pub mod tsdb_block;

pub use error::FormatError;
