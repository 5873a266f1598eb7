use prost::Message;
use protos::prometheus::{BucketSpan, Histogram as WireHistogram, ReadResponse, TimeSeries, histogram};

use super::AnswerError;
use crate::signal::{Histogram, HistogramKind, HistogramSpan, Labels, Sample, SampleValue};

/// Bytes that an answer may have when decompressed.
const LARGEST: usize = 256 * 1024 * 1024;

/// The schema of histograms whose buckets have bounds of their own (Prometheus `model/histogram`, `CustomBucketsSchema`).
const CUSTOM_BUCKETS: i32 = -53;

/// The samples in an answer of Prometheus' remote read (`/api/v1/read`, response type `SAMPLES`, snappy-compressed), series
/// after series; within a series floats before histograms.
pub fn samples(body: &[u8]) -> Result<Vec<Sample>, AnswerError> {
    let broken = |error: &dyn std::fmt::Display| {
        AnswerError::new("body", "a raw snappy block", format!("{error}: {}", String::from_utf8_lossy(body)))
    };
    let length = snap::raw::decompress_len(body).map_err(|error| broken(&error))?;
    if length > LARGEST {
        return Err(AnswerError::new("body", format!("at most {LARGEST} bytes"), length));
    }
    let message = snap::raw::Decoder::new().decompress_vec(body).map_err(|error| broken(&error))?;
    let answer = ReadResponse::decode(message.as_slice())
        .map_err(|error| AnswerError::new("body", "a ReadResponse as protobuf", error))?;
    let mut samples = Vec::new();
    for series in answer.results.into_iter().flat_map(|result| result.timeseries) {
        add(series, &mut samples)?;
    }
    Ok(samples)
}

fn add(series: TimeSeries, samples: &mut Vec<Sample>) -> Result<(), AnswerError> {
    let mut labels = Labels::new();
    for label in series.labels {
        if labels.insert(label.name.clone(), label.value).is_some() {
            return Err(AnswerError::new("labels", "each name once", format!("{:?} twice", label.name)));
        }
    }
    for sample in series.samples {
        samples.push(Sample {
            labels: labels.clone(),
            timestamp_ms: sample.timestamp,
            value: SampleValue::float(sample.value),
        });
    }
    for wire in series.histograms {
        let timestamp_ms = wire.timestamp;
        let value = SampleValue::Histogram { histogram: histogram(wire)? };
        samples.push(Sample { labels: labels.clone(), timestamp_ms, value });
    }
    Ok(())
}

fn histogram(wire: WireHistogram) -> Result<Histogram, AnswerError> {
    if !wire.custom_values.is_empty() && wire.schema != CUSTOM_BUCKETS {
        return Err(AnswerError::new(
            "histogram",
            "bounds only where the schema says so",
            format!("schema {}", wire.schema),
        ));
    }
    let (kind, count) = match wire.count {
        Some(histogram::Count::CountFloat(count)) => (HistogramKind::Float, count),
        Some(histogram::Count::CountInt(count)) => (HistogramKind::Int, double(count)),
        None => return Err(AnswerError::new("histogram", "a count", "none")),
    };
    let zero_count = match wire.zero_count {
        Some(histogram::ZeroCount::ZeroCountFloat(count)) => count,
        Some(histogram::ZeroCount::ZeroCountInt(count)) => double(count),
        None => 0.0,
    };
    let buckets = |spans: &[BucketSpan], deltas: &[i64], counts: Vec<f64>| {
        let buckets = match kind {
            HistogramKind::Int => absolute(deltas)?,
            HistogramKind::Float => counts,
        };
        let covered: u64 = spans.iter().map(|span| u64::from(span.length)).sum();
        if covered != buckets.len() as u64 {
            return Err(AnswerError::new("histogram", format!("{covered} buckets, as in its spans"), buckets.len()));
        }
        Ok(buckets)
    };
    Ok(Histogram {
        kind,
        count,
        sum: wire.sum,
        schema: wire.schema,
        zero_count,
        positive_buckets: buckets(&wire.positive_spans, &wire.positive_deltas, wire.positive_counts)?,
        negative_buckets: buckets(&wire.negative_spans, &wire.negative_deltas, wire.negative_counts)?,
        zero_threshold: wire.zero_threshold,
        positive_spans: spans(&wire.positive_spans),
        negative_spans: spans(&wire.negative_spans),
        custom_values: wire.custom_values.clone(),
    })
}

/// Counts out of their differences.
fn absolute(deltas: &[i64]) -> Result<Vec<f64>, AnswerError> {
    let mut count = 0_i64;
    deltas
        .iter()
        .map(|delta| {
            count = count
                .checked_add(*delta)
                .filter(|count| *count >= 0)
                .ok_or_else(|| AnswerError::new("histogram", "counts of 0 and more", format!("{count} + {delta}")))?;
            Ok(double(count.unsigned_abs()))
        })
        .collect()
}

#[expect(clippy::cast_precision_loss, reason = "records hold counts as doubles; those of ours are far below 2^53")]
fn double(count: u64) -> f64 {
    count as f64
}

fn spans(spans: &[BucketSpan]) -> Vec<HistogramSpan> {
    spans.iter().map(|span| HistogramSpan { offset: span.offset, length: span.length }).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use protos::prometheus::{Label, QueryResult};

    use super::*;
    use crate::stimulus::{Origin, encode, series};

    fn sent() -> Vec<Sample> {
        series::samples(&Origin::example(1), &series::SeriesShape::default())
    }

    /// An answer as Mimir gives it, made of what was sent, with `change` made to the series number `index`.
    fn answer(index: usize, change: fn(&mut TimeSeries)) -> Vec<u8> {
        let mut timeseries = encode::write_request_v1(&sent()).unwrap().timeseries;
        change(&mut timeseries[index]);
        compressed(&ReadResponse { results: vec![QueryResult { timeseries }] }.encode_to_vec())
    }

    fn compressed(bytes: &[u8]) -> Vec<u8> {
        snap::raw::Encoder::new().compress_vec(bytes).unwrap()
    }

    #[test]
    fn what_was_sent_is_found() {
        for (found, sent) in samples(&answer(0, |_| {})).unwrap().into_iter().zip(sent()) {
            assert_eq!(found, sent);
        }
        assert_eq!(samples(&answer(0, |_| {})).unwrap().len(), sent().len());
    }

    #[test]
    fn an_answer_without_series_holds_no_sample() {
        assert_eq!(samples(&compressed(&[])), Ok(Vec::new()));
    }

    #[test]
    fn other_answers_are_refused() {
        const HISTOGRAM: usize = 3;
        for (body, place) in [
            (Vec::new(), "body"),
            (b"bad request\n".to_vec(), "body"),
            // Claims 4 GiB.
            (vec![0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0], "body"),
            (compressed(b"bad request\n"), "body"),
            (answer(0, |series| series.labels.push(Label { name: "run".to_owned(), value: String::new() })), "labels"),
            (answer(HISTOGRAM, |series| series.histograms[0].count = None), "histogram"),
            (answer(HISTOGRAM, |series| series.histograms[0].custom_values.push(1.0)), "histogram"),
            (answer(HISTOGRAM, |series| series.histograms[0].positive_spans[0].length = u32::MAX), "histogram"),
            (answer(HISTOGRAM, |series| series.histograms[0].positive_deltas[0] = -1), "histogram"),
            (answer(HISTOGRAM, |series| series.histograms[0].positive_deltas[1] = i64::MAX), "histogram"),
        ] {
            let error = samples(&body).unwrap_err();
            assert_eq!(error.place, place, "{error}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_answer_or_an_error(body: Vec<u8>) {
            let _ = samples(&body);
            let _ = samples(&compressed(&body));
        }
    }
}
