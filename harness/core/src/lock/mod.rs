//! Waiting for the lock of a file without blocking, so that the wait can be given up. Must not know what a lock stands for.

use std::{
    fs::{File, TryLockError},
    io,
    time::Duration,
};

use crate::{
    poll::{Ended, Schedule, Step, until},
    ports::{Clock, Tick},
};

/// How often a lock is tried: it costs one system call.
const SCHEDULE: Schedule = Schedule { first: Duration::from_millis(50), share: 0.02 };

/// No deadline: the wait ends with the lock, or by being dropped.
pub const FOREVER: Tick = Tick(u64::MAX);

/// How what a lock guards is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Access {
    /// Others may use it at the same time.
    Read,
    /// Nobody else may.
    Write,
}

/// Waits until `file` is locked, until `deadline` at most; tries at least once. The lock is given back when `file` is closed.
///
/// # Errors
/// [`io::ErrorKind::TimedOut`]: somebody else kept it; any other: the file cannot be locked.
pub async fn locked(file: &File, access: Access, clock: &dyn Clock, deadline: Tick) -> io::Result<()> {
    let ended = until(clock, SCHEDULE, deadline, || {
        let tried = match access {
            Access::Read => file.try_lock_shared(),
            Access::Write => file.try_lock(),
        };
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
        Ended::Ready(result) => result,
        Ended::TimedOut(_) | Ended::Never(_) => Err(io::ErrorKind::TimedOut.into()),
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

    #[test]
    fn what_is_held_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let (held, wanted) = (open(folder.path()), open(folder.path()));
        let clock = Patient::default();
        held.lock().unwrap();
        block_on(async {
            let release = async {
                turns(5).await;
                held.unlock().unwrap();
            };
            let (taken, ()) = futures::join!(locked(&wanted, Access::Write, &clock, FOREVER), release);
            taken.unwrap();
        });
        assert!(clock.now() > Tick(0));
        assert!(held.try_lock().is_err());
    }

    #[test]
    fn a_wait_that_is_given_up_takes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (held, wanted) = (open(folder.path()), open(folder.path()));
        let clock = Patient::default();
        held.lock().unwrap();
        let wait = locked(&wanted, Access::Read, &clock, FOREVER).boxed_local();
        drop(block_on(select(turns(5).boxed_local(), wait)));
        assert!(clock.now() > Tick(0));
        held.unlock().unwrap();
        assert!(held.try_lock().is_ok());
    }

    #[test]
    fn readers_share_and_a_deadline_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = (open(folder.path()), open(folder.path()));
        let clock = VirtualClock::default();
        let lock =
            |file, access, deadline| block_on(locked(file, access, &clock, deadline)).map_err(|error| error.kind());
        assert_eq!(lock(&first, Access::Read, FOREVER), Ok(()));
        assert_eq!(lock(&second, Access::Read, FOREVER), Ok(()));
        let deadline = clock.now().after(Duration::from_secs(5));
        assert_eq!(lock(&second, Access::Write, deadline), Err(io::ErrorKind::TimedOut));
        assert_eq!(clock.now(), deadline);
        first.unlock().unwrap();
        assert_eq!(lock(&second, Access::Write, deadline), Ok(()));
    }
}
