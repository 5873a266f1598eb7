//! The commands that need no stack.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    path::Path,
};

use harness_core::{
    catalogue::{Catalogue, Clause, ClauseId, Criterion, CriterionId, Level},
    record::BodyStore,
    report::{self, ExitStatus, ExpectedVerdict, Report, exit_status},
    scenario::{Filter, Scenario, select},
};
use serde::Serialize;

use super::{
    CliError,
    run::{ReportTarget, compute, load, read_record, write_reports},
};
use crate::criteria;

/// How `list` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListFormat {
    /// A line a clause.
    Text,
    /// One document.
    Json,
}

#[derive(Serialize)]
struct Listing<'a> {
    clauses: Vec<ListedClause<'a>>,
}

#[derive(Serialize)]
struct ListedClause<'a> {
    id: &'a ClauseId,
    title: &'a str,
    level: Level,
    targets: &'a [harness_core::catalogue::Target],
    scenarios: Vec<&'a str>,
}

/// Every clause that `filter` lets through, with its level, its targets and the scenarios that cover it. Nothing is started or
/// asked.
///
/// # Errors
/// Unknown names in the filter, inconsistent criteria.
pub fn list(filter: &Filter, format: ListFormat) -> Result<String, CliError> {
    let (catalogue, scenarios) = load()?;
    let (_, through) = select(filter, &catalogue, &scenarios).map_err(|error| CliError::Usage(error.to_string()))?;
    let covering = covering(&scenarios);
    let mut clauses = Vec::new();
    for criterion in &catalogue.criteria {
        for clause in criterion.clauses.iter().filter(|clause| through.contains(&clause.id)) {
            clauses.push(ListedClause {
                id: &clause.id,
                title: &clause.title,
                level: criterion.level,
                targets: &clause.targets,
                scenarios: covering.get(&clause.id).cloned().unwrap_or_default(),
            });
        }
    }
    match format {
        ListFormat::Json => serde_json::to_string_pretty(&Listing { clauses })
            .map(|text| text + "\n")
            .map_err(|error| CliError::Bug(error.to_string())),
        ListFormat::Text => Ok(listed_text(&catalogue, &clauses)),
    }
}

fn covering(scenarios: &[Scenario]) -> BTreeMap<ClauseId, Vec<&str>> {
    let mut covering: BTreeMap<ClauseId, Vec<&str>> = BTreeMap::new();
    for scenario in scenarios {
        for clause in &scenario.covers {
            covering.entry(clause.clone()).or_default().push(&scenario.name);
        }
    }
    covering
}

fn listed_text(catalogue: &Catalogue, clauses: &[ListedClause<'_>]) -> String {
    let width = clauses.iter().map(|clause| clause.id.as_str().len()).max().unwrap_or(0);
    let mut text = String::new();
    for clause in clauses {
        let scenarios = if clause.scenarios.is_empty() { "uncovered".to_owned() } else { clause.scenarios.join(", ") };
        let _ = writeln!(text, "{:<width$}  {scenarios:<20}  {}", clause.id.as_str(), clause.title);
    }
    let uncovered = clauses.iter().filter(|clause| clause.scenarios.is_empty()).count();
    let undefined = catalogue.criteria.iter().filter(|criterion| criterion.level == Level::Undefined).count();
    let _ = writeln!(
        text,
        "{} clauses, {uncovered} uncovered; {undefined} criteria undefined by the design",
        clauses.len()
    );
    text
}

/// What a criterion or clause asks for, in full.
///
/// # Errors
/// [`CliError::Usage`]: an unknown id, with the nearest known one.
pub fn explain(id: &str) -> Result<String, CliError> {
    let (catalogue, scenarios) = load()?;
    let covering = covering(&scenarios);
    if let Some(clause) = id.parse::<ClauseId>().ok().and_then(|id| catalogue.clause(&id)) {
        return Ok(explained_clause(clause, &covering));
    }
    if let Some(criterion) = id.parse::<CriterionId>().ok().and_then(|id| catalogue.criterion(&id)) {
        return Ok(explained_criterion(criterion, &covering));
    }
    let hint = catalogue.nearest(id).map(|nearest| format!(": did you mean {nearest}?")).unwrap_or_default();
    Err(CliError::Usage(format!("unknown criterion or clause {id:?}{hint}")))
}

fn explained_criterion(criterion: &Criterion, covering: &BTreeMap<ClauseId, Vec<&str>>) -> String {
    let mut text = format!("{} ~{}  {}\n", criterion.id, criterion.revision, criterion.title);
    let _ = writeln!(text, "level {}, {}", criterion.level, criterion.source);
    if !criterion.includes.is_empty() {
        let includes: Vec<&str> = criterion.includes.iter().map(CriterionId::as_str).collect();
        let _ = writeln!(text, "includes {}", includes.join(", "));
    }
    let _ = writeln!(text, "\n{}", criterion.text);
    for clause in &criterion.clauses {
        let _ = write!(text, "\n{}", explained_clause(clause, covering));
    }
    text
}

fn explained_clause(clause: &Clause, covering: &BTreeMap<ClauseId, Vec<&str>>) -> String {
    let mut text = format!("{} ~{}  {}\n", clause.id, clause.revision, clause.title);
    let targets: Vec<&str> = clause.targets.iter().map(|target| target.name()).collect();
    let _ = writeln!(text, "targets {}", targets.join(", "));
    if let Some(bound) = clause.bound {
        let _ = writeln!(text, "bound {}", humantime::format_duration(bound));
    }
    match covering.get(&clause.id) {
        Some(scenarios) => {
            let _ = writeln!(text, "scenario {}", scenarios.join(", "));
        }
        None => text.push_str("uncovered: no scenario decides it\n"),
    }
    let _ = writeln!(text, "\n{}", clause.text);
    text
}

/// The text that the lock of the criteria should have: new revisions appended, no line changed.
///
/// # Errors
/// [`CliError::Usage`]: a text that changed under the same revision.
pub fn accept() -> Result<String, CliError> {
    criteria::accept()
        .map_err(|errors| CliError::Usage(errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")))
}

/// The report of a recorded run, computed anew and written to `extra`, and how the run ended by it.
///
/// # Errors
/// [`CliError::NotWritten`]: no record there, or a report that cannot be written.
pub fn report(run: &Path, extra: &[ReportTarget]) -> Result<(Report, ExitStatus), CliError> {
    let report = compute(run)?;
    write_reports(&report, extra)?;
    let selected = read_record(run)?.run.map(|run| run.selection.clauses).unwrap_or_default();
    let status = exit_status(&report, &selected.into_iter().collect());
    Ok((report, status))
}

/// How the verdicts of `report` stand to what is expected of a stack as it is deployed here, a line each where there is something to tell;
/// of a stack whose configuration was changed, nothing is expected.
///
/// # Errors
/// [`CliError::Bug`]: a list of expected verdicts that makes no sense.
pub fn expectations(report: &Report) -> Result<String, CliError> {
    if !report.run.changes.is_empty() {
        return Ok(String::new());
    }
    let expected = expected()?;
    Ok(report::expectations(report, &expected).into_iter().map(|line| line + "\n").collect())
}

/// The list of expected verdicts.
///
/// # Errors
/// [`CliError::Bug`]: it makes no sense.
pub fn expected() -> Result<Vec<ExpectedVerdict>, CliError> {
    let (catalogue, _) = load()?;
    criteria::expected(&catalogue)
        .map_err(|errors| CliError::Bug(errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")))
}

/// Judges a recorded run again; a line for each clause on which the words differ. `Ok(Err(…))` is a disagreement.
///
/// # Errors
/// [`CliError::NotWritten`]: no record there.
pub fn recheck(run: &Path) -> Result<Result<String, String>, CliError> {
    let record = read_record(run)?;
    let (judged, disagreements) = report::recheck(&record, &BodyStore::of_run(run));
    let incomplete = if record.whole { "" } else { "; the record is incomplete" };
    let told: BTreeSet<String> = disagreements
        .into_iter()
        .map(|disagreement| {
            let word = |judgement: &harness_core::verdict::Judgement| {
                let findings: Vec<String> = judgement.findings.iter().map(ToString::to_string).collect();
                format!("{} ({})", judgement.verdict, findings.join("; "))
            };
            let recorded = disagreement.recorded.as_ref().map_or_else(|| "nothing".to_owned(), word);
            let again = disagreement.again.as_ref().map_or_else(|error| format!("impossible: {error}"), word);
            format!("{}: recorded {recorded}, judged again {again}", disagreement.clause)
        })
        .collect();
    let agreed = judged - told.len();
    let mut text: String = told.iter().map(|line| format!("{line}\n")).collect();
    let _ = writeln!(text, "{agreed} of {judged} clauses judged again agree with the record{incomplete}");
    Ok(if told.is_empty() && judged > 0 { Ok(text) } else { Err(text) })
}
