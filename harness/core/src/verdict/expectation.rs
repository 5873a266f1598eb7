use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use super::PredictedLatency;
use crate::{
    catalogue::ClauseId,
    ledger::Ledger,
    observation::{Observation, Oracle, Question, Timings},
    ports::{Cost, LogLine, Tick},
    signal::Signal,
    stats::Plan,
    stimulus::load::LoadPlan,
};

/// What must be seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "expectation", rename_all = "kebab-case")]
pub enum Expectation {
    /// Every acked record of a stimulus exactly once, field for field; none that was rejected or never sent.
    Records {
        /// Of which signal.
        signal: Signal,
        /// SHA-256 of the stimulus' records as NDJSON, in the order of their sequence numbers.
        expected: String,
        /// How many records the stimulus has.
        count: u64,
        /// The oracle whose first yes ends the clock.
        decisive: Oracle,
        /// Every oracle that has to say yes, the decisive one included.
        oracles: Vec<Oracle>,
        /// What has to hold of the stack's state as well, as it was looked at last; often nothing.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        rules: Vec<Rule>,
    },
    /// Of each load every push accepted at the planned rate, every acked record exactly once, as it was sent, and no other.
    Loads {
        /// The loads.
        loads: Vec<LoadPlan>,
    },
    /// Complete answers within the bound, over records that lie in the store.
    Latency(Box<LatencyExpectation>),
    /// Facts of the stack's state.
    Facts {
        /// Every rule has to hold.
        rules: Vec<Rule>,
    },
}

impl Expectation {
    /// The loads that are expected.
    pub fn loads(&self) -> &[LoadPlan] {
        match self {
            Self::Loads { loads } => loads,
            Self::Records { .. } | Self::Latency(_) | Self::Facts { .. } => &[],
        }
    }
}

/// A load that was offered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfferedLoad {
    /// Its name.
    pub stimulus: String,
    /// SHA-256 of its pushes as NDJSON ([`crate::ledger::Attempt`]), in the order in which they ended.
    pub attempts: String,
    /// What the harness itself spent on it.
    pub cost: Option<Cost>,
}

/// What is expected of the answers to questions that are asked many times, at a fixed pace whatever became of those before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LatencyExpectation {
    /// How many times each question is asked, and what follows from that.
    pub plan: Plan,
    /// From one time of asking to the next, over all questions in turn.
    pub gap: Duration,
    /// The records that the questions are about: of which signal.
    pub signal: Signal,
    /// SHA-256 of the stimulus' records as NDJSON, in the order of their sequence numbers.
    pub records: String,
    /// How much time they have to span, from the first to the last that was accepted.
    pub range: Duration,
    /// Every oracle that has to find the records in the store before the first answer is timed.
    pub stored: Vec<Oracle>,
    /// What is asked.
    pub questions: Vec<Question>,
    /// What has to hold of the stack's state, so that its answers come from the store.
    pub rules: Vec<Rule>,
}

/// One demand on one fact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// The rule's name in findings.
    pub name: String,
    /// The fact that it is about.
    pub fact: String,
    /// What is asked of it.
    pub check: Check,
    /// Whether breaking it only means that there was too little to look at, so that nothing follows for the stack.
    #[serde(default)]
    pub about_amount: bool,
}

impl Rule {
    /// A demand that there is enough to look at: `fact` is a number of at least `least`.
    pub fn enough(name: &str, fact: &str, least: u64) -> Self {
        Self { about_amount: true, ..Self::new(name, fact, Check::AtLeast(least)) }
    }

    /// A demand that `fact` passes `check`; findings call it `name`.
    pub fn new(name: &str, fact: &str, check: Check) -> Self {
        Self { name: name.to_owned(), fact: fact.to_owned(), check, about_amount: false }
    }
}

/// What can be asked of a fact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Check {
    /// It is exactly this.
    Is(serde_json::Value),
    /// It is an empty list.
    Empty,
    /// It is a number of at least this.
    AtLeast(u64),
    /// It is a number of at most this.
    AtMost(u64),
    /// It is a list that has all of these, in any order and among others.
    Has(Vec<String>),
}

impl Check {
    /// What is asked for, in words.
    pub fn describe(&self) -> String {
        match self {
            Self::Is(value) => value.to_string(),
            Self::Empty => "none".to_owned(),
            Self::AtLeast(least) => format!("at least {least}"),
            Self::AtMost(most) => format!("at most {most}"),
            Self::Has(wanted) => wanted.join(", "),
        }
    }

    /// Whether `value` is what is asked for.
    pub fn holds(&self, value: &serde_json::Value) -> bool {
        match self {
            Self::Is(wanted) => value == wanted,
            Self::Empty => value.as_array().is_some_and(Vec::is_empty),
            Self::AtLeast(least) => value.as_u64().is_some_and(|number| number >= *least),
            Self::AtMost(most) => value.as_u64().is_some_and(|number| number <= *most),
            Self::Has(wanted) => value
                .as_array()
                .is_some_and(|found| wanted.iter().all(|name| found.iter().any(|found| found.as_str() == Some(name)))),
        }
    }
}

/// A look at a state in which the check has to say no, so that its yes is worth something.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Control {
    /// What state that is, for people.
    pub name: String,
    /// The rules that have to be broken in it.
    pub must_break: Vec<String>,
    /// What was seen.
    pub observation: Observation,
}

/// Persistence as the stack's live configuration lets expect it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// Earliest and latest.
    pub latency: PredictedLatency,
    /// The settings that decide it, as `name=value`.
    pub settings: Vec<String>,
    /// The bucket that the component says it uses.
    pub bucket: Option<String>,
}

/// Why a clause could not be tried or carried to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Halt {
    /// Whose fault it is.
    pub kind: HaltKind,
    /// What happened.
    pub reason: String,
}

/// Whose fault a halt is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HaltKind {
    /// The stack or its set-up: the clause is blocked.
    Blocked,
    /// The user, or the end of the time given: what was seen so far counts.
    Interrupted,
}

/// Everything that the judge needs to know of one clause; assembled from the record alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Case {
    /// The clause.
    pub clause: ClauseId,
    /// The bound that the design sets, if it sets one.
    pub bound: Option<Duration>,
    /// How long after the last answer it was waited for, where there is no bound.
    pub patience: Duration,
    /// Whether persistence was brought about by a flush, shutdown or restart call, or a load lasted less long than is asked for.
    pub forced: bool,
    /// What must be seen.
    pub expectation: Expectation,
    /// The bucket that the records must be in, where they are looked for in one.
    pub bucket: Option<String>,
    /// What was sent.
    pub ledger: Ledger,
    /// Loads that were offered.
    #[serde(default)]
    pub offered: Vec<OfferedLoad>,
    /// When a component was about to be lost, where the time from then on counts and not that from the push.
    #[serde(default)]
    pub lost: Option<Tick>,
    /// What the configuration lets expect.
    pub prediction: Option<Prediction>,
    /// Looks at states in which the check has to say no.
    pub controls: Vec<Control>,
    /// Looks, in the order taken.
    pub observations: Vec<Observation>,
    /// The answers that were timed, by the number of the question.
    pub timings: BTreeMap<usize, Timings>,
    /// What the component logged, where the wait ended without a yes.
    pub problems: Vec<LogLine>,
    /// Why it was not carried to its end, where it was not.
    pub halt: Option<Halt>,
}

impl Case {
    /// From when on it is waited for: the loss of a component where there was one, else the answer to the last push.
    pub fn clock_start(&self) -> Option<Tick> {
        self.lost.or(self.ledger.last_answered())
    }

    /// Whether an observation says something of what is waited for: after a loss, an answer from before it does not. What lies in the
    /// bucket is not lost with a component.
    pub fn counts(&self, observation: &Observation) -> bool {
        let in_bucket = matches!(observation.look.oracle(), Oracle::Objects | Oracle::Index);
        in_bucket || self.lost.is_none_or(|lost| observation.sent >= lost)
    }

    /// How long after [`Case::clock_start`] a yes is waited for: the bound, unless the clause is forced or its bound is about something
    /// else; without one, twice what
    /// the configuration lets expect, and never less than patience.
    pub fn limit(&self) -> Duration {
        let expected = self.prediction.as_ref().map_or(0.0, |prediction| prediction.latency.latest_s);
        let patience = self.patience.max(Duration::try_from_secs_f64(expected * 2.0).unwrap_or(Duration::MAX));
        let is_about_the_wait = !self.forced && !matches!(self.expectation, Expectation::Latency(_));
        self.bound.filter(|_| is_about_the_wait).unwrap_or(patience)
    }
}
