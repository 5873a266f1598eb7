//! What every target hands to a run.

use std::collections::BTreeMap;

use harness_core::{ports::Ports, record::Redactor};

/// A stack that is up, and its ports.
pub struct Session {
    /// The outside world as the runner sees it.
    pub ports: Ports,
    /// Component to version.
    pub versions: BTreeMap<String, String>,
    /// The name of the stack's timers.
    pub profile: String,
    /// Knows the stack's secrets.
    pub redactor: Redactor,
}
