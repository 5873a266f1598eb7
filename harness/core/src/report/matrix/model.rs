use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    catalogue::{ClauseId, CriterionId, Level, Target},
    report::{Summary, model::DEPLOYED},
    verdict::{Finding, Latency, Verdict},
};

/// Name and version of the matrix's schema.
pub const MATRIX_SCHEMA: &str = "lgtm-verify-matrix/1";

/// Everything that several runs say together. This is the JSON matrix, field by field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Matrix {
    /// [`MATRIX_SCHEMA`].
    pub schema: String,
    /// The runs, oldest first, each once.
    pub runs: Vec<MatrixRun>,
    /// Where they ran: the target with the least machinery first, the timers of the deployment last.
    pub columns: Vec<Column>,
    /// The criteria, in the catalogue's order.
    pub criteria: Vec<MatrixCriterion>,
    /// How many of each.
    pub summary: Summary,
}

/// One of the runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MatrixRun {
    /// Its id; the name of its folder where the record does not say.
    pub id: String,
    /// Where its stack was, where that is known.
    pub target: Option<Target>,
    /// The stack's timers, where they are known.
    pub profile: Option<String>,
    /// RFC 3339, where it is known.
    pub started: Option<String>,
    /// Whether every scenario came to its end and was recorded.
    pub complete: bool,
    /// Why its record could not be read.
    pub problem: Option<String>,
    /// The filters in force; empty for everything.
    pub filters: Vec<String>,
    /// How the stack and the way to it were changed for this run; empty for the stack as it is.
    pub changes: Vec<String>,
    /// Component to version.
    pub stack: BTreeMap<String, String>,
}

/// A target under one profile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// `local/fast`; `tree` where nothing runs that has timers.
    pub id: String,
    /// Where the stack is.
    pub target: Target,
    /// Its timers; `None` where nothing runs that has any.
    pub profile: Option<String>,
    /// The runs, oldest first.
    pub runs: Vec<String>,
}

impl Column {
    /// Whether a pass here holds for the deployment's timers.
    pub fn is_as_deployed(&self) -> bool {
        self.profile.as_deref().is_none_or(|profile| profile == DEPLOYED)
    }
}

/// What one criterion comes to over all columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MatrixStatus {
    /// Every clause passed where the timers are those of the deployment, or where there are none.
    Verified,
    /// Every clause passed, at least one of them only with other timers than those of the deployment.
    VerifiedFast,
    /// At least one clause failed somewhere.
    Failed,
    /// None failed, but not every clause passed somewhere.
    NotVerified,
    /// The design numbers it and defines it nowhere.
    Undefined,
    /// No scenario covers any of its clauses.
    Uncovered,
}

impl MatrixStatus {
    /// Every status, in the order in which reports list them.
    pub const ALL: [Self; 6] =
        [Self::Verified, Self::VerifiedFast, Self::Failed, Self::NotVerified, Self::Uncovered, Self::Undefined];

    /// The word used in the JSON matrix.
    pub fn word(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::VerifiedFast => "verified_fast",
            Self::Failed => "failed",
            Self::NotVerified => "not_verified",
            Self::Undefined => "undefined",
            Self::Uncovered => "uncovered",
        }
    }

    /// The words for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::VerifiedFast => "verified (fast)",
            Self::NotVerified => "not verified",
            Self::Verified | Self::Failed | Self::Undefined | Self::Uncovered => self.word(),
        }
    }
}

/// One criterion.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MatrixCriterion {
    /// Its id.
    pub id: CriterionId,
    /// Its title.
    pub title: String,
    /// How strongly the design demands it.
    pub level: Level,
    /// What it comes to over all columns.
    pub status: MatrixStatus,
    /// Why, and of how many clauses how many passed.
    pub reason: String,
    /// Its own clauses.
    pub clauses: Vec<MatrixClause>,
}

/// One clause.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MatrixClause {
    /// Its id.
    pub id: ClauseId,
    /// Its title.
    pub title: String,
    /// What it comes to over all columns: a fail anywhere, else a pass anywhere, else the nearest to one.
    pub verdict: Verdict,
    /// Whether a run was asked for it.
    pub selected: bool,
    /// Whether a scenario decides it.
    pub covered: bool,
    /// What it comes to in each column, by the column's id.
    pub cells: BTreeMap<String, Cell>,
}

/// One clause in one column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// What it comes to; a fail where runs disagree.
    pub verdict: Verdict,
    /// Whether it passed in one run of this column and failed in another.
    pub unstable: bool,
    /// Whether persistence was brought about by a flush, shutdown or restart call.
    pub forced: bool,
    /// The run whose word this is; `None` where none tried.
    pub run: Option<String>,
    /// The latency, where records were waited for.
    pub latency: Option<Latency>,
    /// Why, where it was tried and is not a plain pass.
    pub findings: Vec<Finding>,
    /// The other runs of this column that tried, oldest first.
    pub others: Vec<OtherVerdict>,
}

impl Cell {
    /// Whether what people should read about it is more than its verdict.
    pub fn is_problem(&self) -> bool {
        self.run.is_some() && self.verdict != Verdict::Pass
    }

    /// Whether the runs that tried came to different verdicts.
    pub fn is_disputed(&self) -> bool {
        self.others.iter().any(|other| other.verdict != self.verdict)
    }
}

/// What another run said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OtherVerdict {
    /// The run.
    pub run: String,
    /// Its word.
    pub verdict: Verdict,
}

impl Matrix {
    /// The matrix as JSON, indented, with a final line break.
    ///
    /// # Errors
    /// None that a matrix can cause: its types have string keys only.
    pub fn to_json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }

    /// Every clause.
    pub fn clauses(&self) -> impl Iterator<Item = &MatrixClause> {
        self.criteria.iter().flat_map(|criterion| &criterion.clauses)
    }
}
