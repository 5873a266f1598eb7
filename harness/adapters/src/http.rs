//! HTTP, once: one request, one answer, with its place on the clock and the evidence of both. Must not know any system's API.

use crate::{causes, trust::Authority};
use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use harness_core::{
    observation::{Evidence, EvidenceKind},
    ports::{Answer, Clock, Component, PortError, Tick},
};
use reqwest::{
    Certificate, Client, ClientBuilder, RequestBuilder, Url,
    header::{CONTENT_TYPE, HeaderMap},
    redirect,
};
use sha2::{Digest, Sha256};
use tonic::transport::{Channel, ClientTlsConfig, Endpoint};

/// How long a connection may take to come about.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a request may take in all, its answer included.
pub const TOTAL_TIMEOUT: Duration = Duration::from_secs(30);
/// Characters of an answer that its evidence shows, at most.
const EXCERPT: usize = 300;

/// The client of every HTTP adapter: bounded in time, no proxies, no redirects, nothing sent twice.
pub fn client() -> Result<Client, PortError> {
    built(Client::builder())
}

/// The same, taking certificates of `authority` alone, where there is one.
pub(crate) fn client_trusting(authority: Option<&Authority>) -> Result<Client, PortError> {
    let Some(authority) = authority else { return client() };
    let certificates = Certificate::from_pem_bundle(authority.pem())
        .map_err(|error| PortError::Unsupported { reason: format!("no certificate authority: {}", causes(&error)) })?;
    built(Client::builder().tls_certs_only(certificates))
}

fn built(builder: ClientBuilder) -> Result<Client, PortError> {
    builder
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(TOTAL_TIMEOUT)
        .no_proxy()
        .redirect(redirect::Policy::none())
        .retry(reqwest::retry::never())
        // A connection kept from before a restart would fail a request for a reason of the harness' own.
        .pool_max_idle_per_host(0)
        .build()
        .map_err(|error| PortError::Unsupported { reason: format!("no HTTP client: {}", causes(&error)) })
}

/// Takes requests to where they go in the place of this process' own client.
#[async_trait]
pub(crate) trait Carrier: Send + Sync {
    /// Its name and version.
    fn name(&self) -> &str;

    /// Sends `request`, once; without an answer, why.
    async fn carry(&self, request: reqwest::Request) -> Result<Reply, String>;
}

/// Sends requests and tells the time of it.
#[derive(Clone)]
pub struct Http {
    client: Client,
    authority: Option<Authority>,
    carrier: Option<Arc<dyn Carrier>>,
    clock: Arc<dyn Clock>,
}

/// One request and what came of it.
pub struct Exchange {
    /// When the first byte was about to be sent.
    pub sent: Tick,
    /// When the last byte had arrived, or waiting was given up.
    pub answered: Tick,
    /// The answer; without one, why.
    pub reply: Result<Reply, String>,
    /// The address asked, without credentials.
    pub target: String,
    /// Request and answer.
    pub evidence: Evidence,
}

/// A complete answer.
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, whole.
    pub body: Bytes,
}

impl Http {
    /// A client of its own.
    pub fn new(clock: Arc<dyn Clock>) -> Result<Self, PortError> {
        Self::trusting(None, clock)
    }

    /// The same, whose requests are sent by `carrier`.
    #[must_use]
    pub(crate) fn carried_by(self, carrier: Arc<dyn Carrier>) -> Self {
        Self { carrier: Some(carrier), ..self }
    }

    /// A client of its own that takes certificates of `authority` alone, where there is one.
    pub fn trusting(authority: Option<&Authority>, clock: Arc<dyn Clock>) -> Result<Self, PortError> {
        Ok(Self { client: client_trusting(authority)?, authority: authority.cloned(), carrier: None, clock })
    }

    /// The clock that exchanges are timed by.
    pub fn clock(&self) -> &dyn Clock {
        self.clock.as_ref()
    }

    /// A request for [`Http::send`].
    pub fn get(&self, url: &str) -> RequestBuilder {
        self.client.get(url)
    }

    /// A request for [`Http::send`].
    pub fn post(&self, url: &str) -> RequestBuilder {
        self.client.post(url)
    }

    /// A gRPC connection of its own to `address`, for one call, by TLS where that begins with `https:`; without one, why.
    pub(crate) async fn channel(&self, address: &str) -> Result<Channel, String> {
        let told = |error: tonic::transport::Error| causes(&error);
        let mut endpoint = Endpoint::from_shared(address.to_owned()).map_err(told)?;
        if address.starts_with("https:") {
            let trust = match &self.authority {
                Some(authority) => {
                    ClientTlsConfig::new().ca_certificate(tonic::transport::Certificate::from_pem(authority.pem()))
                }
                None => ClientTlsConfig::new().with_native_roots(),
            };
            endpoint = endpoint.tls_config(trust).map_err(told)?;
        }
        endpoint.connect_timeout(CONNECT_TIMEOUT).timeout(TOTAL_TIMEOUT).connect().await.map_err(told)
    }

    /// Sends `request`, once, and waits for the whole answer of `component`.
    pub async fn send(&self, kind: EvidenceKind, component: Component, request: RequestBuilder) -> Exchange {
        let mut evidence = evidence(kind, component, self.clock());
        let request = match request.build() {
            Ok(request) => request,
            Err(error) => {
                let now = self.clock.now();
                let target = error.url().map_or_else(|| component.to_string(), |url| public(url).to_string());
                let reason = causes(&error.without_url());
                return Exchange { sent: now, answered: now, reply: Err(reason), target, evidence };
            }
        };
        let target = public(request.url()).to_string();
        // The encoding of a body belongs to what was asked; its other headers are those of every request of its kind.
        let encoding = request.headers().get(CONTENT_TYPE).and_then(|encoding| encoding.to_str().ok());
        let encoding = encoding.map_or_else(String::new, |encoding| format!(" ({encoding})"));
        let by = self.carrier.as_ref().map_or_else(String::new, |carrier| format!("{}: ", carrier.name()));
        evidence.request = Some(format!("{by}{} {target}{encoding}", request.method()));
        let sent = self.clock.now();
        let reply = self.exchange(request).await;
        let answered = self.clock.now();
        if let Ok(reply) = &reply {
            evidence.status = Some(reply.status);
            evidence.excerpt = Some(excerpt(&reply.body));
            evidence.body = Some(hex::encode(Sha256::digest(&reply.body)));
        }
        Exchange { sent, answered, reply, target, evidence }
    }

    async fn exchange(&self, request: reqwest::Request) -> Result<Reply, String> {
        if let Some(carrier) = &self.carrier {
            return carrier.carry(request).await;
        }
        let told = |error: reqwest::Error| causes(&error.without_url());
        let response = self.client.execute(request).await.map_err(told)?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Ok(Reply { status, headers, body: response.bytes().await.map_err(told)? })
    }
}

impl Exchange {
    /// The exchange as an answer to a query, whatever its status.
    pub fn into_answer(self) -> Result<Answer, PortError> {
        let Self { sent, answered, reply, target, evidence } = self;
        let Reply { status, body, .. } = reply.map_err(|reason| PortError::Unreachable { target, reason })?;
        Ok(Answer { sent, received: answered, status, body, evidence })
    }
}

/// Evidence of an exchange with `component` that begins now.
pub(crate) fn evidence(kind: EvidenceKind, component: Component, clock: &dyn Clock) -> Evidence {
    Evidence { component: Some(component.to_string()), ..Evidence::new(kind, clock.unix_ns()) }
}

/// The beginning of a body, or its size where it is no text.
fn excerpt(body: &[u8]) -> String {
    match std::str::from_utf8(body) {
        Ok(text) => text.chars().take(EXCERPT).collect(),
        Err(_) => format!("({} bytes that are no text)", body.len()),
    }
}

/// The address without user and password.
fn public(url: &Url) -> Url {
    let mut url = url.clone();
    // Both fail only for addresses that can't have any.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_is_short_text() {
        assert_eq!(excerpt(b""), "");
        assert_eq!(excerpt("ü".repeat(1000).as_bytes()), "ü".repeat(EXCERPT));
        assert_eq!(excerpt(&[0xff, 0xfe]), "(2 bytes that are no text)");
    }

    #[test]
    fn an_address_is_told_without_its_secrets() {
        let url = Url::parse("http://user:secret@localhost:1/path?query=a").unwrap();
        assert_eq!(public(&url).as_str(), "http://localhost:1/path?query=a");
    }
}
