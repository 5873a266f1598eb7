//! Tempo's blocks: keys, meta and the spans of `data.parquet`. Must not know buckets, queries or what was sent.
//!
//! Read are the schemas vParquet3 and vParquet4 (Tempo tempodb/encoding/vparquet3 and vparquet4, schema.go), their
//! columns found by name; another schema is read as far as its names are the same, and marked as untested.
//!
//! What a block has no place for, so that no reader can give it back:
//! - vParquet3 has no column for bytes: of such an attribute of a resource or span the key remains, its value reads as
//!   [`Empty`](crate::signal::AttributeValue::Empty). Bytes in arrays, maps, events and links are kept.
//! - An empty `service.name` is not told from none.
//! - Flags of spans and links.
//!
//! What it has a place for, but a [`Span`](crate::signal::Span) has not: scopes, trace states and dropped counts. Of
//! several attributes with one key the last is read. Times are the stored 64 bits, so that one after the year 2262
//! reads as negative.
//!
//! What is checked: every page has a CRC-32 over its payload, so that a flipped bit in a page read is always found. The
//! footer and the headers of pages have none; there the numbers must agree with one another and with the data. Of single
//! bits flipped, two in each byte of a block of either version, none altered a span unnoticed. Columns that are not read
//! are not checked, nor are, by [`read_spans_of`], pages without a wanted trace. Which attribute a dedicated column holds
//! is known from `meta.json` alone, which has no checksum.

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

pub use block::{Block, TraceId, for_each_span, read_spans, read_spans_of, trace_ids};
pub use layout::{BlockFile, BlockKey, TempoObject, classify};
pub use meta::{BlockMeta, DedicatedColumn, DedicatedScope, read_meta};

#[cfg(test)]
mod tests;
