use serde::{Deserialize, Serialize};

use super::{Labels, Signal, SignalRecord};

/// One sample of one series.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// The series' labels, `__name__` included.
    pub labels: Labels,
    /// Milliseconds since the Unix epoch.
    pub timestamp_ms: i64,
    /// A float, or a native histogram.
    #[serde(flatten)]
    pub value: SampleValue,
}

/// What a sample holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum SampleValue {
    /// A float; the bits decide equality, because NaN equals nothing and a stale marker is a NaN of its own.
    Float {
        /// As Prometheus prints it, see [`format_float`].
        value: String,
        /// The IEEE 754 bits, 16 lowercase hex digits.
        value_bits: String,
    },
    /// A native histogram.
    Histogram {
        /// The histogram.
        histogram: Histogram,
    },
}

impl SampleValue {
    /// A float sample's value.
    pub fn float(value: f64) -> Self {
        Self::Float { value: format_float(value), value_bits: format!("{:016x}", value.to_bits()) }
    }
}

/// The marker that Prometheus writes where a series ends (Prometheus `model/value`, `StaleNaN`).
pub const STALE_MARKER: f64 = f64::from_bits(0x7ff0_0000_0000_0002);

/// What Prometheus' JSON calls `NaN`, whatever bits it had (Prometheus `model/value`, `NormalNaN`).
pub const NORMAL_NAN: f64 = f64::from_bits(0x7ff8_0000_0000_0001);

impl Sample {
    /// What PromQL's JSON tells of this sample; `None` for a stale marker, which it leaves out. A NaN loses its payload. Of a
    /// histogram remain count, sum and the counts of the buckets that are not empty, lowest bounds first (as if all were positive):
    /// bounds are printed, but as computed by the server (Prometheus `util/jsonutil`, `MarshalHistogram`).
    pub fn told_by_promql(self) -> Option<Self> {
        let value = match self.value {
            SampleValue::Float { value_bits, .. } if is_bits_of(&value_bits, STALE_MARKER) => return None,
            SampleValue::Float { value, .. } if value == "NaN" => SampleValue::float(NORMAL_NAN),
            SampleValue::Float { value, value_bits } => SampleValue::Float { value, value_bits },
            SampleValue::Histogram { histogram } => {
                let counts = histogram.negative_buckets.iter().rev().chain([&histogram.zero_count]);
                let occupied = counts.chain(&histogram.positive_buckets).copied().filter(|count| *count != 0.0);
                let told = Histogram::of_counts(histogram.count, histogram.sum, occupied.collect());
                SampleValue::Histogram { histogram: told }
            }
        };
        Some(Self { value, ..self })
    }
}

fn is_bits_of(value_bits: &str, value: f64) -> bool {
    u64::from_str_radix(value_bits, 16) == Ok(value.to_bits())
}

impl Histogram {
    /// A histogram of which no more is known than how many observations there are, their sum, and bucket counts without bounds.
    pub fn of_counts(count: f64, sum: f64, buckets: Vec<f64>) -> Self {
        Self {
            kind: HistogramKind::Float,
            count,
            sum,
            schema: 0,
            zero_count: 0.0,
            positive_buckets: buckets,
            negative_buckets: Vec::new(),
            zero_threshold: 0.0,
            positive_spans: Vec::new(),
            negative_spans: Vec::new(),
            custom_values: Vec::new(),
        }
    }
}

/// A native histogram with absolute bucket counts (Prometheus `model/histogram`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Histogram {
    /// Whether counts are integers or floats.
    pub kind: HistogramKind,
    /// Observations in all.
    #[serde(with = "super::number::count")]
    pub count: f64,
    /// Sum of the observations; in JSON a string where it is no finite number, as in a stale marker.
    #[serde(with = "super::number::sum")]
    pub sum: f64,
    /// Resolution: a bucket's upper bound is the lower one times 2^(2^-schema).
    pub schema: i32,
    /// Observations in the zero bucket.
    #[serde(with = "super::number::count")]
    pub zero_count: f64,
    /// Absolute counts of the buckets that the spans cover, lowest first.
    #[serde(with = "super::number::counts")]
    pub positive_buckets: Vec<f64>,
    /// As `positive_buckets`, for negative observations.
    #[serde(with = "super::number::counts")]
    pub negative_buckets: Vec<f64>,
    /// Width of the zero bucket.
    pub zero_threshold: f64,
    /// Which buckets `positive_buckets` counts.
    pub positive_spans: Vec<HistogramSpan>,
    /// Which buckets `negative_buckets` counts.
    pub negative_spans: Vec<HistogramSpan>,
    /// Upper bounds of the buckets of schema -53, whose bounds are given one by one; empty for every other schema.
    #[serde(default, with = "super::number::counts", skip_serializing_if = "Vec::is_empty")]
    pub custom_values: Vec<f64>,
}

/// How a histogram counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HistogramKind {
    /// Integer counts.
    Int,
    /// Float counts.
    Float,
}

/// A run of neighbouring buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistogramSpan {
    /// Distance from the end of the span before; for the first span, the index of its first bucket.
    pub offset: i32,
    /// Number of buckets.
    pub length: u32,
}

impl SignalRecord for Sample {
    const SIGNAL: Signal = Signal::Metrics;

    fn identity(&self) -> String {
        format!("{:?} {}", self.labels, self.timestamp_ms)
    }
}

/// A float as Prometheus prints it: shortest digits that read back the same, never an exponent, `NaN`, `+Inf`, `-Inf`
/// (Prometheus `model/value`, `strconv.FormatFloat(v, 'f', -1, 64)`).
pub fn format_float(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned()
    } else {
        value.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(value: SampleValue) -> Option<SampleValue> {
        Sample { labels: Labels::new(), timestamp_ms: 1, value }.told_by_promql().map(|sample| sample.value)
    }

    #[test]
    fn promql_leaves_out_stale_markers_and_what_is_in_a_nan() {
        assert_eq!(told(SampleValue::float(STALE_MARKER)), None);
        assert_eq!(
            told(SampleValue::float(f64::from_bits(0x7ff8_0000_dead_beef))),
            Some(SampleValue::float(NORMAL_NAN))
        );
        for value in [0.5, f64::INFINITY, f64::MIN_POSITIVE] {
            assert_eq!(told(SampleValue::float(value)), Some(SampleValue::float(value)));
        }
    }

    #[test]
    fn promql_tells_of_a_histogram_its_occupied_buckets_from_the_lowest_on() {
        let histogram = Histogram {
            negative_buckets: vec![1.0, 2.0],
            zero_count: 3.0,
            schema: 4,
            ..Histogram::of_counts(15.0, -0.5, vec![4.0, 0.0, 5.0])
        };
        let expected = Histogram::of_counts(15.0, -0.5, vec![2.0, 1.0, 3.0, 4.0, 5.0]);
        assert_eq!(told(SampleValue::Histogram { histogram }), Some(SampleValue::Histogram { histogram: expected }));
    }

    #[test]
    fn floats_print_as_prometheus_does() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (0.1, "0.1"),
            (1e21, "1000000000000000000000"),
            (1e-7, "0.0000001"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
        ] {
            assert_eq!(format_float(value), text);
        }
    }
}
