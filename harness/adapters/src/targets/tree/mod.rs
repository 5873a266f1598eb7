//! The deployment's files alone: nothing runs, and nothing can be sent or asked. Must not know what the files should say.

mod no_stack;

pub use no_stack::NoStack;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use async_trait::async_trait;
use harness_core::{
    ports::{Decrypted, Deployment, PortError},
    tree::{Files, Tree, is_yaml},
};
use thiserror::Error;

use crate::process::{Group, alone};

/// Decrypts what SOPS has encrypted.
const SOPS: &str = "sops";

/// Where SOPS looks for age keys.
const KEY_VARIABLE: &str = "SOPS_AGE_KEY_FILE";

/// The key that lies in a tree for tests.
const TEST_KEY: &str = "test-age.key";

/// Bytes of a file that is read, at most: a tree is written by hand.
const FILE_CEILING: u64 = 4 << 20;

/// Why there is no tree.
#[derive(Debug, Error)]
pub enum TreeError {
    /// A file or folder.
    #[error("{path}")]
    File {
        /// The file.
        path: PathBuf,
        /// What happened to it.
        source: io::Error,
    },
    /// Nothing in it.
    #[error("{path}: no file of YAML below it")]
    Empty {
        /// The folder.
        path: PathBuf,
    },
    /// Not what a hand writes.
    #[error("{path}: {bytes} bytes, more than the {FILE_CEILING} that a file of a tree may have")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// How large.
        bytes: u64,
    },
}

/// A folder with the tree.
#[derive(Debug, Clone)]
pub struct TreeFolder {
    tree: Tree,
    for_tests: Option<PathBuf>,
    key: Option<PathBuf>,
}

impl TreeFolder {
    /// Reads everything below `path` that is text. Secrets stay closed.
    pub fn read(path: &Path) -> Result<Self, TreeError> {
        let mut files = Files::new();
        let mut folders = vec![path.to_owned()];
        while let Some(folder) = folders.pop() {
            let failed = |source| TreeError::File { path: folder.clone(), source };
            for entry in fs::read_dir(&folder).map_err(failed)? {
                let entry = entry.map_err(failed)?;
                let inside = entry.path();
                let failed = |source| TreeError::File { path: inside.clone(), source };
                let metadata = fs::symlink_metadata(&inside).map_err(failed)?;
                if metadata.is_dir() && entry.file_name() != ".git" {
                    folders.push(inside);
                } else if metadata.is_file() {
                    if metadata.len() > FILE_CEILING {
                        return Err(TreeError::TooLarge { path: inside, bytes: metadata.len() });
                    }
                    let bytes = fs::read(&inside).map_err(failed)?;
                    let name = inside.strip_prefix(path).unwrap_or(&inside).display().to_string();
                    // What is no text has no object in it.
                    files.extend(String::from_utf8(bytes).ok().map(|text| (name, text)));
                }
            }
        }
        if !files.keys().any(|file| is_yaml(file)) {
            return Err(TreeError::Empty { path: path.to_owned() });
        }
        Ok(Self {
            tree: Tree::read(files),
            for_tests: Some(path.join(TEST_KEY)).filter(|key| key.is_file()),
            key: None,
        })
    }

    /// The key that the tree has for tests, where it has one.
    pub fn key_for_tests(&self) -> Option<PathBuf> {
        self.for_tests.clone()
    }

    /// The same, its secrets opened with the age key in this file.
    #[must_use]
    pub fn opened_by(self, key: Option<PathBuf>) -> Self {
        Self { key, ..self }
    }
}

#[async_trait]
impl Deployment for TreeFolder {
    async fn tree(&self) -> Result<Tree, PortError> {
        Ok(self.tree.clone())
    }

    async fn decrypt(&self, text: &str, with_key: bool) -> Result<Decrypted, PortError> {
        let unsupported = |reason: String| PortError::Unsupported { reason };
        let Some(key) = self.key.clone() else {
            return Err(unsupported("no age key for the secrets is known: --age-key names one".to_owned()));
        };
        let folder = tempfile::tempdir().map_err(|error| unsupported(format!("a folder for {SOPS}: {error}")))?;
        let file = folder.path().join("secret.sops.yaml");
        fs::write(&file, text).map_err(|error| unsupported(format!("{}: {error}", file.display())))?;
        let home = folder.path().to_owned();
        let decrypting = move || async move {
            let mut command = Group::apart(&[SOPS.into(), "decrypt".into(), file.into()], &home);
            if with_key {
                command.env(KEY_VARIABLE, key);
            }
            Group::heard(&mut command).await
        };
        let output = alone(decrypting).await.map_err(unsupported)?;
        let errors = String::from_utf8_lossy(&output.stderr);
        match output.status.code() {
            Some(0) => Ok(Decrypted::Text(String::from_utf8_lossy(&output.stdout).into_owned())),
            // What a shell says of a program that it does not find.
            Some(127) => Err(unsupported(format!("{SOPS} is not in PATH"))),
            _ => Ok(Decrypted::Refused(
                errors.lines().find(|line| !line.trim().is_empty()).unwrap_or_default().trim().to_owned(),
            )),
        }
    }
}
