//! The state before a compaction: what was pushed lies in the bucket, in blocks that no compaction made.

use super::{Stage, StageError, Watched};
use crate::{
    poll::{Ended, Schedule, Step, until},
    record::Event,
    verdict::{Control, satisfied},
};

impl Stage {
    /// Looks into the bucket until all that was pushed so far is there, or patience ends. What is seen counts for no verdict: the clause is
    /// about what comes afterwards.
    pub async fn gather(&self, watched: &Watched) -> Result<bool, StageError> {
        let case = self.case(&watched.clause)?;
        let deadline = self.now().after(case.limit());
        self.progress(format!("waits until what was pushed is in the bucket, until {deadline}"))?;
        let ended = until(&*self.ports().clock, Schedule::default(), deadline, || async {
            let looked = self.observe(watched.stimulus.in_objects()).await;
            let objections = looked.and_then(|seen| Ok(satisfied(&case, &seen, self.bodies())?));
            match objections {
                Ok(objections) if objections.is_empty() => Step::Ready(Ok(())),
                Ok(objections) => Step::NotYet(objections.iter().map(ToString::to_string).collect()),
                Err(error) => Step::Ready(Err(error)),
            }
        });
        match ended.await {
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
