use std::{fmt, fmt::Write as _};

use harness_core::{
    ports::{Component, Reader},
    stimulus::Route,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A program of the stack, pinned as an ordinary Go module: `go.sum` verifies every file that goes into it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Program {
    /// The object store.
    Minio,
    /// MinIO's client: makes users and policies.
    Mc,
    /// Logs.
    Loki,
    /// Traces.
    Tempo,
    /// Metrics.
    Mimir,
    /// The scraper that writes to Mimir as the design has it.
    Prometheus,
    /// The agent that pushes to Loki as the design has it.
    Promtail,
    /// The client that sends spans from a command line.
    OtelCli,
}

/// The module of one program.
struct Pin {
    package: &'static str,
    module: &'static str,
    go_mod: &'static str,
    go_sum: &'static str,
}

macro_rules! pin {
    ($folder:literal, $module:literal, $package:literal) => {
        Pin {
            package: $package,
            module: $module,
            go_mod: include_str!(concat!("../../../../../stack/modules/", $folder, "/go.mod")),
            go_sum: include_str!(concat!("../../../../../stack/modules/", $folder, "/go.sum")),
        }
    };
}

/// What every program is built with, apart from its module.
pub(in crate::targets) const BUILD_ARGUMENTS: [&str; 3] = ["-mod=readonly", "-buildvcs=false", "-v"];

impl Program {
    /// Every pinned program.
    pub const ALL: [Self; 8] =
        [Self::Minio, Self::Mc, Self::Loki, Self::Tempo, Self::Mimir, Self::Prometheus, Self::Promtail, Self::OtelCli];

    /// Whether it is a client of the stack and no part of it: needed by the scenarios that send by it alone.
    pub fn is_client(self) -> bool {
        matches!(self, Self::Prometheus | Self::Promtail | Self::OtelCli)
    }

    /// The name of the program and of its module's folder.
    pub fn name(self) -> &'static str {
        match self {
            Self::Minio => "minio",
            Self::Mc => "mc",
            Self::Loki => "loki",
            Self::Tempo => "tempo",
            Self::Mimir => "mimir",
            Self::Prometheus => "prometheus",
            Self::Promtail => "promtail",
            Self::OtelCli => "otel-cli",
        }
    }

    /// The program that a component runs.
    pub fn of(component: Component) -> Self {
        match component {
            Component::Minio => Self::Minio,
            Component::LokiWrite | Component::LokiRead | Component::LokiBackend | Component::LokiStoreReader => {
                Self::Loki
            }
            Component::Tempo => Self::Tempo,
            Component::Mimir => Self::Mimir,
        }
    }

    /// The program that sends what is sent by `route`, where that is not the harness itself.
    pub fn sending_by(route: Route) -> Option<Self> {
        match route {
            Route::Promtail | Route::EndedPromtail => Some(Self::Promtail),
            Route::OtelCli => Some(Self::OtelCli),
            Route::Prometheus => Some(Self::Prometheus),
            Route::LokiHttpJson
            | Route::LokiHttpProtobuf
            | Route::LokiGrpc
            | Route::OtlpGrpc
            | Route::OtlpHttp
            | Route::OtelSdk
            | Route::RemoteWriteV1
            | Route::RemoteWriteV2 => None,
        }
    }

    /// The program that reads as `reader`, where it is built here; others have to be installed.
    pub fn reading_as(reader: Reader) -> Option<Self> {
        match reader {
            Reader::Mc => Some(Self::Mc),
            Reader::Curl => None,
        }
    }

    fn pin(self) -> Pin {
        match self {
            Self::Minio => pin!("minio", "github.com/minio/minio", "github.com/minio/minio"),
            Self::Mc => pin!("mc", "github.com/minio/mc", "github.com/minio/mc"),
            Self::Loki => pin!("loki", "github.com/grafana/loki/v3", "github.com/grafana/loki/v3/cmd/loki"),
            Self::Tempo => pin!("tempo", "github.com/grafana/tempo", "github.com/grafana/tempo/cmd/tempo"),
            Self::Mimir => pin!("mimir", "github.com/grafana/mimir", "github.com/grafana/mimir/cmd/mimir"),
            Self::Prometheus => pin!(
                "prometheus",
                "github.com/prometheus/prometheus",
                "github.com/prometheus/prometheus/cmd/prometheus"
            ),
            Self::Promtail => {
                pin!("promtail", "github.com/grafana/loki/v3", "github.com/grafana/loki/v3/clients/cmd/promtail")
            }
            Self::OtelCli => {
                pin!("otel-cli", "github.com/equinix-labs/otel-cli", "github.com/equinix-labs/otel-cli")
            }
        }
    }

    /// The Go package that is built.
    pub fn package(self) -> &'static str {
        self.pin().package
    }

    pub(in crate::targets) fn go_mod(self) -> &'static str {
        self.pin().go_mod
    }

    pub(in crate::targets) fn go_sum(self) -> &'static str {
        self.pin().go_sum
    }

    /// The version that the module file requires, as `go version -m` shows it for the built program.
    pub fn version(self) -> &'static str {
        let pin = self.pin();
        pin.go_mod
            .lines()
            .map(|line| line.trim().trim_start_matches("require "))
            .find_map(|line| line.strip_prefix(pin.module)?.strip_prefix(' ')?.split_whitespace().next())
            .unwrap_or("unknown")
    }

    /// The oldest Go that builds it: the `go` line of its module file.
    pub fn needs_go(self) -> &'static str {
        self.go_mod().lines().find_map(|line| line.strip_prefix("go ")).map_or("1.26", str::trim)
    }

    /// The first 16 hex digits of a SHA-256 over everything that decides what is built.
    pub fn digest(self) -> String {
        let mut hash = Sha256::new();
        for part in [self.package(), self.go_mod(), self.go_sum(), std::env::consts::OS, std::env::consts::ARCH]
            .into_iter()
            .chain(BUILD_ARGUMENTS)
        {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        hash.finalize().iter().take(8).fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_program_has_a_version_a_go_and_a_digest_of_its_own() {
        for program in Program::ALL {
            assert!(program.version().starts_with('v'), "{program}: {}", program.version());
            assert!(program.needs_go().starts_with("1."), "{program}: {}", program.needs_go());
        }
        let digests: BTreeSet<_> = Program::ALL.into_iter().map(Program::digest).collect();
        assert_eq!(digests.len(), Program::ALL.len());
        assert!(digests.iter().all(|digest| digest.len() == 16));
    }

    #[test]
    fn versions_are_those_of_the_module_files() {
        assert_eq!(Program::Loki.version(), "v3.7.8");
        assert_eq!(Program::Promtail.version(), "v3.6.4");
        assert_eq!(Program::OtelCli.version(), "v0.4.5");
        assert_eq!(Program::Loki.needs_go(), "1.26.5");
    }
}
