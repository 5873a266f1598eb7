//! What was sent, and what the stack said to it: acked, rejected or unknown, by sequence range; intent stands here before the
//! first byte leaves. Must not know how records look or how they are sent.

mod attempt;

pub use attempt::{Attempt, Pacing};

use serde::{Deserialize, Serialize};

use crate::{
    ports::{PushOutcome, Tick},
    stimulus::Route,
};

/// One push: which records it carried, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerEntry {
    /// The door it went through.
    pub route: Route,
    /// Sequence number of its first record within the stimulus.
    pub first: u64,
    /// Sequence number of its last record, inclusive.
    pub last: u64,
    /// Whether the push is made to be refused.
    pub refusal_wanted: bool,
    /// When it was about to be sent and when it was answered; `None` until then.
    pub times: Option<(Tick, Tick)>,
    /// The answer; `None` while only the intent is known.
    pub outcome: Option<PushOutcome>,
}

/// What is known of one record's way into the stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// The stack said that it has it: it must be found.
    Acked,
    /// The stack said that it does not have it: it must not be found.
    Rejected,
    /// Sent without a clear answer: it may be found or not.
    Unknown,
    /// Never sent: it must not be found.
    NotSent,
}

/// The ledger of one stimulus.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Ledger {
    entries: Vec<LedgerEntry>,
}

impl Ledger {
    /// Writes down that the records `first..=last` are about to be sent; returns the entry's number for [`Ledger::answer`].
    pub fn intend(&mut self, route: Route, first: u64, last: u64, refusal_wanted: bool) -> usize {
        self.entries.push(LedgerEntry { route, first, last, refusal_wanted, times: None, outcome: None });
        self.entries.len() - 1
    }

    /// Writes down the answer to entry `number`; an unknown number changes nothing.
    pub fn answer(&mut self, number: usize, sent: Tick, answered: Tick, outcome: PushOutcome) {
        if let Some(entry) = self.entries.get_mut(number) {
            entry.times = Some((sent, answered));
            entry.outcome = Some(outcome);
        }
    }

    /// All pushes, in the order intended.
    pub fn entries(&self) -> &[LedgerEntry] {
        &self.entries
    }

    /// What is known of the record with this sequence number.
    pub fn fate(&self, sequence: u64) -> Fate {
        let covering = self.entries.iter().filter(|entry| (entry.first..=entry.last).contains(&sequence));
        covering.fold(Fate::NotSent, |fate, entry| match (&entry.outcome, fate) {
            (Some(PushOutcome::Acked), _) | (_, Fate::Acked) => Fate::Acked,
            (Some(PushOutcome::Rejected { .. }), Fate::NotSent | Fate::Rejected) => Fate::Rejected,
            _ => Fate::Unknown,
        })
    }

    /// When the first push was about to be sent.
    pub fn first_sent(&self) -> Option<Tick> {
        self.entries.iter().filter_map(|entry| entry.times).map(|(sent, _)| sent).min()
    }

    /// When the last push was answered.
    pub fn last_answered(&self) -> Option<Tick> {
        self.entries.iter().filter_map(|entry| entry.times).map(|(_, answered)| answered).max()
    }

    /// Records in pushes that are meant to be accepted.
    pub fn offered(&self) -> u64 {
        self.entries.iter().filter(|entry| !entry.refusal_wanted).map(|entry| entry.last - entry.first + 1).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rejected() -> PushOutcome {
        PushOutcome::Rejected { reason: "400".into() }
    }

    #[test]
    fn intent_alone_is_unknown() {
        let mut ledger = Ledger::default();
        ledger.intend(Route::LokiHttpJson, 0, 9, false);
        assert_eq!(ledger.fate(5), Fate::Unknown);
        assert_eq!(ledger.fate(10), Fate::NotSent);
    }

    #[test]
    fn answers_decide_the_fate_of_their_range_only() {
        let mut ledger = Ledger::default();
        let first = ledger.intend(Route::LokiHttpJson, 0, 4, false);
        let second = ledger.intend(Route::LokiHttpJson, 5, 9, false);
        ledger.answer(first, Tick(1), Tick(2), PushOutcome::Acked);
        ledger.answer(second, Tick(3), Tick(4), rejected());
        assert_eq!(ledger.fate(4), Fate::Acked);
        assert_eq!(ledger.fate(5), Fate::Rejected);
        assert_eq!((ledger.first_sent(), ledger.last_answered()), (Some(Tick(1)), Some(Tick(4))));
    }

    #[test]
    fn one_ack_outweighs_every_other_answer() {
        for (first, second) in [(PushOutcome::Acked, rejected()), (rejected(), PushOutcome::Acked)] {
            let mut ledger = Ledger::default();
            for outcome in [first, second] {
                let number = ledger.intend(Route::LokiGrpc, 0, 0, false);
                ledger.answer(number, Tick(0), Tick(1), outcome);
            }
            assert_eq!(ledger.fate(0), Fate::Acked);
        }
    }
}
