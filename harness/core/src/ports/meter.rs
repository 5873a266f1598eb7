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
    /// Bytes that its local folder holds on the disk, where that can be told.
    pub disk: Option<u64>,
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

    /// What this process has used, where the system tells.
    fn own(&self) -> Option<Cost>;
}
