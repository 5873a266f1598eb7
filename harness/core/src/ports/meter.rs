use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{Component, PortError};

/// What a process (or pod) of the stack uses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Pid or pod UID.
    pub process: String,
    /// Bytes of memory: the most that it ever had (resident set), or what it has now and cannot give back (working set).
    pub memory: u64,
    /// Whether `memory` is the most that it ever had.
    pub is_peak: bool,
}

/// What the harness itself has used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cost {
    /// Processor time so far.
    pub processor: Duration,
    /// The most bytes of memory that it ever had (resident set).
    pub peak_memory: u64,
}

/// Measures what processes use.
#[async_trait]
pub trait Meter: Send + Sync {
    /// What each process of a component uses now.
    async fn usage(&self, component: Component) -> Result<Vec<Usage>, PortError>;

    /// Bytes that the local folders of a component hold on the disk. Where they are read to be told, that takes as long as it takes to read
    /// them: nothing to ask under a load.
    async fn folder(&self, component: Component) -> Result<u64, PortError>;

    /// What this process has used, where the system tells.
    fn own(&self) -> Option<Cost>;
}
