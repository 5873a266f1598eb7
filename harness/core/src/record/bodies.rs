use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use super::{RecordError, Redactor};
use crate::{
    secret::Searcher,
    verdict::{Bodies, BodyError},
};

/// Bodies by the SHA-256 of their content, one file each. Writing the same body twice keeps one.
#[derive(Debug, Clone)]
pub struct BodyStore {
    folder: PathBuf,
    redactor: Redactor,
}

impl BodyStore {
    /// The bodies of the run in `run_folder`.
    pub fn of_run(run_folder: &Path) -> Self {
        Self { folder: run_folder.join("bodies"), redactor: Redactor::default() }
    }

    /// Takes secrets out of what is kept from now on.
    #[must_use]
    pub fn redacting(mut self, redactor: Redactor) -> Self {
        self.redactor = redactor;
        self
    }

    /// Finds what is taken out of what is kept.
    pub(crate) fn searcher(&self) -> Searcher {
        self.redactor.searcher()
    }

    /// Keeps `body`, without secrets, and returns the hash of what is kept, hex.
    pub fn keep(&self, body: &[u8]) -> Result<String, RecordError> {
        let redacted = self.redactor.redact(body);
        let body = redacted.as_deref().unwrap_or(body);
        let sha256 = hash(body);
        let path = self.path(&sha256);
        if path.exists() {
            return Ok(sha256);
        }
        fs::create_dir_all(&self.folder)
            .map_err(|source| RecordError::io(&self.folder, "create the folder", source))?;
        let partial = self.folder.join(format!("{sha256}.{}.partial", std::process::id()));
        fs::File::create(&partial)
            .and_then(|mut file| file.write_all(body))
            .map_err(|source| RecordError::io(&partial, "write the body", source))?;
        fs::rename(&partial, &path).map_err(|source| RecordError::io(&path, "name the body", source))?;
        Ok(sha256)
    }

    fn path(&self, sha256: &str) -> PathBuf {
        self.folder.join(sha256)
    }
}

impl Bodies for BodyStore {
    fn body(&self, sha256: &str) -> Result<Vec<u8>, BodyError> {
        let told = |reason: String| BodyError { sha256: sha256.to_owned(), reason };
        if sha256.len() != 64 || !sha256.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(told("not a SHA-256".into()));
        }
        let body = fs::read(self.path(sha256)).map_err(|error| told(error.to_string()))?;
        if hash(&body) == sha256 { Ok(body) } else { Err(told("was altered after it was recorded".into())) }
    }
}

fn hash(body: &[u8]) -> String {
    hex::encode(Sha256::digest(body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_kept_once_and_an_altered_one_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let store = BodyStore::of_run(folder.path());
        let sha256 = store.keep(b"body").unwrap();
        assert_eq!(store.keep(b"body").unwrap(), sha256);
        assert_eq!(store.body(&sha256).unwrap(), b"body");
        fs::write(store.path(&sha256), b"bodY").unwrap();
        assert!(store.body(&sha256).unwrap_err().reason.contains("altered"));
        assert!(store.body("../secrets").unwrap_err().reason.contains("not a SHA-256"));
        assert!(store.body(&hash(b"other")).is_err());
    }
}
