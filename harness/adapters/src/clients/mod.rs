//! Clients that are not ours. Senders are given exactly the records of a batch and asked what became of them; readers are given a
//! question. Must not know which scenario they work for, nor judge what they say.

mod counters;
mod curl;
mod mc;
mod otel_cli;
mod otel_sdk;
mod prometheus;
mod promtail;

pub(crate) use curl::Curl;
pub(crate) use mc::{Mc, Traced, trust};
pub(crate) use promtail::Appended;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use crate::{
    endpoints::Endpoints,
    http,
    process::{self, alone},
    targets::blueprint::{Program, is_problem, last},
};
use harness_core::{
    observation::EvidenceKind,
    poll::Schedule,
    ports::{Clock, Component, PushAnswer, PushOutcome, Tick},
    signal::{LogEntry, Sample, Span},
    stimulus::Route,
};

/// How often a client is asked how far it is.
const SCHEDULE: Schedule = Schedule { first: Duration::from_millis(100), share: 0.0 };

/// How long a client may take until it is ready to send.
const READY_LIMIT: Duration = Duration::from_secs(60);

/// How long a client may take to send.
const SEND_LIMIT: Duration = Duration::from_secs(60);

/// Lines of a client's log that tell why it did not send.
const FAILURE_LINES: usize = 5;

/// Where the programs are that are asked to send; of one that is not there, why.
pub type ClientPrograms = BTreeMap<Program, Result<PathBuf, String>>;

/// Every client, pointed at one stack.
pub(crate) struct Clients {
    loki: String,
    tempo: String,
    mimir: String,
    programs: ClientPrograms,
    clock: Arc<dyn Clock>,
}

/// What a client did.
struct Delivery {
    /// When it was about to be given the first record.
    sent: Tick,
    outcome: PushOutcome,
    /// In the client's own terms: counters, answers, the end of a log.
    said: String,
}

impl Clients {
    pub(crate) fn new(endpoints: &Endpoints, programs: ClientPrograms, clock: Arc<dyn Clock>) -> Self {
        Self {
            loki: endpoints.loki_push_http.clone(),
            tempo: endpoints.tempo_otlp_grpc.clone(),
            mimir: endpoints.mimir_http.clone(),
            programs,
            clock,
        }
    }

    /// Why nothing can be sent by `route`, if nothing can.
    pub(crate) fn missing(&self, route: Route) -> Option<String> {
        let program = Program::sending_by(route)?;
        match self.programs.get(&program) {
            Some(Ok(_)) => None,
            Some(Err(reason)) => Some(format!("{program} is missing: {reason}")),
            None => Some(format!("{program} is missing: it was not asked for when the run began")),
        }
    }

    /// Has a Promtail follow files, and appends `entries` to them.
    pub(crate) async fn promtail(&self, entries: &[LogEntry], appended: Appended) -> PushAnswer {
        let request = format!("promtail {} -> {}/loki/api/v1/push", Program::Promtail.version(), public(&self.loki));
        let (loki, entries) = (self.loki.clone(), entries.to_vec());
        let work = move |program, clock: Arc<dyn Clock>| async move {
            promtail::send(program, &loki, &entries, appended, &*clock).await
        };
        self.send(Program::Promtail, Component::LokiWrite, request, work).await
    }

    /// Has the OpenTelemetry SDK record and export `spans`.
    pub(crate) async fn otel_sdk(&self, spans: &[Span]) -> PushAnswer {
        let request = format!("OpenTelemetry SDK for Rust -> {} (OTLP/gRPC)", public(&self.tempo));
        let sending = otel_sdk::send(&self.tempo, spans, &*self.clock);
        self.answer("the OpenTelemetry SDK", Component::Tempo, request, sending).await
    }

    /// Has otel-cli send `spans`, a call each.
    pub(crate) async fn otel_cli(&self, spans: &[Span]) -> PushAnswer {
        let request = format!("otel-cli {} -> {} (OTLP/gRPC)", Program::OtelCli.version(), public(&self.tempo));
        let (tempo, spans) = (self.tempo.clone(), spans.to_vec());
        let work =
            move |program, clock: Arc<dyn Clock>| async move { otel_cli::send(program, &tempo, &spans, &*clock).await };
        self.send(Program::OtelCli, Component::Tempo, request, work).await
    }

    /// Has a Prometheus scrape `samples` and write them.
    pub(crate) async fn prometheus(&self, samples: &[Sample]) -> PushAnswer {
        let request = format!("prometheus {} -> {}/api/v1/push", Program::Prometheus.version(), public(&self.mimir));
        let (mimir, samples) = (self.mimir.clone(), samples.to_vec());
        let work = move |program, clock| async move { prometheus::send(program, &mimir, &samples, clock).await };
        self.send(Program::Prometheus, Component::Mimir, request, work).await
    }

    /// Lets `program` do its `work` on a thread of its own.
    async fn send<F, Fut>(&self, program: Program, receiver: Component, request: String, work: F) -> PushAnswer
    where
        F: FnOnce(PathBuf, Arc<dyn Clock>) -> Fut + Send + 'static,
        Fut: Future<Output = Result<Delivery, String>>,
    {
        let sending = async {
            match self.programs.get(&program) {
                Some(Ok(path)) => {
                    let (path, clock) = (path.clone(), Arc::clone(&self.clock));
                    alone(move || work(path, clock)).await
                }
                Some(Err(reason)) => Err(reason.clone()),
                None => Err("it was not asked for when the run began".to_owned()),
            }
        };
        self.answer(program.name(), receiver, request, sending).await
    }

    /// What `client` made of a push, as any push is answered.
    async fn answer(
        &self,
        client: &str,
        receiver: Component,
        request: String,
        sending: impl Future<Output = Result<Delivery, String>>,
    ) -> PushAnswer {
        let mut evidence = http::evidence(EvidenceKind::Push, receiver, &*self.clock);
        evidence.request = Some(request);
        let begun = self.clock.now();
        let (sent, outcome) = match sending.await {
            Ok(Delivery { sent, outcome, said }) => {
                evidence.excerpt = Some(said);
                (sent, outcome)
            }
            Err(reason) => (begun, PushOutcome::Unknown { reason: format!("{client} did not send: {reason}") }),
        };
        PushAnswer { sent, answered: self.clock.now(), outcome, evidence }
    }
}

/// An address without what stands before an `@`.
fn public(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
    format!("{scheme}://{}", rest.rsplit_once('@').map_or(rest, |(_, place)| place))
}

/// Ends a client. It is killed when it is dropped as well; its end is waited for so that nothing of it outlives the answer.
async fn end(client: &mut tokio::process::Child) -> Result<(), String> {
    client.kill().await.map_err(|error| format!("it could not be ended: {error}"))
}

/// The last problems in a client's log, or its last lines, for the reason of a failure.
fn complaints(log: &Path) -> String {
    let lines = process::tail(log, 0).unwrap_or_default();
    let problems: Vec<String> = lines.iter().filter(|line| is_problem(&line.to_lowercase())).cloned().collect();
    last(if problems.is_empty() { lines } else { problems }, FAILURE_LINES).join(" | ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_told_without_its_secrets() {
        assert_eq!(public("http://user:secret@127.0.0.1:1"), "http://127.0.0.1:1");
        assert_eq!(public("http://127.0.0.1:1"), "http://127.0.0.1:1");
    }
}
