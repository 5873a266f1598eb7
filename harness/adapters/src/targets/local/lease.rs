use std::{fs::File, io, path::Path};

use harness_core::{
    lock::{Access, FOREVER, Held},
    ports::Clock,
};

/// Held by whoever uses a stack, so that it does not end itself (a shared lock on `lease.lock`). Given up by dropping.
#[derive(Debug)]
pub struct Lease {
    _lock: Held,
}

impl Lease {
    /// Takes a share. Waits while a supervisor that is ending itself holds the file for itself.
    pub(super) async fn take(folder: &Path, clock: &dyn Clock) -> io::Result<Self> {
        Ok(Self { _lock: Held::take(open(folder, "lease.lock")?, Access::Read, clock, FOREVER).await? })
    }
}

/// The supervisor's view of the lease: held for itself while it ends, so that no client arrives meanwhile.
#[derive(Debug)]
pub(super) struct Ending {
    _lock: Held,
}

impl Ending {
    /// Takes the lease for itself; `None` where somebody holds a share.
    pub(super) fn try_take(folder: &Path) -> io::Result<Option<Self>> {
        Ok(exclusive(folder, "lease.lock")?.map(|lock| Self { _lock: lock }))
    }
}

/// Held by a supervisor as long as it lives; its being free proves that none does.
#[derive(Debug)]
pub(super) struct SupervisorLock {
    _lock: Held,
}

impl SupervisorLock {
    /// `None` where a supervisor lives.
    pub(super) fn try_take(folder: &Path) -> io::Result<Option<Self>> {
        Ok(exclusive(folder, "supervisor.lock")?.map(|lock| Self { _lock: lock }))
    }
}

/// Held while somebody starts or removes a stack, so that two do not do so at once.
#[derive(Debug)]
pub(super) struct StarterLock {
    _lock: Held,
}

impl StarterLock {
    /// Waits for the other starter, if there is one.
    pub(super) async fn take(folder: &Path, clock: &dyn Clock) -> io::Result<Self> {
        Ok(Self { _lock: Held::take(open(folder, "starter.lock")?, Access::Write, clock, FOREVER).await? })
    }
}

fn open(folder: &Path, name: &str) -> io::Result<File> {
    std::fs::create_dir_all(folder)?;
    File::options().create(true).truncate(false).write(true).read(true).open(folder.join(name))
}

fn exclusive(folder: &Path, name: &str) -> io::Result<Option<Held>> {
    Held::try_take(open(folder, name)?, Access::Write)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SystemClock;

    #[tokio::test]
    async fn a_held_lease_keeps_the_supervisor_from_ending() {
        let folder = tempfile::tempdir().unwrap();
        let clock = SystemClock::start();
        let first = Lease::take(folder.path(), &clock).await.unwrap();
        let second = Lease::take(folder.path(), &clock).await.unwrap();
        assert!(Ending::try_take(folder.path()).unwrap().is_none());
        drop(first);
        assert!(Ending::try_take(folder.path()).unwrap().is_none());
        drop(second);
        assert!(Ending::try_take(folder.path()).unwrap().is_some());
    }

    #[test]
    fn a_second_supervisor_finds_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let first = SupervisorLock::try_take(folder.path()).unwrap();
        assert!(first.is_some());
        assert!(SupervisorLock::try_take(folder.path()).unwrap().is_none());
        drop(first);
        assert!(SupervisorLock::try_take(folder.path()).unwrap().is_some());
    }
}
