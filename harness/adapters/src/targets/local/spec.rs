use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use harness_core::ports::Component;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::targets::blueprint::{BUCKETS, Override, POLICY, Profile, Program, Programs, sources};

/// Which parts of the stack are wanted; the object store always is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Selection {
    /// Loki's write, read and backend processes, and the gateway before them.
    pub loki: bool,
    /// Tempo.
    pub tempo: bool,
    /// Mimir.
    pub mimir: bool,
    /// The Loki reader that cannot ask an ingester; only with `loki`.
    pub store_reader: bool,
}

impl Selection {
    /// Everything.
    pub const ALL: Self = Self { loki: true, tempo: true, mimir: true, store_reader: true };

    /// The wanted components, in the order in which they are started.
    pub fn components(self) -> Vec<Component> {
        Component::ALL
            .into_iter()
            .filter(|component| match component {
                Component::Minio => true,
                Component::LokiWrite | Component::LokiRead | Component::LokiBackend => self.loki,
                Component::LokiStoreReader => self.loki && self.store_reader,
                Component::Tempo => self.tempo,
                Component::Mimir => self.mimir,
            })
            .collect()
    }

    /// The programs that have to be built for it.
    pub fn programs(self) -> Vec<Program> {
        let mut programs = vec![Program::Mc];
        programs.extend(self.components().into_iter().map(Program::of));
        programs.sort_unstable();
        programs.dedup();
        programs
    }
}

/// When a stack ends by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Linger {
    /// Never.
    UntilDown,
    /// When nobody has held a [`super::Lease`] for that long.
    After(Duration),
}

/// A stack as it is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StackSpec {
    /// Its timers.
    pub profile: Profile,
    /// Changes to its configuration, later ones over earlier ones.
    pub overrides: Vec<Override>,
    /// Its parts.
    pub selection: Selection,
    /// Listen where the design says (Loki 3100 and 9095, Tempo 3200, 4317 and 4318, Mimir 8080, MinIO 9000) instead of
    /// on ports that are free.
    pub design_ports: bool,
    /// When it ends by itself.
    pub linger: Linger,
    /// The programs that it runs.
    pub programs: Programs,
}

/// Why a stack cannot be as it is wanted, or its wish cannot be read.
#[derive(Debug, Error)]
pub enum SpecError {
    /// A file of the stack's folder.
    #[error("{path}")]
    File {
        /// The file.
        path: PathBuf,
        /// What happened to it.
        source: io::Error,
    },
    /// Not what was written there.
    #[error("{path} is not a stack's specification")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A component without its program.
    #[error("{component} is selected, but {program} is not among the built programs")]
    NotBuilt {
        /// The component.
        component: Component,
        /// The program that it runs.
        program: Program,
    },
}

impl StackSpec {
    /// The first 16 hex digits of a SHA-256 over everything that makes two stacks differ, templates, buckets and policy as this
    /// program carries them included; when they end does not.
    pub fn digest(&self) -> String {
        let carried = (sources(self.profile), BUCKETS, POLICY);
        let different = (&self.profile, &self.overrides, &self.selection, self.design_ports, &self.programs, carried);
        let text = serde_json::to_vec(&different).unwrap_or_default();
        Sha256::digest(text).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }

    /// Where `program` is.
    pub(super) fn program(&self, component: Component, program: Program) -> Result<&Path, SpecError> {
        self.programs.get(&program).map(PathBuf::as_path).ok_or(SpecError::NotBuilt { component, program })
    }

    pub(super) fn save(&self, folder: &Path) -> Result<(), SpecError> {
        let path = folder.join("spec.json");
        let text =
            serde_json::to_vec_pretty(self).map_err(|source| SpecError::Malformed { path: path.clone(), source })?;
        fs::write(&path, text).map_err(|source| SpecError::File { path, source })
    }

    /// The specification that a starter left in `folder` for the supervisor.
    pub fn load(folder: &Path) -> Result<Self, SpecError> {
        let path = folder.join("spec.json");
        let text = fs::read(&path).map_err(|source| SpecError::File { path: path.clone(), source })?;
        serde_json::from_slice(&text).map_err(|source| SpecError::Malformed { path, source })
    }

    /// Versions of the components, as pinned.
    pub(super) fn versions(&self) -> BTreeMap<Component, &'static str> {
        self.selection.components().into_iter().map(|component| (component, Program::of(component).version())).collect()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn everything() -> StackSpec {
        StackSpec {
            profile: Profile::Fast,
            overrides: Vec::new(),
            selection: Selection::ALL,
            design_ports: false,
            linger: Linger::UntilDown,
            programs: Program::ALL.into_iter().map(|program| (program, PathBuf::from(program.name()))).collect(),
        }
    }

    #[test]
    fn what_makes_stacks_differ_is_in_the_digest_and_nothing_else() {
        let spec = everything();
        let digest = spec.digest();
        assert_eq!(digest.len(), 16);
        let changes: [fn(&mut StackSpec); 5] = [
            |spec| spec.profile = Profile::Deployed,
            |spec| spec.overrides.push("tempo.target=all".parse().unwrap()),
            |spec| spec.selection.mimir = false,
            |spec| spec.design_ports = true,
            |spec| spec.programs.clear(),
        ];
        for change in changes {
            let mut other = spec.clone();
            change(&mut other);
            assert_ne!(other.digest(), digest, "{other:?}");
        }
        let mut lingering = spec;
        lingering.linger = Linger::After(Duration::from_secs(60));
        assert_eq!(lingering.digest(), digest);
    }

    #[test]
    fn a_specification_survives_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let mut spec = everything();
        spec.overrides.push("loki.ingester.chunk_idle_period=10m".parse().unwrap());
        spec.linger = Linger::After(Duration::from_secs(90));
        spec.save(folder.path()).unwrap();
        assert_eq!(StackSpec::load(folder.path()).unwrap(), spec);
    }

    #[test]
    fn only_what_is_selected_is_started_and_built() {
        let only_mimir = Selection { loki: false, tempo: false, mimir: true, store_reader: true };
        assert_eq!(only_mimir.components(), [Component::Minio, Component::Mimir]);
        assert_eq!(only_mimir.programs(), [Program::Minio, Program::Mc, Program::Mimir]);
        assert_eq!(Selection::ALL.components(), Component::ALL);
    }
}
