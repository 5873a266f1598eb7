use std::collections::BTreeSet;

use super::bucket_of;
use crate::{
    formats::tsdb_block::without_empty_buckets,
    observation::{Look, Question},
    ports::{Interface, Reader},
    signal::{Labels, LogEntry, Sample, SampleValue, Signal, Span},
    stimulus::{Batch, logs::MARKED, traces},
};

/// Records that one scenario sends, with what is needed to find exactly them again.
#[derive(Debug, Clone)]
pub struct Stimulus {
    pub(super) name: String,
    pub(super) signal: Signal,
    pub(super) parts: Vec<Part>,
    pub(super) expected: String,
    pub(super) count: u64,
    selector: Labels,
    trace_ids: Vec<String>,
    first_ns: i64,
    last_ns: i64,
}

/// What one push carries.
#[derive(Debug, Clone)]
pub(super) struct Part {
    pub(super) batch: Batch,
    pub(super) first: u64,
    pub(super) refusal_wanted: bool,
}

/// Nanoseconds by which looks reach beyond the stimulus' own times.
const MARGIN_NS: i64 = 60_000_000_000;

impl Stimulus {
    /// `accepted` is meant to be accepted, `refused` to be refused; `keep` keeps the records as one body and gives its hash.
    pub(super) fn new<E>(
        run: &str,
        name: &str,
        accepted: Vec<Batch>,
        refused: Vec<Batch>,
        keep: impl FnOnce(&[u8]) -> Result<String, E>,
    ) -> Result<Self, E> {
        let mut parts = Vec::new();
        let mut body = Vec::new();
        let mut count = 0_u64;
        let mut span = TimeSpan::default();
        let mut trace_ids = BTreeSet::new();
        let signal = accepted.first().map_or(Signal::Logs, Batch::signal);
        let meant =
            accepted.into_iter().map(|batch| (batch, false)).chain(refused.into_iter().map(|batch| (batch, true)));
        for (batch, refusal_wanted) in meant {
            describe(&batch, &mut body, &mut span, &mut trace_ids);
            let first = count;
            count += batch.len() as u64;
            parts.push(Part { batch, first, refusal_wanted });
        }
        let selector = [("run".to_owned(), run.to_owned()), ("stimulus".to_owned(), name.to_owned())].into();
        Ok(Self {
            name: name.to_owned(),
            signal,
            parts,
            expected: keep(&body)?,
            count,
            selector,
            trace_ids: trace_ids.into_iter().collect(),
            first_ns: span.first.unwrap_or(0),
            last_ns: span.last.unwrap_or(0),
        })
    }

    /// How many records there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The look into the objects of the bucket that the design names for this signal.
    pub fn in_objects(&self) -> Look {
        self.in_blocks(false)
    }

    /// The same, for traces and metrics, into blocks alone that a compaction made.
    pub fn in_compacted_blocks(&self) -> Look {
        self.in_blocks(true)
    }

    fn in_blocks(&self, compacted: bool) -> Look {
        let bucket = bucket_of(self.signal).to_owned();
        match self.signal {
            Signal::Logs => {
                Look::LogChunks { bucket, selector: self.selector.clone(), since_ms: self.since_ns() / 1_000_000 }
            }
            Signal::Traces => Look::TraceBlocks {
                bucket,
                trace_ids: self.trace_ids.clone(),
                since_s: self.since_ns() / 1_000_000_000,
                compacted,
            },
            Signal::Metrics => Look::SampleBlocks {
                bucket,
                selector: self.selector.clone(),
                since_ms: self.since_ns() / 1_000_000,
                compacted,
            },
        }
    }

    /// The look through the query API.
    pub fn by_query(&self) -> Look {
        self.query(false)
    }

    /// The look through PromQL, which tells less than remote read, by another way; for metrics.
    pub fn by_promql(&self) -> Look {
        Look::PromqlQuery {
            selector: self.selector.clone(),
            start_ms: self.since_ns() / 1_000_000,
            end_ms: (self.last_ns + MARGIN_NS) / 1_000_000,
        }
    }

    /// The look through `reader`, which puts its questions to the address of the row `at`; for metrics by PromQL, which every client
    /// can speak.
    pub fn read_by(&self, reader: Reader, at: Interface) -> Look {
        let look = if self.signal == Signal::Metrics { self.by_promql() } else { self.by_query() };
        Look::ByReader { reader, at, of: Box::new(look) }
    }

    /// The look through a reader that cannot ask an ingester. Metrics have none on a running Mimir: theirs is the plain query.
    pub fn by_store_only_query(&self) -> Look {
        self.query(true)
    }

    /// The search for the traces of the stimulus called `name` of the run `run`, in the time of this one; for traces.
    pub fn search(&self, run: &str, name: &str) -> Look {
        let attributes = [(traces::RUN, run), (traces::STIMULUS, name)];
        Look::TraceSearch {
            attributes: attributes.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            start_s: self.since_ns() / 1_000_000_000,
            end_s: (self.last_ns + MARGIN_NS) / 1_000_000_000,
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The ids of its traces, in order.
    pub fn trace_ids(&self) -> &[String] {
        &self.trace_ids
    }

    /// The questions whose answers are timed: two for each signal, over all the time that the records span.
    pub fn questions(&self) -> Vec<Question> {
        let (start_ns, end_ns) = (self.since_ns(), self.last_ns + MARGIN_NS);
        let (selector, trace_ids) = (self.selector.clone(), self.trace_ids.clone());
        match self.signal {
            Signal::Logs => {
                let expected = self.how_many(|batch| match batch {
                    Batch::Logs(entries) => entries.iter().filter(|entry| entry.line.contains(MARKED)).count(),
                    Batch::Traces(_) | Batch::Series(_) | Batch::Encoded { .. } => 0,
                });
                let containing = MARKED.to_owned();
                vec![
                    Question::LogLines { selector: selector.clone(), containing, start_ns, end_ns, expected },
                    Question::LogCounts { selector, start_ns, end_ns, step_s: 900, expected: self.count },
                ]
            }
            Signal::Traces => vec![
                Question::TraceById { trace_ids: trace_ids.clone(), expected: traces::SPANS_PER_TRACE as u64 },
                Question::Traces {
                    attributes: [(traces::RUN, "run"), (traces::STIMULUS, "stimulus")]
                        .into_iter()
                        .filter_map(|(attribute, label)| Some((attribute.to_owned(), selector.get(label)?.clone())))
                        .collect(),
                    trace_ids,
                    start_s: start_ns / 1_000_000_000,
                    end_s: end_ns / 1_000_000_000,
                    expected: self.count,
                },
            ],
            Signal::Metrics => {
                let (start_ms, end_ms) = (start_ns / 1_000_000, end_ns / 1_000_000);
                // Stale markers are no samples to PromQL.
                let expected = self.how_many(|batch| match batch {
                    Batch::Series(samples) => {
                        samples.iter().filter(|sample| (*sample).clone().told_by_promql().is_some()).count()
                    }
                    Batch::Logs(_) | Batch::Traces(_) | Batch::Encoded { .. } => 0,
                });
                vec![
                    Question::SampleCounts {
                        selector: selector.clone(),
                        start_ms,
                        end_ms,
                        step_ms: 3_600_000,
                        expected,
                    },
                    Question::SampleCount { selector, start_ms, end_ms, expected },
                ]
            }
        }
    }

    /// The sum over what is meant to be accepted.
    fn how_many(&self, count: impl Fn(&Batch) -> usize) -> u64 {
        let accepted = self.parts.iter().filter(|part| !part.refusal_wanted);
        accepted.map(|part| count(&part.batch) as u64).sum()
    }

    /// The look at the chunks that index objects in the bucket list; for logs.
    pub fn in_index(&self) -> Look {
        Look::IndexedLogChunks {
            bucket: bucket_of(self.signal).to_owned(),
            selector: self.selector.clone(),
            since_ms: self.since_ns() / 1_000_000,
        }
    }

    fn query(&self, store_only: bool) -> Look {
        let (start_ns, end_ns) = (self.since_ns(), self.last_ns + MARGIN_NS);
        match self.signal {
            Signal::Logs => Look::LogQuery { selector: self.selector.clone(), start_ns, end_ns, store_only },
            Signal::Traces => Look::TraceQuery { trace_ids: self.trace_ids.clone(), store_only },
            Signal::Metrics => Look::SampleQuery {
                selector: self.selector.clone(),
                start_ms: start_ns / 1_000_000,
                end_ms: end_ns / 1_000_000,
            },
        }
    }

    fn since_ns(&self) -> i64 {
        self.first_ns - MARGIN_NS
    }
}

#[derive(Default)]
struct TimeSpan {
    first: Option<i64>,
    last: Option<i64>,
}

impl TimeSpan {
    fn reach(&mut self, first: i64, last: i64) {
        self.first = Some(self.first.map_or(first, |known| known.min(first)));
        self.last = Some(self.last.map_or(last, |known| known.max(last)));
    }
}

fn describe(batch: &Batch, body: &mut Vec<u8>, span: &mut TimeSpan, trace_ids: &mut BTreeSet<String>) {
    match batch {
        Batch::Logs(entries) => {
            for entry in entries {
                let LogEntry { timestamp_ns, .. } = entry;
                span.reach(*timestamp_ns, *timestamp_ns);
                append_line(body, entry);
            }
        }
        Batch::Traces(spans) => {
            for sent in spans {
                let Span { start_ns, end_ns, trace_id, .. } = sent;
                span.reach(*start_ns, *end_ns);
                trace_ids.insert(trace_id.clone());
                append_line(body, sent);
            }
        }
        Batch::Series(samples) => {
            for sample in samples {
                let Sample { timestamp_ms, .. } = sample;
                span.reach(timestamp_ms.saturating_mul(1_000_000), timestamp_ms.saturating_mul(1_000_000));
                append_line(body, &comparable(sample.clone()));
            }
        }
        // Records of a load are not kept: they are made again.
        Batch::Encoded { .. } => {}
    }
}

/// A sample in the form in which sent and found ones are compared: Prometheus stores the histograms of a chunk with every bucket that
/// any of them has, so empty buckets come and go.
pub(super) fn comparable(mut sample: Sample) -> Sample {
    if let SampleValue::Histogram { histogram } = &mut sample.value {
        *histogram = without_empty_buckets(histogram);
    }
    sample
}

/// One record as a line of NDJSON. The record types have string keys and no other way to fail, so a record always has a line.
pub(super) fn append_line(body: &mut Vec<u8>, record: &impl serde::Serialize) {
    if let Ok(line) = serde_json::to_vec(record) {
        body.extend_from_slice(&line);
        body.push(b'\n');
    }
}
