use std::time::Duration;

/// One sign of life of a long operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// What is being done, for example `build loki` or `start tempo`.
    pub what: String,
    /// Since this began.
    pub elapsed: Duration,
    /// How it stands, for example `ready` or `compiled 120 of at most 1840 packages`.
    pub detail: String,
    /// Steps done and steps in all, where they can be counted.
    pub steps: Option<(usize, usize)>,
}

/// Who hears of progress. Called from any thread; must return quickly.
pub trait Progress: Send + Sync {
    /// Hears of `event`.
    fn note(&self, event: Event);
}

/// Nobody hears of progress.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn note(&self, _event: Event) {}
}
