//! The exact records of the three signals: log entry, span, sample. One shape for what is sent, stored and found, and what
//! `inspect` prints. Must not know wire formats, storage formats, or who sends and who looks.

mod attribute;
mod log;
mod mark;
mod metric;
mod number;
mod trace;

pub use attribute::{AttributeValue, Attributes};
pub use log::LogEntry;
pub use mark::LineMark;
pub use metric::{
    Histogram, HistogramKind, HistogramSpan, NORMAL_NAN, STALE_MARKER, Sample, SampleValue, format_float,
};
pub use trace::{Span, SpanEvent, SpanLink};

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// Label names and values, in the order of their names.
pub type Labels = BTreeMap<String, String>;

/// Which of the three pipelines a record belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Signal {
    /// Log entries, kept by Loki.
    Logs,
    /// Spans, kept by Tempo.
    Traces,
    /// Samples of series, kept by Mimir.
    Metrics,
}

/// A record that can be told apart from every other record of a run.
pub trait SignalRecord: Serialize + DeserializeOwned {
    /// Which pipeline carries records of this kind.
    const SIGNAL: Signal;

    /// What makes this record the same record wherever it is found, even where its content was altered on the way.
    fn identity(&self) -> String;
}

impl Signal {
    /// Every signal.
    pub const ALL: [Self; 3] = [Self::Logs, Self::Traces, Self::Metrics];

    /// The name used in commands and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Logs => "logs",
            Self::Traces => "traces",
            Self::Metrics => "metrics",
        }
    }
}
