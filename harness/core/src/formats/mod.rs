//! Readers of what the stack stores: bytes in, exact records out, nothing trusted. Must not know buckets, requests or runs.

mod error;

pub use error::FormatError;
