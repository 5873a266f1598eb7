//! Tempo: pushes by OTLP, asks for traces. Must not judge what comes back.

use bytes::Bytes;
use harness_core::{
    observation::EvidenceKind,
    ports::{Answer, Component, PortError, PushAnswer, PushOutcome, TraceSource},
    signal::{Labels, Span},
    stimulus::encode::{self, EncodeError},
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceResponse, trace_service_client::TraceServiceClient,
};
use prost::Message;
use reqwest::header::{ACCEPT, CONTENT_TYPE};

use crate::{
    http::{self, Http},
    outcome,
};

/// A client of one Tempo, by its doors.
#[derive(Clone)]
pub struct Tempo {
    http: Http,
    query: String,
    otlp_grpc: String,
    otlp_http: String,
}

impl Tempo {
    /// A client of the Tempo that answers at `query` and receives OTLP at `otlp_grpc` and `otlp_http`. All are base addresses,
    /// `http://host:port`.
    pub fn new(http: Http, query: &str, otlp_grpc: &str, otlp_http: &str) -> Self {
        Self { http, query: query.to_owned(), otlp_grpc: otlp_grpc.to_owned(), otlp_http: otlp_http.to_owned() }
    }

    /// Pushes by OTLP/gRPC, `TraceService/Export`.
    pub async fn push_grpc(&self, spans: &[Span]) -> Result<PushAnswer, EncodeError> {
        let message = encode::otlp_request(spans)?;
        let clock = self.http.clock();
        let mut evidence = http::evidence(EvidenceKind::Push, Component::Tempo, clock);
        evidence.request =
            Some(format!("opentelemetry.proto.collector.trace.v1.TraceService/Export {}", self.otlp_grpc));
        let sent = clock.now();
        let outcome = match self.http.channel(&self.otlp_grpc).await {
            Err(reason) => PushOutcome::Unknown { reason: format!("no answer: {reason}") },
            Ok(channel) => match TraceServiceClient::new(channel).export(message).await {
                Ok(response) => taken(&response.into_inner(), spans.len()),
                Err(status) => outcome::of_grpc(&status, spans.len()),
            },
        };
        evidence.excerpt = Some(outcome::in_words(&outcome));
        Ok(PushAnswer { sent, answered: clock.now(), outcome, evidence })
    }

    /// Pushes by OTLP/HTTP, `POST /v1/traces`, protobuf.
    pub async fn push_http(&self, spans: &[Span]) -> Result<PushAnswer, EncodeError> {
        Ok(self.push_encoded(encode::otlp_request(spans)?.encode_to_vec().into(), spans.len()).await)
    }

    /// Pushes so many `records` by OTLP/HTTP, their protobuf made already.
    pub async fn push_encoded(&self, body: Bytes, records: usize) -> PushAnswer {
        let request = self
            .http
            .post(&format!("{}/v1/traces", self.otlp_http))
            .header(CONTENT_TYPE, "application/x-protobuf")
            .body(body);
        let exchange = self.http.send(EvidenceKind::Push, Component::Tempo, request).await;
        let mut outcome = outcome::of_http(&exchange.reply, records);
        if let (PushOutcome::Acked, Ok(reply)) = (&outcome, &exchange.reply) {
            outcome = match ExportTraceServiceResponse::decode(reply.body.clone()) {
                Ok(response) => taken(&response, records),
                Err(error) => PushOutcome::Unknown {
                    reason: format!("status {}, but the body is no OTLP answer: {error}", reply.status),
                },
            };
        }
        PushAnswer { sent: exchange.sent, answered: exchange.answered, outcome, evidence: exchange.evidence }
    }

    /// Asks for one trace, by `/api/v2/traces/{id}`, or by `/querier/api/v2/traces/{id}?mode=blocks` where only blocks of the
    /// backend shall be looked into. The answer is a `TraceByIDResponse` as protobuf.
    pub async fn trace(&self, trace_id: &str, source: TraceSource) -> Result<Answer, PortError> {
        let path = match source {
            TraceSource::Any => format!("/api/v2/traces/{trace_id}"),
            TraceSource::Blocks => format!("/querier/api/v2/traces/{trace_id}?mode=blocks"),
        };
        let request = self.http.get(&format!("{}{path}", self.query)).header(ACCEPT, "application/protobuf");
        self.http.send(EvidenceKind::Query, Component::Tempo, request).await.into_answer()
    }

    /// Asks `/api/search` by TraceQL for the traces that have a span with all of `attributes`, from `start_s` (inclusive) to `end_s`
    /// (exclusive), at most `limit` of them.
    pub async fn search(
        &self,
        attributes: &Labels,
        start_s: i64,
        end_s: i64,
        limit: usize,
    ) -> Result<Answer, PortError> {
        let request = self.http.get(&format!("{}/api/search", self.query)).header(ACCEPT, "application/json").query(&[
            ("q", encode::traceql(attributes)),
            ("start", start_s.to_string()),
            ("end", end_s.to_string()),
            ("limit", limit.to_string()),
        ]);
        self.http.send(EvidenceKind::Query, Component::Tempo, request).await.into_answer()
    }
}

/// What a successful answer says about the spans.
fn taken(response: &ExportTraceServiceResponse, sent: usize) -> PushOutcome {
    let Some(partial) = &response.partial_success else { return PushOutcome::Acked };
    let refused = u64::try_from(partial.rejected_spans).unwrap_or(0);
    outcome::of_refused(refused, sent as u64, &partial.error_message)
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTracePartialSuccess;

    use super::*;

    #[test]
    fn a_success_can_be_partial() {
        let partial = |rejected_spans| ExportTraceServiceResponse {
            partial_success: Some(ExportTracePartialSuccess { rejected_spans, error_message: "why".to_owned() }),
        };
        let reason = |refused: u64| format!("{refused} of 3 refused: why");
        for (response, expected) in [
            (ExportTraceServiceResponse::default(), PushOutcome::Acked),
            (partial(0), PushOutcome::Acked),
            (partial(1), PushOutcome::Refused { reason: reason(1) }),
            (partial(3), PushOutcome::Rejected { reason: reason(3) }),
        ] {
            assert_eq!(taken(&response, 3), expected);
        }
    }
}
