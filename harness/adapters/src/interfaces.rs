//! The API matrix of the stack: each row's protocol, spoken at any row's address. Must not judge the answers beyond their form.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use harness_core::{
    observation::EvidenceKind,
    ports::{Clock, Component, Interface, Interfaces, PortError, PushAnswer, PushOutcome, Spoken},
    signal::Signal,
    stage::bucket_of,
    stimulus::encode::EncodeError,
};
use serde_json::Value;

use crate::{
    http::{Exchange, Http},
    loki::Loki,
    mimir::Mimir,
    tempo::Tempo,
    trust::Authority,
};

/// Where a row is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The base address that leads there: `http://127.0.0.1:40123`.
    pub url: String,
    /// Host and port by the name that the stack has for them.
    pub name: String,
}

impl Address {
    /// An address whose host and port are those of the URL.
    pub fn of_url(url: &str) -> Self {
        let place = url.split_once("://").map_or(url, |(_, place)| place);
        Self { url: url.to_owned(), name: place.to_owned() }
    }
}

/// The rows of a stack's API matrix.
pub struct StackInterfaces {
    http: Http,
    rows: BTreeMap<Interface, Address>,
}

impl StackInterfaces {
    /// The rows at these addresses; those that speak TLS have a certificate of `authority`, or of one that the system knows.
    pub fn new(
        rows: BTreeMap<Interface, Address>,
        authority: Option<&Authority>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, PortError> {
        Ok(Self { http: Http::trusting(authority, clock)?, rows })
    }

    /// `path` below `url` answers 200 with a JSON object that has `member`.
    async fn json(&self, component: Component, url: &str, path: &str, member: &str) -> (bool, Exchange) {
        let exchange = self.http.send(EvidenceKind::Query, component, self.http.get(&format!("{url}{path}"))).await;
        let answered = exchange.reply.as_ref().is_ok_and(|reply| {
            let body: Option<Value> = serde_json::from_slice(&reply.body).ok();
            reply.status == 200 && body.is_some_and(|body| body.get(member).is_some())
        });
        (answered, exchange)
    }

    /// A request that nobody signed is denied, in S3's form.
    async fn unsigned(&self, url: &str) -> (bool, Exchange) {
        let request = self.http.get(&format!("{url}/{}?list-type=2", bucket_of(Signal::Logs)));
        let exchange = self.http.send(EvidenceKind::Listing, Component::Minio, request).await;
        let answered = exchange.reply.as_ref().is_ok_and(|reply| {
            let body = String::from_utf8_lossy(&reply.body);
            reply.status == 403 && body.contains("<Error>") && body.contains("<Code>AccessDenied</Code>")
        });
        (answered, exchange)
    }
}

#[async_trait]
impl Interfaces for StackInterfaces {
    async fn speak(&self, interface: Interface, at: Interface) -> Result<Spoken, PortError> {
        let address = self
            .rows
            .get(&at)
            .ok_or_else(|| PortError::Unsupported { reason: format!("the stack has no address for {at}") })?;
        let url = address.url.as_str();
        let http = self.http.clone();
        let spoken = match interface {
            Interface::LogQueries => asked(self.json(Component::LokiRead, url, "/loki/api/v1/labels", "status").await),
            Interface::TraceQueries => asked(self.json(Component::Tempo, url, "/api/search?limit=1", "traces").await),
            Interface::SampleQueries => {
                asked(self.json(Component::Mimir, url, "/prometheus/api/v1/query?query=vector(1)", "data").await)
            }
            Interface::LogPushes => pushed(Loki::new(http, url, url, url, None).push_grpc(&[]).await)?,
            Interface::SpanPushes => pushed(Tempo::new(http, url, url, url).push_grpc(&[]).await)?,
            Interface::SamplePushes => pushed(Mimir::new(http, url).push_v1(&[]).await)?,
            Interface::ObjectStore => {
                let spoken = asked(self.unsigned(url).await);
                // The client takes no certificate that it cannot verify.
                Spoken { verified_tls: spoken.answered && url.starts_with("https://"), ..spoken }
            }
        };
        Ok(Spoken { address: address.name.clone(), ..spoken })
    }
}

fn asked((answered, exchange): (bool, Exchange)) -> Spoken {
    let mut evidence = exchange.evidence;
    if let Err(reason) = exchange.reply {
        evidence.excerpt = Some(format!("no answer: {reason}"));
    }
    Spoken { address: String::new(), answered, verified_tls: false, evidence }
}

/// A push without records: the service answers it, and nothing is left behind.
fn pushed(answer: Result<PushAnswer, EncodeError>) -> Result<Spoken, PortError> {
    let answer = answer.map_err(|error| PortError::Unsupported { reason: error.to_string() })?;
    let answered = answer.outcome == PushOutcome::Acked;
    Ok(Spoken { address: String::new(), answered, verified_tls: false, evidence: answer.evidence })
}
