//! What the command line and the acceptance run do, as functions: no flags are read here, and exit codes are values.

mod cluster;
mod commands;
mod containers;
mod doctor;
mod durations;
mod endpoints;
pub mod inspect;
mod interruption;
mod keep;
mod kind;
mod matrix;
mod nightly;
mod place;
mod progress;
mod prove;
mod run;
mod session;
mod tree;

pub use cluster::{ClusterOptions, From as ClusterFrom};
pub use commands::{ListFormat, accept, expectations, expected, explain, list, recheck, report};
pub use containers::{ContainersOptions, docker};
pub use doctor::doctor;
pub use endpoints::EndpointOverride;
pub use interruption::Interruption;
pub use keep::{KeptRuns, fetch, list_kept};
pub use kind::{kind_down, kind_status, kind_up, serve_gateway};
pub use matrix::{distinct_runs, matrix};
pub use nightly::{PerJob, image, manifests, peak_memory};
pub use place::{Interposer, LocalOptions, Place, inspect_source, stack_build, stack_down, stack_status, stack_up};
pub use progress::{BuildProgress, RunProgress};
pub use prove::{
    Blamed, Drives, Outcome, Proof, ProveOptions, SABOTAGES, Sabotage, Surprise, describe_proofs, prove, prove_status,
    surprises,
};
pub use run::{Drive, ReportFormat, ReportTarget, RunOptions, begin, clause_record, finish, load, newest_run, run};
pub use session::Session;
pub use tree::TreeOptions;

use harness_adapters::causes;
use harness_core::report::ExitStatus;
use inspect::InspectError;
use thiserror::Error;

/// Why a command came to no result. Each kind has its own exit code.
#[derive(Debug, Error)]
pub enum CliError {
    /// The command line makes no sense.
    #[error("{0}")]
    Usage(String),
    /// Nothing was selected.
    #[error("nothing was selected: {0}")]
    NothingSelected(String),
    /// No scenario covers what was selected.
    #[error("uncovered: no scenario decides {0}")]
    Uncovered(String),
    /// The stack could not be set up.
    #[error("set-up refused: {0}")]
    SetUp(String),
    /// A record or report could not be written or read.
    #[error("{0}")]
    NotWritten(String),
    /// A stored object is not what it should be.
    #[error("{0}")]
    Unreadable(String),
    /// A bug of the harness.
    #[error("{0}")]
    Bug(String),
}

impl CliError {
    /// The exit code that goes with it.
    pub fn exit_status(&self) -> ExitStatus {
        match self {
            Self::Usage(_) => ExitStatus::Usage,
            Self::NothingSelected(_) => ExitStatus::NothingSelected,
            Self::Uncovered(_) => ExitStatus::NotVerified,
            Self::SetUp(_) => ExitStatus::SetUpRefused,
            Self::NotWritten(_) => ExitStatus::NotWritten,
            Self::Unreadable(_) => ExitStatus::Failed,
            Self::Bug(_) => ExitStatus::Bug,
        }
    }
}

impl From<InspectError> for CliError {
    fn from(error: InspectError) -> Self {
        match error {
            InspectError::Format(_) => Self::Unreadable(causes(&error)),
            InspectError::Output(_) => Self::NotWritten(causes(&error)),
            _ => Self::Usage(causes(&error)),
        }
    }
}
