use thiserror::Error;

/// Why an object is not what it should be: which object, where, what was expected and what was found.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
#[error("{object}: at byte {offset}: expected {expected}, found {found}")]
pub struct FormatError {
    /// Bucket/key or path of the object.
    pub object: String,
    /// Bytes from the start of the object, or of the decompressed part that `expected` names.
    pub offset: u64,
    /// What the format asks for there.
    pub expected: String,
    /// What stands there.
    pub found: String,
}

impl FormatError {
    /// An error at `offset` of `object`.
    pub fn new(object: &str, offset: usize, expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self { object: object.to_owned(), offset: offset as u64, expected: expected.into(), found: found.into() }
    }
}
