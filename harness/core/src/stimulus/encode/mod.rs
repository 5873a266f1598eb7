//! Wire forms of records: what a client of each protocol would send. Pure; must not know addresses, headers or answers.
//!
//! Records of one stream, resource or series are put together, in the order in which the first of each stands; within
//! each their order is kept.

mod logs;
mod metrics;
mod traces;

pub use logs::{count_over_time, log_filter, loki_json, loki_protobuf, loki_push_request, selector};
pub use metrics::{remote_read_request, remote_write_v1, remote_write_v2, write_request_v1, write_request_v2};
pub use traces::{otlp_request, traceql};

use thiserror::Error;

/// Why a record has no wire form.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
#[error("{record} cannot be encoded: expected {expected}, found {found}")]
pub struct EncodeError {
    /// The record's identity.
    pub record: String,
    /// What the wire format asks for.
    pub expected: &'static str,
    /// What the record has.
    pub found: String,
}

/// `items` put together by `key`, keys in the order in which each is first seen.
fn grouped<'a, T, K: Ord + ?Sized + 'a>(items: &'a [T], key: impl Fn(&'a T) -> &'a K) -> Vec<(&'a K, Vec<&'a T>)> {
    let mut places = std::collections::BTreeMap::new();
    let mut groups: Vec<(&K, Vec<&T>)> = Vec::new();
    for item in items {
        let key = key(item);
        let place = *places.entry(key).or_insert(groups.len());
        match groups.get_mut(place) {
            Some((_, members)) => members.push(item),
            None => groups.push((key, vec![item])),
        }
    }
    groups
}

/// `message` as a raw snappy block (not the framed form).
fn snappy(message: &impl prost::Message) -> Result<Vec<u8>, EncodeError> {
    let bytes = message.encode_to_vec();
    snap::raw::Encoder::new().compress_vec(&bytes).map_err(|error| EncodeError {
        record: format!("a message of {} bytes", bytes.len()),
        expected: "at most 4 GiB",
        found: error.to_string(),
    })
}
