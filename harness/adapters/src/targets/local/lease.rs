use std::{
    fs::{File, TryLockError},
    io,
    path::Path,
};

use harness_core::{
    lock::{Access, FOREVER, locked},
    ports::Clock,
};

/// Held by whoever uses a stack, so that it does not end itself (a shared lock on `lease.lock`). Given up by dropping.
#[derive(Debug)]
pub struct Lease {
    _file: File,
}

impl Lease {
    /// Takes a share. Waits while a supervisor that is ending itself holds the file for itself.
    pub(super) async fn take(folder: &Path, clock: &dyn Clock) -> io::Result<Self> {
        let file = open(folder, "lease.lock")?;
        locked(&file, Access::Read, clock, FOREVER).await?;
        Ok(Self { _file: file })
    }
}

/// The supervisor's view of the lease: held for itself while it ends, so that no client arrives meanwhile.
#[derive(Debug)]
pub(super) struct Ending {
    _file: File,
}

impl Ending {
    /// Takes the lease for itself; `None` where somebody holds a share.
    pub(super) fn try_take(folder: &Path) -> io::Result<Option<Self>> {
        Ok(exclusive(folder, "lease.lock")?.map(|file| Self { _file: file }))
    }
}

/// Held by a supervisor as long as it lives; its being free proves that none does.
#[derive(Debug)]
pub(super) struct SupervisorLock {
    _file: File,
}

impl SupervisorLock {
    /// `None` where a supervisor lives.
    pub(super) fn try_take(folder: &Path) -> io::Result<Option<Self>> {
        Ok(exclusive(folder, "supervisor.lock")?.map(|file| Self { _file: file }))
    }
}

/// Held while somebody starts or removes a stack, so that two do not do so at once.
#[derive(Debug)]
pub(super) struct StarterLock {
    _file: File,
}

impl StarterLock {
    /// Waits for the other starter, if there is one.
    pub(super) async fn take(folder: &Path, clock: &dyn Clock) -> io::Result<Self> {
        let file = open(folder, "starter.lock")?;
        locked(&file, Access::Write, clock, FOREVER).await?;
        Ok(Self { _file: file })
    }
}

fn open(folder: &Path, name: &str) -> io::Result<File> {
    std::fs::create_dir_all(folder)?;
    File::options().create(true).truncate(false).write(true).read(true).open(folder.join(name))
}

fn exclusive(folder: &Path, name: &str) -> io::Result<Option<File>> {
    let file = open(folder, name)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
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
