use harness_core::ports::{Clock, Tick};

use super::{Event, Progress};

/// Tells progress with the time since it began.
pub(in crate::targets) struct Reporter<'a> {
    pub(in crate::targets) began: Tick,
    pub(in crate::targets) clock: &'a dyn Clock,
    pub(in crate::targets) progress: &'a dyn Progress,
}

impl<'a> Reporter<'a> {
    pub(in crate::targets) fn begin(clock: &'a dyn Clock, progress: &'a dyn Progress) -> Self {
        Self { began: clock.now(), clock, progress }
    }

    /// Says how `what` stands.
    pub(in crate::targets) fn say(&self, what: &str, detail: &str) {
        self.progress.note(Event {
            what: what.to_owned(),
            elapsed: self.clock.now().since(self.began),
            detail: detail.to_owned(),
            steps: None,
        });
    }
}
