//! What the runner needs from the outside world, as traits: push, query, interfaces, deployment, objects, lifecycle, workloads, meter, logs, clock,
//! tasks. Must not know any client, address or process; adapters implement these, only the runner calls them.

mod clock;
mod deployment;
mod interfaces;
mod lifecycle;
mod meter;
mod objects;
mod push;
mod query;
mod reader;
mod tasks;
mod workloads;

pub use clock::{Clock, Tick};
pub use deployment::{Decrypted, Deployment, NoDeployment};
pub use interfaces::{Doorstep, Interface, Interfaces, Presented, Reception, Spoken};
pub use lifecycle::{
    Component, Lifecycle, LogLine, Logs, ProcessProof, ShownCertificate, Standing, Stop, StoreFault, StoreKeys, Trial,
};
pub use meter::{Cost, Meter, Usage};
pub use objects::{LifecycleRule, ObjectSummary, ObjectVersion, Objects, Principal, StoreRequest, Versioning};
pub use push::{Push, PushAnswer, PushOutcome};
pub use query::{Answer, Query, QueryRequest, TraceSource};
pub use reader::{Listed, Reader};
pub use tasks::Tasks;
pub use workloads::{Container, Ended, Pod, Waiting, Workload, Workloads, Written, WrittenKind};

use std::sync::Arc;

use thiserror::Error;

/// Why something outside could not be reached or refused. One line, with the address, bucket/key or pid it is about.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
pub enum PortError {
    /// Nobody answered in time, or the answer broke off.
    #[error("{target} cannot be reached: {reason}")]
    Unreachable {
        /// Address, bucket/key or process.
        target: String,
        /// The cause, innermost last.
        reason: String,
    },
    /// It answered that it will not.
    #[error("{target} refused: {reason}")]
    Refused {
        /// Address, bucket/key or process.
        target: String,
        /// Status and message as given.
        reason: String,
    },
    /// It answered that whoever asks has not the right to.
    #[error("{target} is denied: {reason}")]
    Denied {
        /// Address, bucket/key or process.
        target: String,
        /// Status and message as given.
        reason: String,
    },
    /// What was asked for does not exist.
    #[error("{target} does not exist")]
    NotFound {
        /// Address, bucket/key or process.
        target: String,
    },
    /// This target has no such thing.
    #[error("not possible on this target: {reason}")]
    Unsupported {
        /// What is missing.
        reason: String,
    },
}

/// Everything outside, bundled for the runner.
#[derive(Clone)]
pub struct Ports {
    /// Sends stimuli.
    pub push: Arc<dyn Push>,
    /// Asks the stack.
    pub query: Arc<dyn Query>,
    /// Speaks the protocols of the API matrix.
    pub interfaces: Arc<dyn Interfaces>,
    /// Reads what the stack is deployed from.
    pub deployment: Arc<dyn Deployment>,
    /// Looks into buckets.
    pub objects: Arc<dyn Objects>,
    /// Starts and stops components.
    pub lifecycle: Arc<dyn Lifecycle>,
    /// Says how the orchestrator runs components.
    pub workloads: Arc<dyn Workloads>,
    /// Measures what processes use.
    pub meter: Arc<dyn Meter>,
    /// Reads what components logged.
    pub logs: Arc<dyn Logs>,
    /// Tells and passes time.
    pub clock: Arc<dyn Clock>,
    /// Drives work that must not wait for anything else.
    pub tasks: Arc<dyn Tasks>,
}
