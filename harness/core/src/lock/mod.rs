//! Waiting for the lock of a file without blocking, so that the wait can be given up. Must not know what a lock stands for.

use std::{
    fs::{File, TryLockError},
    io,
    time::Duration,
};

use serde::{Deserialize, Serialize};

use crate::{
    poll::{Ended, Schedule, Step, until},
    ports::{Clock, Tick},
};

/// How often a lock is tried: it costs one system call.
const SCHEDULE: Schedule = Schedule { first: Duration::from_millis(50), share: 0.02 };

/// No deadline: the wait ends with the lock, or by being dropped.
pub const FOREVER: Tick = Tick(u64::MAX);

/// How what a lock guards is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    /// Others may use it at the same time.
    Read,
    /// Nobody else may.
    Write,
}

/// A locked file. Dropping it gives the lock back at once, even while a process that is just being started has a copy of the open
/// file: closing alone would not.
#[derive(Debug)]
pub struct Held {
    file: File,
}

impl Held {
    /// Locks `file` if nobody is in the way; `None` if somebody is.
    ///
    /// # Errors
    /// The file cannot be locked.
    pub fn try_take(file: File, access: Access) -> io::Result<Option<Self>> {
        match try_lock(&file, access) {
            Ok(()) => Ok(Some(Self { file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Waits until `file` is locked, until `deadline` at most; tries at least once.
    ///
    /// # Errors
    /// [`io::ErrorKind::TimedOut`]: somebody else kept it; any other: the file cannot be locked.
    pub async fn take(file: File, access: Access, clock: &dyn Clock, deadline: Tick) -> io::Result<Self> {
        let ended = until(clock, SCHEDULE, deadline, || {
            let tried = try_lock(&file, access);
            async {
                match tried {
                    Ok(()) => Step::Ready(Ok(())),
                    Err(TryLockError::WouldBlock) => Step::NotYet(String::new()),
                    Err(TryLockError::Error(error)) => Step::Ready(Err(error)),
                }
            }
        })
        .await;
        match ended {
            Ended::Ready(result) => result.map(|()| Self { file }),
            Ended::TimedOut(_) | Ended::Never(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // What cannot be given back now goes with the file.
        let _ = self.file.unlock();
    }
}

fn try_lock(file: &File, access: Access) -> Result<(), TryLockError> {
    match access {
        Access::Read => file.try_lock_shared(),
        Access::Write => file.try_lock(),
    }
}

#[cfg(test)]
mod tests {
    use std::{path::Path, task::Poll};

    use async_trait::async_trait;
    use futures::{FutureExt, executor::block_on, future::select};

    use super::*;
    use crate::poll::virtual_clock::VirtualClock;

    /// Sleeping takes no time, but lets others have a turn first.
    #[derive(Default)]
    struct Patient(VirtualClock);

    #[async_trait]
    impl Clock for Patient {
        fn now(&self) -> Tick {
            self.0.now()
        }

        fn unix_ns(&self) -> i64 {
            self.0.unix_ns()
        }

        async fn sleep_until(&self, until: Tick) {
            self.0.sleep_until(until).await;
            turns(1).await;
        }
    }

    async fn turns(count: usize) {
        for _ in 0..count {
            let mut waited = false;
            std::future::poll_fn(|context| {
                if std::mem::replace(&mut waited, true) {
                    return Poll::Ready(());
                }
                context.waker().wake_by_ref();
                Poll::Pending
            })
            .await;
        }
    }

    fn open(folder: &Path) -> File {
        File::create(folder.join("a.lock")).unwrap()
    }

    fn try_take(folder: &Path, access: Access) -> Option<Held> {
        Held::try_take(open(folder), access).unwrap()
    }

    #[test]
    fn what_is_held_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Patient::default();
        let held = try_take(folder.path(), Access::Write).unwrap();
        let release = async {
            turns(5).await;
            drop(held);
        };
        let take = Held::take(open(folder.path()), Access::Write, &clock, FOREVER);
        let (taken, ()) = block_on(async { futures::join!(take, release) });
        assert!(clock.now() > Tick(0));
        assert!(try_take(folder.path(), Access::Read).is_none());
        drop(taken);
        assert!(try_take(folder.path(), Access::Read).is_some());
    }

    #[test]
    fn a_wait_that_is_given_up_takes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Patient::default();
        let held = try_take(folder.path(), Access::Write).unwrap();
        let wait = Held::take(open(folder.path()), Access::Read, &clock, FOREVER).boxed_local();
        drop(block_on(select(turns(5).boxed_local(), wait)));
        assert!(clock.now() > Tick(0));
        drop(held);
        assert!(try_take(folder.path(), Access::Write).is_some());
    }

    #[test]
    fn readers_share_and_a_deadline_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let clock = VirtualClock::default();
        let (first, second) = (try_take(folder.path(), Access::Read), try_take(folder.path(), Access::Read));
        assert!(first.is_some() && second.is_some());
        let deadline = clock.now().after(Duration::from_secs(5));
        let take = || block_on(Held::take(open(folder.path()), Access::Write, &clock, deadline));
        assert_eq!(take().unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert_eq!(clock.now(), deadline);
        drop((first, second));
        assert!(take().is_ok());
    }

    #[test]
    fn a_copy_of_the_open_file_does_not_keep_the_lock() {
        let folder = tempfile::tempdir().unwrap();
        let file = open(folder.path());
        let _copy = file.try_clone().unwrap();
        drop(Held::try_take(file, Access::Write).unwrap().unwrap());
        assert!(try_take(folder.path(), Access::Write).is_some());
    }
}
