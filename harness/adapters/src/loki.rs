//! Loki: pushes by HTTP and gRPC, asks for log entries. Must not judge what comes back.

use bytes::Bytes;
use harness_core::{
    observation::{EvidenceKind, answers::LOG_ENTRIES_LIMIT},
    ports::{Answer, Component, PortError, PushAnswer, PushOutcome},
    signal::{Labels, LogEntry},
    stimulus::encode::{self, EncodeError},
};
use protos::logproto::pusher_client::PusherClient;
use reqwest::{
    RequestBuilder,
    header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE},
};

use crate::{
    http::{self, Http},
    outcome,
};

/// A client of one Loki, by its doors.
#[derive(Clone)]
pub struct Loki {
    http: Http,
    push: String,
    grpc: String,
    query: String,
    store_reader: Option<String>,
}

impl Loki {
    /// A client of the Loki whose distributor is at `push` (HTTP) and `grpc`, its reader at `query`, and the reader that cannot ask
    /// an ingester, if there is one, at `store_reader`. All are base addresses, `http://host:port`.
    pub fn new(http: Http, push: &str, grpc: &str, query: &str, store_reader: Option<&str>) -> Self {
        Self {
            http,
            push: push.to_owned(),
            grpc: grpc.to_owned(),
            query: query.to_owned(),
            store_reader: store_reader.map(str::to_owned),
        }
    }

    /// Pushes by `POST /loki/api/v1/push` as JSON.
    pub async fn push_json(&self, entries: &[LogEntry]) -> Result<PushAnswer, EncodeError> {
        Ok(self.push_body("application/json", encode::loki_json(entries)?.into(), entries.len()).await)
    }

    /// Pushes by `POST /loki/api/v1/push` as snappy-compressed protobuf.
    pub async fn push_protobuf(&self, entries: &[LogEntry]) -> Result<PushAnswer, EncodeError> {
        Ok(self.push_encoded(encode::loki_protobuf(entries)?.into(), entries.len()).await)
    }

    /// Pushes so many `records` by `POST /loki/api/v1/push`, their snappy-compressed protobuf made already.
    pub async fn push_encoded(&self, body: Bytes, records: usize) -> PushAnswer {
        self.push_body("application/x-protobuf", body, records).await
    }

    async fn push_body(&self, content_type: &str, body: Bytes, records: usize) -> PushAnswer {
        let request =
            self.http.post(&format!("{}/loki/api/v1/push", self.push)).header(CONTENT_TYPE, content_type).body(body);
        let exchange = self.http.send(EvidenceKind::Push, Component::LokiWrite, request).await;
        let outcome = outcome::of_http(&exchange.reply, records);
        PushAnswer { sent: exchange.sent, answered: exchange.answered, outcome, evidence: exchange.evidence }
    }

    /// Pushes by the gRPC service `logproto.Pusher`. In a process that has an ingester, target `write` included, it is the
    /// ingester that serves it, without the distributor's checks (Loki, `pkg/loki/modules.go`).
    pub async fn push_grpc(&self, entries: &[LogEntry]) -> Result<PushAnswer, EncodeError> {
        let message = encode::loki_push_request(entries)?;
        let clock = self.http.clock();
        let mut evidence = http::evidence(EvidenceKind::Push, Component::LokiWrite, clock);
        evidence.request = Some(format!("logproto.Pusher/Push {}", self.grpc));
        let sent = clock.now();
        let outcome = match self.http.channel(&self.grpc).await {
            Err(reason) => PushOutcome::Unknown { reason: format!("no answer: {reason}") },
            Ok(channel) => match PusherClient::new(channel).push(message).await {
                Ok(_) => PushOutcome::Acked,
                Err(status) => outcome::of_grpc(&status, entries.len()),
            },
        };
        evidence.excerpt = Some(outcome::in_words(&outcome));
        Ok(PushAnswer { sent, answered: clock.now(), outcome, evidence })
    }

    /// Asks `/loki/api/v1/query_range` for the entries of the streams with the labels of `selector` from `start_ns` (inclusive) to
    /// `end_ns` (exclusive), oldest first, at most [`LOG_ENTRIES_LIMIT`].
    pub async fn log_entries(
        &self,
        selector: &Labels,
        start_ns: i64,
        end_ns: i64,
        store_only: bool,
    ) -> Result<Answer, PortError> {
        let (component, base) = match (store_only, &self.store_reader) {
            (false, _) => (Component::LokiRead, &self.query),
            (true, Some(base)) => (Component::LokiStoreReader, base),
            (true, None) => {
                return Err(PortError::Unsupported { reason: "no Loki reader that can't ask an ingester".to_owned() });
            }
        };
        self.entries(component, base, encode::selector(selector), start_ns, end_ns).await
    }

    /// As [`Loki::log_entries`], of those alone that contain a text; asks the ordinary reader.
    pub async fn log_lines(
        &self,
        selector: &Labels,
        containing: &str,
        start_ns: i64,
        end_ns: i64,
    ) -> Result<Answer, PortError> {
        let expression = encode::log_filter(selector, containing);
        self.entries(Component::LokiRead, &self.query, expression, start_ns, end_ns).await
    }

    async fn entries(
        &self,
        component: Component,
        base: &str,
        expression: String,
        start_ns: i64,
        end_ns: i64,
    ) -> Result<Answer, PortError> {
        let request = self
            .query_range(
                base,
                &[
                    ("query", expression),
                    ("start", start_ns.to_string()),
                    ("end", end_ns.to_string()),
                    ("limit", LOG_ENTRIES_LIMIT.to_string()),
                    ("direction", "forward".to_owned()),
                ],
            )
            // Without it structured metadata are merged into the stream's labels.
            .header("X-Loki-Response-Encoding-Flags", "categorize-labels");
        self.http.send(EvidenceKind::Query, component, request).await.into_answer()
    }

    /// Asks `/loki/api/v1/query_range` how many entries the streams with the labels of `selector` have in each step of `step_s` seconds;
    /// the first ends at `start_ns`, the last at `end_ns`.
    pub async fn log_counts(
        &self,
        selector: &Labels,
        start_ns: i64,
        end_ns: i64,
        step_s: u64,
    ) -> Result<Answer, PortError> {
        let step_ms = i64::try_from(step_s).unwrap_or(i64::MAX).saturating_mul(1000);
        let request = self.query_range(
            &self.query,
            &[
                ("query", encode::count_over_time(selector, step_ms)),
                ("start", start_ns.to_string()),
                ("end", end_ns.to_string()),
                ("step", format!("{step_s}s")),
            ],
        );
        self.http.send(EvidenceKind::Query, Component::LokiRead, request).await.into_answer()
    }

    fn query_range(&self, base: &str, parameters: &[(&str, String)]) -> RequestBuilder {
        let request = self.http.get(&format!("{base}/loki/api/v1/query_range")).query(parameters);
        request.header(ACCEPT, "application/json").header(CACHE_CONTROL, "no-cache")
    }
}
