use std::collections::{BTreeMap, BTreeSet};

use super::{Cell, Column, Matrix, MatrixRun, MatrixStatus};
use crate::{
    report::words::{count, stack},
    verdict::{Latency, Verdict},
};

/// `1 verified, 0 verified (fast), 1 failed, …`.
pub(super) fn criterion_counts(matrix: &Matrix) -> String {
    let counts = MatrixStatus::ALL
        .map(|status| format!("{} {}", count(&matrix.summary.criteria, status.word()), status.words()));
    counts.join(", ")
}

/// The stacks' versions; where runs differ, all of a component's: `loki 3.5.1 and 3.6.0, tempo 2.8.2`.
pub(super) fn stacks(matrix: &Matrix) -> String {
    let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (component, version) in matrix.runs.iter().flat_map(|run| &run.stack) {
        versions.entry(component).or_default().insert(version);
    }
    let told = versions
        .into_iter()
        .map(|(component, versions)| (component.to_owned(), versions.into_iter().collect::<Vec<_>>().join(" and ")));
    stack(&told.collect())
}

/// The column of a run; a record that does not say where it was made has none.
pub(super) fn column_of<'a>(matrix: &'a Matrix, run: &MatrixRun) -> Option<&'a Column> {
    matrix.columns.iter().find(|column| column.runs.contains(&run.id))
}

/// `complete`, or what is missing from a run's record.
pub(super) fn completeness(run: &MatrixRun) -> String {
    match &run.problem {
        Some(problem) => format!("incomplete: {problem}"),
        None if run.complete => "complete".to_owned(),
        None => "incomplete: not everything came to its end".to_owned(),
    }
}

/// The latency, where a look said yes or the wait for it is itself one.
pub(super) fn measured(cell: &Cell) -> Option<&Latency> {
    cell.latency.as_ref().filter(|latency| latency.upper_s.is_some() || latency.lower_s > 0.0)
}

/// `unstable: pass in r1, fail in r2`: what each run that tried said, oldest first, where they did not say the same.
pub(super) fn dispute(matrix: &Matrix, cell: &Cell) -> Option<String> {
    let run = cell.run.as_deref().filter(|_| cell.is_disputed())?;
    let others = cell.others.iter().map(|other| (other.run.as_str(), other.verdict));
    let said: BTreeMap<&str, Verdict> = others.chain([(run, cell.verdict)]).collect();
    let told: Vec<String> = matrix
        .runs
        .iter()
        .filter_map(|run| Some(format!("{} in {}", said.get(run.id.as_str())?.word().replace('_', " "), run.id)))
        .collect();
    let heading = if cell.unstable { "unstable" } else { "runs differ" };
    Some(format!("{heading}: {}", told.join(", ")))
}

/// `1 uncovered, 2 not selected, 3 not applicable to these targets`: why nobody tried a clause.
pub(super) fn not_tried(matrix: &Matrix) -> String {
    let untried = || matrix.clauses().filter(|clause| !clause.was_tried());
    let beyond = untried().filter(|clause| clause.verdict == Verdict::NotApplicable).count();
    let uncovered =
        untried().filter(|clause| clause.is_uncovered() && clause.verdict != Verdict::NotApplicable).count();
    let left_out = untried().count() - uncovered - beyond;
    format!("{uncovered} uncovered, {left_out} not selected, {beyond} not applicable to these targets")
}
