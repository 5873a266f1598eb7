use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{
    catalogue::{Catalogue, Clause, ClauseId, Criterion, CriterionId, Level, Target},
    observation::Evidence,
    record::RunRecord,
    verdict::{Finding, HaltKind, Judgement, Latency, ResponseTimes, Verdict},
};

/// Name and version of the report's schema.
pub const SCHEMA: &str = "lgtm-verify/1";

/// The profile with the timers of the deployment, the only one under which a criterion is verified without a reservation.
pub(super) const DEPLOYED: &str = "deployed";

/// The rule that a clause breaks which no scenario decides.
const COVERED: &str = "covered";

/// The rule that a clause breaks which the filters left out.
const SELECTED: &str = "selected";

/// Why a criterion is undefined.
pub(super) const UNDEFINED: &str = "the design numbers it and defines it nowhere";

/// Everything a report says, in the order in which it says it. This is the JSON report, field by field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: String,
    /// The run.
    pub run: RunReport,
    /// Where the stack is.
    pub target: Target,
    /// Its timers.
    pub profile: String,
    /// Component to version.
    pub stack: BTreeMap<String, String>,
    /// The criteria, in the catalogue's order.
    pub criteria: Vec<CriterionReport>,
    /// Where the design contradicts itself or the programs.
    pub findings_about_design: Vec<DesignFindingReport>,
    /// How many of each.
    pub summary: Summary,
}

/// The run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunReport {
    /// Its id.
    pub id: String,
    /// Replays the stimuli.
    pub seed: u64,
    /// RFC 3339.
    pub started: String,
    /// Seconds from the start to the last thing recorded.
    pub duration_s: f64,
    /// Seconds that its scenarios had to take at least, by how long each took and what it claimed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub least_s: Option<f64>,
    /// Whether every scenario came to its end and was recorded.
    pub complete: bool,
    /// The filters in force; empty for everything.
    pub filters: Vec<String>,
    /// How the stack and the way to it were changed for this run; empty for the stack as it is.
    pub changes: Vec<String>,
}

impl RunReport {
    /// `339.0 s, at least 301.2 s by what its scenarios took and claimed`.
    pub fn took(&self) -> String {
        let least = self.least_s.map(|least| format!(", at least {least:.1} s by what its scenarios took and claimed"));
        format!("{:.1} s{}", self.duration_s, least.unwrap_or_default())
    }
}

/// What one criterion comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CriterionStatus {
    /// Every clause that this target can show passed.
    Verified,
    /// At least one clause failed.
    Failed,
    /// None failed, but not every clause that this target can show passed.
    NotVerified,
    /// The design numbers it and defines it nowhere.
    Undefined,
    /// No scenario covers any of its clauses that this target can show.
    Uncovered,
}

impl CriterionStatus {
    /// Every status, in the order in which reports list them.
    pub const ALL: [Self; 5] = [Self::Verified, Self::Failed, Self::NotVerified, Self::Uncovered, Self::Undefined];

    /// The word used in reports.
    pub fn word(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::Failed => "failed",
            Self::NotVerified => "not_verified",
            Self::Undefined => "undefined",
            Self::Uncovered => "uncovered",
        }
    }

    /// The words for people: a criterion that is verified under other timers than those of the deployment is not simply verified.
    pub fn words(self, profile: &str) -> String {
        match self {
            Self::Verified if profile != DEPLOYED => format!("verified ({profile})"),
            Self::NotVerified => "not verified".to_owned(),
            Self::Verified | Self::Failed | Self::Undefined | Self::Uncovered => self.word().to_owned(),
        }
    }
}

/// One criterion.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CriterionReport {
    /// Its id.
    pub id: CriterionId,
    /// Its title.
    pub title: String,
    /// How strongly the design demands it.
    pub level: Level,
    /// What it comes to.
    pub status: CriterionStatus,
    /// Why, and of how many clauses how many passed.
    pub reason: String,
    /// Its own clauses.
    pub clauses: Vec<ClauseReport>,
}

/// One clause.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClauseReport {
    /// Its id.
    pub id: ClauseId,
    /// Its title.
    pub title: String,
    /// What it comes to.
    pub verdict: Verdict,
    /// Whether persistence was brought about by a flush, shutdown or restart call.
    pub forced: bool,
    /// Why, where it is not a plain pass.
    pub findings: Vec<Finding>,
    /// The latency, where records were waited for.
    pub latency: Option<Latency>,
    /// What was measured, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub measured: Vec<String>,
    /// How long the answers to each question took, where they were timed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub response_times: Vec<ResponseTimes>,
    /// What was seen.
    pub evidence: Vec<Evidence>,
}

impl ClauseReport {
    /// Whether no scenario decides it.
    pub fn is_uncovered(&self) -> bool {
        self.was_not_run_for(COVERED)
    }

    /// Whether a scenario would decide it, but the filters left it out.
    pub fn is_left_out(&self) -> bool {
        self.was_not_run_for(SELECTED)
    }

    /// Whether it was asked for on a target that can show it, whatever came of that.
    pub fn was_selected(&self) -> bool {
        self.verdict != Verdict::NotApplicable && !self.is_uncovered() && !self.is_left_out()
    }

    fn was_not_run_for(&self, rule: &str) -> bool {
        self.verdict == Verdict::NotRun && self.findings.iter().any(|finding| finding.rule == rule)
    }
}

/// A place where the design contradicts itself or the programs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DesignFindingReport {
    /// Its id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// What contradicts what.
    pub text: String,
    /// The criteria that it is about.
    pub related: Vec<String>,
}

/// How many of each, by word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Clauses by verdict.
    pub clauses: BTreeMap<String, usize>,
    /// Criteria by status.
    pub criteria: BTreeMap<String, usize>,
}

impl Report {
    /// Computes the report of one run. `covered` are the clauses that some scenario decides.
    pub fn of_run(catalogue: &Catalogue, covered: &BTreeSet<ClauseId>, record: &RunRecord, target: Target) -> Self {
        let run = record.run.as_ref();
        let target = run.map_or(target, |run| run.target);
        let teller = Teller { covered, record, target };
        let mut criteria: Vec<CriterionReport> =
            catalogue.criteria.iter().map(|criterion| teller.criterion(criterion)).collect();
        roll_up(catalogue, &mut criteria, target, run.map_or("", |run| run.profile.as_str()));
        Self {
            schema: SCHEMA.to_owned(),
            run: RunReport {
                id: run.map(|run| run.id.clone()).unwrap_or_default(),
                seed: run.map_or(0, |run| run.seed),
                started: run.map(|run| run.started.clone()).unwrap_or_default(),
                duration_s: std::time::Duration::from_nanos(record.last.0).as_secs_f64(),
                least_s: record.least_duration().map(|least| least.as_secs_f64()),
                complete: record.whole,
                filters: run.map(|run| run.selection.filters.clone()).unwrap_or_default(),
                changes: run.map(|run| run.changes.clone()).unwrap_or_default(),
            },
            target,
            profile: run.map(|run| run.profile.clone()).unwrap_or_default(),
            stack: run.map(|run| run.stack.clone()).unwrap_or_default(),
            summary: Summary::of(
                CriterionStatus::ALL.map(CriterionStatus::word),
                criteria.iter().map(|criterion| criterion.status.word()),
                criteria.iter().flat_map(|criterion| &criterion.clauses).map(|clause| clause.verdict),
            ),
            criteria,
            findings_about_design: catalogue.findings.iter().map(design_finding).collect(),
        }
    }

    /// The report as JSON, indented, with a final line break.
    ///
    /// # Errors
    /// None that a report can cause: its types have string keys only.
    pub fn to_json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }

    /// Every clause.
    pub fn clauses(&self) -> impl Iterator<Item = &ClauseReport> {
        self.criteria.iter().flat_map(|criterion| &criterion.clauses)
    }
}

fn design_finding(finding: &crate::catalogue::DesignFinding) -> DesignFindingReport {
    DesignFindingReport {
        id: finding.id.to_string(),
        title: finding.title.clone(),
        text: finding.text.clone(),
        related: finding.related.iter().map(ToString::to_string).collect(),
    }
}

struct Teller<'a> {
    covered: &'a BTreeSet<ClauseId>,
    record: &'a RunRecord,
    target: Target,
}

/// What was measured, and how long answers took, in words.
fn measured(mut told: Vec<String>, response_times: &[ResponseTimes]) -> Vec<String> {
    told.extend(response_times.iter().map(ToString::to_string));
    told
}

impl Teller<'_> {
    fn criterion(&self, criterion: &Criterion) -> CriterionReport {
        CriterionReport {
            id: criterion.id.clone(),
            title: criterion.title.clone(),
            level: criterion.level,
            status: CriterionStatus::Uncovered,
            reason: String::new(),
            clauses: criterion.clauses.iter().map(|clause| self.clause(clause)).collect(),
        }
    }

    fn clause(&self, clause: &Clause) -> ClauseReport {
        let judgement = self.judgement(clause);
        ClauseReport {
            id: clause.id.clone(),
            title: clause.title.clone(),
            verdict: judgement.verdict,
            forced: judgement.forced,
            findings: judgement.findings,
            latency: judgement.latency,
            measured: measured(self.record.measured(&clause.id), &judgement.response_times),
            response_times: judgement.response_times,
            evidence: self.record.evidence_of(&clause.id).into_iter().cloned().collect(),
        }
    }

    fn judgement(&self, clause: &Clause) -> Judgement {
        if let Some(judgement) = self.record.judgements.get(&clause.id) {
            return judgement.clone();
        }
        let told = |verdict, finding| Judgement {
            verdict,
            forced: false,
            findings: vec![finding],
            latency: None,
            response_times: Vec::new(),
        };
        if !clause.applies_to(self.target) {
            let targets = clause.targets.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            return told(
                Verdict::NotApplicable,
                Finding::new("target", format!("one of: {targets}"), self.target.to_string()),
            );
        }
        if let Some(halt) = self.record.halts.get(&clause.id) {
            return match halt.kind {
                HaltKind::Blocked => {
                    told(Verdict::Blocked, Finding::new("set-up", "a check that can take place", &halt.reason))
                }
                HaltKind::Interrupted => {
                    told(Verdict::NotRun, Finding::new("carried out", "a judgement", &halt.reason))
                }
            };
        }
        if !self.covered.contains(&clause.id) {
            return told(Verdict::NotRun, Finding::new(COVERED, "a scenario", "none"));
        }
        let selected = self.record.run.as_ref().is_none_or(|run| run.selection.clauses.contains(&clause.id));
        if selected {
            told(Verdict::NotRun, Finding::new("carried out", "a judgement", "the record ends before one"))
        } else {
            told(Verdict::NotRun, Finding::new(SELECTED, "a run that selects it", "other filters"))
        }
    }
}

/// Sets every criterion's status from its own clauses and those of the criteria that it includes.
fn roll_up(catalogue: &Catalogue, criteria: &mut [CriterionReport], target: Target, profile: &str) {
    let own: BTreeMap<CriterionId, Vec<(Verdict, bool)>> = criteria
        .iter()
        .map(|criterion| {
            let clauses = criterion.clauses.iter().map(|clause| (clause.verdict, clause.is_uncovered())).collect();
            (criterion.id.clone(), clauses)
        })
        .collect();
    for (report, criterion) in criteria.iter_mut().zip(&catalogue.criteria) {
        let mut clauses = Vec::new();
        gather(catalogue, criterion, &own, &mut clauses, &mut BTreeSet::new());
        (report.status, report.reason) = status(criterion, &clauses, target, profile);
    }
}

/// What `own` says of the clauses of `criterion`, then of those of the criteria that it includes, each criterion once.
pub(super) fn gather<T: Copy>(
    catalogue: &Catalogue,
    criterion: &Criterion,
    own: &BTreeMap<CriterionId, Vec<T>>,
    clauses: &mut Vec<T>,
    seen: &mut BTreeSet<CriterionId>,
) {
    if !seen.insert(criterion.id.clone()) {
        return;
    }
    clauses.extend(own.get(&criterion.id).into_iter().flatten());
    for included in criterion.includes.iter().filter_map(|id| catalogue.criterion(id)) {
        gather(catalogue, included, own, clauses, seen);
    }
}

fn status(
    criterion: &Criterion,
    clauses: &[(Verdict, bool)],
    target: Target,
    profile: &str,
) -> (CriterionStatus, String) {
    if criterion.level == Level::Undefined {
        return (CriterionStatus::Undefined, UNDEFINED.to_owned());
    }
    let count = |wanted: Verdict| clauses.iter().filter(|(verdict, _)| *verdict == wanted).count();
    let shown = clauses.len() - count(Verdict::NotApplicable);
    let uncovered = clauses.iter().filter(|(_, uncovered)| *uncovered).count();
    let passed = count(Verdict::Pass);
    let of_all = format!("{passed} of {} clauses, {shown} of which target {target} can show", clauses.len());
    if count(Verdict::Fail) > 0 {
        return (CriterionStatus::Failed, format!("{} failed; passed {of_all}", count(Verdict::Fail)));
    }
    if shown == 0 {
        return (
            CriterionStatus::NotVerified,
            format!("target {target} can show none of its {} clauses", clauses.len()),
        );
    }
    if uncovered == shown {
        return (
            CriterionStatus::Uncovered,
            format!("no scenario covers any of the {shown} clauses that target {target} can show"),
        );
    }
    if passed == shown {
        return (CriterionStatus::Verified, format!("{}: passed {of_all}", CriterionStatus::Verified.words(profile)));
    }
    let rest: Vec<String> = [
        (count(Verdict::Inconclusive), "inconclusive"),
        (count(Verdict::Blocked), "blocked"),
        (uncovered, "uncovered"),
        (count(Verdict::NotRun) - uncovered, "not run"),
    ]
    .into_iter()
    .filter(|(number, _)| *number > 0)
    .map(|(number, word)| format!("{number} {word}"))
    .collect();
    (CriterionStatus::NotVerified, format!("{}; passed {of_all}", rest.join(", ")))
}

impl Summary {
    /// Counts them; every verdict and every one of `words` is told, if only with 0.
    pub(super) fn of<'a>(
        words: impl IntoIterator<Item = &'a str>,
        criteria: impl Iterator<Item = &'a str>,
        verdicts: impl Iterator<Item = Verdict>,
    ) -> Self {
        let mut clauses: BTreeMap<String, usize> = Verdict::ALL.map(|verdict| (verdict.word().to_owned(), 0)).into();
        let mut statuses: BTreeMap<String, usize> = words.into_iter().map(|word| (word.to_owned(), 0)).collect();
        for status in criteria {
            *statuses.entry(status.to_owned()).or_default() += 1;
        }
        for verdict in verdicts {
            *clauses.entry(verdict.word().to_owned()).or_default() += 1;
        }
        Self { clauses, criteria: statuses }
    }
}
