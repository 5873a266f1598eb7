use harness_core::ports::{Clock, Tick};

use crate::targets::blueprint::{Event, Progress};

/// Tells progress with the time since it began.
pub(super) struct Reporter<'a> {
    pub(super) began: Tick,
    pub(super) clock: &'a dyn Clock,
    pub(super) progress: &'a dyn Progress,
}

impl<'a> Reporter<'a> {
    pub(super) fn begin(clock: &'a dyn Clock, progress: &'a dyn Progress) -> Self {
        Self { began: clock.now(), clock, progress }
    }

    /// Says how `what` stands.
    pub(super) fn say(&self, what: &str, detail: &str) {
        self.progress.note(Event {
            what: what.to_owned(),
            elapsed: self.clock.now().since(self.began),
            detail: detail.to_owned(),
            steps: None,
        });
    }
}
