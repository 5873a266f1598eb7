use serde::{Deserialize, Serialize};

use super::{Attributes, Signal, SignalRecord, log::as_string};

/// One span with the resource that produced it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Span {
    /// 32 lowercase hex digits.
    pub trace_id: String,
    /// 16 lowercase hex digits.
    pub span_id: String,
    /// 16 lowercase hex digits, or empty for a root span.
    pub parent_span_id: String,
    /// The span's name.
    pub name: String,
    /// OTLP's number of the kind: 1 internal, 2 server, 3 client, 4 producer, 5 consumer.
    pub kind: i32,
    /// Start, nanoseconds since the Unix epoch; a string in JSON.
    #[serde(with = "as_string")]
    pub start_ns: i64,
    /// End, nanoseconds since the Unix epoch; a string in JSON.
    #[serde(with = "as_string")]
    pub end_ns: i64,
    /// OTLP's number of the status: 0 unset, 1 ok, 2 error.
    pub status_code: i32,
    /// The status' message, empty where there is none.
    #[serde(default)]
    pub status_message: String,
    /// The resource's `service.name`, empty where there is none.
    pub service: String,
    /// The resource's attributes, `service.name` included.
    pub resource: Attributes,
    /// The span's attributes, those that the store keeps in columns of their own included.
    pub attributes: Attributes,
    /// The span's events, in the order of their times.
    pub events: Vec<SpanEvent>,
    /// The span's links, in the order sent.
    pub links: Vec<SpanLink>,
}

/// Something that happened during a span.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SpanEvent {
    /// Nanoseconds since the Unix epoch; a string in JSON.
    #[serde(with = "as_string")]
    pub time_ns: i64,
    /// The event's name.
    pub name: String,
    /// The event's attributes.
    pub attributes: Attributes,
}

/// A reference from one span to another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SpanLink {
    /// The other span's trace, 32 lowercase hex digits.
    pub trace_id: String,
    /// The other span, 16 lowercase hex digits.
    pub span_id: String,
    /// The link's attributes.
    pub attributes: Attributes,
}

impl SignalRecord for Span {
    const SIGNAL: Signal = Signal::Traces;

    fn identity(&self) -> String {
        format!("{}/{}", self.trace_id, self.span_id)
    }
}
