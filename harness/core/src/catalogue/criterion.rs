use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

use super::{ClauseId, CriterionId, FindingId, Level, Reference, Target};

/// A line of a file of the catalogue, or the place of a scenario.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Location {
    /// The file, as it was given.
    pub file: String,
    /// The line, counted from 1.
    pub line: usize,
}

impl Location {
    /// Line `line` of `file`.
    pub fn new(file: &str, line: usize) -> Self {
        Self { file: file.to_owned(), line }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// Where the design says it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The document's name.
    pub document: String,
    /// Its lines, counted from 1, the one that says most first. Never empty.
    pub lines: Vec<u32>,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.document)?;
        self.lines.iter().try_for_each(|line| write!(f, " {line}"))
    }
}

/// Something the design asks for: an acceptance criterion, requirement, quality, decision or row of its API matrix.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Criterion {
    /// Its id.
    pub id: CriterionId,
    /// Counts the changes of its meaning, from 1.
    pub revision: u32,
    /// One line.
    pub title: String,
    /// How binding it is.
    pub level: Level,
    /// Where the design says it.
    pub source: Source,
    /// The criteria that it serves.
    pub requirements: Vec<CriterionId>,
    /// The criteria whose statuses make up its own, beside its own clauses.
    pub includes: Vec<CriterionId>,
    /// Markdown, one or more paragraphs.
    pub text: String,
    /// What decides it, in the order of the file. Empty where it only includes others, and where it is undefined.
    pub clauses: Vec<Clause>,
    /// Where its heading stands.
    pub location: Location,
}

/// The smallest statement that one check decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clause {
    /// Its id; also the trial's name.
    pub id: ClauseId,
    /// Counts the changes of its meaning, from 1.
    pub revision: u32,
    /// One line.
    pub title: String,
    /// The targets that can show it, in the order of [`Target::ALL`].
    pub targets: Vec<Target>,
    /// The time within which it must be seen, where the design sets one. In JSON humantime text.
    #[serde(with = "bound_text", default)]
    pub bound: Option<Duration>,
    /// Markdown: what must be seen, and what must have been seen to fail.
    pub text: String,
    /// Where its heading stands.
    pub location: Location,
}

impl Clause {
    /// Whether `target` can show it.
    pub fn applies_to(&self, target: Target) -> bool {
        self.targets.contains(&target)
    }
}

/// A place where the design contradicts itself or the programs that it names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DesignFinding {
    /// Its id.
    pub id: FindingId,
    /// One line.
    pub title: String,
    /// Where the design says what does not hold.
    pub source: Source,
    /// What it bears upon.
    pub related: Vec<Reference>,
    /// Markdown, one or more paragraphs.
    pub text: String,
    /// Where its heading stands.
    pub location: Location,
}

/// A bound as humantime text.
mod bound_text {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    pub fn serialize<S: Serializer>(bound: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
        bound.map(|bound| humantime::format_duration(bound).to_string()).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
        Option::<String>::deserialize(deserializer)?
            .map(|text| {
                humantime::parse_duration(&text).map_err(|error| D::Error::custom(format!("{text:?}: {error}")))
            })
            .transpose()
    }
}
