//! What the stack's answers say, as records. Pure, nothing trusted; must not know what was asked for or expected.

mod counts;
mod logs;
mod metrics;
mod promql;
mod services;
mod traces;

pub use counts::{found_traces, total};
pub use logs::{LOG_ENTRIES_LIMIT, log_entries};
pub use metrics::samples;
pub use promql::promql_samples;
pub use services::services;
pub use traces::{spans, trace_ids};

use thiserror::Error;

/// Why an answer cannot be understood, or says itself that it is incomplete.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
#[error("the answer's {place}: expected {expected}, found {found}")]
pub struct AnswerError {
    /// Which part of the answer.
    pub place: String,
    /// What stands there in an answer that can be used.
    pub expected: String,
    /// What stands there.
    pub found: String,
}

impl AnswerError {
    fn new(place: impl Into<String>, expected: impl Into<String>, found: impl std::fmt::Display) -> Self {
        // An answer may be megabytes of something else.
        let found = found.to_string().chars().take(MOST_FOUND).collect();
        Self { place: place.into(), expected: expected.into(), found }
    }
}

/// Characters of the answer that an error quotes, at most.
const MOST_FOUND: usize = 200;
