//! From expectation and observations to findings, and from findings to a verdict. Must not look, wait, or know how a thing was
//! observed: the same inputs give the same verdict on any machine at any time.

mod causes;
mod compare;
mod controls;
mod expectation;
mod facts;
mod judge;
mod latency;
mod load;
mod records;
#[cfg(test)]
mod tests;
mod words;

pub use causes::{NOT_UP, REPLACED};
pub use compare::{Bodies, BodyError, Memory};
pub use expectation::{
    Case, Check, Control, Expectation, Halt, HaltKind, LatencyExpectation, OfferedLoad, Prediction, Rule,
};
pub use judge::{judge, satisfied};
pub use latency::{COMPLETE, ResponseTimes, Tally};

use std::fmt;

use serde::{Deserialize, Serialize};

/// What one clause comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Everything that was expected was seen, in time, by a check that was shown to be able to say no.
    Pass,
    /// Something else was seen than expected.
    Fail,
    /// What was seen decides neither.
    Inconclusive,
    /// The stack or its set-up did not let the check take place.
    Blocked,
    /// This target cannot show it.
    NotApplicable,
    /// Nothing was tried.
    NotRun,
}

impl Verdict {
    /// Every verdict, in the order in which reports list them.
    pub const ALL: [Self; 6] =
        [Self::Pass, Self::Fail, Self::Inconclusive, Self::Blocked, Self::NotApplicable, Self::NotRun];

    /// The word used in reports.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Inconclusive => "inconclusive",
            Self::Blocked => "blocked",
            Self::NotApplicable => "not_applicable",
            Self::NotRun => "not_run",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// One way in which what was seen is not what was expected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The rule that was broken, one word or two.
    pub rule: String,
    /// What the rule asks for.
    pub expected: String,
    /// What was found instead.
    pub found: String,
}

impl Finding {
    /// A finding.
    pub fn new(rule: &str, expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self { rule: rule.to_owned(), expected: expected.into(), found: found.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: expected {}, found {}", self.rule, self.expected, self.found)
    }
}

/// How long it took, known as an interval: the truth lies between the last look that said no and the first that said yes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// Seconds from the last push's answer to the sending of the last look that said no.
    pub lower_s: f64,
    /// Seconds from the first push's sending to the answer of the first look that said yes; `None` where none did.
    pub upper_s: Option<f64>,
    /// The bound, seconds.
    pub bound_s: Option<f64>,
    /// What the live configuration lets expect.
    pub predicted: Option<PredictedLatency>,
}

/// Earliest and latest persistence that the live configuration allows for.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PredictedLatency {
    /// Seconds.
    pub earliest_s: f64,
    /// Seconds.
    pub latest_s: f64,
}

/// The judge's word on one clause.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// Whether persistence was brought about by a flush, shutdown or restart call.
    pub forced: bool,
    /// Why, where it is not a plain pass.
    pub findings: Vec<Finding>,
    /// The latency, where records were waited for.
    pub latency: Option<Latency>,
    /// How long the answers to each question took, where they were timed.
    #[serde(default)]
    pub response_times: Vec<ResponseTimes>,
}

impl Judgement {
    /// The word on a case in which no answers were timed.
    fn new(case: &Case, verdict: Verdict, findings: Vec<Finding>, latency: Option<Latency>) -> Self {
        Self { verdict, forced: case.forced, findings, latency, response_times: Vec::new() }
    }
}
