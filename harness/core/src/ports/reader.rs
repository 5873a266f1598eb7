use std::fmt;

use serde::{Deserialize, Serialize};

/// A program of others that reads from the stack in the harness' place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reader {
    /// curl, for every API over HTTP.
    Curl,
    /// MinIO's client, for S3.
    Mc,
}

impl fmt::Display for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Curl => "curl",
            Self::Mc => "mc",
        })
    }
}

/// What a reader listed in a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The keys.
    pub keys: Vec<String>,
    /// The program with its version, and what it was asked.
    pub call: String,
}
