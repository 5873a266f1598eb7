use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::nearest;

/// What an endpoint is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Loki over HTTP, through the gateway.
    Loki,
    /// Loki over gRPC, through the gateway.
    LokiGrpc,
    /// The Loki reader that cannot ask an ingester.
    LokiStoreReader,
    /// Tempo's query API.
    Tempo,
    /// Tempo's OTLP receiver over gRPC.
    TempoOtlpGrpc,
    /// Tempo's OTLP receiver over HTTP.
    TempoOtlpHttp,
    /// Mimir: remote write and queries.
    Mimir,
    /// The object store.
    S3,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 8] = [
        Self::Loki,
        Self::LokiGrpc,
        Self::LokiStoreReader,
        Self::Tempo,
        Self::TempoOtlpGrpc,
        Self::TempoOtlpHttp,
        Self::Mimir,
        Self::S3,
    ];

    /// The name used in commands, files and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Loki => "loki",
            Self::LokiGrpc => "loki-grpc",
            Self::LokiStoreReader => "loki-store-reader",
            Self::Tempo => "tempo",
            Self::TempoOtlpGrpc => "tempo-otlp-grpc",
            Self::TempoOtlpHttp => "tempo-otlp-http",
            Self::Mimir => "mimir",
            Self::S3 => "s3",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|role| role.name() == text).ok_or_else(|| UnknownRole {
            name: text.to_owned(),
            nearest: nearest(text, Self::ALL.into_iter().map(Self::name)),
        })
    }
}

/// A role that nothing has.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
#[error("there is no endpoint role {name:?}{}", nearest.as_ref().map(|name| format!("; the nearest is {name:?}")).unwrap_or_default())]
pub struct UnknownRole {
    /// As written.
    pub name: String,
    /// The name that is most like it.
    pub nearest: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_found_by_name_and_missed_with_the_nearest() {
        for role in Role::ALL {
            assert_eq!(role.name().parse::<Role>().unwrap(), role);
        }
        let error = "tempo-otlp-grcp".parse::<Role>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "there is no endpoint role \"tempo-otlp-grcp\"; the nearest is \"tempo-otlp-grpc\""
        );
    }
}
