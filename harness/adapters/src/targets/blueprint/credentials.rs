use std::{
    collections::BTreeMap,
    fmt, fs, io,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use harness_core::ports::Component;
use rand::{TryRng, rngs::SysRng};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::Program;

/// An S3 access key and its secret. Never shown.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyPair {
    /// The access key id.
    pub access_key_id: String,
    /// The secret.
    pub secret_access_key: String,
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyPair(redacted)")
    }
}

/// The keys of one stack: made for it, kept in `credentials.json` (mode 0600), gone with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credentials {
    /// The object store's own, which open everything: the harness'.
    pub root: KeyPair,
    /// One pair a program, which opens that program's bucket.
    pub programs: BTreeMap<Program, KeyPair>,
}

/// Why there are no keys.
#[derive(Debug, Error)]
pub enum CredentialsError {
    /// The system gave no random bytes.
    #[error("the system gave no random bytes for keys")]
    Random(#[source] rand::rngs::SysError),
    /// The file.
    #[error("{path}")]
    File {
        /// The file.
        path: PathBuf,
        /// What happened to it.
        source: io::Error,
    },
    /// Not what was written there.
    #[error("{path} does not hold a stack's keys")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

impl KeyPair {
    pub(in crate::targets) fn random(name: &str) -> Result<Self, CredentialsError> {
        let hex = |bytes: usize| {
            let mut random = vec![0; bytes];
            SysRng.try_fill_bytes(&mut random).map_err(CredentialsError::Random)?;
            Ok(hex::encode(random))
        };
        // MinIO takes access keys of 3 to 20 characters and secrets of 8 to 40.
        Ok(Self { access_key_id: format!("{name}{}", hex(4)?), secret_access_key: hex(20)? })
    }
}

impl Credentials {
    pub(in crate::targets) fn random() -> Result<Self, CredentialsError> {
        let programs = [Program::Loki, Program::Tempo, Program::Mimir];
        Ok(Self {
            root: KeyPair::random("root")?,
            programs: programs
                .into_iter()
                .map(|program| Ok((program, KeyPair::random(program.name())?)))
                .collect::<Result<_, _>>()?,
        })
    }

    /// The keys of `component`; the object store's own for [`Component::Minio`].
    pub fn of(&self, component: Component) -> &KeyPair {
        self.programs.get(&Program::of(component)).unwrap_or(&self.root)
    }

    /// Every value that must not be shown.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.root).chain(self.programs.values()).map(|pair| pair.secret_access_key.as_str())
    }

    pub(in crate::targets) fn save(&self, folder: &Path) -> Result<(), CredentialsError> {
        let path = folder.join("credentials.json");
        let text =
            serde_json::to_vec(self).map_err(|source| CredentialsError::Malformed { path: path.clone(), source })?;
        write_for_its_user(&path, &text).map_err(|source| CredentialsError::File { path, source })
    }

    /// The keys of the stack in `folder`.
    pub fn load(folder: &Path) -> Result<Self, CredentialsError> {
        let path = folder.join("credentials.json");
        let text = fs::read(&path).map_err(|source| CredentialsError::File { path: path.clone(), source })?;
        serde_json::from_slice(&text).map_err(|source| CredentialsError::Malformed { path, source })
    }
}

/// Writes a file that nobody but its user may read.
pub(in crate::targets) fn write_for_its_user(path: &Path, text: &[u8]) -> io::Result<()> {
    // A file that exists keeps its mode: begin with none.
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::File::options().create_new(true).write(true).mode(0o600).open(path)?.write_all(text)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn keys_are_kept_from_others_and_differ() {
        let folder = tempfile::tempdir().unwrap();
        let credentials = Credentials::random().unwrap();
        credentials.save(folder.path()).unwrap();
        credentials.save(folder.path()).unwrap();
        let mode = fs::metadata(folder.path().join("credentials.json")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(Credentials::load(folder.path()).unwrap(), credentials);
        assert_ne!(credentials.of(Component::Tempo), credentials.of(Component::Mimir));
        assert_eq!(credentials.of(Component::LokiWrite), credentials.of(Component::LokiStoreReader));
        assert_eq!(credentials.of(Component::Minio), &credentials.root);
        assert_ne!(Credentials::random().unwrap(), credentials);
    }

    #[test]
    fn keys_fit_minio_and_are_never_shown() {
        let credentials = Credentials::random().unwrap();
        for secret in credentials.secrets() {
            assert!((8..=40).contains(&secret.len()));
            assert!(!format!("{credentials:?}").contains(secret));
        }
        for pair in credentials.programs.values().chain([&credentials.root]) {
            assert!((3..=20).contains(&pair.access_key_id.len()));
        }
    }
}
