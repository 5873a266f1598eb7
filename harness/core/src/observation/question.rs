use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::answers::{self, AnswerError};
use crate::{
    ports::{QueryRequest, TraceSource},
    signal::{Labels, LineMark},
};

/// A question that is asked many times, each time a little otherwise, so that no answer can be an earlier one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "question", rename_all = "kebab-case")]
pub enum Question {
    /// LogQL: the lines of matching streams that contain a text.
    LogLines {
        /// Labels that a stream must have; they are in the mark of each line too.
        selector: Labels,
        /// What a line must contain.
        containing: String,
        /// First nanosecond, inclusive.
        start_ns: i64,
        /// Last nanosecond, exclusive.
        end_ns: i64,
        /// How many lines there are.
        expected: u64,
    },
    /// LogQL: how many entries matching streams have, step by step.
    LogCounts {
        /// Labels that a stream must have.
        selector: Labels,
        /// No entry is older, nanoseconds.
        start_ns: i64,
        /// No entry is younger, nanoseconds.
        end_ns: i64,
        /// Length of a step, seconds.
        step_s: u64,
        /// How many entries there are.
        expected: u64,
    },
    /// Traces by their ids, one after the other.
    TraceById {
        /// 32 lowercase hex digits each.
        trace_ids: Vec<String>,
        /// How many spans each has.
        expected: u64,
    },
    /// TraceQL: the traces with spans that have these attributes.
    Traces {
        /// Attributes of a span, and their texts.
        attributes: Labels,
        /// The traces that there are, 32 lowercase hex digits each.
        trace_ids: Vec<String>,
        /// First second.
        start_s: i64,
        /// Last second.
        end_s: i64,
        /// How many spans there are in all.
        expected: u64,
    },
    /// PromQL, a range query: how many samples matching series have, step by step.
    SampleCounts {
        /// Labels that a series must have.
        selector: Labels,
        /// No sample is older, milliseconds.
        start_ms: i64,
        /// No sample is younger, milliseconds.
        end_ms: i64,
        /// Length of a step, milliseconds.
        step_ms: i64,
        /// How many samples there are.
        expected: u64,
    },
    /// PromQL, an instant query: how many samples matching series have.
    SampleCount {
        /// Labels that a series must have.
        selector: Labels,
        /// No sample is older, milliseconds.
        start_ms: i64,
        /// No sample is younger, milliseconds.
        end_ms: i64,
        /// How many samples there are.
        expected: u64,
    },
}

/// What an answer holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// Records that were asked for, each once.
    pub found: u64,
    /// Records that were not, or are told twice.
    pub foreign: u64,
}

/// By how much one time of asking differs from the next, milliseconds: a thousand times stay within the margin that a stimulus' looks
/// have around it.
const SHIFT_MS: i64 = 10;

impl Question {
    /// What kind of question it is.
    pub fn name(&self) -> &'static str {
        match self {
            Self::LogLines { .. } => "LogQL filter",
            Self::LogCounts { .. } => "LogQL metric",
            Self::TraceById { .. } => "trace by id",
            Self::Traces { .. } => "TraceQL search",
            Self::SampleCounts { .. } => "PromQL range",
            Self::SampleCount { .. } => "PromQL instant",
        }
    }

    /// How many records a complete answer holds.
    pub fn expected(&self) -> u64 {
        match self {
            Self::LogLines { expected, .. }
            | Self::LogCounts { expected, .. }
            | Self::TraceById { expected, .. }
            | Self::Traces { expected, .. }
            | Self::SampleCounts { expected, .. }
            | Self::SampleCount { expected, .. } => *expected,
        }
    }

    /// The question as it is asked for time number `number`, from 0.
    pub fn request(&self, number: u32) -> QueryRequest {
        let shift_ms = i64::from(number) * SHIFT_MS;
        let shift_ns = shift_ms * 1_000_000;
        match self.clone() {
            Self::LogLines { selector, containing, start_ns, end_ns, .. } => {
                QueryRequest::LogLines { selector, containing, start_ns: start_ns - shift_ns, end_ns }
            }
            Self::LogCounts { selector, start_ns, end_ns, step_s, .. } => {
                let step_ns = i64::try_from(step_s).unwrap_or(i64::MAX).saturating_mul(1_000_000_000);
                let end_ns = last_step(start_ns, end_ns, step_ns);
                let (start_ns, end_ns) = (start_ns - shift_ns, end_ns.saturating_sub(shift_ns));
                QueryRequest::LogCounts { selector, start_ns, end_ns, step_s }
            }
            Self::TraceById { trace_ids, .. } => {
                let trace_id = asked(&trace_ids, number).cloned().unwrap_or_default();
                QueryRequest::Trace { trace_id, source: TraceSource::Any }
            }
            Self::Traces { attributes, trace_ids, start_s, end_s, .. } => QueryRequest::TraceSearch {
                attributes,
                start_s: start_s - i64::from(number),
                end_s,
                // One more, so that one too many shows.
                limit: trace_ids.len() + 1,
            },
            Self::SampleCounts { selector, start_ms, end_ms, step_ms, .. } => {
                let end_ms = last_step(start_ms, end_ms, step_ms);
                let (start_ms, end_ms) = (start_ms - shift_ms, end_ms.saturating_sub(shift_ms));
                QueryRequest::SampleCounts { selector, start_ms, end_ms, step_ms }
            }
            Self::SampleCount { selector, start_ms, end_ms, .. } => {
                let at_ms = end_ms + shift_ms;
                QueryRequest::SampleCount { selector, range_ms: at_ms - start_ms, at_ms }
            }
        }
    }

    /// What the answer to time number `number` holds.
    ///
    /// # Errors
    /// A body that is no such answer.
    pub fn count(&self, number: u32, body: &[u8]) -> Result<Count, AnswerError> {
        match self {
            Self::LogLines { selector, containing, .. } => Ok(lines(selector, containing, body)?),
            Self::LogCounts { .. } | Self::SampleCounts { .. } | Self::SampleCount { .. } => {
                Ok(Count { found: answers::total(body)?, foreign: 0 })
            }
            Self::TraceById { trace_ids, .. } => {
                let asked = asked(trace_ids, number);
                Ok(distinct(
                    answers::spans(body)?
                        .into_iter()
                        .map(|span| (Some(&span.trace_id) == asked).then_some(span.span_id)),
                ))
            }
            Self::Traces { trace_ids, .. } => {
                let mut count = Count { found: 0, foreign: 0 };
                let mut unseen: BTreeSet<&String> = trace_ids.iter().collect();
                for (trace_id, matched) in answers::found_traces(body)? {
                    if unseen.remove(&trace_id) {
                        count.found += matched;
                    } else {
                        count.foreign += 1;
                    }
                }
                Ok(count)
            }
        }
    }
}

/// The id that is asked for.
fn asked(trace_ids: &[String], number: u32) -> Option<&String> {
    trace_ids.iter().cycle().nth(usize::try_from(number).unwrap_or(0) % trace_ids.len().max(1))
}

/// The end of the first step that ends a step or more after `end`, so that steps that begin a little earlier still reach beyond it.
fn last_step(start: i64, end: i64, step: i64) -> i64 {
    let step = step.max(1);
    start.saturating_add(((end.saturating_sub(start)).div_euclid(step) + 2).saturating_mul(step))
}

fn lines(selector: &Labels, containing: &str, body: &[u8]) -> Result<Count, AnswerError> {
    Ok(distinct(answers::log_entries(body)?.into_iter().map(|entry| {
        let mark = LineMark::parse(&entry.line)?;
        let label = |name: &str| selector.get(name).map(String::as_str);
        let ours = label("run") == Some(&mark.run) && label("stimulus") == Some(&mark.stimulus);
        (ours && entry.line.contains(containing) && mark.is_whole(&entry.line)).then_some(mark.sequence)
    })))
}

/// How many of `found` are there for the first time; `None` is one that was not asked for.
fn distinct<T: Ord>(found: impl Iterator<Item = Option<T>>) -> Count {
    let mut known = BTreeSet::new();
    let mut foreign = 0;
    for item in found {
        if !item.is_some_and(|item| known.insert(item)) {
            foreign += 1;
        }
    }
    Count { found: known.len() as u64, foreign }
}
