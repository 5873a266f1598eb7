use thiserror::Error;

use super::super::FormatError;

/// A [`FormatError`] that does not yet know its object: the layers below the entry points see bytes, not names.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("at byte {offset}: expected {expected}, found {found}")]
pub(super) struct Fault {
    /// Bytes from the start of the object, the best known.
    pub offset: usize,
    /// What the format asks for there.
    pub expected: String,
    /// What stands there.
    pub found: String,
}

impl Fault {
    pub fn new(offset: usize, expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self { offset, expected: expected.into(), found: found.into() }
    }

    pub fn of(self, object: &str) -> FormatError {
        FormatError::new(object, self.offset, self.expected, self.found)
    }
}

/// An untrusted integer as a size or position.
pub(super) fn size(value: i64, offset: usize, what: &str) -> Result<usize, Fault> {
    usize::try_from(value).map_err(|_| Fault::new(offset, format!("{what} of at least zero"), value.to_string()))
}
