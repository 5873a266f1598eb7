//! Claims on parts of the stack, as reader-writer locks in the run folder: they hold between the processes of one run too.

use std::{
    collections::BTreeMap,
    fmt,
    fs::{self, File},
    io,
    path::Path,
    time::Duration,
};

use thiserror::Error;

use crate::{
    lock::{Access, Held},
    ports::Clock,
};

/// A part of the stack that scenarios share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resource {
    /// All of Loki.
    Loki,
    /// Tempo.
    Tempo,
    /// Mimir.
    Mimir,
    /// The object store as a whole.
    S3,
    /// What a bucket holds beside the stack's own keys, and its settings.
    Bucket(&'static str),
    /// Grafana.
    Grafana,
    /// Prometheus.
    Prometheus,
    /// The machine or node.
    Node,
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loki => f.write_str("loki"),
            Self::Tempo => f.write_str("tempo"),
            Self::Mimir => f.write_str("mimir"),
            Self::S3 => f.write_str("s3"),
            Self::Bucket(name) => write!(f, "bucket-{name}"),
            Self::Grafana => f.write_str("grafana"),
            Self::Prometheus => f.write_str("prometheus"),
            Self::Node => f.write_str("node"),
        }
    }
}

/// A part of the stack, and how it is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Claim {
    /// The part.
    pub resource: Resource,
    /// How.
    pub access: Access,
}

impl Claim {
    /// Shared use.
    pub fn read(resource: Resource) -> Self {
        Self { resource, access: Access::Read }
    }

    /// The parts that `claims` are about, by name, each with the stronger use.
    pub fn by_name(claims: &[Self]) -> BTreeMap<String, Access> {
        strongest(claims).into_iter().map(|(resource, access)| (resource.to_string(), access)).collect()
    }

    /// Exclusive use.
    pub fn write(resource: Resource) -> Self {
        Self { resource, access: Access::Write }
    }
}

/// The claims of whoever measures: nothing else is done with the stack or on its machine meanwhile.
pub const ALONE: [Claim; 5] = [
    Claim { resource: Resource::Loki, access: Access::Write },
    Claim { resource: Resource::Tempo, access: Access::Write },
    Claim { resource: Resource::Mimir, access: Access::Write },
    Claim { resource: Resource::S3, access: Access::Write },
    Claim { resource: Resource::Node, access: Access::Write },
];

/// Why claims could not be had.
#[derive(Debug, Error)]
pub enum ClaimError {
    /// The lock's file.
    #[error("{path}: cannot lock")]
    Io {
        /// The file.
        path: String,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// Somebody else kept it.
    #[error("{resource} was not free within {}", humantime::format_duration(*waited))]
    TimedOut {
        /// What was claimed.
        resource: String,
        /// How long was waited.
        waited: Duration,
    },
}

/// Held claims; they are given back on drop.
#[derive(Debug)]
pub struct Claims {
    _locks: Vec<Held>,
}

impl Claims {
    /// Waits for all `claims`, at most `patience` each. They are taken in one fixed order, so two scenarios never wait for each
    /// other.
    pub async fn acquire(
        run_folder: &Path,
        claims: &[Claim],
        clock: &dyn Clock,
        patience: Duration,
    ) -> Result<Self, ClaimError> {
        let wanted = strongest(claims);
        let mut locks = Vec::with_capacity(wanted.len());
        for (resource, access) in wanted {
            locks.push(turn(run_folder, &resource.to_string(), access, clock, patience).await?);
        }
        Ok(Self { _locks: locks })
    }
}

/// Each part that is claimed, with the stronger use.
fn strongest(claims: &[Claim]) -> BTreeMap<Resource, Access> {
    let mut wanted: BTreeMap<Resource, Access> = BTreeMap::new();
    for claim in claims {
        let access = wanted.entry(claim.resource).or_insert(claim.access);
        *access = (*access).max(claim.access);
    }
    wanted
}

/// Waits for the lock called `name` in the run folder, at most `patience`.
pub(crate) async fn turn(
    run_folder: &Path,
    name: &str,
    access: Access,
    clock: &dyn Clock,
    patience: Duration,
) -> Result<Held, ClaimError> {
    let path = run_folder.join("locks").join(format!("{name}.lock"));
    let told = |source| ClaimError::Io { path: path.display().to_string(), source };
    fs::create_dir_all(run_folder.join("locks")).map_err(told)?;
    let file = File::options().create(true).append(true).open(&path).map_err(told)?;
    Held::take(file, access, clock, clock.now().after(patience)).await.map_err(|error| match error.kind() {
        io::ErrorKind::TimedOut => ClaimError::TimedOut { resource: name.to_owned(), waited: patience },
        _ => told(error),
    })
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;

    use super::*;
    use crate::poll::virtual_clock::VirtualClock;

    #[test]
    fn readers_share_and_a_writer_waits_for_them() {
        let folder = tempfile::tempdir().unwrap();
        let clock = VirtualClock::default();
        let claim = |claims: &[Claim]| {
            block_on(Claims::acquire(folder.path(), claims, &clock, Duration::from_secs(5)))
                .map_err(|error| error.to_string())
        };
        let first = claim(&[Claim::read(Resource::Loki)]).unwrap();
        let second = claim(&[Claim::read(Resource::Loki), Claim::write(Resource::Tempo)]).unwrap();
        assert_eq!(claim(&[Claim::write(Resource::Loki)]).unwrap_err(), "loki was not free within 5s");
        drop((first, second));
        let writer = claim(&[Claim::write(Resource::Loki), Claim::read(Resource::Loki)]).unwrap();
        assert!(claim(&[Claim::read(Resource::Loki)]).is_err());
        drop(writer);
        assert!(claim(&[Claim::read(Resource::Loki)]).is_ok());
    }
}
