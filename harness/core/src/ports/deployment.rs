use async_trait::async_trait;

use super::PortError;
use crate::tree::Files;

/// What came of decrypting a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decrypted {
    /// The text, with its authentication code verified.
    Text(String),
    /// It was refused, and why.
    Refused(String),
}

/// The files that the stack is deployed from. Targets without them say [`PortError::Unsupported`].
#[async_trait]
pub trait Deployment: Send + Sync {
    /// Every file of the tree, by its path below it.
    async fn files(&self) -> Result<Files, PortError>;

    /// Decrypts the text of a file, with the key that the target knows or without any. [`PortError::Unsupported`]: the program that does it is
    /// not there, or no key is known.
    async fn decrypt(&self, text: &str, with_key: bool) -> Result<Decrypted, PortError>;
}

/// A target that has no files.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoDeployment;

#[async_trait]
impl Deployment for NoDeployment {
    async fn files(&self) -> Result<Files, PortError> {
        Err(PortError::Unsupported { reason: "the files of the deployment are not at hand".to_owned() })
    }

    async fn decrypt(&self, _: &str, _: bool) -> Result<Decrypted, PortError> {
        Err(PortError::Unsupported { reason: "the files of the deployment are not at hand".to_owned() })
    }
}
