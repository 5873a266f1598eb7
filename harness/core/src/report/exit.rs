use std::collections::BTreeSet;

use super::Report;
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
    let verdicts: Vec<Verdict> = report
        .clauses()
        .filter(|clause| selected.contains(&clause.id) && clause.verdict != Verdict::NotApplicable)
        .map(|clause| clause.verdict)
        .collect();
    if selected.is_empty() || verdicts.is_empty() {
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
