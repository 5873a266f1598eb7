//! Loads: records in such numbers that nobody keeps them. Each carries its number, and everything else of it follows from number and
//! seed, so that what is found is told from what was sent by making it again. Must not know who sends, when, or where to.

mod logs;
mod numbers;
mod text;
mod traces;
mod wire;

pub use numbers::{Numbers, NumbersError};

use std::{ops::Range, time::Duration};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use self::text::Texts;
use super::Origin;
use crate::{
    formats::tempo_block::TraceId,
    signal::{Labels, Signal, Span},
};

/// Nanoseconds in a second.
const SECOND: i64 = 1_000_000_000;

/// What is offered, at what rate: enough to make every record of it again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadPlan {
    /// The run's seed.
    pub seed: u64,
    /// The run's id, carried by every record.
    pub run: String,
    /// The load's name within the run, carried by every record.
    pub stimulus: String,
    /// Which pipeline takes it: logs or traces.
    pub signal: Signal,
    /// The time of the first record, nanoseconds since the Unix epoch; the others follow as they are due.
    pub begin_ns: i64,
    /// Bytes of content a second. A log line's are those of the line, a span's those of its message in OTLP with tag and length: what
    /// the servers count against their limits, apart from the labels or the resource that a whole push shares.
    pub bytes_per_second: u64,
    /// Bytes of content of each record.
    pub record_bytes: u32,
    /// Records in each push.
    pub batch_records: u32,
    /// How many streams each push of logs is spread over.
    pub streams: u32,
    /// How many pushes there are.
    pub batches: u32,
}

impl LoadPlan {
    /// How many records there are.
    pub fn records(&self) -> u64 {
        u64::from(self.batches) * u64::from(self.batch_records)
    }

    /// How many bytes of content there are.
    pub fn bytes(&self) -> u64 {
        self.records() * u64::from(self.record_bytes)
    }

    /// From one push to the next.
    pub fn gap(&self) -> Duration {
        let bytes = u64::from(self.batch_records) * u64::from(self.record_bytes);
        Duration::from_nanos(bytes.saturating_mul(1_000_000_000) / self.bytes_per_second.max(1))
    }

    /// How long all of it takes.
    pub fn lasts(&self) -> Duration {
        self.gap() * self.batches
    }

    /// The numbers of the records of push `batch`.
    pub fn numbers_of(&self, batch: u32) -> Range<u64> {
        let records = u64::from(self.batch_records);
        let first = u64::from(batch) * records;
        first..first + records
    }

    /// The labels or attributes that every record of this load has, and no other.
    pub fn selector(&self) -> Labels {
        let pairs = [("run", &self.run), ("stimulus", &self.stimulus)];
        pairs.map(|(name, value)| (name.to_owned(), value.clone())).into()
    }

    /// The time of a record.
    fn time_ns(&self, number: u64) -> i64 {
        let gap = u64::try_from(self.gap().as_nanos()).unwrap_or(u64::MAX);
        let offset = u128::from(number) * u128::from(gap) / u128::from(self.batch_records.max(1));
        self.begin_ns.saturating_add(i64::try_from(offset).unwrap_or(i64::MAX))
    }
}

/// What a stored record turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// No record of this load.
    Foreign,
    /// This one, as it was sent.
    Whole(u64),
    /// One of this load, but not as it was sent, or with a number that it does not have.
    Altered {
        /// The number that it carries.
        number: u64,
        /// The first thing that is otherwise.
        what: &'static str,
    },
}

/// Makes the records of a plan, and knows them again.
pub struct Load {
    plan: LoadPlan,
    texts: Texts,
    logs: logs::Fixed,
    traces: traces::Fixed,
    scratch: Vec<u8>,
}

impl Load {
    /// The load of `plan`.
    pub fn new(plan: LoadPlan) -> Self {
        let origin =
            Origin { seed: plan.seed, run: plan.run.clone(), stimulus: plan.stimulus.clone(), now_ns: plan.begin_ns };
        let texts = Texts::new(&origin);
        let (logs, traces) = (logs::Fixed::new(&plan), traces::Fixed::new(&plan, &origin));
        Self { plan, texts, logs, traces, scratch: Vec::new() }
    }

    /// The plan.
    pub fn plan(&self) -> &LoadPlan {
        &self.plan
    }

    /// The body of push `batch`: for logs what Loki takes by HTTP as protobuf, compressed; for traces what Tempo takes by OTLP/HTTP.
    pub fn body(&mut self, batch: u32) -> Bytes {
        self.scratch.clear();
        match self.plan.signal {
            Signal::Traces => {
                traces::write(&self.plan, &self.traces, &self.texts, batch, &mut self.scratch);
                Bytes::copy_from_slice(&self.scratch)
            }
            Signal::Logs | Signal::Metrics => {
                logs::write(&self.plan, &self.logs, &self.texts, batch, &mut self.scratch);
                wire::snappy(&self.scratch)
            }
        }
    }

    /// What a stored log entry is, apart from its stream; `plain` says that it has no structured metadata.
    pub fn entry(&mut self, timestamp_ns: i64, line: &[u8], plain: bool) -> Found {
        logs::recognise(&self.plan, &self.logs, &self.texts, &mut self.scratch, timestamp_ns, line, plain)
    }

    /// The position of the stream that the entry with this number is in.
    pub fn stream_of(&self, number: u64) -> usize {
        logs::stream(&self.plan, number)
    }

    /// The position of the stream that has these labels, and no others.
    pub fn stream_with(&self, labels: &Labels) -> Option<usize> {
        self.logs.labels.iter().position(|own| own == labels)
    }

    /// Whether a trace is one of this load.
    pub fn has_trace(&self, id: &TraceId) -> bool {
        id.starts_with(&self.traces.trace_prefix)
    }

    /// What this span is.
    pub fn span(&self, span: &Span) -> Found {
        traces::recognise(&self.plan, &self.traces, &self.texts, span)
    }
}

#[cfg(test)]
pub(crate) mod examples {
    use super::*;

    /// A small load of `signal`.
    pub(crate) fn plan(signal: Signal, seed: u64) -> LoadPlan {
        LoadPlan {
            seed,
            run: "20261123-181530-3fa9c2".to_owned(),
            stimulus: "load".to_owned(),
            signal,
            begin_ns: 1_795_000_000_123_456_789,
            bytes_per_second: 10_000_000,
            record_bytes: 500,
            batch_records: 40,
            streams: 16,
            batches: 25,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_its_rate_to_the_byte() {
        let plan = LoadPlan { batch_records: 400, batches: 3000, ..examples::plan(Signal::Logs, 1) };
        assert_eq!(plan.gap(), Duration::from_millis(20));
        assert_eq!((plan.records(), plan.bytes(), plan.lasts()), (1_200_000, 600_000_000, Duration::from_secs(60)));
        assert_eq!(plan.numbers_of(2), 800..1200);
        assert_eq!(plan.time_ns(1_200_000) - plan.begin_ns, 60 * SECOND);
    }
}
