//! The whole stack behind two ports: each batch and each question goes to the client it is for. Must not know how each client
//! speaks.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use harness_core::{
    observation::EvidenceKind,
    ports::{
        Answer, Clock, Component, Interface, PortError, Push, PushAnswer, PushOutcome, Query, QueryRequest, Reader,
    },
    signal::Signal,
    stimulus::{Batch, Route, encode::EncodeError},
};
use reqwest::header::ACCEPT;

use crate::{
    clients::{Appended, ClientPrograms, Clients, Curl},
    endpoints::Endpoints,
    http::{self, Http},
    interfaces::Address,
    loki::Loki,
    mimir::Mimir,
    tempo::Tempo,
    trust::Authority,
};

/// Sends to the whole stack.
pub struct StackPush {
    loki: Loki,
    tempo: Tempo,
    mimir: Mimir,
    clients: Clients,
    clock: Arc<dyn Clock>,
}

/// Asks the whole stack.
pub struct StackQuery {
    loki: Loki,
    tempo: Tempo,
    mimir: Mimir,
    http: Http,
    admin: BTreeMap<Component, String>,
    rows: BTreeMap<Interface, Address>,
    clock: Arc<dyn Clock>,
}

fn clients(endpoints: &Endpoints, http: &Http) -> (Loki, Tempo, Mimir) {
    let loki = Loki::new(
        http.clone(),
        &endpoints.loki_push_http,
        &endpoints.loki_grpc,
        &endpoints.loki_query_http,
        endpoints.loki_store_reader_http.as_deref(),
    );
    let tempo = Tempo::new(http.clone(), &endpoints.tempo_http, &endpoints.tempo_otlp_grpc, &endpoints.tempo_otlp_http);
    let mimir = Mimir::new(http.clone(), &endpoints.mimir_http);
    (loki, tempo, mimir)
}

impl StackPush {
    /// A sender to the stack at `endpoints`, by its own encoders and by `programs`. Of the former, whoever speaks TLS shows a certificate
    /// of `authority`, or of one that the system knows.
    pub fn new(
        endpoints: &Endpoints,
        authority: Option<&Authority>,
        programs: ClientPrograms,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, PortError> {
        let (loki, tempo, mimir) = clients(endpoints, &Http::trusting(authority, Arc::clone(&clock))?);
        let clients = Clients::new(endpoints, programs, Arc::clone(&clock));
        Ok(Self { loki, tempo, mimir, clients, clock })
    }

    /// The answer to a push that never left the harness.
    fn unsent(&self, component: Component, reason: String) -> PushAnswer {
        let now = self.clock.now();
        let evidence = http::evidence(EvidenceKind::Push, component, self.clock.as_ref());
        PushAnswer { sent: now, answered: now, outcome: PushOutcome::Unknown { reason }, evidence }
    }
}

#[async_trait]
impl Push for StackPush {
    async fn push(&self, route: Route, batch: &Batch) -> PushAnswer {
        let answer: Result<PushAnswer, EncodeError> = match (route, batch) {
            (Route::LokiHttpJson, Batch::Logs(entries)) => self.loki.push_json(entries).await,
            (Route::LokiHttpProtobuf, Batch::Logs(entries)) => self.loki.push_protobuf(entries).await,
            (Route::LokiGrpc, Batch::Logs(entries)) => self.loki.push_grpc(entries).await,
            (Route::OtlpGrpc, Batch::Traces(spans)) => self.tempo.push_grpc(spans).await,
            (Route::OtlpHttp, Batch::Traces(spans)) => self.tempo.push_http(spans).await,
            (Route::RemoteWriteV1, Batch::Series(samples)) => self.mimir.push_v1(samples).await,
            (Route::RemoteWriteV2, Batch::Series(samples)) => self.mimir.push_v2(samples).await,
            (Route::LokiHttpProtobuf, Batch::Encoded { signal: Signal::Logs, records, body }) => {
                Ok(self.loki.push_encoded(body.clone(), *records).await)
            }
            (Route::OtlpHttp, Batch::Encoded { signal: Signal::Traces, records, body }) => {
                Ok(self.tempo.push_encoded(body.clone(), *records).await)
            }
            (Route::Promtail, Batch::Logs(entries)) => {
                Ok(self.clients.promtail(entries, Appended::WhileFollowed).await)
            }
            (Route::EndedPromtail, Batch::Logs(entries)) => {
                Ok(self.clients.promtail(entries, Appended::AfterItsEnd).await)
            }
            (Route::OtelSdk, Batch::Traces(spans)) => Ok(self.clients.otel_sdk(spans).await),
            (Route::OtelCli, Batch::Traces(spans)) => Ok(self.clients.otel_cli(spans).await),
            (Route::Prometheus, Batch::Series(samples)) => Ok(self.clients.prometheus(samples).await),
            (_, batch) => {
                let reason = format!("not sent: {route:?} does not carry {:?}", batch.signal());
                return self.unsent(receiver(route), reason);
            }
        };
        answer.unwrap_or_else(|error| self.unsent(receiver(route), format!("not sent: {error}")))
    }

    fn missing(&self, route: Route) -> Option<String> {
        self.clients.missing(route)
    }
}

/// Who takes what comes by `route`.
fn receiver(route: Route) -> Component {
    match route {
        Route::LokiHttpJson | Route::LokiHttpProtobuf | Route::LokiGrpc | Route::Promtail | Route::EndedPromtail => {
            Component::LokiWrite
        }
        Route::OtlpGrpc | Route::OtlpHttp | Route::OtelSdk | Route::OtelCli => Component::Tempo,
        Route::RemoteWriteV1 | Route::RemoteWriteV2 | Route::Prometheus => Component::Mimir,
    }
}

impl StackQuery {
    /// An asker of the stack at `endpoints`, whose API matrix has these `rows`; whoever speaks TLS shows a certificate of `authority`, or
    /// of one that the system knows.
    pub fn new(
        endpoints: &Endpoints,
        authority: Option<&Authority>,
        rows: BTreeMap<Interface, Address>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, PortError> {
        let http = Http::trusting(authority, Arc::clone(&clock))?;
        let (loki, tempo, mimir) = clients(endpoints, &http);
        Ok(Self { loki, tempo, mimir, http, admin: endpoints.admin.clone(), rows, clock })
    }

    async fn services(&self, component: Component) -> Result<Answer, PortError> {
        let path = if component == Component::Tempo { "/status/services" } else { "/services" };
        let request = self.http.get(&format!("{}{path}", self.admin(component)?)).header(ACCEPT, "application/json");
        self.http.send(EvidenceKind::Configuration, component, request).await.into_answer()
    }

    fn admin(&self, component: Component) -> Result<&String, PortError> {
        let reason = || format!("no address of {component} to ask it about itself");
        self.admin.get(&component).ok_or_else(|| PortError::Unsupported { reason: reason() })
    }

    async fn configuration(&self, component: Component) -> Result<Answer, PortError> {
        let path = match component {
            Component::LokiWrite
            | Component::LokiRead
            | Component::LokiBackend
            | Component::LokiStoreReader
            | Component::Mimir => "/config",
            Component::Tempo => "/status/config",
            Component::Minio => {
                return Err(PortError::Unsupported { reason: "the object store tells no configuration".to_owned() });
            }
        };
        let base = self.admin(component)?;
        let request = self.http.get(&format!("{base}{path}"));
        self.http.send(EvidenceKind::Configuration, component, request).await.into_answer()
    }
}

#[async_trait]
impl Query for StackQuery {
    async fn query(&self, request: &QueryRequest) -> Result<Answer, PortError> {
        match request {
            QueryRequest::LogEntries { selector, start_ns, end_ns, store_only } => {
                self.loki.log_entries(selector, *start_ns, *end_ns, *store_only).await
            }
            QueryRequest::Trace { trace_id, source } => self.tempo.trace(trace_id, *source).await,
            QueryRequest::TraceSearch { attributes, start_s, end_s, limit } => {
                self.tempo.search(attributes, *start_s, *end_s, *limit).await
            }
            QueryRequest::Samples { selector, start_ms, end_ms } => {
                self.mimir.samples(selector, *start_ms, *end_ms).await
            }
            QueryRequest::SamplesByPromql { selector, start_ms, end_ms } => {
                self.mimir.samples_by_promql(selector, *start_ms, *end_ms).await
            }
            QueryRequest::LogLines { selector, containing, start_ns, end_ns } => {
                self.loki.log_lines(selector, containing, *start_ns, *end_ns).await
            }
            QueryRequest::LogCounts { selector, start_ns, end_ns, step_s } => {
                self.loki.log_counts(selector, *start_ns, *end_ns, *step_s).await
            }
            QueryRequest::SampleCounts { selector, start_ms, end_ms, step_ms } => {
                self.mimir.sample_counts(selector, *start_ms, *end_ms, *step_ms).await
            }
            QueryRequest::SampleCount { selector, range_ms, at_ms } => {
                self.mimir.sample_count(selector, *range_ms, *at_ms).await
            }
            QueryRequest::Services { component } => self.services(*component).await,
            QueryRequest::Configuration { component } => self.configuration(*component).await,
        }
    }

    fn through(&self, reader: Reader, at: Interface) -> Result<Arc<dyn Query>, PortError> {
        let unsupported = |reason| PortError::Unsupported { reason };
        let curl = match reader {
            Reader::Curl => Curl::installed().map_err(unsupported)?,
            Reader::Mc => return Err(unsupported(format!("{reader} asks nothing but object stores"))),
        };
        let row = self.rows.get(&at).ok_or_else(|| unsupported(format!("the stack has no address for {at}")))?;
        let http = Http::new(Arc::clone(&self.clock))?.carried_by(Arc::new(curl));
        let url = row.url.as_str();
        Ok(Arc::new(Self {
            loki: Loki::new(http.clone(), url, url, url, None),
            tempo: Tempo::new(http.clone(), url, url, url),
            mimir: Mimir::new(http.clone(), url),
            http,
            admin: BTreeMap::new(),
            rows: BTreeMap::new(),
            clock: Arc::clone(&self.clock),
        }))
    }
}
