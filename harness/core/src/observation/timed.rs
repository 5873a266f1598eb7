use serde::{Deserialize, Serialize};

/// One time of asking, as `[number, late, taken, found]` in a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(u32, u64, u64, u64)", into = "(u32, u64, u64, u64)")]
pub struct Timed {
    /// Which time of asking this question, from 0.
    pub number: u32,
    /// Microseconds from when it was due until it was sent: the harness' own delay.
    pub late_us: u64,
    /// Microseconds from when it was due until the whole answer was there, or was no longer waited for; rounded up.
    pub taken_us: u64,
    /// How many of the records that were asked for the answer holds.
    pub found: u64,
}

impl From<(u32, u64, u64, u64)> for Timed {
    fn from((number, late_us, taken_us, found): (u32, u64, u64, u64)) -> Self {
        Self { number, late_us, taken_us, found }
    }
}

impl From<Timed> for (u32, u64, u64, u64) {
    fn from(Timed { number, late_us, taken_us, found }: Timed) -> Self {
        (number, late_us, taken_us, found)
    }
}

/// What is wrong with an answer, beside its time and what it lacks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flaw {
    /// Which time of asking.
    pub number: u32,
    /// Records that were not asked for, or are told twice.
    pub foreign: u64,
    /// Why there is no answer, where there is none.
    pub failure: Option<String>,
}

/// Answers to one question, in the order in which they came.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timings {
    /// Each time of asking.
    pub timed: Vec<Timed>,
    /// Those with a flaw.
    pub flaws: Vec<Flaw>,
}

impl Timings {
    /// Adds what came after.
    pub fn extend(&mut self, later: &Self) {
        self.timed.extend_from_slice(&later.timed);
        self.flaws.extend_from_slice(&later.flaws);
    }

    /// The flaw of one time of asking.
    pub fn flaw(&self, number: u32) -> Option<&Flaw> {
        self.flaws.iter().find(|flaw| flaw.number == number)
    }
}
