use async_trait::async_trait;

use super::PortError;
use crate::tree::Tree;

/// What came of decrypting a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decrypted {
    /// The text, with its authentication code verified.
    Text(String),
    /// It was refused, and why.
    Refused(String),
}

/// What the stack is deployed from: files, or the objects that were made of them. Targets without either say [`PortError::Unsupported`].
#[async_trait]
pub trait Deployment: Send + Sync {
    /// All of it.
    async fn tree(&self) -> Result<Tree, PortError>;

    /// Decrypts the text of a file, with the key that the target knows or without any. [`PortError::Unsupported`]: the program that does it is
    /// not there, or no key is known.
    async fn decrypt(&self, text: &str, with_key: bool) -> Result<Decrypted, PortError>;
}

/// A target that knows nothing of it.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoDeployment;

#[async_trait]
impl Deployment for NoDeployment {
    async fn tree(&self) -> Result<Tree, PortError> {
        Err(PortError::Unsupported { reason: "what the stack is deployed from is not at hand".to_owned() })
    }

    async fn decrypt(&self, _: &str, _: bool) -> Result<Decrypted, PortError> {
        Err(PortError::Unsupported { reason: "what the stack is deployed from is not at hand".to_owned() })
    }
}
