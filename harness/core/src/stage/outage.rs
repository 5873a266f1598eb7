//! The object store refuses, and takes it back, with proof of both.

use std::time::Duration;

use super::{Stage, StageError, bucket_of, looks::lines_about_the_store, owner_of};
use crate::{
    catalogue::ClauseId,
    observation::{Evidence, EvidenceKind},
    poll::{Ended, Schedule, Step, until},
    ports::{Component, PortError, Principal, Stop},
    record::Event,
    signal::Signal,
    verdict::{Halt, HaltKind},
};

/// How long a fault may take to show.
const TAKES_EFFECT: Duration = Duration::from_secs(30);

/// How a store comes to refuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outage {
    /// It denies whatever the owner of the bucket asks for.
    Denies,
    /// Nobody answers: its process is killed.
    Gone,
}

impl Outage {
    fn describe(self) -> &'static str {
        match self {
            Self::Denies => "the store denies everything to its user",
            Self::Gone => "the store is gone",
        }
    }
}

impl Stage {
    /// How many lines `component` has logged about its store so far.
    pub async fn store_errors_so_far(&self, component: Component) -> usize {
        lines_about_the_store(self.ports(), component, usize::MAX).await.len()
    }

    /// Has the store refuse the owner of the bucket of `signal`, and shows by the owner's own keys that it does.
    pub async fn begin_outage(&self, outage: Outage, signal: Signal, clause: &ClauseId) -> Result<(), StageError> {
        let owner = owner_of(signal);
        self.progress(format!("sees to it that {}", outage.describe()))?;
        match outage {
            Outage::Denies => self.ports().lifecycle.bar(owner).await.map_err(blocked)?,
            Outage::Gone => self.stop(&[Component::Minio], Stop::Kill, &[clause]).await?,
        }
        let refused = |listed: &Result<(), PortError>| {
            matches!(
                (outage, listed),
                (Outage::Denies, Err(PortError::Denied { .. })) | (Outage::Gone, Err(PortError::Unreachable { .. }))
            )
        };
        self.until_listing(signal, clause, refused, "the store still takes").await
    }

    /// Takes an outage back, whether or not it came about, and shows by the owner's own keys that the store answers again.
    pub async fn end_outage(&self, outage: Outage, signal: Signal, clause: &ClauseId) -> Result<(), StageError> {
        let owner = owner_of(signal);
        self.progress(format!("takes back that {}", outage.describe()))?;
        match outage {
            Outage::Denies => self.ports().lifecycle.admit(owner).await.map_err(blocked)?,
            Outage::Gone => {
                self.ports().lifecycle.start(Component::Minio).await.map_err(blocked)?;
            }
        }
        self.until_listing(signal, clause, Result::is_ok, "the store still refuses").await
    }

    /// Lists the bucket with its owner's keys until the outcome is as wanted; the last listing is kept as proof.
    async fn until_listing(
        &self,
        signal: Signal,
        clause: &ClauseId,
        wanted: impl Fn(&Result<(), PortError>) -> bool + Send + Sync,
        otherwise: &str,
    ) -> Result<(), StageError> {
        let (owner, bucket) = (owner_of(signal), bucket_of(signal));
        let request = format!("list s3://{bucket} with the keys of {owner}");
        let deadline = self.now().after(TAKES_EFFECT);
        let ended = until(&*self.ports().clock, Schedule::default(), deadline, || async {
            let listed =
                self.ports().objects.list(Principal::Component(owner), bucket, "no such prefix").await.map(drop);
            let told = listed.as_ref().map_or_else(ToString::to_string, |()| "allowed".to_owned());
            if wanted(&listed) { Step::Ready(told) } else { Step::NotYet(told) }
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
}

fn blocked(error: PortError) -> StageError {
    StageError::blocked(error.to_string())
}
