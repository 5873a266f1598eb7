//! Mimir: pushes by remote write, asks for raw samples. Must not judge what comes back.

use harness_core::{
    observation::EvidenceKind,
    ports::{Answer, Component, PortError, PushAnswer, PushOutcome},
    signal::{Labels, Sample, SampleValue},
    stimulus::encode::{self, EncodeError},
};
use reqwest::header::{ACCEPT, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap};

use crate::{http::Http, outcome};

/// A client of one Mimir.
#[derive(Clone)]
pub struct Mimir {
    http: Http,
    base: String,
}

impl Mimir {
    /// A client of the Mimir at the base address `base`, `http://host:port`.
    pub fn new(http: Http, base: &str) -> Self {
        Self { http, base: base.to_owned() }
    }

    /// Pushes by remote write 1.0 (Prometheus, "Remote-Write 1.0 specification").
    pub async fn push_v1(&self, samples: &[Sample]) -> Result<PushAnswer, EncodeError> {
        let body = encode::remote_write_v1(samples)?;
        Ok(self.push(body, "application/x-protobuf", "0.1.0", samples.len()).await.0)
    }

    /// Pushes by remote write 2.0 (Prometheus, "Remote-Write 2.0 specification").
    pub async fn push_v2(&self, samples: &[Sample]) -> Result<PushAnswer, EncodeError> {
        let body = encode::remote_write_v2(samples)?;
        let content_type = "application/x-protobuf;proto=io.prometheus.write.v2.Request";
        let (mut answer, headers) = self.push(body, content_type, "2.0.0", samples.len()).await;
        if answer.outcome == PushOutcome::Acked {
            answer.outcome = written(&headers, samples);
            answer.evidence.excerpt = Some(statistics(&headers));
        }
        Ok(answer)
    }

    /// The answer and its headers.
    async fn push(&self, body: Vec<u8>, content_type: &str, version: &str, records: usize) -> (PushAnswer, HeaderMap) {
        let request = self
            .http
            .post(&format!("{}/api/v1/push", self.base))
            .header(CONTENT_TYPE, content_type)
            .header(CONTENT_ENCODING, "snappy")
            .header("X-Prometheus-Remote-Write-Version", version)
            .body(body);
        let exchange = self.http.send(EvidenceKind::Push, Component::Mimir, request).await;
        let outcome = outcome::of_http(&exchange.reply, records);
        let headers = exchange.reply.map(|reply| reply.headers).unwrap_or_default();
        (PushAnswer { sent: exchange.sent, answered: exchange.answered, outcome, evidence: exchange.evidence }, headers)
    }

    /// Asks remote read for all raw samples of the series with the labels of `selector`, from `start_ms` to `end_ms`, both
    /// inclusive. Unlike a PromQL query it returns NaNs with their bits, stale markers, and histograms with their spans.
    pub async fn samples(&self, selector: &Labels, start_ms: i64, end_ms: i64) -> Result<Answer, PortError> {
        let target = format!("{}/prometheus/api/v1/read", self.base);
        let body = encode::remote_read_request(selector, start_ms, end_ms)
            .map_err(|error| PortError::Unsupported { reason: error.to_string() })?;
        let request = self
            .http
            .post(&target)
            .header(CONTENT_TYPE, "application/x-protobuf")
            .header(CONTENT_ENCODING, "snappy")
            .header("X-Prometheus-Remote-Read-Version", "0.1.0")
            .header(CACHE_CONTROL, "no-store")
            .body(body);
        let mut exchange = self.http.send(EvidenceKind::Query, Component::Mimir, request).await;
        if let Some(request) = &mut exchange.evidence.request {
            // The body says what was asked, and is no text.
            *request = format!("{request} {selector:?} {start_ms}..={end_ms}");
        }
        exchange.into_answer()
    }

    /// Asks PromQL for all samples of the series with the labels of `selector`, from `start_ms` to `end_ms`, both inclusive: a range
    /// selector, which excludes its start.
    pub async fn samples_by_promql(&self, selector: &Labels, start_ms: i64, end_ms: i64) -> Result<Answer, PortError> {
        let range_ms = end_ms.saturating_sub(start_ms).saturating_add(1);
        self.instant(format!("{}[{range_ms}ms]", encode::selector(selector)), end_ms).await
    }

    /// Asks PromQL how many samples the series with the labels of `selector` have in the `range_ms` milliseconds that end at `at_ms`.
    pub async fn sample_count(&self, selector: &Labels, range_ms: i64, at_ms: i64) -> Result<Answer, PortError> {
        self.instant(encode::count_over_time(selector, range_ms), at_ms).await
    }

    /// As [`Mimir::sample_count`], for each step of `step_ms` milliseconds: the first ends at `start_ms`, the last at `end_ms`.
    pub async fn sample_counts(
        &self,
        selector: &Labels,
        start_ms: i64,
        end_ms: i64,
        step_ms: i64,
    ) -> Result<Answer, PortError> {
        let parameters = [
            ("query", encode::count_over_time(selector, step_ms)),
            ("start", seconds(start_ms)),
            ("end", seconds(end_ms)),
            ("step", format!("{step_ms}ms")),
        ];
        self.ask("query_range", &parameters).await
    }

    async fn instant(&self, expression: String, at_ms: i64) -> Result<Answer, PortError> {
        self.ask("query", &[("query", expression), ("time", seconds(at_ms))]).await
    }

    async fn ask(&self, path: &str, parameters: &[(&str, String)]) -> Result<Answer, PortError> {
        let request = self.http.get(&format!("{}/prometheus/api/v1/{path}", self.base)).query(parameters);
        let request = request.header(ACCEPT, "application/json").header(CACHE_CONTROL, "no-store");
        self.http.send(EvidenceKind::Query, Component::Mimir, request).await.into_answer()
    }
}

/// Milliseconds as Prometheus takes times.
fn seconds(milliseconds: i64) -> String {
    format!("{}.{:03}", milliseconds.div_euclid(1000), milliseconds.rem_euclid(1000))
}

/// The headers by which remote write 2.0 tells what it wrote.
const WRITTEN: [&str; 2] =
    ["X-Prometheus-Remote-Write-Samples-Written", "X-Prometheus-Remote-Write-Histograms-Written"];

/// What a successful answer of remote write 2.0 says about the samples; where it says nothing, they count as written.
fn written(headers: &HeaderMap, samples: &[Sample]) -> PushOutcome {
    let histograms =
        samples.iter().filter(|sample| matches!(sample.value, SampleValue::Histogram { .. })).count() as u64;
    let floats = samples.len() as u64 - histograms;
    let refused = WRITTEN.into_iter().zip([floats, histograms]).map(|(header, sent)| {
        let written = headers.get(header).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        written.map_or(0, |written| sent.saturating_sub(written))
    });
    outcome::of_refused(refused.sum(), samples.len() as u64, &statistics(headers))
}

/// What the answer says that it wrote, in words.
fn statistics(headers: &HeaderMap) -> String {
    let text = |header: &str| {
        let value = headers.get(header).and_then(|value| value.to_str().ok());
        format!("{header}: {}", value.unwrap_or("(absent)"))
    };
    WRITTEN.map(text).join(", ")
}

#[cfg(test)]
mod tests {
    use harness_core::stimulus::{Origin, series};

    use super::*;

    #[test]
    fn a_success_can_be_partial() {
        let origin =
            Origin { seed: 1, run: "r".to_owned(), stimulus: "s".to_owned(), now_ns: 1_795_000_000_000_000_000 };
        let shape = series::SeriesShape { samples: 1, ..series::SeriesShape::default() };
        // Three series of floats, five of histograms.
        let samples = series::samples(&origin, &shape);
        for (floats, histograms, expected) in [
            (Some("3"), Some("5"), "acked"),
            (None, None, "acked"),
            (None, Some("5"), "acked"),
            (Some("x"), None, "acked"),
            (Some("3"), Some("4"), "refused"),
            (Some("2"), Some("9"), "refused"),
            (Some("0"), Some("0"), "rejected"),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in WRITTEN.into_iter().zip([floats, histograms]) {
                if let Some(value) = value {
                    headers.insert(name, value.parse().unwrap());
                }
            }
            let found = match written(&headers, &samples) {
                PushOutcome::Acked => "acked",
                PushOutcome::Rejected { .. } => "rejected",
                PushOutcome::Refused { .. } => "refused",
                PushOutcome::Unknown { .. } => "unknown",
            };
            assert_eq!(found, expected, "{floats:?} {histograms:?}");
        }
    }
}
