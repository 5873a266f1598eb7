use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    catalogue::{ClauseId, Target},
    ledger::LedgerEntry,
    lock::Access,
    observation::{Evidence, Observation, Timings},
    ports::{LogLine, PushOutcome, Tick},
    verdict::{Control, Expectation, Halt, Judgement, OfferedLoad, Prediction},
};

/// Name and version of the record's schema; raised whenever an old reader could misread a new record.
pub const SCHEMA: &str = "lgtm-verify-record/1";

/// What identifies a run and the stack it ran against.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunInfo {
    /// The run's id, in every record sent.
    pub id: String,
    /// Replays the stimuli.
    pub seed: u64,
    /// RFC 3339.
    pub started: String,
    /// Where the stack is.
    pub target: Target,
    /// Its timers: `fast` or `deployed`.
    pub profile: String,
    /// Component to version.
    pub stack: BTreeMap<String, String>,
    /// How the stack and the way to it were changed for this run, such as `--set loki.ingester.chunk_idle_period=10m`.
    #[serde(default)]
    pub changes: Vec<String>,
    /// What was asked for.
    pub selection: Selection,
}

/// Which clauses were asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Selection {
    /// The filters in words; empty for everything.
    pub filters: Vec<String>,
    /// The clauses that the filters let through and a scenario covers.
    pub clauses: Vec<ClauseId>,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// First line of every file: what this is.
    Opened {
        /// [`SCHEMA`].
        schema: String,
        /// The run.
        run: RunInfo,
    },
    /// A scenario is about to be driven.
    ScenarioStarted {
        /// Its name.
        scenario: String,
        /// The clauses it covers that were selected.
        covers: Vec<ClauseId>,
    },
    /// A scenario has what it claims, and begins.
    Claimed {
        /// Its name.
        scenario: String,
        /// The parts of the stack, by name, and how each is used.
        claims: BTreeMap<String, Access>,
        /// Whether it had to wait for all scenarios that disturb nothing.
        last: bool,
    },
    /// A scenario goes on, or waits for something; for people.
    Progress {
        /// Its name.
        scenario: String,
        /// What it does or waits for, and until when.
        status: String,
    },
    /// What a clause expects; everything said of the clause before is void.
    Expected {
        /// The clause.
        clause: ClauseId,
        /// The scenario.
        scenario: String,
        /// What must be seen.
        expectation: Expectation,
        /// The stimulus whose ledger counts, where there is one.
        stimulus: Option<String>,
        /// The design's bound.
        bound: Option<Duration>,
        /// How long it is waited for without a bound.
        patience: Duration,
        /// Whether persistence is forced.
        forced: bool,
        /// The bucket that records must be in.
        bucket: Option<String>,
    },
    /// What the live configuration lets expect.
    Predicted {
        /// The clause.
        clause: ClauseId,
        /// The prediction.
        prediction: Prediction,
        /// The configuration it was read from.
        evidence: Evidence,
    },
    /// A push is about to be sent.
    Intended {
        /// The stimulus.
        stimulus: String,
        /// The push, not yet answered.
        push: LedgerEntry,
    },
    /// A push was answered.
    Answered {
        /// The stimulus.
        stimulus: String,
        /// Which of the stimulus' pushes, from 0.
        number: usize,
        /// When it was about to be sent.
        sent: Tick,
        /// When the answer had arrived.
        answered: Tick,
        /// What became of it.
        outcome: PushOutcome,
        /// Request and answer.
        evidence: Evidence,
    },
    /// A load was offered, push by push.
    Offered {
        /// The load.
        load: OfferedLoad,
        /// What came of it, in words.
        evidence: Evidence,
    },
    /// A look at a state in which the check has to say no.
    Controlled {
        /// The clause.
        clause: ClauseId,
        /// The control.
        control: Control,
    },
    /// A look.
    Observed {
        /// The clause.
        clause: ClauseId,
        /// What was seen.
        observation: Observation,
    },
    /// A part of the answers that are timed.
    Timed {
        /// The clause.
        clause: ClauseId,
        /// Which of the questions, from 0.
        question: usize,
        /// The answers.
        timings: Timings,
        /// Some of them, whole.
        evidence: Vec<Evidence>,
    },
    /// What a component logged while a wait ended without a yes.
    Complained {
        /// The clause.
        clause: ClauseId,
        /// The lines, oldest first.
        lines: Vec<LogLine>,
    },
    /// A component is about to be lost; what these clauses wait for is waited for from now on.
    Lost {
        /// The clauses.
        clauses: Vec<ClauseId>,
    },
    /// A component was stopped or started.
    Moved {
        /// The clauses it was done for.
        clauses: Vec<ClauseId>,
        /// Proof that it happened.
        evidence: Evidence,
    },
    /// A clause could not be tried or carried to its end.
    Halted {
        /// The clause.
        clause: ClauseId,
        /// Why.
        halt: Halt,
    },
    /// The judge's word.
    Judged {
        /// The clause.
        clause: ClauseId,
        /// The word.
        judgement: Judgement,
    },
    /// A scenario came to its end.
    ScenarioEnded {
        /// Its name.
        scenario: String,
    },
    /// Last line of a file whose writer came to its end.
    Closed,
}

/// An event with its place in the record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// On the run's monotonic clock.
    pub at: Tick,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}
