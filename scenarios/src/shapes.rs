//! The stimuli that scenarios share: small, and with every oddity that a store must keep.

use std::time::Duration;

use harness_core::{
    signal::{Sample, Signal},
    stage::{Stage, StageError, Stimulus},
    stimulus::{
        Batch, Origin,
        load::LoadPlan,
        logs::{self, LogShape, LongLogShape},
        series::{self, Floats, SeriesShape},
        traces::{self, TraceShape, Vocabulary},
    },
};

/// The range of time over which the design asks for log entries.
pub(crate) const DAY: Duration = Duration::from_secs(24 * 3600);

/// The range of time over which the design asks for samples.
pub(crate) const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

/// Where the stimulus called `name` comes from on this stage.
fn origin(stage: &Stage, name: &str) -> Origin {
    Origin { seed: stage.seed(), run: stage.run_id().to_owned(), stimulus: name.to_owned(), now_ns: stage.unix_ns() }
}

/// Bytes of content a second (NFR-lgtm-d4f8c2a1-PERF-002).
const LOAD_RATE: u64 = 10_000_000;

/// A load of `signal` at the design's rate: fifty pushes a second, logs in lines of 500 bytes over sixteen streams, traces in spans of
/// 1000 bytes, ten to a trace.
pub(crate) fn load(stage: &Stage, signal: Signal) -> LoadPlan {
    let record_bytes: u32 = if signal == Signal::Traces { 1000 } else { 500 };
    let batch_records = 200_000 / record_bytes;
    let pushes_per_second = LOAD_RATE / 200_000;
    LoadPlan {
        seed: stage.seed(),
        run: stage.run_id().to_owned(),
        stimulus: format!("load-{}", signal.name()),
        signal,
        begin_ns: stage.unix_ns(),
        bytes_per_second: LOAD_RATE,
        record_bytes,
        batch_records,
        streams: 16,
        batches: u32::try_from(stage.load_lasts().as_secs() * pushes_per_second).unwrap_or(u32::MAX),
    }
}

/// Log entries of several streams, in one push.
pub(crate) fn log_entries(stage: &Stage, name: &str) -> Result<Stimulus, StageError> {
    let entries = logs::entries(&origin(stage, name), &LogShape::default());
    stage.stimulus(name, vec![Batch::Logs(entries)], Vec::new())
}

/// Log entries of more than a day, one push an hour: every 20 seconds one, so that one answer can hold them all.
pub(crate) fn a_day_of_log_entries(stage: &Stage, name: &str) -> Result<Stimulus, StageError> {
    let shape = LongLogShape { spread: DAY + Duration::from_secs(600), gap: Duration::from_secs(20), streams: 1 };
    let hours = logs::hours(&origin(stage, name), &shape);
    stage.stimulus(name, hours.into_iter().map(Batch::Logs).collect(), Vec::new())
}

/// More traces than [`spans`], in one push.
pub(crate) fn many_spans(stage: &Stage, name: &str) -> Result<Stimulus, StageError> {
    let spans = traces::spans(&origin(stage, name), &TraceShape { traces: 50, ..TraceShape::default() });
    stage.stimulus(name, vec![Batch::Traces(spans)], Vec::new())
}

/// Series of floats over more than a week, every five minutes a sample, in pushes of a thousand.
pub(crate) fn a_week_of_samples(stage: &Stage, name: &str) -> Result<Stimulus, StageError> {
    const STEP: Duration = Duration::from_secs(300);
    let samples = usize::try_from(WEEK.as_secs() / STEP.as_secs()).unwrap_or(0) + 24;
    let step_ms = i64::try_from(STEP.as_millis()).unwrap_or(0);
    let shape = SeriesShape { samples, step_ms, histograms: false, ..SeriesShape::default() };
    let series = series::samples(&origin(stage, name), &shape);
    let pushes = series.chunks(1000).map(|samples| Batch::Series(samples.to_vec()));
    stage.stimulus(name, pushes.collect(), Vec::new())
}

/// Traces of nested spans over two services, in one push.
pub(crate) fn spans(stage: &Stage, name: &str) -> Result<Stimulus, StageError> {
    let spans = traces::spans(&origin(stage, name), &TraceShape::default());
    stage.stimulus(name, vec![Batch::Traces(spans)], Vec::new())
}

/// As [`spans`], for a sender that cannot express everything.
pub(crate) fn spans_in(stage: &Stage, name: &str, vocabulary: Vocabulary) -> Result<Stimulus, StageError> {
    let spans = traces::spans(&origin(stage, name), &TraceShape { traces: 2, vocabulary });
    stage.stimulus(name, vec![Batch::Traces(spans)], Vec::new())
}

/// Series of floats for a Prometheus: as its text format tells them, and later than it takes one to start, for it writes nothing that
/// is older than itself.
pub(crate) fn samples_ahead(stage: &Stage, name: &str) -> Result<Stimulus, StageError> {
    let shape = SeriesShape {
        step_ms: 1_000,
        ahead_ms: 60_000,
        histograms: false,
        floats: Floats::InText,
        ..SeriesShape::default()
    };
    let samples = series::samples(&origin(stage, name), &shape);
    stage.stimulus(name, vec![Batch::Series(samples)], Vec::new())
}

/// Series of floats and native histograms, in one push.
pub(crate) fn samples(stage: &Stage, name: &str) -> Result<Stimulus, StageError> {
    stage.stimulus(name, vec![Batch::Series(series_of(stage, name))], Vec::new())
}

/// Records for two pushes, one before something happens and one after; a trace is in one of them, whole.
pub(crate) fn in_two(stage: &Stage, name: &str, signal: Signal) -> Result<Stimulus, StageError> {
    let origin = origin(stage, name);
    let parts = match signal {
        Signal::Logs => {
            let mut first = logs::entries(&origin, &LogShape::default());
            let second = first.split_off(first.len() / 2);
            [Batch::Logs(first), Batch::Logs(second)]
        }
        Signal::Traces => {
            let mut first = traces::spans(&origin, &TraceShape { traces: 4, ..TraceShape::default() });
            let second = first.split_off(2 * traces::SPANS_PER_TRACE);
            [Batch::Traces(first), Batch::Traces(second)]
        }
        Signal::Metrics => {
            let mut first = series_of(stage, name);
            let second = first.split_off(first.len() / 2);
            [Batch::Series(first), Batch::Series(second)]
        }
    };
    stage.stimulus(name, parts.into(), Vec::new())
}

/// Log entries for so many pushes, one after the other.
pub(crate) fn log_entries_in_parts(stage: &Stage, name: &str, parts: usize) -> Result<Stimulus, StageError> {
    let entries = logs::entries(&origin(stage, name), &LogShape::default());
    let batches = entries.chunks(entries.len().div_ceil(parts.max(1))).map(|part| Batch::Logs(part.to_vec()));
    stage.stimulus(name, batches.collect(), Vec::new())
}

/// As [`samples`], and a second push that breaks the rules of the protocol: a label whose name no series may have.
pub(crate) fn samples_and_refused_ones(stage: &Stage, name: &str) -> Result<Stimulus, StageError> {
    let accepted = series_of(stage, name);
    // One record, because a refusal of several says nothing of each: Mimir keeps the good ones of a push that it answers with 400.
    let refused: Vec<Sample> = accepted
        .iter()
        .take(1)
        .cloned()
        .map(|mut sample| {
            sample.labels.insert("not a label name".to_owned(), "refused".to_owned());
            sample
        })
        .collect();
    stage.stimulus(name, vec![Batch::Series(accepted)], vec![Batch::Series(refused)])
}

fn series_of(stage: &Stage, name: &str) -> Vec<Sample> {
    series::samples(&origin(stage, name), &SeriesShape::default())
}
