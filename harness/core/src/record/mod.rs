//! The append-only record of a run: what happened, in order, with the bodies it speaks of; everything a report says is computed
//! from it. Knows files, and nothing else of the world.

mod assemble;
mod bodies;
mod event;
mod least;
mod reader;
mod redact;
#[cfg(test)]
mod tests;
mod writer;

pub use assemble::{Claimed, RunRecord, ScenarioState, assemble};
pub use bodies::BodyStore;
pub use event::{Entry, Event, RunInfo, SCHEMA, Selection};
pub use reader::{read_file, read_run};
pub use redact::Redactor;
pub use writer::Recorder;

use std::path::PathBuf;

use thiserror::Error;

/// Why a record could not be written or read.
#[derive(Debug, Error)]
pub enum RecordError {
    /// The file system refused.
    #[error("{}: cannot {action}", path.display())]
    Io {
        /// File or folder.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// A line that is not an event of a schema that is known here.
    #[error("{}:{line}: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// A folder without a record.
    #[error("{}: no record of a run here", path.display())]
    NoRun {
        /// The folder.
        path: PathBuf,
    },
}

impl RecordError {
    pub(crate) fn io(path: impl Into<PathBuf>, action: &'static str, source: std::io::Error) -> Self {
        Self::Io { path: path.into(), action, source }
    }
}
