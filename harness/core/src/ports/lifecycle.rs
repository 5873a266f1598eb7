use std::{fmt, str::FromStr};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::PortError;

/// A process (or pod) of the stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Component {
    /// The object store.
    Minio,
    /// Loki's write path: distributor and ingester.
    LokiWrite,
    /// Loki's read path: query frontend and querier.
    LokiRead,
    /// Loki's backend: compactor, index gateway, scheduler, ruler.
    LokiBackend,
    /// A Loki querier that cannot ask an ingester.
    LokiStoreReader,
    /// Tempo, monolithic.
    Tempo,
    /// Mimir, monolithic.
    Mimir,
}

impl Component {
    /// Every component, in the order in which they are started.
    pub const ALL: [Self; 7] = [
        Self::Minio,
        Self::LokiWrite,
        Self::LokiBackend,
        Self::LokiRead,
        Self::LokiStoreReader,
        Self::Tempo,
        Self::Mimir,
    ];

    /// The name used in commands, files and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Minio => "minio",
            Self::LokiWrite => "loki-write",
            Self::LokiRead => "loki-read",
            Self::LokiBackend => "loki-backend",
            Self::LokiStoreReader => "loki-store-reader",
            Self::Tempo => "tempo",
            Self::Mimir => "mimir",
        }
    }
}

impl fmt::Display for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Component {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|component| component.name() == text)
            .ok_or_else(|| format!("unknown component {text:?}"))
    }
}

/// How a component is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stop {
    /// Asked to stop, and waited for (SIGTERM).
    Graceful,
    /// Killed (SIGKILL).
    Kill,
}

/// What proves that a component was really stopped or started: who it was, who it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessProof {
    /// The component.
    pub component: Component,
    /// Pid or pod UID before, where one ran.
    pub before: Option<String>,
    /// Pid or pod UID after, where one runs.
    pub after: Option<String>,
    /// Exit code or signal of the one that ended, where one did.
    pub exit: Option<String>,
}

/// What is wrong with an object store that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StoreFault {
    /// The component's user is disabled.
    UserDisabled,
    /// The component's user may do nothing any more.
    PolicyRemoved,
    /// What is asked of it is answered once the fault is over, and not before.
    Frozen,
    /// It answers 503 where it should read or write an object, for its drive is not there.
    Unavailable,
}

impl fmt::Display for StoreFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UserDisabled => "the store's user is disabled",
            Self::PolicyRemoved => "the store's user has no policy",
            Self::Frozen => "the store keeps everybody waiting",
            Self::Unavailable => "the store is unavailable (503)",
        })
    }
}

/// The keys with which a component signs in to the object store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StoreKeys {
    /// Its own.
    Own,
    /// A secret that the store does not know, so that it refuses the component.
    Wrong,
}

/// Starts and stops components.
#[async_trait]
pub trait Lifecycle: Send + Sync {
    /// Whether there is a way to stop and start components at all. One that was refused the right to is told by each call.
    fn is_at_hand(&self) -> bool;

    /// Stops a component and returns when it has ended.
    async fn stop(&self, component: Component, how: Stop) -> Result<ProcessProof, PortError>;

    /// Starts a component and returns when it says that it is ready.
    async fn start(&self, component: Component) -> Result<ProcessProof, PortError>;

    /// Removes the local state of a component that is stopped.
    async fn wipe(&self, component: Component) -> Result<(), PortError>;

    /// Ends a component, its local state included, and returns when another runs in its place, which need not be ready yet.
    async fn replace(&self, component: Component, how: Stop) -> Result<ProcessProof, PortError>;

    /// Gives a component other keys to the store; they count from its next start. Its own are kept where a later run finds them.
    async fn rekey(&self, component: Component, keys: StoreKeys) -> Result<(), PortError>;

    /// How a component stands, as whoever runs its process knows it.
    async fn standing(&self, component: Component) -> Result<Standing, PortError> {
        Err(PortError::Unsupported { reason: format!("nobody here knows the process of {component}") })
    }

    /// Starts a second process of `component`, configured as the first but for a store of the harness' own, which shows `certificate`; with
    /// `plain`, configured for a store that speaks plain HTTP. Ends it once it is known what it makes of that store.
    async fn start_on_trial(
        &self,
        component: Component,
        certificate: ShownCertificate,
        plain: bool,
    ) -> Result<Trial, PortError> {
        let _ = (certificate, plain);
        Err(PortError::Unsupported { reason: format!("no second process of {component} can be started here") })
    }

    /// Has the object store go wrong for `component`, while both go on running. It is written down where a later run finds it.
    async fn inject(&self, fault: StoreFault, component: Component) -> Result<(), PortError> {
        Err(PortError::Unsupported { reason: format!("no one here can see to it that {fault} ({component})") })
    }

    /// Takes back what [`Lifecycle::inject`] did; nothing is done where it did nothing.
    async fn heal(&self, fault: StoreFault, component: Component) -> Result<(), PortError> {
        Err(PortError::Unsupported { reason: format!("no one here can take back that {fault} ({component})") })
    }

    /// Why a component is not up, where it is not: how it ended and its last log lines.
    async fn failure(&self, component: Component) -> Option<String>;
}

/// What a store of the harness' own shows to whom it is on trial for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ShownCertificate {
    /// A certificate as it should be.
    Good,
    /// One of another authority.
    OtherAuthority,
    /// One for another name.
    OtherName,
    /// One whose time is over.
    Expired,
}

impl ShownCertificate {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Good, Self::OtherAuthority, Self::OtherName, Self::Expired];

    /// The words for people.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Good => "a certificate as it should be",
            Self::OtherAuthority => "a certificate of another authority",
            Self::OtherName => "a certificate for another name",
            Self::Expired => "a certificate whose time is over",
        }
    }
}

/// What came of a component that was started on trial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    /// Requests that came through TLS.
    pub encrypted: usize,
    /// Requests that came in the clear.
    pub clear: usize,
    /// What was said when a handshake was broken off, one each.
    pub turned_back: Vec<String>,
    /// The last line in which the component complains of a certificate.
    pub complaint: Option<String>,
}

/// How a process stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Whether it runs at all.
    pub running: bool,
    /// Whether it says that it is ready.
    pub ready: bool,
    /// Its exit code, where it has ended by itself.
    pub exit_code: Option<i32>,
}

/// One line of a component's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// Who logged it.
    pub component: Component,
    /// The line, secrets redacted.
    pub text: String,
}

/// Reads what components logged.
#[async_trait]
pub trait Logs: Send + Sync {
    /// The newest lines of level warning and above, oldest first, at most `limit`.
    async fn problems(&self, component: Component, limit: usize) -> Vec<LogLine>;
}
