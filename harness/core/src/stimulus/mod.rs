//! Seeded builders of what is sent: log batches, traces, series. Every record describes itself, so that whoever finds one
//! knows which run sent it, as which of how many, and whether it is whole. Must not know who sends or where to.

pub mod encode;
pub mod load;
pub mod logs;
mod origin;
pub mod series;
pub mod traces;

pub use origin::Origin;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::signal::{LogEntry, Sample, Signal, Span};

/// One unit of sending: what a single push carries. The records stand in the order in which they are sent.
#[derive(Debug, Clone, PartialEq)]
pub enum Batch {
    /// Log entries of one or more streams.
    Logs(Vec<LogEntry>),
    /// Spans of one or more traces and resources.
    Traces(Vec<Span>),
    /// Samples of one or more series.
    Series(Vec<Sample>),
    /// Records of a load, in the wire form of the route that they are made for.
    Encoded {
        /// Which pipeline takes them.
        signal: Signal,
        /// How many there are.
        records: usize,
        /// What is sent.
        body: Bytes,
    },
}

impl Batch {
    /// Which pipeline takes this batch.
    pub fn signal(&self) -> Signal {
        match self {
            Self::Logs(_) => Signal::Logs,
            Self::Traces(_) => Signal::Traces,
            Self::Series(_) => Signal::Metrics,
            Self::Encoded { signal, .. } => *signal,
        }
    }

    /// How many records the batch carries.
    pub fn len(&self) -> usize {
        match self {
            Self::Logs(entries) => entries.len(),
            Self::Traces(spans) => spans.len(),
            Self::Series(samples) => samples.len(),
            Self::Encoded { records, .. } => *records,
        }
    }

    /// Whether the batch carries nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The door through which a batch enters the stack, and the protocol spoken there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Route {
    /// Loki's `POST /loki/api/v1/push`, JSON.
    LokiHttpJson,
    /// Loki's `POST /loki/api/v1/push`, snappy-compressed protobuf.
    LokiHttpProtobuf,
    /// Loki's gRPC service `logproto.Pusher`, method `Push`.
    LokiGrpc,
    /// OTLP/gRPC, service `TraceService`, method `Export`.
    OtlpGrpc,
    /// OTLP/HTTP, `POST /v1/traces`, protobuf.
    OtlpHttp,
    /// Prometheus remote write 1.0.
    RemoteWriteV1,
    /// Prometheus remote write 2.0.
    RemoteWriteV2,
    /// Promtail, which follows files, a stream each, and pushes their lines to Loki by HTTP.
    Promtail,
    /// Files that a Promtail followed, appended to after its end: nobody sends their lines.
    EndedPromtail,
    /// The OpenTelemetry SDK and its own exporter, by OTLP/gRPC.
    OtelSdk,
    /// otel-cli, a call a span, by OTLP/gRPC.
    OtelCli,
    /// A Prometheus, which scrapes the samples from a page and writes them to Mimir.
    Prometheus,
}
