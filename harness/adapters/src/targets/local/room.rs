use std::{io, path::Path};

use rustix::fs::statvfs;

/// What a run stores at most in a little while, with room to spare.
const RUN: u64 = 2 << 30;

/// Bytes of a disk that are free, and how many have to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Room {
    pub(super) free: u64,
    pub(super) needed: u64,
}

impl Room {
    /// Of the disk that `folder` is on.
    pub(super) fn of(folder: &Path) -> io::Result<Self> {
        let disk = statvfs(folder)?;
        let bytes = |blocks: u64| blocks.saturating_mul(disk.f_frsize);
        Ok(Self { free: bytes(disk.f_bavail), needed: needed(bytes(disk.f_blocks)) })
    }

    pub(super) fn suffices(self) -> bool {
        self.free >= self.needed
    }
}

/// The object store refuses to write to a disk of which less than a hundredth is free (MinIO `cmd/globals.go`, `diskFillFraction`).
fn needed(total: u64) -> u64 {
    total / 100 + RUN
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundredth_of_the_disk_and_a_run_have_to_be_free() {
        assert_eq!(needed(500 << 30), (5 << 30) + RUN);
        for (free, suffices) in [(RUN, true), (RUN - 1, false)] {
            assert_eq!(Room { free, needed: RUN }.suffices(), suffices);
        }
    }

    #[test]
    fn a_disk_says_what_is_free_and_what_is_no_disk_nothing() {
        let room = Room::of(Path::new("/")).unwrap();
        assert!(room.needed > RUN && room.free > 0, "{room:?}");
        assert!(Room::of(Path::new("/nowhere/at/all")).is_err());
    }
}
