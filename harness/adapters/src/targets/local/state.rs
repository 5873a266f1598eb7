use std::{
    collections::BTreeMap,
    fmt, fs, io,
    path::{Path, PathBuf},
};

use harness_core::ports::Component;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::targets::blueprint::{Override, Profile, Role, is_error};

/// How a component stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Not started yet, or waited for.
    Starting,
    /// Runs and says that it is ready.
    Ready,
    /// Ended although nobody stopped it, or never became ready.
    Failed,
    /// Was stopped.
    Stopped,
}

/// How the stack stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StackPhase {
    /// Some component is neither ready nor failed yet.
    Starting,
    /// Every component is ready or has failed.
    Up,
    /// No stack: what nothing can be done without is missing.
    Failed,
    /// On its way down.
    Stopping,
}

/// How a component ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// `exit code 1`, `signal 9`, or what it was waited for in vain.
    pub how: String,
    /// The last lines of its log, oldest first.
    pub last_lines: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.how)?;
        // The cause first: servers say a good deal more after it.
        if let Some(cause) = self.last_lines.iter().rev().find(|line| is_error(line)) {
            write!(f, ": {cause}")?;
        }
        self.last_lines.iter().try_for_each(|line| write!(f, "\n{line}"))
    }
}

/// One component of a running stack.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ComponentState {
    /// How it stands.
    pub phase: Phase,
    /// Its process, while one runs.
    pub pid: Option<u32>,
    /// Its version, as pinned.
    pub version: String,
    /// Base URL of its own HTTP server: `/ready`, `/config`, `/metrics`.
    pub admin: String,
    /// How it ended, where it ended by itself.
    pub failure: Option<Failure>,
    /// Seconds from its start until it said that it was ready, the last time.
    pub ready_after_s: Option<f64>,
}

/// A running stack, as its supervisor writes it to `state.json` and clients read it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StackState {
    /// How it stands.
    pub phase: StackPhase,
    /// Its timers.
    pub profile: Profile,
    /// Changes to its configuration.
    pub overrides: Vec<Override>,
    /// What makes it differ from other stacks.
    pub spec_digest: String,
    /// The supervisor's process.
    pub supervisor: u32,
    /// Where to reach it, as base URLs.
    pub endpoints: BTreeMap<Role, String>,
    /// Its components.
    pub components: BTreeMap<Component, ComponentState>,
    /// Whose certificate the object store shows, as PEM; `None` where it speaks plain HTTP.
    pub authority: Option<String>,
    /// How long the object store keeps incomplete uploads, as it says itself.
    pub incomplete_upload_expiry: Option<String>,
    /// Why there is none, where [`StackPhase::Failed`].
    pub failure: Option<String>,
}

/// Why a stack's state cannot be read or written.
#[derive(Debug, Error)]
pub enum StateError {
    /// The file.
    #[error("{path}")]
    File {
        /// The file.
        path: PathBuf,
        /// What happened to it.
        source: io::Error,
    },
    /// Not what was written there.
    #[error("{path} is not a stack's state")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

impl StackState {
    /// The URL for `role`, where the stack has it.
    pub fn endpoint(&self, role: Role) -> Option<&str> {
        self.endpoints.get(&role).map(String::as_str)
    }

    /// The components that are not ready, with why.
    pub fn failures(&self) -> impl Iterator<Item = (Component, &Failure)> {
        self.components.iter().filter_map(|(&component, state)| Some((component, state.failure.as_ref()?)))
    }

    pub(super) fn path(folder: &Path) -> PathBuf {
        folder.join("state.json")
    }

    /// The state in `folder`; `None` where there is no stack.
    pub(super) fn load(folder: &Path) -> Result<Option<Self>, StateError> {
        let path = Self::path(folder);
        match fs::read(&path) {
            Ok(text) => {
                serde_json::from_slice(&text).map(Some).map_err(|source| StateError::Malformed { path, source })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(StateError::File { path, source }),
        }
    }

    /// Replaces the file in one step, so that a reader never sees half of it.
    pub(super) fn save(&self, folder: &Path) -> Result<(), StateError> {
        let path = Self::path(folder);
        let new = folder.join("state.json.new");
        let text =
            serde_json::to_vec_pretty(self).map_err(|source| StateError::Malformed { path: path.clone(), source })?;
        fs::write(&new, text).and_then(|()| fs::rename(&new, &path)).map_err(|source| StateError::File { path, source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_survives_its_file() {
        let folder = tempfile::tempdir().unwrap();
        assert!(StackState::load(folder.path()).unwrap().is_none());
        let state = StackState {
            phase: StackPhase::Up,
            profile: Profile::Fast,
            overrides: vec!["tempo.credentials=mimir".parse().unwrap()],
            spec_digest: "0123456789abcdef".into(),
            supervisor: 7,
            endpoints: BTreeMap::from([(Role::S3, "http://127.0.0.1:9000".to_owned())]),
            components: BTreeMap::from([(
                Component::LokiStoreReader,
                ComponentState {
                    phase: Phase::Failed,
                    pid: None,
                    version: "v3".into(),
                    admin: "http://127.0.0.1:1".into(),
                    failure: Some(Failure { how: "exit code 1".into(), last_lines: vec!["x".into()] }),
                    ready_after_s: None,
                },
            )]),
            authority: None,
            incomplete_upload_expiry: None,
            failure: None,
        };
        state.save(folder.path()).unwrap();
        assert_eq!(StackState::load(folder.path()).unwrap(), Some(state));
        fs::write(StackState::path(folder.path()), "{").unwrap();
        assert!(matches!(StackState::load(folder.path()), Err(StateError::Malformed { .. })));
    }
}
