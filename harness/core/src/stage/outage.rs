//! The object store refuses or is slow, and takes it back, with proof of both.

use std::time::Duration;

use super::{Stage, StageError, bucket_of, looks::lines_about_the_store, owner_of};
use crate::{
    catalogue::ClauseId,
    observation::{Evidence, EvidenceKind, Stretch},
    poll::{Ended, Schedule, Step, until, within},
    ports::{Component, PortError, Principal, Stop, StoreFault},
    record::Event,
    signal::Signal,
    verdict::{Halt, HaltKind},
};

/// How long a fault may take to show.
const TAKES_EFFECT: Duration = Duration::from_secs(30);

/// After how long without an answer a store counts as slow.
const NO_ANSWER: Duration = Duration::from_secs(5);

/// For how long a store is slow: longer than anybody who writes to it is idle, so that writes are under way in it.
const SLOW_FOR: Duration = Duration::from_secs(20);

/// What is wrong with a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outage {
    /// It denies whatever the owner of the bucket asks for, whose user it has disabled.
    UserDisabled,
    /// It denies whatever the owner of the bucket asks for, whose user has no policy.
    PolicyRemoved,
    /// It answers that it can do nothing now.
    Unavailable,
    /// It answers, and late.
    Slow,
    /// Nobody answers: its process is killed.
    Gone,
}

impl Outage {
    /// Every way to refuse.
    pub const REFUSALS: [Self; 4] = [Self::UserDisabled, Self::PolicyRemoved, Self::Unavailable, Self::Gone];

    /// The words for people.
    pub fn describe(self) -> String {
        self.fault().map_or_else(|| "the store is gone".to_owned(), |fault| fault.to_string())
    }

    fn fault(self) -> Option<StoreFault> {
        match self {
            Self::UserDisabled => Some(StoreFault::UserDisabled),
            Self::PolicyRemoved => Some(StoreFault::PolicyRemoved),
            Self::Unavailable => Some(StoreFault::Unavailable),
            Self::Slow => Some(StoreFault::Frozen),
            Self::Gone => None,
        }
    }

    /// Whether the answer to a question of the owner shows it.
    fn shows(self, answer: &Answered) -> bool {
        match self {
            Self::UserDisabled | Self::PolicyRemoved => matches!(answer, Answered::Refused(PortError::Denied { .. })),
            Self::Unavailable => {
                matches!(answer, Answered::Refused(PortError::Refused { reason, .. }) if reason.contains("503"))
            }
            Self::Slow => matches!(answer, Answered::NotYet),
            Self::Gone => matches!(answer, Answered::Refused(PortError::Unreachable { .. })),
        }
    }
}

/// What becomes of a question to the store.
#[derive(Debug)]
enum Answered {
    Properly,
    Refused(PortError),
    NotYet,
}

impl Answered {
    fn describe(&self) -> String {
        match self {
            Self::Properly => "answered".to_owned(),
            Self::Refused(error) => error.to_string(),
            Self::NotYet => format!("no answer after {} s", NO_ANSWER.as_secs()),
        }
    }
}

impl Stage {
    /// How many lines `component` has logged about its store so far.
    pub async fn store_errors_so_far(&self, component: Component) -> usize {
        lines_about_the_store(self.ports(), component, usize::MAX).await.len()
    }

    /// Has the store go wrong for the owner of the bucket of `signal`, and shows by the owner's own keys that it did.
    pub async fn begin_outage(&self, outage: Outage, signal: Signal, clause: &ClauseId) -> Result<(), StageError> {
        self.progress(format!("sees to it that {}", outage.describe()))?;
        match outage.fault() {
            Some(fault) => self.ports().lifecycle.inject(fault, owner_of(signal)).await.map_err(blocked)?,
            None => self.stop(&[Component::Minio], Stop::Kill, &[clause]).await?,
        }
        self.until_answered(signal, clause, |answer| outage.shows(answer), "the store still takes").await
    }

    /// Waits until `component` has complained of the outage, where it gives reason to; what it logged meanwhile.
    pub async fn outlast(&self, outage: Outage, component: Component, after: usize) -> Result<Stretch, StageError> {
        let refuses = Outage::REFUSALS.contains(&outage);
        let within = if refuses { self.context().patience.records } else { SLOW_FOR };
        self.progress(format!("lets {component} live with it that {}", outage.describe()))?;
        let deadline = self.now().after(within);
        // Whether it complained is for the judge to say.
        let _ = until(&*self.ports().clock, Schedule::default(), deadline, || async {
            let complained = refuses && self.store_errors_so_far(component).await > after;
            if complained { Step::Ready(()) } else { Step::NotYet(String::new()) }
        })
        .await;
        let until = Some(self.store_errors_so_far(component).await);
        Ok(Stretch { when: outage.describe(), after, until })
    }

    /// Takes an outage back, whether or not it came about, and shows by the owner's own keys that the store answers again.
    pub async fn end_outage(&self, outage: Outage, signal: Signal, clause: &ClauseId) -> Result<(), StageError> {
        self.progress(format!("takes back that {}", outage.describe()))?;
        match outage.fault() {
            Some(fault) => self.ports().lifecycle.heal(fault, owner_of(signal)).await.map_err(blocked)?,
            None => {
                self.ports().lifecycle.start(Component::Minio).await.map_err(blocked)?;
            }
        }
        self.until_answered(signal, clause, |answer| matches!(answer, Answered::Properly), "the store still refuses")
            .await
    }

    /// Asks the store with the owner's keys until the answer is as wanted; the last one is kept as proof.
    async fn until_answered(
        &self,
        signal: Signal,
        clause: &ClauseId,
        wanted: impl Fn(&Answered) -> bool + Send + Sync,
        otherwise: &str,
    ) -> Result<(), StageError> {
        let (owner, bucket) = (owner_of(signal), bucket_of(signal));
        let request = format!("get a key of s3://{bucket} that is not there, with the keys of {owner}");
        let deadline = self.now().after(TAKES_EFFECT);
        let ended = until(&*self.ports().clock, Schedule::default(), deadline, || async {
            let answer = self.ask_store(owner, bucket).await;
            if wanted(&answer) { Step::Ready(answer.describe()) } else { Step::NotYet(answer.describe()) }
        })
        .await;
        match ended {
            Ended::Ready(told) => {
                let mut evidence = Evidence::new(EvidenceKind::Bucket, self.unix_ns());
                evidence.component = Some(owner.to_string());
                (evidence.request, evidence.excerpt) = (Some(request), Some(told));
                self.record(Event::Moved { clauses: vec![clause.clone()], evidence })
            }
            // A fault without proof decides nothing.
            Ended::TimedOut(told) | Ended::Never(told) => Err(StageError::Halted(Halt {
                kind: HaltKind::Interrupted,
                reason: format!("{otherwise} {owner} after {} s: {request}: {told}", TAKES_EFFECT.as_secs()),
            })),
        }
    }

    async fn ask_store(&self, owner: Component, bucket: &str) -> Answered {
        let asked = self.ports().objects.get(Principal::Component(owner), bucket, "no such key");
        match within(&*self.ports().clock, self.now().after(NO_ANSWER), asked).await {
            Some(Ok(_) | Err(PortError::NotFound { .. })) => Answered::Properly,
            Some(Err(error)) => Answered::Refused(error),
            None => Answered::NotYet,
        }
    }
}

fn blocked(error: PortError) -> StageError {
    StageError::blocked(error.to_string())
}
