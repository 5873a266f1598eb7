use std::{
    ffi::OsStr,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use harness_core::{
    lock::{Access, FOREVER, Held},
    ports::Clock,
};
use rand::{TryRng, rngs::SysRng};

use super::ContainersError;

/// The ending of the files that runs hold a lock on.
const LOCK: &str = "lock";

/// Held while somebody looks for left-overs or begins a run, so that a run that has just begun is not taken for a dead one.
const STARTER: &str = "starter";

/// That a run lives: `NAME.lock` in the folder of runs, locked as long as its process lives. The system gives the lock back however
/// that process ends, so a file that nobody holds is of a run that was killed.
#[derive(Debug)]
pub(super) struct Owner {
    pub(super) name: String,
    path: PathBuf,
    _alive: Held,
}

/// A run that ended without having removed what it had made. Its lock is held while that is made up for.
#[derive(Debug)]
pub(super) struct Dead {
    pub(super) name: String,
    path: PathBuf,
    _taken: Held,
}

/// The runs that were killed, and a new one.
#[derive(Debug)]
pub(super) struct Begun {
    pub(super) owner: Owner,
    pub(super) dead: Vec<Dead>,
}

fn file_error(path: &Path) -> impl Fn(io::Error) -> ContainersError + '_ {
    |source| ContainersError::File { path: path.to_owned(), source }
}

fn open(path: &Path) -> Result<File, ContainersError> {
    File::options().create(true).truncate(false).write(true).read(true).open(path).map_err(file_error(path))
}

/// Begins a run in `folder`, and says which have ended without a word.
pub(super) async fn begin(folder: &Path, clock: &dyn Clock) -> Result<Begun, ContainersError> {
    fs::create_dir_all(folder).map_err(file_error(folder))?;
    let starter = folder.join(STARTER).with_extension(LOCK);
    let starting = Held::take(open(&starter)?, Access::Write, clock, FOREVER).await;
    let _starting = starting.map_err(file_error(&starter))?;
    let mut dead = Vec::new();
    for entry in fs::read_dir(folder).map_err(file_error(folder))? {
        let path = entry.map_err(file_error(folder))?.path();
        let name = path.file_stem().and_then(OsStr::to_str).unwrap_or_default().to_owned();
        if name == STARTER || path.extension() != Some(OsStr::new(LOCK)) {
            continue;
        }
        if let Some(taken) = Held::try_take(open(&path)?, Access::Write).map_err(file_error(&path))? {
            dead.push(Dead { name, path, _taken: taken });
        }
    }
    let random = SysRng.try_next_u32().map_err(ContainersError::Random)?;
    let name = format!("lgtm-verify-{random:08x}");
    let path = folder.join(&name).with_extension(LOCK);
    let alive = Held::try_take(open(&path)?, Access::Write).map_err(file_error(&path))?;
    let taken = || file_error(&path)(io::ErrorKind::AlreadyExists.into());
    let alive = alive.ok_or_else(taken)?;
    Ok(Begun { owner: Owner { name, path, _alive: alive }, dead })
}

impl Owner {
    /// To be called when everything that was made for the run is gone.
    pub(super) fn forget(&self) {
        // A file that stays costs the next run one look.
        let _ = fs::remove_file(&self.path);
    }
}

impl Dead {
    /// To be called when everything that was made for the run is gone.
    pub(super) fn forget(self) {
        // As with a living one.
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SystemClock;

    fn names(dead: &[Dead]) -> Vec<&str> {
        dead.iter().map(|dead| dead.name.as_str()).collect()
    }

    #[tokio::test]
    async fn a_run_that_was_killed_is_found_and_one_that_lives_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let clock = SystemClock::start();
        let first = begin(folder.path(), &clock).await.unwrap();
        assert_eq!(names(&first.dead), [""; 0]);
        let second = begin(folder.path(), &clock).await.unwrap();
        assert_eq!(names(&second.dead), [""; 0]);
        assert_ne!(first.owner.name, second.owner.name);
        let killed = first.owner.name.clone();
        // As when its process is killed: the lock goes, the file stays.
        drop(first);
        let third = begin(folder.path(), &clock).await.unwrap();
        assert_eq!(names(&third.dead), [killed.as_str()]);
        // While it is cleared up after, nobody else does.
        assert_eq!(names(&begin(folder.path(), &clock).await.unwrap().dead), [""; 0]);
        third.dead.into_iter().for_each(Dead::forget);
        second.owner.forget();
        drop(second.owner);
        third.owner.forget();
        drop(third.owner);
        // The one that was begun in between was dropped without a word.
        assert_eq!(begin(folder.path(), &clock).await.unwrap().dead.len(), 1);
    }
}
