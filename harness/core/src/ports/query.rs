use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{Component, Interface, PortError, Reader, Tick};
use crate::{observation::Evidence, signal::Labels};

/// Where a trace is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TraceSource {
    /// Wherever the stack finds it.
    Any,
    /// Only in blocks of the backend: a store-only read (Tempo `mode=blocks`).
    Blocks,
}

/// One question to the stack, in the stack's own terms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "query", rename_all = "kebab-case")]
pub enum QueryRequest {
    /// All log entries of the streams with these labels.
    LogEntries {
        /// Labels that a stream must have.
        selector: Labels,
        /// First nanosecond, inclusive.
        start_ns: i64,
        /// Last nanosecond, exclusive.
        end_ns: i64,
        /// Ask the reader that cannot ask an ingester.
        store_only: bool,
    },
    /// One trace.
    Trace {
        /// 32 lowercase hex digits.
        trace_id: String,
        /// Where to look.
        source: TraceSource,
    },
    /// The traces with a span that has these attributes (TraceQL).
    TraceSearch {
        /// Names without scope, and values.
        attributes: Labels,
        /// First second, inclusive.
        start_s: i64,
        /// Last second, exclusive.
        end_s: i64,
        /// How many traces to tell, at most.
        limit: usize,
    },
    /// All raw samples of the series with these labels, as stored (remote read).
    Samples {
        /// Labels that a series must have.
        selector: Labels,
        /// First millisecond, inclusive.
        start_ms: i64,
        /// Last millisecond, inclusive.
        end_ms: i64,
    },
    /// All samples of the series with these labels, as PromQL's engine sees them (an instant query of a range selector).
    SamplesByPromql {
        /// Labels that a series must have.
        selector: Labels,
        /// First millisecond, inclusive.
        start_ms: i64,
        /// Last millisecond, inclusive.
        end_ms: i64,
    },
    /// The lines of the streams with these labels that contain a text (LogQL, a filter query).
    LogLines {
        /// Labels that a stream must have.
        selector: Labels,
        /// What a line must contain.
        containing: String,
        /// First nanosecond, inclusive.
        start_ns: i64,
        /// Last nanosecond, exclusive.
        end_ns: i64,
    },
    /// How many log entries the streams with these labels have in each step (LogQL, a metric query over a range).
    LogCounts {
        /// Labels that a stream must have.
        selector: Labels,
        /// End of the first step, nanoseconds.
        start_ns: i64,
        /// End of the last step, nanoseconds.
        end_ns: i64,
        /// Length of a step, seconds.
        step_s: u64,
    },
    /// How many samples the series with these labels have in each step (PromQL, a range query).
    SampleCounts {
        /// Labels that a series must have.
        selector: Labels,
        /// End of the first step, milliseconds.
        start_ms: i64,
        /// End of the last step, milliseconds.
        end_ms: i64,
        /// Length of a step, milliseconds.
        step_ms: i64,
    },
    /// How many samples the series with these labels have in one range (PromQL, an instant query).
    SampleCount {
        /// Labels that a series must have.
        selector: Labels,
        /// Length of the range, milliseconds.
        range_ms: i64,
        /// End of the range, milliseconds, inclusive.
        at_ms: i64,
    },
    /// The modules that a component runs, as it says itself (`/services`).
    Services {
        /// The component.
        component: Component,
    },
    /// The configuration that a component runs with, as it says itself (`/config`).
    Configuration {
        /// The component.
        component: Component,
    },
}

/// A complete answer. What it means is for `observation` to say.
#[derive(Debug, Clone)]
pub struct Answer {
    /// When the request was about to be sent.
    pub sent: Tick,
    /// When the last byte had arrived.
    pub received: Tick,
    /// HTTP status.
    pub status: u16,
    /// The body, whole.
    pub body: Bytes,
    /// Request, status, excerpt, component that answered.
    pub evidence: Evidence,
}

/// Asks the stack.
#[async_trait]
pub trait Query: Send + Sync {
    /// Asks once. An answer with an error status is an [`Answer`]; [`PortError`] means that there was none.
    async fn query(&self, request: &QueryRequest) -> Result<Answer, PortError>;

    /// The same questions, each put by `reader` to the address of the row `at` of the API matrix. [`PortError::Unsupported`]: it is not
    /// installed, or does not speak HTTP.
    fn through(&self, reader: Reader, at: Interface) -> Result<Arc<dyn Query>, PortError>;
}
