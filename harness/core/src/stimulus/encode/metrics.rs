use std::collections::BTreeMap;

use protos::{
    prometheus::{
        BucketSpan, Histogram as WireHistogram, Label, LabelMatcher, Query, ReadRequest, Sample as WireSample,
        TimeSeries, WriteRequest, histogram, label_matcher, read_request,
    },
    write_v2,
};

use super::{EncodeError, grouped, snappy};
use crate::signal::{Histogram, HistogramKind, HistogramSpan, Labels, Sample, SampleValue, SignalRecord};

/// The first double above which not every whole number is a double.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// The body of a remote write 1.0 request: a raw snappy block of [`write_request_v1`].
pub fn remote_write_v1(samples: &[Sample]) -> Result<Vec<u8>, EncodeError> {
    snappy(&write_request_v1(samples)?)
}

/// The body of a remote write 2.0 request: a raw snappy block of [`write_request_v2`].
pub fn remote_write_v2(samples: &[Sample]) -> Result<Vec<u8>, EncodeError> {
    snappy(&write_request_v2(samples)?)
}

/// The body of a remote read request: a raw snappy block that asks for all raw samples of the series with the labels of
/// `selector`, from `start_ms` to `end_ms`, both inclusive.
pub fn remote_read_request(selector: &Labels, start_ms: i64, end_ms: i64) -> Result<Vec<u8>, EncodeError> {
    let matchers = selector
        .iter()
        .map(|(name, value)| LabelMatcher {
            r#type: label_matcher::Type::Eq.into(),
            name: name.clone(),
            value: value.clone(),
        })
        .collect();
    snappy(&ReadRequest {
        queries: vec![Query { start_timestamp_ms: start_ms, end_timestamp_ms: end_ms, matchers }],
        accepted_response_types: vec![read_request::ResponseType::Samples.into()],
    })
}

/// The message of remote write 1.0 (Prometheus, "Remote-Write 1.0 specification"): labels sorted by name.
pub fn write_request_v1(samples: &[Sample]) -> Result<WriteRequest, EncodeError> {
    let mut timeseries = Vec::new();
    for (labels, members) in grouped(samples, |sample| &sample.labels) {
        let mut series = TimeSeries {
            labels: labels.iter().map(|(name, value)| Label { name: name.clone(), value: value.clone() }).collect(),
            ..TimeSeries::default()
        };
        for sample in members {
            match &sample.value {
                SampleValue::Float { value_bits, .. } => series
                    .samples
                    .push(WireSample { value: float(sample, value_bits)?, timestamp: sample.timestamp_ms }),
                SampleValue::Histogram { histogram } => series.histograms.push(wire_histogram(sample, histogram)?),
            }
        }
        timeseries.push(series);
    }
    Ok(WriteRequest { timeseries, metadata: Vec::new() })
}

/// The message of remote write 2.0 (Prometheus, "Remote-Write 2.0 specification"): texts in a table that begins with the empty
/// one, labels sorted by name, floats and histograms of one series in messages of their own.
pub fn write_request_v2(samples: &[Sample]) -> Result<write_v2::Request, EncodeError> {
    let mut symbols = Symbols::default();
    symbols.reference("");
    let mut timeseries = Vec::new();
    for series in write_request_v1(samples)?.timeseries {
        let labels_refs: Vec<u32> = series
            .labels
            .iter()
            .flat_map(|label| [symbols.reference(&label.name), symbols.reference(&label.value)])
            .collect();
        let message = write_v2::TimeSeries {
            labels_refs,
            metadata: Some(write_v2::Metadata::default()),
            ..write_v2::TimeSeries::default()
        };
        if !series.samples.is_empty() {
            let samples = series
                .samples
                .iter()
                .map(|sample| write_v2::Sample { value: sample.value, timestamp: sample.timestamp, start_timestamp: 0 })
                .collect();
            timeseries.push(write_v2::TimeSeries { samples, ..message.clone() });
        }
        if !series.histograms.is_empty() {
            let histograms = series.histograms.into_iter().map(histogram_v2).collect();
            timeseries.push(write_v2::TimeSeries { histograms, ..message });
        }
    }
    Ok(write_v2::Request { symbols: symbols.texts, timeseries })
}

/// Each text once.
#[derive(Default)]
struct Symbols {
    texts: Vec<String>,
    places: BTreeMap<String, u32>,
}

impl Symbols {
    fn reference(&mut self, text: &str) -> u32 {
        if let Some(place) = self.places.get(text) {
            return *place;
        }
        let place = u32::try_from(self.texts.len()).unwrap_or(u32::MAX);
        self.texts.push(text.to_owned());
        self.places.insert(text.to_owned(), place);
        place
    }
}

fn float(sample: &Sample, bits: &str) -> Result<f64, EncodeError> {
    u64::from_str_radix(bits, 16).map(f64::from_bits).map_err(|_| EncodeError {
        record: sample.identity(),
        expected: "the bits of a float, 16 hex digits",
        found: format!("{bits:?}"),
    })
}

fn wire_histogram(sample: &Sample, record: &Histogram) -> Result<WireHistogram, EncodeError> {
    let whole = |count: f64| {
        if count.fract() == 0.0 && (0.0..EXACT).contains(&count) {
            #[expect(clippy::cast_possible_truncation, reason = "whole and below 2^53, so the conversion is exact")]
            Ok(count as i64)
        } else {
            Err(EncodeError {
                record: sample.identity(),
                expected: "a whole count below 2^53 in a histogram with integer counts",
                found: count.to_string(),
            })
        }
    };
    let mut wire = WireHistogram {
        sum: record.sum,
        schema: record.schema,
        zero_threshold: record.zero_threshold,
        negative_spans: spans(&record.negative_spans),
        positive_spans: spans(&record.positive_spans),
        timestamp: sample.timestamp_ms,
        custom_values: record.custom_values.clone(),
        ..WireHistogram::default()
    };
    match record.kind {
        HistogramKind::Int => {
            let deltas = |counts: &[f64]| {
                let mut before = 0;
                counts
                    .iter()
                    .map(|count| {
                        let count = whole(*count)?;
                        let delta = count - before;
                        before = count;
                        Ok(delta)
                    })
                    .collect::<Result<Vec<i64>, EncodeError>>()
            };
            wire.count = Some(histogram::Count::CountInt(whole(record.count)?.unsigned_abs()));
            wire.zero_count = Some(histogram::ZeroCount::ZeroCountInt(whole(record.zero_count)?.unsigned_abs()));
            wire.positive_deltas = deltas(&record.positive_buckets)?;
            wire.negative_deltas = deltas(&record.negative_buckets)?;
        }
        HistogramKind::Float => {
            wire.count = Some(histogram::Count::CountFloat(record.count));
            wire.zero_count = Some(histogram::ZeroCount::ZeroCountFloat(record.zero_count));
            wire.positive_counts.clone_from(&record.positive_buckets);
            wire.negative_counts.clone_from(&record.negative_buckets);
        }
    }
    Ok(wire)
}

fn spans(spans: &[HistogramSpan]) -> Vec<BucketSpan> {
    spans.iter().map(|span| BucketSpan { offset: span.offset, length: span.length }).collect()
}

/// The same histogram in remote write 2.0, whose message has the same fields and one more.
fn histogram_v2(wire: WireHistogram) -> write_v2::Histogram {
    let spans = |spans: Vec<BucketSpan>| {
        spans.into_iter().map(|span| write_v2::BucketSpan { offset: span.offset, length: span.length }).collect()
    };
    write_v2::Histogram {
        sum: wire.sum,
        schema: wire.schema,
        zero_threshold: wire.zero_threshold,
        negative_spans: spans(wire.negative_spans),
        negative_deltas: wire.negative_deltas,
        negative_counts: wire.negative_counts,
        positive_spans: spans(wire.positive_spans),
        positive_deltas: wire.positive_deltas,
        positive_counts: wire.positive_counts,
        reset_hint: wire.reset_hint,
        timestamp: wire.timestamp,
        custom_values: wire.custom_values,
        start_timestamp: 0,
        count: wire.count.map(|count| match count {
            histogram::Count::CountInt(count) => write_v2::histogram::Count::CountInt(count),
            histogram::Count::CountFloat(count) => write_v2::histogram::Count::CountFloat(count),
        }),
        zero_count: wire.zero_count.map(|count| match count {
            histogram::ZeroCount::ZeroCountInt(count) => write_v2::histogram::ZeroCount::ZeroCountInt(count),
            histogram::ZeroCount::ZeroCountFloat(count) => write_v2::histogram::ZeroCount::ZeroCountFloat(count),
        }),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use prost::Message;

    use super::*;
    use crate::stimulus::{Origin, series};

    fn decompressed(body: &[u8]) -> Vec<u8> {
        snap::raw::Decoder::new().decompress_vec(body).unwrap()
    }

    /// The labels that a series of remote write 2.0 refers to.
    fn labels(request: &write_v2::Request, series: &write_v2::TimeSeries) -> Vec<Label> {
        let text = |reference: u32| request.symbols[reference as usize].clone();
        series.labels_refs.chunks(2).map(|pair| Label { name: text(pair[0]), value: text(pair[1]) }).collect()
    }

    proptest! {
        #[test]
        fn both_versions_say_the_same(seed: u64) {
            let samples = series::samples(&Origin::example(seed), &series::SeriesShape::default());
            let first = WriteRequest::decode(decompressed(&remote_write_v1(&samples).unwrap()).as_slice()).unwrap();
            let second = decompressed(&remote_write_v2(&samples).unwrap());
            let second = write_v2::Request::decode(second.as_slice()).unwrap();
            prop_assert_eq!(second.symbols.first().map(String::as_str), Some(""));
            prop_assert_eq!(first.timeseries.len(), second.timeseries.len());
            for (first, series) in first.timeseries.into_iter().zip(&second.timeseries) {
                let labels = labels(&second, series);
                prop_assert!(labels.is_sorted_by(|before, after| before.name < after.name));
                prop_assert_eq!(first.labels, labels);
                let bits = |value: f64, timestamp: i64| (value.to_bits(), timestamp);
                let floats: Vec<_> = first.samples.iter().map(|sample| bits(sample.value, sample.timestamp)).collect();
                let others: Vec<_> = series.samples.iter().map(|sample| bits(sample.value, sample.timestamp)).collect();
                prop_assert_eq!(floats, others);
                let histograms: Vec<_> = first.histograms.into_iter().map(histogram_v2).collect();
                prop_assert_eq!(&histograms, &series.histograms);
            }
        }
    }

    #[test]
    fn whole_counts_become_differences() {
        let sample = samples_with(HistogramKind::Int, &[3.0, 1.0, 1.0, 8.0]);
        let request = write_request_v1(&[sample]).unwrap();
        assert_eq!(request.timeseries[0].histograms[0].positive_deltas, [3, -2, 0, 7]);
    }

    #[test]
    fn float_counts_stay_absolute() {
        let sample = samples_with(HistogramKind::Float, &[3.5, 1.0]);
        let request = write_request_v1(&[sample]).unwrap();
        assert_eq!(request.timeseries[0].histograms[0].positive_counts, [3.5, 1.0]);
    }

    #[test]
    fn what_no_integer_histogram_can_count_has_no_wire_form() {
        for count in [0.5, -1.0, f64::NAN, f64::INFINITY, 2.0 * EXACT] {
            assert!(write_request_v1(&[samples_with(HistogramKind::Int, &[count])]).is_err(), "{count}");
            assert!(write_request_v1(&[samples_with(HistogramKind::Float, &[count])]).is_ok(), "{count}");
        }
    }

    #[test]
    fn broken_bits_have_no_wire_form() {
        let mut sample = samples_with(HistogramKind::Int, &[]);
        sample.value = SampleValue::Float { value: "1".to_owned(), value_bits: "one".to_owned() };
        let error = remote_write_v2(&[sample]).unwrap_err();
        assert_eq!(error.found, "\"one\"");
    }

    fn samples_with(kind: HistogramKind, counts: &[f64]) -> Sample {
        let length = u32::try_from(counts.len()).unwrap();
        let histogram = Histogram {
            kind,
            count: 0.0,
            sum: 0.0,
            schema: 0,
            zero_count: 0.0,
            positive_buckets: counts.to_vec(),
            negative_buckets: Vec::new(),
            zero_threshold: 0.0,
            positive_spans: vec![HistogramSpan { offset: 0, length }],
            negative_spans: Vec::new(),
            custom_values: Vec::new(),
        };
        Sample { labels: Labels::new(), timestamp_ms: 1, value: SampleValue::Histogram { histogram } }
    }
}
