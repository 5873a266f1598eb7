//! From the stream of events back to what the judge and the report need.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{Entry, Event, RunInfo};
use crate::{
    catalogue::ClauseId,
    ledger::Ledger,
    lock::Access,
    observation::{Evidence, EvidenceKind, Observation},
    ports::Tick,
    verdict::{Case, Halt, Judgement, OfferedLoad},
};

/// How far a scenario came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScenarioState {
    /// When it started.
    pub started: Tick,
    /// When it ended; `None` if it did not.
    pub ended: Option<Tick>,
    /// The clauses it covers that were selected.
    pub covers: Vec<ClauseId>,
    /// What it claimed; `None` if it never came to that.
    pub claimed: Option<Claimed>,
}

/// What a scenario claimed, and when it had it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// From when on.
    pub at: Tick,
    /// The parts of the stack, by name, and how each is used.
    pub claims: BTreeMap<String, Access>,
    /// Whether it had to wait for all scenarios that disturb nothing.
    pub last: bool,
}

impl ScenarioState {
    /// How long it held its claims; `None` if it has not ended, or never had them.
    pub fn lasted(&self) -> Option<Duration> {
        Some(self.ended?.since(self.claimed.as_ref()?.at))
    }
}

/// Everything that a record says of a run.
#[derive(Debug, Clone, Default)]
pub struct RunRecord {
    /// The run; `None` in an empty record.
    pub run: Option<RunInfo>,
    /// Whether every writer came to its end.
    pub whole: bool,
    /// The last thing recorded.
    pub last: Tick,
    /// Per clause, what the judge needs.
    pub cases: BTreeMap<ClauseId, Case>,
    /// Per clause, the judge's word at the time.
    pub judgements: BTreeMap<ClauseId, Judgement>,
    /// Clauses halted before anything was expected of them.
    pub halts: BTreeMap<ClauseId, Halt>,
    /// Per clause, evidence beside that of its observations: pushes, configuration, processes.
    pub evidence: BTreeMap<ClauseId, Vec<Evidence>>,
    /// Per scenario, how far it came.
    pub scenarios: BTreeMap<String, ScenarioState>,
}

impl RunRecord {
    /// What was measured for a clause, in words: what stands in its controls is left out.
    pub fn measured(&self, clause: &ClauseId) -> Vec<String> {
        let own = self.evidence.get(clause).into_iter().flatten();
        let cases = self.cases.get(clause).into_iter();
        let looked = cases.flat_map(|case| last_of_each_oracle(&case.observations)).flat_map(|seen| &seen.evidence);
        let measured = own.chain(looked).filter(|evidence| evidence.kind == EvidenceKind::Measurement);
        measured.filter_map(|evidence| evidence.excerpt.clone()).collect()
    }

    /// All evidence of a clause: pushes, configuration, processes, then what the looks saw, each once, newest last.
    pub fn evidence_of(&self, clause: &ClauseId) -> Vec<&Evidence> {
        let own = self.evidence.get(clause).into_iter().flatten();
        let looked = self.cases.get(clause).into_iter().flat_map(|case| {
            let controls = case.controls.iter().map(|control| &control.observation);
            let decided = last_of_each_oracle(&case.observations);
            controls.chain(decided).flat_map(|observation| &observation.evidence)
        });
        let mut told = BTreeSet::new();
        own.chain(looked)
            .filter(|evidence| {
                told.insert((
                    evidence.request.as_deref(),
                    evidence.object.as_deref(),
                    evidence.body.as_deref(),
                    evidence.at.as_str(),
                ))
            })
            .collect()
    }
}

/// The look that decided for each oracle: its last one.
fn last_of_each_oracle(observations: &[Observation]) -> impl Iterator<Item = &Observation> {
    let mut last = BTreeMap::new();
    for observation in observations {
        last.insert(observation.look.oracle(), observation);
    }
    last.into_values()
}

/// Puts the events of one run, in order, back together.
pub fn assemble(entries: &[Entry], whole: bool) -> RunRecord {
    let mut record = RunRecord { whole, ..RunRecord::default() };
    let mut ledgers: BTreeMap<&str, Ledger> = BTreeMap::new();
    let mut pushed: BTreeMap<&str, Vec<Evidence>> = BTreeMap::new();
    let mut stimuli: BTreeMap<&ClauseId, &str> = BTreeMap::new();
    let mut offered: BTreeMap<&str, (&OfferedLoad, &Evidence)> = BTreeMap::new();
    for entry in entries {
        record.last = record.last.max(entry.at);
        match &entry.event {
            Event::Opened { run, .. } => {
                record.run.get_or_insert_with(|| run.clone());
            }
            Event::ScenarioStarted { scenario, covers } => {
                let covers = covers.clone();
                let state = ScenarioState { started: entry.at, ended: None, covers, claimed: None };
                record.scenarios.insert(scenario.clone(), state);
            }
            Event::Claimed { scenario, claims, last } => {
                if let Some(state) = record.scenarios.get_mut(scenario) {
                    state.claimed = Some(Claimed { at: entry.at, claims: claims.clone(), last: *last });
                }
            }
            Event::ScenarioEnded { scenario } => {
                if let Some(state) = record.scenarios.get_mut(scenario) {
                    state.ended = Some(entry.at);
                }
            }
            Event::Expected { clause, expectation, stimulus, bound, patience, forced, bucket, .. } => {
                match stimulus {
                    Some(stimulus) => stimuli.insert(clause, stimulus),
                    None => stimuli.remove(clause),
                };
                record.judgements.remove(clause);
                record.halts.remove(clause);
                record.evidence.remove(clause);
                let case = Case {
                    clause: clause.clone(),
                    bound: *bound,
                    patience: *patience,
                    forced: *forced,
                    expectation: expectation.clone(),
                    bucket: bucket.clone(),
                    ledger: Ledger::default(),
                    offered: Vec::new(),
                    lost: None,
                    prediction: None,
                    controls: Vec::new(),
                    observations: Vec::new(),
                    timings: BTreeMap::new(),
                    problems: Vec::new(),
                    halt: None,
                };
                record.cases.insert(clause.clone(), case);
            }
            Event::Intended { stimulus, push } => {
                let ledger = ledgers.entry(stimulus).or_default();
                ledger.intend(push.route, push.first, push.last, push.refusal_wanted);
            }
            Event::Answered { stimulus, number, sent, answered, outcome, evidence } => {
                ledgers.entry(stimulus).or_default().answer(*number, *sent, *answered, outcome.clone());
                pushed.entry(stimulus).or_default().push(evidence.clone());
            }
            Event::Offered { load, evidence } => {
                offered.insert(&load.stimulus, (load, evidence));
            }
            Event::Predicted { clause, prediction, evidence } => {
                record.evidence.entry(clause.clone()).or_default().push(evidence.clone());
                if let Some(case) = record.cases.get_mut(clause) {
                    case.prediction = Some(prediction.clone());
                }
            }
            Event::Controlled { clause, control } => {
                if let Some(case) = record.cases.get_mut(clause) {
                    case.controls.push(control.clone());
                }
            }
            Event::Observed { clause, observation } => {
                if let Some(case) = record.cases.get_mut(clause) {
                    case.observations.push(observation.clone());
                }
            }
            Event::Timed { clause, question, timings, evidence } => {
                record.evidence.entry(clause.clone()).or_default().extend(evidence.iter().cloned());
                if let Some(case) = record.cases.get_mut(clause) {
                    case.timings.entry(*question).or_default().extend(timings);
                }
            }
            Event::Complained { clause, lines } => {
                if let Some(case) = record.cases.get_mut(clause) {
                    case.problems.clone_from(lines);
                }
            }
            Event::Lost { clauses } => {
                for clause in clauses {
                    if let Some(case) = record.cases.get_mut(clause) {
                        case.lost = Some(entry.at);
                    }
                }
            }
            Event::Moved { clauses, evidence } => {
                for clause in clauses {
                    record.evidence.entry(clause.clone()).or_default().push(evidence.clone());
                }
            }
            Event::Halted { clause, halt } => match record.cases.get_mut(clause) {
                Some(case) => case.halt = Some(halt.clone()),
                None => {
                    record.halts.insert(clause.clone(), halt.clone());
                }
            },
            Event::Judged { clause, judgement } => {
                record.judgements.insert(clause.clone(), judgement.clone());
            }
            Event::Progress { .. } | Event::Closed => {}
        }
    }
    for (clause, case) in &mut record.cases {
        for (load, evidence) in case.expectation.loads().iter().filter_map(|plan| offered.get(plan.stimulus.as_str())) {
            case.offered.push((*load).clone());
            record.evidence.entry(clause.clone()).or_default().push((*evidence).clone());
        }
    }
    for (clause, stimulus) in stimuli {
        if let (Some(case), Some(ledger)) = (record.cases.get_mut(clause), ledgers.get(stimulus)) {
            case.ledger = ledger.clone();
        }
        if let Some(answers) = pushed.get(stimulus) {
            record.evidence.entry(clause.clone()).or_default().splice(0..0, answers.iter().cloned());
        }
    }
    record
}
