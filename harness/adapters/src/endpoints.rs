//! The addresses of a stack. Must not know what is asked there.

use std::collections::BTreeMap;

use harness_core::ports::Component;

/// Where the stack is. All are base addresses, `http://host:port`, without a slash at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoints {
    /// Where Loki takes pushes by HTTP.
    pub loki_push_http: String,
    /// Where Loki takes pushes by gRPC.
    pub loki_grpc: String,
    /// Where Loki answers queries.
    pub loki_query_http: String,
    /// The Loki reader that cannot ask an ingester, if there is one.
    pub loki_store_reader_http: Option<String>,
    /// Where Tempo answers queries.
    pub tempo_http: String,
    /// Where Tempo receives OTLP/gRPC.
    pub tempo_otlp_grpc: String,
    /// Where Tempo receives OTLP/HTTP.
    pub tempo_otlp_http: String,
    /// Mimir, for pushes and queries.
    pub mimir_http: String,
    /// Where each component tells its configuration.
    pub admin: BTreeMap<Component, String>,
}
