//! Samples: several series of floats and native histograms, with every value that a metrics store must keep. Must not know how
//! they are sent.

use super::{
    Origin,
    origin::{Generator, UNICODE},
};
use crate::signal::{Histogram, HistogramKind, HistogramSpan, Labels, NORMAL_NAN, STALE_MARKER, Sample, SampleValue};

/// How many samples a series has, and how far apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeriesShape {
    /// Samples in each series. From [`FLOATS`]' length on, one series has every float of it.
    pub samples: usize,
    /// Milliseconds from one sample to the next.
    pub step_ms: i64,
    /// Whether series of native histograms are among them.
    pub histograms: bool,
    /// Which floats are among them.
    pub floats: Floats,
    /// Milliseconds that all samples lie behind where they would otherwise: with enough of them, a sender has time to begin before the
    /// first.
    pub ahead_ms: i64,
}

/// What floats the sender can express.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Floats {
    /// All 2^64.
    All,
    /// What the text format of Prometheus has a word for: one NaN and no stale marker.
    InText,
}

impl Default for SeriesShape {
    fn default() -> Self {
        Self { samples: 16, step_ms: 5_000, histograms: true, floats: Floats::All, ahead_ms: 0 }
    }
}

/// Milliseconds between the newest sample of any series and [`Origin::now_ns`], at least.
const MARGIN_MS: i64 = 1_000;

/// Floats that are easily altered on the way.
///
/// -0 is not among them: no encoder that leaves out proto3's defaults can send it, and Mimir itself passes samples on by one.
pub const FLOATS: [f64; 16] = [
    0.0,
    -1.0,
    1.0,
    0.1,
    -1.0 / 3.0,
    f64::from_bits(1),
    f64::MIN_POSITIVE,
    f64::MAX,
    f64::MIN,
    9_007_199_254_740_993.0,
    // What Prometheus calls the normal NaN, and one that is neither this nor the stale marker.
    f64::from_bits(0x7ff8_0000_0000_0001),
    f64::from_bits(0x7ff8_0000_dead_beef),
    f64::INFINITY,
    f64::NEG_INFINITY,
    STALE_MARKER,
    1e-300,
];

/// The labels that select exactly the series of this stimulus.
pub fn selector(origin: &Origin) -> Labels {
    [("run", &origin.run), ("stimulus", &origin.stimulus)]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.clone()))
        .collect()
}

/// The samples, series after series, each in the order of its times. No series has both floats and histograms, and a
/// series' histograms all have the same buckets: Prometheus widens those of a chunk to their common buckets when it stores them.
pub fn samples(origin: &Origin, shape: &SeriesShape) -> Vec<Sample> {
    let mut generator = origin.content();
    let kinds: &[Kind] = if shape.histograms { &Kind::ALL } else { &Kind::FLOATS };
    kinds.iter().flat_map(|kind| series(origin, shape, *kind, &mut generator)).collect()
}

#[derive(Clone, Copy)]
enum Kind {
    Counter,
    Gauge,
    Floats,
    Histogram,
    PositiveHistogram,
    EmptyHistogram,
    FloatHistogram,
    CustomHistogram,
}

impl Kind {
    const FLOATS: [Self; 3] = [Self::Counter, Self::Gauge, Self::Floats];
    const ALL: [Self; 8] = [
        Self::Counter,
        Self::Gauge,
        Self::Floats,
        Self::Histogram,
        Self::PositiveHistogram,
        Self::EmptyHistogram,
        Self::FloatHistogram,
        Self::CustomHistogram,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Floats => "floats",
            Self::Histogram => "histogram",
            Self::PositiveHistogram => "positive-histogram",
            Self::EmptyHistogram => "empty-histogram",
            Self::FloatHistogram => "float-histogram",
            Self::CustomHistogram => "custom-histogram",
        }
    }
}

fn series(origin: &Origin, shape: &SeriesShape, kind: Kind, generator: &mut Generator) -> Vec<Sample> {
    let metric = match kind {
        Kind::Counter | Kind::Gauge | Kind::Floats => "lgtm_verify_float",
        _ => "lgtm_verify_histogram",
    };
    let mut labels = selector(origin);
    labels.insert("__name__".to_owned(), metric.to_owned());
    labels.insert("lgtm_series".to_owned(), kind.name().to_owned());
    labels.insert("place".to_owned(), generator.pick(UNICODE));

    let step = shape.step_ms.max(1);
    let last = origin.now_ns.div_euclid(1_000_000) + shape.ahead_ms - MARGIN_MS - generator.offset(step);
    let count = i64::try_from(shape.samples).unwrap_or(i64::MAX);
    let first = last.saturating_sub(step.saturating_mul(count.saturating_sub(1)));

    let mut values = Values::new(kind, generator);
    (0..count)
        .map(|number| Sample {
            labels: labels.clone(),
            timestamp_ms: first + number * step,
            value: in_words(values.next(number, generator), shape.floats),
        })
        .collect()
}

/// The value, or the one NaN that a text can tell in the place of another.
fn in_words(value: SampleValue, floats: Floats) -> SampleValue {
    match (&value, floats) {
        (SampleValue::Float { value: text, .. }, Floats::InText) if text == "NaN" => SampleValue::float(NORMAL_NAN),
        _ => value,
    }
}

/// Where one series stands.
struct Values {
    kind: Kind,
    /// The counter's value.
    total: u64,
    histogram: Histogram,
}

impl Values {
    fn new(kind: Kind, generator: &mut Generator) -> Self {
        let span = |offset, length| HistogramSpan { offset, length };
        // Neighbouring spans, a gap, and a first bucket below 1 (negative index).
        let positive = match kind {
            Kind::EmptyHistogram => Vec::new(),
            // The last of these counts what lies above the last bound.
            Kind::CustomHistogram => vec![span(0, 2), span(1, 2)],
            _ => vec![span(-2, 2), span(3, 1), span(1, 3)],
        };
        let negative = match kind {
            Kind::EmptyHistogram | Kind::PositiveHistogram | Kind::CustomHistogram => Vec::new(),
            _ => vec![span(0, 1), span(2, 2)],
        };
        let zeros = |spans: &[HistogramSpan]| spans.iter().flat_map(|span| (0..span.length).map(|_| 0.0)).collect();
        Self {
            kind,
            total: generator.below(1000),
            histogram: Histogram {
                kind: if matches!(kind, Kind::FloatHistogram) { HistogramKind::Float } else { HistogramKind::Int },
                count: 0.0,
                sum: 0.0,
                schema: match kind {
                    Kind::PositiveHistogram => 8,
                    Kind::FloatHistogram => -4,
                    Kind::CustomHistogram => -53,
                    _ => 3,
                },
                zero_count: 0.0,
                positive_buckets: zeros(&positive),
                negative_buckets: zeros(&negative),
                zero_threshold: if matches!(kind, Kind::PositiveHistogram | Kind::CustomHistogram) {
                    0.0
                } else {
                    0.001
                },
                positive_spans: positive,
                negative_spans: negative,
                custom_values: if matches!(kind, Kind::CustomHistogram) {
                    vec![-2.5, 0.1, 1.0, 1e9]
                } else {
                    Vec::new()
                },
            },
        }
    }

    fn next(&mut self, number: i64, generator: &mut Generator) -> SampleValue {
        match self.kind {
            Kind::Counter => {
                self.total += generator.below(100);
                #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
                SampleValue::float(self.total as f64)
            }
            Kind::Gauge => loop {
                let value = f64::from_bits(generator.number());
                if value.is_finite() {
                    return SampleValue::float(value);
                }
            },
            Kind::Floats => {
                let index = usize::try_from(number).unwrap_or(0) % FLOATS.len();
                SampleValue::float(FLOATS.get(index).copied().unwrap_or_default())
            }
            _ => {
                self.observe(generator);
                SampleValue::Histogram { histogram: self.histogram.clone() }
            }
        }
    }

    /// Adds to every bucket. Counts stay below 2^53 and float counts are quarters, so their total is exact.
    fn observe(&mut self, generator: &mut Generator) {
        let histogram = &mut self.histogram;
        let quarters = if histogram.kind == HistogramKind::Float { 4.0 } else { 1.0 };
        // Buckets with bounds of their own leave no room for a zero bucket.
        let zero = (!matches!(self.kind, Kind::CustomHistogram)).then_some(&mut histogram.zero_count);
        let buckets = histogram.positive_buckets.iter_mut().chain(&mut histogram.negative_buckets);
        for count in buckets.chain(zero) {
            if matches!(self.kind, Kind::EmptyHistogram) {
                continue;
            }
            #[expect(clippy::cast_precision_loss, reason = "a small number")]
            let more = generator.below(50) as f64 / quarters;
            *count += more;
            histogram.count += more;
        }
        if histogram.count > 0.0 {
            #[expect(clippy::cast_precision_loss, reason = "any sum will do")]
            let more = generator.below(1 << 40) as f64 / 3.0 - 1e11;
            histogram.sum += more;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn series_ascend_and_end_before_now(seed: u64, samples in 0_usize..40, step_ms in 0_i64..20_000) {
            let origin = Origin::example(seed);
            let shape = SeriesShape { samples, step_ms, ..SeriesShape::default() };
            let made = super::samples(&origin, &shape);
            prop_assert_eq!(made.len(), samples * Kind::ALL.len());
            let mut newest = BTreeMap::new();
            for sample in &made {
                prop_assert!(sample.timestamp_ms * 1_000_000 < origin.now_ns);
                if let Some(before) = newest.insert(&sample.labels, sample.timestamp_ms) {
                    prop_assert!(before < sample.timestamp_ms);
                }
            }
            let json = |samples: &[Sample]| serde_json::to_string(samples).unwrap();
            prop_assert_eq!(json(&super::samples(&origin, &shape)), json(&made));
            if samples > 0 {
                prop_assert_ne!(json(&super::samples(&Origin::example(seed.wrapping_add(1)), &shape)), json(&made));
            }
        }

        #[test]
        fn histograms_count_what_their_buckets_count(seed: u64) {
            for sample in super::samples(&Origin::example(seed), &SeriesShape::default()) {
                let SampleValue::Histogram { histogram } = sample.value else { continue };
                let covered = |spans: &[HistogramSpan]| spans.iter().map(|span| span.length as usize).sum::<usize>();
                prop_assert_eq!(covered(&histogram.positive_spans), histogram.positive_buckets.len());
                prop_assert_eq!(covered(&histogram.negative_spans), histogram.negative_buckets.len());
                let buckets = histogram.positive_buckets.iter().chain(&histogram.negative_buckets);
                prop_assert_eq!(buckets.sum::<f64>() + histogram.zero_count, histogram.count);
            }
        }
    }

    #[test]
    fn one_series_has_every_odd_float() {
        let made = samples(&Origin::example(1), &SeriesShape::default());
        let bits: BTreeSet<_> = made
            .iter()
            .filter_map(|sample| match &sample.value {
                SampleValue::Float { value_bits, .. } => Some(value_bits.clone()),
                SampleValue::Histogram { .. } => None,
            })
            .collect();
        for float in FLOATS {
            assert!(bits.contains(&format!("{:016x}", float.to_bits())), "{float}");
        }
    }

    #[test]
    fn floats_for_a_text_have_one_nan_and_lie_ahead() {
        let origin = Origin::example(1);
        let shape = SeriesShape { floats: Floats::InText, ahead_ms: 600_000, ..SeriesShape::default() };
        let made = samples(&origin, &shape);
        assert!(made.iter().all(|sample| sample.timestamp_ms * 1_000_000 > origin.now_ns));
        let nans: BTreeSet<_> = made
            .iter()
            .filter_map(|sample| match &sample.value {
                SampleValue::Float { value, value_bits } if value == "NaN" => Some(value_bits.clone()),
                _ => None,
            })
            .collect();
        assert_eq!(nans, [format!("{:016x}", NORMAL_NAN.to_bits())].into());
    }

    #[test]
    fn floats_alone_can_be_had() {
        let made = samples(&Origin::example(1), &SeriesShape { histograms: false, ..SeriesShape::default() });
        assert!(!made.is_empty());
        assert!(made.iter().all(|sample| matches!(sample.value, SampleValue::Float { .. })));
    }
}
