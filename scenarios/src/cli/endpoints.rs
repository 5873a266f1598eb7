//! Where a run goes to: the stack's own addresses, and what is used in their stead.

use std::{collections::BTreeMap, str::FromStr};

use harness_adapters::{
    endpoints::Endpoints,
    interfaces::Address,
    targets::blueprint::{Override, Role},
};
use harness_core::ports::{Component, Interface};

/// The region that all requests to the object store name.
pub(super) const REGION: &str = "us-east-1";

/// An address used instead of the stack's own: `loki=http://127.0.0.1:4000`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointOverride {
    /// Whose.
    pub role: Role,
    /// The address.
    pub url: String,
}

impl FromStr for EndpointOverride {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (role, url) = text.split_once('=').ok_or_else(|| format!("{text:?} is not ROLE=URL"))?;
        let role =
            role.parse().map_err(|error: harness_adapters::targets::blueprint::UnknownRole| error.to_string())?;
        if !url.starts_with("http://") && !url.starts_with("https://") {
            return Err(format!("{url:?} is no URL: it begins with neither http:// nor https://"));
        }
        Ok(Self { role, url: url.trim_end_matches('/').to_owned() })
    }
}

/// Addresses used instead of the stack's own, as flags, without what stands before an `@`.
pub(super) fn endpoint_changes(endpoints: &[EndpointOverride]) -> Vec<String> {
    let told = endpoints.iter().map(|endpoint| {
        let (scheme, rest) = endpoint.url.split_once("://").unwrap_or(("http", &endpoint.url));
        let place = rest.rsplit_once('@').map_or(rest, |(_, place)| place);
        format!("--endpoint {}={scheme}://{place}", endpoint.role)
    });
    told.collect()
}

/// Changes to the stack's configuration, as flags.
pub(super) fn override_changes(overrides: &[Override]) -> impl Iterator<Item = String> {
    overrides.iter().map(|change| format!("--set {}", String::from(change.clone())))
}

/// Where a run goes to, and the object store: `own` says where the stack has a role, and what stands in `instead` wins, later ones over
/// earlier ones. A part that the stack has not has no address; whoever asks for it is told.
pub(super) fn reached(
    instead: &[EndpointOverride],
    own: impl Fn(Role) -> Option<String>,
    admin: BTreeMap<Component, String>,
) -> (Endpoints, String) {
    let at = |role: Role| {
        let overridden = instead.iter().rev().find(|endpoint| endpoint.role == role);
        overridden.map(|endpoint| endpoint.url.clone()).or_else(|| own(role))
    };
    let base = |role| at(role).unwrap_or_default();
    let endpoints = Endpoints {
        loki_push_http: base(Role::Loki),
        loki_grpc: base(Role::LokiGrpc),
        loki_query_http: base(Role::Loki),
        loki_store_reader_http: at(Role::LokiStoreReader),
        tempo_http: base(Role::Tempo),
        tempo_otlp_grpc: base(Role::TempoOtlpGrpc),
        tempo_otlp_http: base(Role::TempoOtlpHttp),
        mimir_http: base(Role::Mimir),
        admin,
    };
    (endpoints, base(Role::S3))
}

/// The rows of the API matrix: where a run goes to, by the `names` that the stack has for the roles. What is used instead of the stack's
/// own has the name that its URL has.
pub(super) fn rows(
    endpoints: &Endpoints,
    store: &str,
    instead: &[EndpointOverride],
    names: &BTreeMap<Role, String>,
) -> BTreeMap<Interface, Address> {
    let row = |interface, role: Role, url: &str| {
        let own = names.get(&role).filter(|_| instead.iter().all(|endpoint| endpoint.role != role));
        let address = Address::of_url(url);
        (interface, own.map_or_else(|| address.clone(), |name| Address { name: name.clone(), ..address.clone() }))
    };
    BTreeMap::from([
        row(Interface::LogQueries, Role::Loki, &endpoints.loki_query_http),
        row(Interface::LogPushes, Role::LokiGrpc, &endpoints.loki_grpc),
        row(Interface::SpanPushes, Role::TempoOtlpGrpc, &endpoints.tempo_otlp_grpc),
        row(Interface::TraceQueries, Role::Tempo, &endpoints.tempo_http),
        row(Interface::SamplePushes, Role::Mimir, &endpoints.mimir_http),
        row(Interface::SampleQueries, Role::Mimir, &endpoints.mimir_http),
        row(Interface::ObjectStore, Role::S3, store),
    ])
}
