use serde::Deserialize;

use super::AnswerError;
use crate::signal::{Histogram, Labels, Sample, SampleValue};

#[derive(Deserialize)]
struct Body {
    status: String,
    data: Data,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    result_type: String,
    result: Vec<Series>,
}

#[derive(Deserialize)]
struct Series {
    metric: Labels,
    #[serde(default)]
    values: Vec<(f64, String)>,
    #[serde(default)]
    histograms: Vec<(f64, ToldHistogram)>,
}

#[derive(Deserialize)]
struct ToldHistogram {
    count: String,
    sum: String,
    /// Which bounds belong to the bucket, lower bound, upper bound, count; no empty ones.
    #[serde(default)]
    buckets: Vec<(u8, String, String, String)>,
}

/// The samples in an answer of `/api/v1/query` to a range selector (Prometheus, "Querying, HTTP API", "Range vectors"), as
/// [`Sample::told_by_promql`] has them: series after series, floats before histograms.
pub fn promql_samples(body: &[u8]) -> Result<Vec<Sample>, AnswerError> {
    let Body { status, data } = serde_json::from_slice(body).map_err(|error| {
        AnswerError::new("body", "a matrix as JSON", format!("{error}: {}", String::from_utf8_lossy(body)))
    })?;
    if status != "success" {
        return Err(AnswerError::new("status", "success", status));
    }
    if data.result_type != "matrix" {
        return Err(AnswerError::new("data.resultType", "matrix", data.result_type));
    }
    let mut samples = Vec::new();
    for Series { metric, values, histograms } in data.result {
        for (seconds, value) in values {
            let value = SampleValue::float(number("value", &value)?);
            samples.push((metric.clone(), seconds, value));
        }
        for (seconds, told) in histograms {
            let counts = told.buckets.iter().map(|(_, _, _, count)| number("bucket", count));
            let histogram = Histogram::of_counts(
                number("count", &told.count)?,
                number("sum", &told.sum)?,
                counts.collect::<Result<_, _>>()?,
            );
            samples.push((metric.clone(), seconds, SampleValue::Histogram { histogram }));
        }
    }
    samples
        .into_iter()
        .map(|(labels, seconds, value)| {
            let sample = Sample { labels, timestamp_ms: milliseconds(seconds)?, value };
            // Whatever bits a parsed NaN has, they are not those that were stored.
            sample.told_by_promql().ok_or_else(|| AnswerError::new("value", "a sample", "a stale marker"))
        })
        .collect()
}

/// A float as Prometheus' JSON has it: in quotes, so that `NaN`, `+Inf` and `-Inf` can be told.
fn number(place: &str, text: &str) -> Result<f64, AnswerError> {
    text.parse().map_err(|_| AnswerError::new(place, "a number", format!("{text:?}")))
}

/// Times are seconds with three decimals, which a double holds for the next thousands of years.
fn milliseconds(seconds: f64) -> Result<i64, AnswerError> {
    /// Milliseconds up to which every whole double is an exact integer.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let milliseconds = (seconds * 1000.0).round();
    if milliseconds.abs() < EXACT {
        #[expect(clippy::cast_possible_truncation, reason = "whole and below 2^53, so the conversion is exact")]
        let exact = milliseconds as i64;
        Ok(exact)
    } else {
        Err(AnswerError::new("timestamp", "seconds since the Unix epoch", seconds))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn labels() -> Labels {
        [("__name__".to_owned(), "up".to_owned())].into()
    }

    /// As Mimir answers, shortened.
    fn answer() -> Value {
        json!({"status": "success", "data": {"resultType": "matrix", "result": [
            {"metric": {"__name__": "up"}, "values": [[1_795_468_444.491, "5e-324"], [1_795_468_449, "NaN"], [1_795_468_454.5, "-Inf"]]},
            {"metric": {"__name__": "up"}, "histograms": [
                [1_795_468_447.312, {"count": "80", "sum": "-2.5", "buckets": [[3, "-Inf", "-2.5", "31"], [0, "1", "+Inf", "49"]]}],
                [1_795_468_448.312, {"count": "0", "sum": "0"}],
            ]},
        ]}})
    }

    #[test]
    fn floats_and_histograms_are_told() {
        let sample = |timestamp_ms, value| Sample { labels: labels(), timestamp_ms, value };
        let histogram =
            |count, sum, buckets| SampleValue::Histogram { histogram: Histogram::of_counts(count, sum, buckets) };
        let expected = [
            sample(1_795_468_444_491, SampleValue::float(f64::from_bits(1))),
            sample(1_795_468_449_000, SampleValue::float(f64::from_bits(0x7ff8_0000_0000_0001))),
            sample(1_795_468_454_500, SampleValue::float(f64::NEG_INFINITY)),
            sample(1_795_468_447_312, histogram(80.0, -2.5, vec![31.0, 49.0])),
            sample(1_795_468_448_312, histogram(0.0, 0.0, Vec::new())),
        ];
        assert_eq!(promql_samples(answer().to_string().as_bytes()).unwrap(), expected);
    }

    #[test]
    fn other_answers_are_refused() {
        let with = |pointer: &str, value: Value| {
            let mut body = answer();
            *body.pointer_mut(pointer).unwrap() = value;
            body.to_string()
        };
        for (body, place) in [
            (String::new(), "body"),
            ("internal server error".to_owned(), "body"),
            (with("/status", json!("error")), "status"),
            (with("/data/resultType", json!("vector")), "data.resultType"),
            (with("/data/result/0/values/0/1", json!("one")), "value"),
            (with("/data/result/0/values/0/0", json!(1e300)), "timestamp"),
            (with("/data/result/0/values/0/1", json!(1.5)), "body"),
            (with("/data/result/1/histograms/0/1/count", json!("")), "count"),
            (with("/data/result/1/histograms/0/1/buckets/0/3", json!("x")), "bucket"),
        ] {
            let error = promql_samples(body.as_bytes()).unwrap_err();
            assert_eq!(error.place, place, "{error}");
        }
    }

    proptest! {
        #[test]
        fn milliseconds_survive_being_told_in_seconds(milliseconds_sent in 0_i64..4_000_000_000_000) {
            let told = format!("{}.{:03}", milliseconds_sent / 1000, milliseconds_sent % 1000);
            prop_assert_eq!(milliseconds(told.parse().unwrap()), Ok(milliseconds_sent));
        }
    }
}
