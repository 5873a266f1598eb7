use std::collections::{BTreeMap, BTreeSet};

use super::{
    Cell, Column, MATRIX_SCHEMA, Matrix, MatrixClause, MatrixCriterion, MatrixRun, MatrixStatus, OtherVerdict,
};
use crate::{
    catalogue::{Catalogue, Clause, ClauseId, Criterion, CriterionId, Level, Target},
    record::RunRecord,
    report::{
        ClauseReport, Report, Summary,
        model::{DEPLOYED, UNDEFINED, gather},
    },
    verdict::Verdict,
};

/// A run to be merged with others.
#[derive(Debug, Clone, Default)]
pub struct Source {
    /// What to call it where its record does not say.
    pub name: String,
    /// What its record says; where it cannot be read, as much as is known otherwise.
    pub record: RunRecord,
    /// Why its record cannot be read.
    pub problem: Option<String>,
}

/// What several columns come to for one clause: the first of these that one of them has.
const STRONGEST_FIRST: [Verdict; 6] =
    [Verdict::Fail, Verdict::Pass, Verdict::Inconclusive, Verdict::Blocked, Verdict::NotRun, Verdict::NotApplicable];

impl Matrix {
    /// Merges the reports of several runs, whatever their order. `covered` tells which clauses some scenario
    /// decides on a target. A run that
    /// occurs twice counts once: a record only grows, so the longer one has all that the other has.
    pub fn of_runs(catalogue: &Catalogue, covered: impl Fn(Target) -> BTreeSet<ClauseId>, sources: &[Source]) -> Self {
        let anywhere: BTreeSet<ClauseId> = Target::ALL.into_iter().flat_map(&covered).collect();
        let mut longest: BTreeMap<&str, &Source> = BTreeMap::new();
        for source in sources {
            let known = longest.entry(source.id()).or_insert(source);
            if source.length() > known.length() {
                *known = source;
            }
        }
        let mut sources: Vec<&Source> = longest.into_values().collect();
        sources.sort_by_key(|source| (source.started(), source.id()));

        let mut grouped: BTreeMap<(Target, Timers<'_>), Vec<&Source>> = BTreeMap::new();
        for source in &sources {
            if let Some(run) = &source.record.run {
                let profile = run.target.has_timers().then_some(run.profile.as_str());
                grouped.entry((run.target, Timers::of(profile))).or_default().push(source);
            }
        }
        let columns: Vec<(Column, Vec<Told>)> = grouped
            .into_iter()
            .map(|((target, timers), sources)| {
                let told = sources.iter().map(|source| Told::of(catalogue, &covered(target), source, target)).collect();
                (column(target, timers.profile, &sources), told)
            })
            .collect();
        let selected: BTreeSet<&ClauseId> = sources.iter().flat_map(|source| source.selected()).collect();

        let clause = |clause: &Clause| {
            let cells: BTreeMap<String, Cell> =
                columns.iter().map(|(column, told)| (column.id.clone(), cell(&clause.id, told))).collect();
            let verdict =
                STRONGEST_FIRST.into_iter().find(|verdict| cells.values().any(|cell| cell.verdict == *verdict));
            MatrixClause {
                id: clause.id.clone(),
                title: clause.title.clone(),
                verdict: verdict.unwrap_or(Verdict::NotRun),
                selected: selected.contains(&clause.id),
                covered: anywhere.contains(&clause.id),
                cells,
            }
        };
        let mut criteria: Vec<MatrixCriterion> = catalogue
            .criteria
            .iter()
            .map(|criterion| MatrixCriterion {
                id: criterion.id.clone(),
                title: criterion.title.clone(),
                level: criterion.level,
                status: MatrixStatus::Uncovered,
                reason: String::new(),
                clauses: criterion.clauses.iter().map(clause).collect(),
            })
            .collect();
        let columns: Vec<Column> = columns.into_iter().map(|(column, _)| column).collect();
        roll_up(catalogue, &mut criteria, &columns);
        Self {
            schema: MATRIX_SCHEMA.to_owned(),
            runs: sources.into_iter().map(Source::head).collect(),
            columns,
            summary: Summary::of(
                MatrixStatus::ALL.map(MatrixStatus::word),
                criteria.iter().map(|criterion| criterion.status.word()),
                criteria.iter().flat_map(|criterion| &criterion.clauses).map(|clause| clause.verdict),
            ),
            criteria,
        }
    }
}

impl Source {
    fn id(&self) -> &str {
        self.record.run.as_ref().map_or(&self.name, |run| &run.id)
    }

    fn started(&self) -> Option<&str> {
        self.record.run.as_ref().map(|run| run.started.as_str())
    }

    fn selected(&self) -> &[ClauseId] {
        self.record.run.as_ref().map_or(&[], |run| &run.selection.clauses)
    }

    /// How much of the run it has, to be compared with other records of the same run.
    fn length(&self) -> impl Ord {
        (self.problem.is_none(), self.record.whole, self.record.last)
    }

    fn head(&self) -> MatrixRun {
        let run = self.record.run.as_ref();
        MatrixRun {
            id: self.id().to_owned(),
            target: run.map(|run| run.target),
            profile: run.map(|run| run.profile.clone()),
            started: run.map(|run| run.started.clone()),
            complete: self.record.whole && self.problem.is_none(),
            problem: self.problem.clone(),
            filters: run.map(|run| run.selection.filters.clone()).unwrap_or_default(),
            changes: run.map(|run| run.changes.clone()).unwrap_or_default(),
            stack: run.map(|run| run.stack.clone()).unwrap_or_default(),
        }
    }
}

/// A profile in the order of columns: the deployment's last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Timers<'a> {
    deployed: bool,
    profile: Option<&'a str>,
}

impl<'a> Timers<'a> {
    fn of(profile: Option<&'a str>) -> Self {
        Self { deployed: profile == Some(DEPLOYED), profile }
    }
}

fn column(target: Target, profile: Option<&str>, sources: &[&Source]) -> Column {
    Column {
        id: profile.map_or_else(|| target.to_string(), |profile| format!("{target}/{profile}")),
        target,
        profile: profile.map(str::to_owned),
        runs: sources.iter().map(|source| source.id().to_owned()).collect(),
    }
}

/// What one run said of each clause.
struct Told {
    run: String,
    clauses: BTreeMap<ClauseId, ClauseReport>,
}

impl Told {
    fn of(catalogue: &Catalogue, covered: &BTreeSet<ClauseId>, source: &Source, target: Target) -> Self {
        let report = Report::of_run(catalogue, covered, &source.record, target);
        let clauses = report.criteria.into_iter().flat_map(|criterion| criterion.clauses);
        Self { run: source.id().to_owned(), clauses: clauses.map(|clause| (clause.id.clone(), clause)).collect() }
    }
}

/// What the runs of one column, oldest first, come to for one clause. A failure that was seen stays seen. Without one the newest word
/// of the judge counts, and only where the judge never spoke what kept a check from taking place.
fn cell(clause: &ClauseId, runs: &[Told]) -> Cell {
    let told: Vec<(&str, &ClauseReport)> =
        runs.iter().filter_map(|told| Some((told.run.as_str(), told.clauses.get(clause)?))).collect();
    let tried: Vec<(&str, &ClauseReport)> = told.iter().copied().filter(|(_, clause)| clause.was_selected()).collect();
    // Of equals the newest: the last.
    let Some((run, report)) = tried.iter().copied().max_by_key(|(_, clause)| weight(clause.verdict)) else {
        return Cell {
            verdict: told.last().map_or(Verdict::NotRun, |(_, clause)| clause.verdict),
            unstable: false,
            forced: false,
            run: None,
            latency: None,
            findings: Vec::new(),
            others: Vec::new(),
        };
    };
    let was = |verdict| tried.iter().any(|(_, clause)| clause.verdict == verdict);
    Cell {
        verdict: report.verdict,
        unstable: was(Verdict::Pass) && was(Verdict::Fail),
        forced: report.forced,
        run: Some(run.to_owned()),
        latency: report.latency,
        findings: report.findings.clone(),
        others: tried
            .iter()
            .filter(|(other, _)| *other != run)
            .map(|(run, clause)| OtherVerdict { run: (*run).to_owned(), verdict: clause.verdict })
            .collect(),
    }
}

/// Which of two words on one clause in one column counts, whichever is newer.
fn weight(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Fail => 2,
        Verdict::Pass | Verdict::Inconclusive => 1,
        Verdict::Blocked | Verdict::NotApplicable | Verdict::NotRun => 0,
    }
}

/// What a criterion's status hangs on, of one clause.
#[derive(Debug, Clone, Copy)]
struct Standing {
    verdict: Verdict,
    unstable: bool,
    /// Whether it passed with the deployment's timers, or where there are none.
    as_deployed: bool,
    uncovered: bool,
}

impl Standing {
    fn of(clause: &MatrixClause, columns: &[Column]) -> Self {
        let passed_in =
            |column: &Column| clause.cells.get(&column.id).is_some_and(|cell| cell.verdict == Verdict::Pass);
        Self {
            verdict: clause.verdict,
            unstable: clause.cells.values().any(|cell| cell.unstable),
            as_deployed: columns.iter().any(|column| column.is_as_deployed() && passed_in(column)),
            uncovered: clause.is_uncovered(),
        }
    }
}

impl MatrixClause {
    /// Whether no scenario decides it, and none did.
    pub fn is_uncovered(&self) -> bool {
        !self.covered && !self.was_tried()
    }

    /// Whether some run tried it, whatever came of that.
    pub fn was_tried(&self) -> bool {
        self.cells.values().any(|cell| cell.run.is_some())
    }
}

/// Sets every criterion's status from its own clauses and those of the criteria that it includes.
fn roll_up(catalogue: &Catalogue, criteria: &mut [MatrixCriterion], columns: &[Column]) {
    let own: BTreeMap<CriterionId, Vec<Standing>> = criteria
        .iter()
        .map(|criterion| {
            let standings = criterion.clauses.iter().map(|clause| Standing::of(clause, columns)).collect();
            (criterion.id.clone(), standings)
        })
        .collect();
    for (merged, criterion) in criteria.iter_mut().zip(&catalogue.criteria) {
        let mut clauses = Vec::new();
        gather(catalogue, criterion, &own, &mut clauses, &mut BTreeSet::new());
        (merged.status, merged.reason) = status(criterion, &clauses);
    }
}

fn status(criterion: &Criterion, clauses: &[Standing]) -> (MatrixStatus, String) {
    if criterion.level == Level::Undefined {
        return (MatrixStatus::Undefined, UNDEFINED.to_owned());
    }
    let all = clauses.len();
    let count = |wanted: &dyn Fn(&Standing) -> bool| clauses.iter().filter(|clause| wanted(clause)).count();
    let with = |verdict: Verdict| count(&|clause| clause.verdict == verdict && !clause.uncovered);
    let passed = with(Verdict::Pass);
    let of_all = format!("passed {passed} of {all} clauses");
    let failed = with(Verdict::Fail);
    if failed > 0 {
        let unstable = match count(&|clause| clause.unstable) {
            0 => String::new(),
            number => format!(" ({number} unstable)"),
        };
        return (MatrixStatus::Failed, format!("{failed} failed{unstable}; {of_all}"));
    }
    let uncovered = count(&|clause| clause.uncovered);
    if all == 0 {
        return (MatrixStatus::NotVerified, "it has no clauses".to_owned());
    }
    if uncovered == all {
        return (MatrixStatus::Uncovered, format!("no scenario covers any of its {all} clauses"));
    }
    if passed == all {
        return match count(&|clause| !clause.as_deployed) {
            0 => (MatrixStatus::Verified, of_all),
            number => {
                let reserved = format!("{number} of them only with other timers than the deployment's");
                (MatrixStatus::VerifiedFast, format!("{of_all}, {reserved}"))
            }
        };
    }
    let rest: Vec<String> = [
        (with(Verdict::Inconclusive), "inconclusive"),
        (with(Verdict::Blocked), "blocked"),
        (uncovered, "uncovered"),
        (with(Verdict::NotRun), "not run"),
        (with(Verdict::NotApplicable), "not applicable to these targets"),
    ]
    .into_iter()
    .filter(|(number, _)| *number > 0)
    .map(|(number, word)| format!("{number} {word}"))
    .collect();
    (MatrixStatus::NotVerified, format!("{}; {of_all}", rest.join(", ")))
}
