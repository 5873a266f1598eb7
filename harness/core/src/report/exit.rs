use std::collections::BTreeSet;

use super::{Matrix, Report};
use crate::{catalogue::ClauseId, verdict::Verdict};

/// How the program ends. The numbers are an interface: scripts and Jobs read them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum ExitStatus {
    /// Every selected clause that this target can show passed.
    Passed = 0,
    /// A bug of the harness.
    Bug = 1,
    /// The command line makes no sense.
    Usage = 2,
    /// Nothing was selected.
    NothingSelected = 4,
    /// None failed, but some were not verified.
    NotVerified = 5,
    /// Set-up or preflight refused.
    SetUpRefused = 96,
    /// At least one clause failed.
    Failed = 100,
    /// A report or record could not be written.
    NotWritten = 110,
}

impl ExitStatus {
    /// The number.
    pub fn code(self) -> u8 {
        self as u8
    }
}

/// How a run over `selected` ends, by its report. Undefined and not applicable never count.
pub fn exit_status(report: &Report, selected: &BTreeSet<ClauseId>) -> ExitStatus {
    of_verdicts(report.clauses().filter(|clause| selected.contains(&clause.id)).map(|clause| clause.verdict))
}

/// What the verdicts on the selected clauses come to.
fn of_verdicts(selected: impl Iterator<Item = Verdict>) -> ExitStatus {
    let verdicts: Vec<Verdict> = selected.filter(|verdict| *verdict != Verdict::NotApplicable).collect();
    if verdicts.is_empty() {
        ExitStatus::NothingSelected
    } else if verdicts.contains(&Verdict::Fail) {
        ExitStatus::Failed
    } else if verdicts.iter().all(|verdict| *verdict == Verdict::Blocked) {
        ExitStatus::SetUpRefused
    } else if verdicts.iter().all(|verdict| *verdict == Verdict::Pass) {
        ExitStatus::Passed
    } else {
        ExitStatus::NotVerified
    }
}

/// How a report over several runs ends, by what they say together on the clauses that any of them was asked for. A run whose record
/// cannot be read verifies nothing.
pub fn matrix_exit_status(matrix: &Matrix) -> ExitStatus {
    let selected = matrix.clauses().filter(|clause| clause.selected);
    let status = of_verdicts(selected.map(|clause| clause.verdict));
    let is_unread = matrix.runs.iter().any(|run| run.problem.is_some());
    match status {
        ExitStatus::Passed | ExitStatus::NothingSelected if is_unread => ExitStatus::NotVerified,
        status => status,
    }
}
