use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::PortError;
use crate::observation::Evidence;

/// A row of the design's API matrix, in its order (design.md, "API"): one protocol, spoken at one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Interface {
    /// Loki's query API over HTTP.
    LogQueries,
    /// Loki's `logproto.Pusher` over gRPC.
    LogPushes,
    /// OTLP over gRPC.
    SpanPushes,
    /// Tempo's query API over HTTP.
    TraceQueries,
    /// Remote write over HTTP.
    SamplePushes,
    /// Prometheus' query API over HTTP, below `/prometheus`.
    SampleQueries,
    /// S3.
    ObjectStore,
}

impl Interface {
    /// Every row.
    pub const ALL: [Self; 7] = [
        Self::LogQueries,
        Self::LogPushes,
        Self::SpanPushes,
        Self::TraceQueries,
        Self::SamplePushes,
        Self::SampleQueries,
        Self::ObjectStore,
    ];

    /// What is spoken there, in words.
    pub fn describe(self) -> &'static str {
        match self {
            Self::LogQueries => "Loki's query API",
            Self::LogPushes => "Loki's gRPC pushes",
            Self::SpanPushes => "OTLP over gRPC",
            Self::TraceQueries => "Tempo's query API",
            Self::SamplePushes => "remote write",
            Self::SampleQueries => "Prometheus' query API",
            Self::ObjectStore => "S3",
        }
    }
}

impl fmt::Display for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.describe())
    }
}

/// What came of speaking a protocol at an address.
#[derive(Debug, Clone)]
pub struct Spoken {
    /// Host and port, by the name that the stack has for it: `loki-gateway.monitoring.svc:3100`, also where the way there is a
    /// port-forward.
    pub address: String,
    /// Whether the answer was one of that protocol, and a yes.
    pub answered: bool,
    /// Whether the connection was TLS with a certificate that was verified.
    pub verified_tls: bool,
    /// Request and answer.
    pub evidence: Evidence,
}

/// What a client shows of itself when it connects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Presented {
    /// Nothing; it does not even speak TLS.
    PlainText,
    /// No certificate, over TLS.
    NoCertificate,
    /// The certificate of an authority that nobody declared.
    ForeignCertificate,
    /// A certificate of the declared authority.
    DeclaredCertificate,
}

impl Presented {
    /// Each of them.
    pub const ALL: [Self; 4] =
        [Self::PlainText, Self::NoCertificate, Self::ForeignCertificate, Self::DeclaredCertificate];

    /// In words.
    pub fn describe(self) -> &'static str {
        match self {
            Self::PlainText => "plain text",
            Self::NoCertificate => "no certificate",
            Self::ForeignCertificate => "a certificate of another authority",
            Self::DeclaredCertificate => "a certificate of the declared authority",
        }
    }
}

/// How a client was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reception {
    /// It got an answer to what it said.
    Answered,
    /// The connection was ended without one.
    Refused,
    /// Nobody there speaks TLS.
    NoTls,
}

impl Reception {
    /// In a word.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Refused => "refused",
            Self::NoTls => "no tls",
        }
    }
}

/// Where a client connects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Doorstep {
    /// The address of this row.
    Row(Interface),
    /// A port of the harness' own that answers everybody, in plain text and over TLS.
    OpenToAll,
}

/// Speaks the protocols of the API matrix. Nothing that is said leaves a record behind.
#[async_trait]
pub trait Interfaces: Send + Sync {
    /// Speaks the protocol of `interface` at the address of the row `at`, once. No answer, or one of another protocol, is no error.
    async fn speak(&self, interface: Interface, at: Interface) -> Result<Spoken, PortError>;

    /// Host and port of a row, by the name that the stack has for them.
    fn address(&self, of: Interface) -> Result<String, PortError>;

    /// Connects once, presenting this, and says the least to which an answer is due. Without a certificate of the declared authority there
    /// is [`PortError::Unsupported`]; that a client is refused is no error, that nobody is there is one.
    async fn connect(&self, at: Doorstep, presenting: Presented) -> Result<(Reception, Evidence), PortError>;
}
