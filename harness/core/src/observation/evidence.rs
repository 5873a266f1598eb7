use serde::{Deserialize, Serialize};

/// What kind of thing was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EvidenceKind {
    /// A push and its answer.
    Push,
    /// A query and its answer.
    Query,
    /// A listing of a bucket.
    Listing,
    /// An object out of a bucket.
    Object,
    /// The state of a bucket.
    Bucket,
    /// A component's live configuration.
    Configuration,
    /// A component's log.
    Log,
    /// A process or pod that came or went.
    Process,
    /// Something measured; the excerpt says it in words, for reports.
    Measurement,
}

/// One piece of evidence, enough to ask the same again. Fields that do not apply are `null`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// What kind of thing was looked at.
    pub kind: EvidenceKind,
    /// When, RFC 3339, by the harness' wall clock.
    pub at: String,
    /// The request as sent, secrets redacted.
    pub request: Option<String>,
    /// Status of the answer.
    pub status: Option<u16>,
    /// The beginning of the answer, secrets redacted.
    pub excerpt: Option<String>,
    /// SHA-256 of the whole answer, hex; the run folder keeps the body under this name.
    pub body: Option<String>,
    /// `bucket/key` of an object.
    pub object: Option<String>,
    /// The component that answered.
    pub component: Option<String>,
}

impl Evidence {
    /// Evidence of `kind`, nothing else said yet.
    pub fn new(kind: EvidenceKind, unix_ns: i64) -> Self {
        Self {
            kind,
            at: rfc3339(unix_ns),
            request: None,
            status: None,
            excerpt: None,
            body: None,
            object: None,
            component: None,
        }
    }
}

/// Nanoseconds since the Unix epoch as RFC 3339 with milliseconds.
pub fn rfc3339(unix_ns: i64) -> String {
    jiff::Timestamp::from_nanosecond(i128::from(unix_ns))
        .map(|time| format!("{time:.3}"))
        .unwrap_or_else(|_| format!("{unix_ns}ns"))
}
