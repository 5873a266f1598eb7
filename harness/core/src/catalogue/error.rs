use thiserror::Error;

use super::Location;

/// One thing that is wrong with the catalogue, and where.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
#[error("{location}: {kind}")]
pub struct CatalogueError {
    /// The line to change.
    pub location: Location,
    /// What is wrong there.
    pub kind: CatalogueErrorKind,
}

impl CatalogueError {
    /// `kind` at `location`.
    pub fn new(location: &Location, kind: CatalogueErrorKind) -> Self {
        Self { location: location.clone(), kind }
    }
}

/// What can be wrong with the catalogue, its lock, or what scenarios say of it.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum CatalogueErrorKind {
    /// A heading that cannot be read.
    #[error("malformed heading {heading:?}: {reason}")]
    MalformedHeading {
        /// The line.
        heading: String,
        /// What is expected there.
        reason: String,
    },
    /// Revisions count from 1.
    #[error("{id} has revision 0, revisions begin with 1")]
    RevisionZero {
        /// Criterion or clause.
        id: String,
    },
    /// The same id twice.
    #[error("{id} stands already at {first}")]
    DuplicateId {
        /// Criterion, clause or finding.
        id: String,
        /// Where it stands first.
        first: Location,
    },
    /// A clause below a heading that is not its criterion's.
    #[error("clause {clause} does not stand below its criterion {criterion}")]
    ClauseOutside {
        /// The clause.
        clause: String,
        /// Where it belongs.
        criterion: String,
    },
    /// A list item at the head of an entry that is no attribute.
    #[error("malformed attribute {line:?}, expected \"- key: value\"; a text must not begin with a list")]
    MalformedAttribute {
        /// The line.
        line: String,
    },
    /// A key that entries of this kind do not have.
    #[error("unknown attribute {key:?} of a {of}, did you mean {nearest:?}?")]
    UnknownAttribute {
        /// The key.
        key: String,
        /// Criterion, clause or design finding.
        of: &'static str,
        /// The nearest key that such an entry has.
        nearest: &'static str,
    },
    /// A known key below the beginning of the text, where it would be read as text.
    #[error("attribute {key:?} stands behind the beginning of the text, move it up to the heading")]
    LateAttribute {
        /// The key.
        key: String,
    },
    /// The same key twice.
    #[error("attribute {key:?} is given twice")]
    RepeatedAttribute {
        /// The key.
        key: String,
    },
    /// A value that cannot be read.
    #[error("attribute {key:?}: {reason}, found {value:?}")]
    BadValue {
        /// The key.
        key: String,
        /// The value.
        value: String,
        /// What is expected.
        reason: String,
    },
    /// A key without which an entry says too little.
    #[error("{id} has no attribute {key:?}")]
    MissingAttribute {
        /// Criterion, clause or finding.
        id: String,
        /// The key.
        key: &'static str,
    },
    /// A heading with nothing below it.
    #[error("{id} has no text")]
    EmptyText {
        /// Criterion, clause or finding.
        id: String,
    },
    /// An id that stands nowhere.
    #[error("{by} refers to {id}, which the catalogue does not have{}", meant(nearest))]
    UnknownReference {
        /// Who refers.
        by: String,
        /// What to.
        id: String,
        /// The nearest id that exists.
        nearest: Option<String>,
    },
    /// Inclusion that never ends.
    #[error("{id} includes itself: {path}")]
    IncludesItself {
        /// The criterion.
        id: String,
        /// The way round.
        path: String,
    },
    /// A criterion that nothing could ever verify.
    #[error("{id} has neither clauses nor included criteria, so nothing can decide it")]
    NothingToDecide {
        /// The criterion.
        id: String,
    },
    /// An undefined criterion with a meaning after all.
    #[error("{id} is undefined and cannot have clauses or included criteria")]
    UndefinedDecided {
        /// The criterion.
        id: String,
    },
    /// A line of the lock that cannot be read.
    #[error("malformed line {line:?} in the lock, expected \"ID~REVISION FINGERPRINT\" with 16 hexadecimal digits")]
    MalformedLock {
        /// The line.
        line: String,
    },
    /// The same revision twice in the lock.
    #[error("{id}~{revision} is locked already in line {first}; the lock only grows at its end")]
    RepeatedLock {
        /// Criterion or clause.
        id: String,
        /// Its revision.
        revision: u32,
        /// The first line.
        first: usize,
    },
    /// A meaning changed while its revision stayed.
    #[error(
        "{id} changed under revision {revision} (locked as {locked}, now {found}): raise its revision to ~{}",
        revision.saturating_add(1)
    )]
    ChangedText {
        /// Criterion or clause.
        id: String,
        /// The revision that is locked and stands.
        revision: u32,
        /// The fingerprint that was accepted.
        locked: String,
        /// The fingerprint of what stands there now.
        found: String,
    },
    /// A revision below one that was accepted.
    #[error("{id} has revision {revision}, but revision {highest} was accepted already: revisions only rise")]
    RevisionBack {
        /// Criterion or clause.
        id: String,
        /// The revision that stands.
        revision: u32,
        /// The highest one in the lock.
        highest: u32,
    },
    /// Something new that nobody accepted yet.
    #[error("{id}~{revision} is not in the lock: read it, then accept it with `lgtm-verify list --accept`")]
    NotAccepted {
        /// Criterion or clause.
        id: String,
        /// Its revision.
        revision: u32,
    },
    /// A scenario that covers what does not exist.
    #[error("scenario {scenario} covers {clause}, which the catalogue does not have{}", meant(nearest))]
    UnknownClause {
        /// The scenario.
        scenario: String,
        /// The clause.
        clause: String,
        /// The nearest clause that exists.
        nearest: Option<String>,
    },
    /// A scenario that decides what nobody defined.
    #[error("scenario {scenario} covers {clause}, but {criterion} is undefined: nothing can decide it")]
    UndefinedCovered {
        /// The scenario.
        scenario: String,
        /// The clause.
        clause: String,
        /// Its criterion.
        criterion: String,
    },
}

fn meant(nearest: &Option<String>) -> String {
    nearest.as_ref().map_or_else(String::new, |id| format!(", did you mean {id}?"))
}
