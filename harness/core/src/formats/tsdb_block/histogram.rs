//! Chunks of native histograms, integer and float (Prometheus tsdb/chunkenc/histogram.go, float_histogram.go,
//! histogram_meta.go). Must not know segments or series.

use super::{
    bits::{BitReader, DataError},
    xor::{XorValue, too_wide},
};
use crate::signal::{Histogram, HistogramKind, HistogramSpan};

/// Bytes before the samples: their number, big-endian, and the counter reset flags.
pub(super) const HEADER: usize = 3;

/// Bits of the value that marks a series as gone (Prometheus model/value, `StaleNaN`).
pub const STALE_NAN: u64 = 0x7ff0_0000_0000_0002;

/// Schema of histograms whose bucket bounds are given one by one.
const CUSTOM_BUCKETS: i32 = -53;

/// Schemas of exponential buckets that Prometheus' reader accepts; those above 8 are reserved for finer resolutions.
const EXPONENTIAL: std::ops::RangeInclusive<i64> = -9..=52;

/// What a histogram chunk's first two flag bits say about counter resets since the chunk before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CounterReset {
    /// Not known.
    Unknown,
    /// There was a reset.
    Yes,
    /// There was none.
    No,
    /// A gauge histogram: its counts may go down.
    Gauge,
}

impl CounterReset {
    pub(super) fn from_flags(flags: u8) -> Self {
        match flags >> 6 {
            0b10 => Self::Yes,
            0b01 => Self::No,
            0b11 => Self::Gauge,
            _ => Self::Unknown,
        }
    }
}

/// Calls `visit` with time (ms) and histogram of each of the `samples` that follow the header in `data`. The histogram is
/// one and the same, written anew for each sample.
pub(super) fn for_each_sample(
    kind: HistogramKind,
    data: &[u8],
    samples: u32,
    mut visit: impl FnMut(i64, &Histogram),
) -> Result<BitReader<'_>, DataError> {
    let mut reader = BitReader::new(data);
    let mut histogram = read_layout(&mut reader, kind)?;
    let stale = stale(kind);
    let mut counts = match kind {
        HistogramKind::Int => Counts::Int(IntCounts::new(&histogram)),
        HistogramKind::Float => Counts::Float(FloatCounts::new(&histogram)),
    };
    let (mut time, mut delta) = (0_i64, 0_i64);
    let mut sum = XorValue::default();
    for sample in 0..samples {
        if sample == 0 {
            time = reader.varbit_int();
            counts.read_first(&mut reader, &mut sum, &mut histogram);
        } else {
            delta = delta.wrapping_add(reader.varbit_int());
            time = time.wrapping_add(delta);
            if !counts.read_next(&mut reader, &mut sum, &mut histogram) {
                return Err(too_wide(&reader));
            }
        }
        if reader.is_past_end() {
            return Err(DataError::end_of_data(sample, samples, data.len()));
        }
        // A stale marker has no buckets, whatever the chunk's layout is.
        if sum.bits == STALE_NAN {
            visit(time, &stale);
        } else {
            histogram.sum = sum.value();
            visit(time, &histogram);
        }
    }
    Ok(reader)
}

/// The histogram that marks a series as gone.
fn stale(kind: HistogramKind) -> Histogram {
    Histogram {
        kind,
        count: 0.0,
        sum: f64::from_bits(STALE_NAN),
        schema: 0,
        zero_count: 0.0,
        positive_buckets: Vec::new(),
        negative_buckets: Vec::new(),
        zero_threshold: 0.0,
        positive_spans: Vec::new(),
        negative_spans: Vec::new(),
        custom_values: Vec::new(),
    }
}

/// What all samples of a chunk share, with buckets of the right number that still count nothing.
fn read_layout(reader: &mut BitReader<'_>, kind: HistogramKind) -> Result<Histogram, DataError> {
    let zero_threshold = match reader.read(8) {
        0 => 0.0,
        255 => f64::from_bits(reader.read(64)),
        // One byte for the powers of two from 2^-243 to 2^10: their exponent plus 244, where IEEE 754 adds 1023.
        exponent => f64::from_bits((exponent + 1023 - 244) << 52),
    };
    let schema = reader.varbit_int();
    if !EXPONENTIAL.contains(&schema) && schema != i64::from(CUSTOM_BUCKETS) {
        return Err(DataError::at(reader, "a histogram schema: -9 to 52, or -53", schema.to_string()));
    }
    let schema = i32::try_from(schema).unwrap_or(CUSTOM_BUCKETS);
    let positive_spans = read_spans(reader)?;
    let negative_spans = read_spans(reader)?;
    let custom_values = if schema == CUSTOM_BUCKETS { read_custom_values(reader)? } else { Vec::new() };

    let smallest_count = match kind {
        HistogramKind::Int => 1,
        HistogramKind::Float => 64,
    };
    let length = |spans: &[HistogramSpan]| spans.iter().map(|span| u64::from(span.length)).sum::<u64>();
    let (positive, negative) = (length(&positive_spans), length(&negative_spans));
    let room = reader.remaining() as u64 / smallest_count;
    if positive.saturating_add(negative) > room {
        return Err(DataError::at(
            reader,
            format!("spans of at most {room} buckets, as many as the chunk has room for"),
            format!("{positive} positive and {negative} negative ones"),
        ));
    }
    Ok(Histogram {
        positive_buckets: vec![0.0; positive as usize],
        negative_buckets: vec![0.0; negative as usize],
        zero_threshold,
        schema,
        positive_spans,
        negative_spans,
        custom_values,
        ..stale(kind)
    })
}

/// A number of things of at least `smallest` bits each, all of which have to fit into what is left.
fn read_number(reader: &mut BitReader<'_>, smallest: usize, things: &str) -> Result<u64, DataError> {
    let number = reader.varbit_uint();
    let room = (reader.remaining() / smallest) as u64;
    if number > room {
        return Err(DataError::at(reader, format!("at most {room} {things}"), number.to_string()));
    }
    Ok(number)
}

fn read_spans(reader: &mut BitReader<'_>) -> Result<Vec<HistogramSpan>, DataError> {
    let number = read_number(reader, 2, "spans")?;
    let mut spans = Vec::new();
    for _ in 0..number {
        let (length, offset) = (reader.varbit_uint(), reader.varbit_int());
        let (Ok(length), Ok(offset)) = (u32::try_from(length), i32::try_from(offset)) else {
            return Err(DataError::at(reader, "a span of 32-bit numbers", format!("length {length}, offset {offset}")));
        };
        spans.push(HistogramSpan { offset, length });
    }
    Ok(spans)
}

fn read_custom_values(reader: &mut BitReader<'_>) -> Result<Vec<f64>, DataError> {
    let number = read_number(reader, 5, "bucket bounds")?;
    let mut bounds = Vec::new();
    for _ in 0..number {
        bounds.push(match reader.varbit_uint() {
            0 => f64::from_bits(reader.read(64)),
            thousandths => (thousandths - 1) as f64 / 1000.0,
        });
    }
    Ok(bounds)
}

/// The running state from which a chunk's counts are decoded.
enum Counts {
    Int(IntCounts),
    Float(FloatCounts),
}

impl Counts {
    fn read_first(&mut self, reader: &mut BitReader<'_>, sum: &mut XorValue, histogram: &mut Histogram) {
        match self {
            Self::Int(counts) => counts.read_first(reader, sum, histogram),
            Self::Float(counts) => counts.read_first(reader, sum, histogram),
        }
    }

    /// False where a stored window of meaningful bits is wider than a float.
    fn read_next(&mut self, reader: &mut BitReader<'_>, sum: &mut XorValue, histogram: &mut Histogram) -> bool {
        match self {
            Self::Int(counts) => counts.read_next(reader, sum, histogram),
            Self::Float(counts) => counts.read_next(reader, sum, histogram),
        }
    }
}

/// An integer that is stored as delta of deltas. Overflow wraps, as in the program that wrote it.
#[derive(Debug, Clone, Default)]
struct IntValue {
    value: i64,
    delta: i64,
}

impl IntValue {
    fn first(value: i64) -> Self {
        Self { value, delta: 0 }
    }

    #[inline]
    fn read(&mut self, reader: &mut BitReader<'_>) {
        self.delta = self.delta.wrapping_add(reader.varbit_int());
        self.value = self.value.wrapping_add(self.delta);
    }
}

struct IntCounts {
    count: IntValue,
    zero_count: IntValue,
    /// Differences between neighbouring buckets, the first one's to zero.
    positive: Vec<IntValue>,
    negative: Vec<IntValue>,
}

impl IntCounts {
    fn new(histogram: &Histogram) -> Self {
        Self {
            count: IntValue::default(),
            zero_count: IntValue::default(),
            positive: vec![IntValue::default(); histogram.positive_buckets.len()],
            negative: vec![IntValue::default(); histogram.negative_buckets.len()],
        }
    }

    fn read_first(&mut self, reader: &mut BitReader<'_>, sum: &mut XorValue, histogram: &mut Histogram) {
        self.count = IntValue::first(reader.varbit_uint() as i64);
        self.zero_count = IntValue::first(reader.varbit_uint() as i64);
        sum.bits = reader.read(64);
        for bucket in self.positive.iter_mut().chain(&mut self.negative) {
            *bucket = IntValue::first(reader.varbit_int());
        }
        self.write(histogram);
    }

    fn read_next(&mut self, reader: &mut BitReader<'_>, sum: &mut XorValue, histogram: &mut Histogram) -> bool {
        self.count.read(reader);
        self.zero_count.read(reader);
        if !sum.read(reader) {
            return false;
        }
        if sum.bits != STALE_NAN {
            for bucket in self.positive.iter_mut().chain(&mut self.negative) {
                bucket.read(reader);
            }
            self.write(histogram);
        }
        true
    }

    fn write(&self, histogram: &mut Histogram) {
        histogram.count = self.count.value as u64 as f64;
        histogram.zero_count = self.zero_count.value as u64 as f64;
        for (differences, buckets) in
            [(&self.positive, &mut histogram.positive_buckets), (&self.negative, &mut histogram.negative_buckets)]
        {
            let mut absolute = 0_i64;
            for (difference, bucket) in differences.iter().zip(buckets) {
                absolute = absolute.wrapping_add(difference.value);
                *bucket = absolute as f64;
            }
        }
    }
}

struct FloatCounts {
    count: XorValue,
    zero_count: XorValue,
    positive: Vec<XorValue>,
    negative: Vec<XorValue>,
}

impl FloatCounts {
    fn new(histogram: &Histogram) -> Self {
        Self {
            count: XorValue::default(),
            zero_count: XorValue::default(),
            positive: vec![XorValue::default(); histogram.positive_buckets.len()],
            negative: vec![XorValue::default(); histogram.negative_buckets.len()],
        }
    }

    fn read_first(&mut self, reader: &mut BitReader<'_>, sum: &mut XorValue, histogram: &mut Histogram) {
        self.count.bits = reader.read(64);
        self.zero_count.bits = reader.read(64);
        sum.bits = reader.read(64);
        for bucket in self.positive.iter_mut().chain(&mut self.negative) {
            bucket.bits = reader.read(64);
        }
        self.write(histogram);
    }

    fn read_next(&mut self, reader: &mut BitReader<'_>, sum: &mut XorValue, histogram: &mut Histogram) -> bool {
        if !self.count.read(reader) || !self.zero_count.read(reader) || !sum.read(reader) {
            return false;
        }
        if sum.bits != STALE_NAN {
            for bucket in self.positive.iter_mut().chain(&mut self.negative) {
                if !bucket.read(reader) {
                    return false;
                }
            }
            self.write(histogram);
        }
        true
    }

    fn write(&self, histogram: &mut Histogram) {
        histogram.count = self.count.value();
        histogram.zero_count = self.zero_count.value();
        for (values, buckets) in
            [(&self.positive, &mut histogram.positive_buckets), (&self.negative, &mut histogram.negative_buckets)]
        {
            for (value, bucket) in values.iter().zip(buckets) {
                *bucket = value.value();
            }
        }
    }
}

/// The same observations without buckets that count nothing, in the fewest spans. A store may add empty buckets (Prometheus
/// gives all samples of a chunk one layout) and drop or join spans; what remains says whether two histograms are the same.
pub fn without_empty_buckets(histogram: &Histogram) -> Histogram {
    let (positive_spans, positive_buckets) = occupied(&histogram.positive_spans, &histogram.positive_buckets);
    let (negative_spans, negative_buckets) = occupied(&histogram.negative_spans, &histogram.negative_buckets);
    Histogram { positive_spans, positive_buckets, negative_spans, negative_buckets, ..histogram.clone() }
}

fn occupied(spans: &[HistogramSpan], buckets: &[f64]) -> (Vec<HistogramSpan>, Vec<f64>) {
    let mut found: Vec<HistogramSpan> = Vec::new();
    let mut counts = Vec::new();
    // Index of the next bucket of the spans given, and of the one behind the last that was kept.
    let (mut index, mut end) = (0_i64, 0_i64);
    let mut buckets = buckets.iter();
    for span in spans {
        index = index.saturating_add(i64::from(span.offset));
        for count in buckets.by_ref().take(span.length as usize) {
            if *count != 0.0 {
                match found.last_mut() {
                    Some(last) if index == end => last.length = last.length.saturating_add(1),
                    _ => {
                        let gap = index.saturating_sub(end).clamp(i64::from(i32::MIN), i64::from(i32::MAX));
                        found.push(HistogramSpan { offset: gap as i32, length: 1 });
                    }
                }
                counts.push(*count);
                end = index.saturating_add(1);
            }
            index = index.saturating_add(1);
        }
    }
    (found, counts)
}
