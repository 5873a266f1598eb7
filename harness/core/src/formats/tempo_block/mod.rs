//! Tempo's blocks: keys, meta and the spans of `data.parquet`. Must not know buckets, queries or what was sent.
//!
//! Read are the schemas vParquet3 and vParquet4 (Tempo tempodb/encoding/vparquet3 and vparquet4, schema.go), their columns found
//! by name; another schema is read as far as its names are the same, and marked as untested.
//!
//! What a block has no place for, so that no reader can give it back:
//! - vParquet3 drops attributes of type bytes: key and an [`Empty`](crate::signal::AttributeValue::Empty) value remain. Events and
//!   links keep theirs, as they are stored encoded.
//! - An empty `service.name` is not told from none.
//! - vParquet3 drops a scope's and a resource's dropped counts and a scope's attributes. Scope, trace state and dropped counts that
//!   are stored have no place in a [`Span`](crate::signal::Span) and are passed over.
//! - Flags of spans and links.
//!
//! What is checked: every page read has a CRC-32 over its payload, so a flipped bit there is always found. Page headers and the
//! footer have none. They are checked for agreement with each other and with the data, which finds most flips there; a flip
//! that only exchanges the names of two attributes' columns is among those it can't.

mod attribute;
mod block;
mod budget;
mod column;
mod fault;
mod footer;
mod layout;
mod meta;
mod page;
mod row;
mod spans;
mod thrift;

pub use block::{Block, TraceId, read_spans, read_spans_of, trace_ids};
pub use layout::{BlockFile, BlockKey, TempoObject, classify};
pub use meta::{BlockMeta, DedicatedColumn, DedicatedScope, read_meta};

#[cfg(test)]
mod tests;
