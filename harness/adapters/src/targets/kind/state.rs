use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::KindError;
use crate::targets::{
    blueprint::{ImageSource, Profile, remove_folder},
    local::Folders,
};

/// What is known about the cluster that was made here: `kind/cluster.json` below the folder of states.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterState {
    /// Its name, as kind knows it.
    pub name: String,
    /// The id of the node's container; none until the cluster has been made.
    pub node: Option<String>,
    /// The UID of its namespace kube-system: another cluster has another.
    pub uid: Option<String>,
    /// The stack's timers.
    pub profile: Profile,
    /// Where its images came from.
    pub images: ImageSource,
    /// The image of this harness in it.
    pub harness_image: String,
    /// Component to version.
    pub versions: BTreeMap<String, String>,
}

/// The folder of the cluster's state.
pub(super) fn folder(folders: &Folders) -> PathBuf {
    folders.stack.join("kind")
}

/// The cluster's own kubeconfig.
pub(super) fn kubeconfig(folders: &Folders) -> PathBuf {
    folder(folders).join("kubeconfig")
}

fn file(folders: &Folders) -> PathBuf {
    folder(folders).join("cluster.json")
}

fn file_error(path: &Path, source: io::Error) -> KindError {
    KindError::File { path: path.to_owned(), source }
}

impl ClusterState {
    /// The state below `folders`; `None` where no cluster was made.
    pub(super) fn load(folders: &Folders) -> Result<Option<Self>, KindError> {
        let path = file(folders);
        match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).map(Some).map_err(|source| KindError::Malformed { path, source }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(file_error(&path, source)),
        }
    }

    /// Replaces the file in one step.
    pub(super) fn save(&self, folders: &Folders) -> Result<(), KindError> {
        let path = file(folders);
        let folder = folder(folders);
        fs::create_dir_all(&folder).map_err(|source| file_error(&folder, source))?;
        let new = folder.join("cluster.json.new");
        let text =
            serde_json::to_vec_pretty(self).map_err(|source| KindError::Malformed { path: path.clone(), source })?;
        fs::write(&new, text).and_then(|()| fs::rename(&new, &path)).map_err(|source| file_error(&path, source))
    }

    /// Removes everything that a cluster left below `folders`.
    pub(super) fn clear(folders: &Folders) -> Result<(), KindError> {
        let folder = folder(folders);
        remove_folder(&folder).map_err(|source| file_error(&folder, source))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_survives_its_file_and_goes_without_a_trace() {
        let place = tempfile::tempdir().unwrap();
        let folders = Folders { cache: place.path().join("cache"), stack: place.path().join("stack") };
        assert_eq!(ClusterState::load(&folders).unwrap(), None);
        let state = ClusterState {
            name: "one".to_owned(),
            node: None,
            uid: Some("u".to_owned()),
            profile: Profile::Deployed,
            images: ImageSource::Built,
            harness_image: "lgtm-verify/lgtm-verify:1".to_owned(),
            versions: BTreeMap::from([("loki-write".to_owned(), "v3".to_owned())]),
        };
        state.save(&folders).unwrap();
        assert_eq!(ClusterState::load(&folders).unwrap(), Some(state));
        fs::write(file(&folders), "{").unwrap();
        assert!(matches!(ClusterState::load(&folders), Err(KindError::Malformed { .. })));
        ClusterState::clear(&folders).unwrap();
        ClusterState::clear(&folders).unwrap();
        assert!(!folder(&folders).exists());
    }
}
