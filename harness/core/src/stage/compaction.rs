//! The state before a compaction: what was pushed lies in the bucket, in blocks that no compaction made.

use super::{Stage, StageError, Watched};
use crate::{poll::Ended, record::Event, verdict::Control};

impl Stage {
    /// Looks into the bucket until all that was pushed so far is there, or patience ends. What is seen counts for no verdict: the clause is
    /// about what comes afterwards.
    pub async fn gather(&self, watched: &Watched) -> Result<bool, StageError> {
        let deadline = self.now().after(self.case(&watched.clause)?.limit());
        self.progress(format!("waits until what was pushed is in the bucket, until {deadline}"))?;
        match self.keep_looking(&watched.clause, vec![watched.stimulus.in_objects()], deadline, false).await {
            Ended::Ready(result) => result.map(|()| true),
            Ended::TimedOut(_) | Ended::Never(_) => Ok(false),
        }
    }

    /// Shows that no block of what is watched was made by a compaction so far.
    pub async fn not_compacted_yet(&self, watched: &Watched) -> Result<(), StageError> {
        let observation = self.observe(watched.stimulus.in_compacted_blocks()).await?;
        let name = "blocks that no compaction made".to_owned();
        let control = Control { name, must_break: vec!["missing".to_owned()], observation };
        self.record(Event::Controlled { clause: watched.clause.clone(), control })
    }
}
