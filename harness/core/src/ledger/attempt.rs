use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ports::{PushOutcome, Tick};

/// One push of a load: when it was due, when it was sent, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Which push of the load, from 0.
    pub batch: u32,
    /// When it was to be sent.
    pub due: Tick,
    /// When it was about to be sent, and when it was answered; `None` where it was given up.
    pub times: Option<(Tick, Tick)>,
    /// The answer's HTTP status, where there was one.
    pub status: Option<u16>,
    /// What became of it.
    #[serde(flatten)]
    pub outcome: PushOutcome,
}

/// How a load kept to its times.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pacing {
    /// Pushes that were begun.
    pub begun: usize,
    /// By how much the rate differed from the plan's, as a share of it: the slope of the line through the times at which pushes were
    /// sent, by least squares, so that one late push at either end does not make the rate of all.
    pub error: f64,
    /// How long after it was due the latest push was sent.
    pub furthest_behind: Duration,
    /// From when the first push was sent to when the last one was answered.
    pub took: Duration,
}

impl Pacing {
    /// Of `attempts`; `None` where fewer than two were sent, of which there is no rate.
    pub fn of(attempts: &[Attempt]) -> Option<Self> {
        let sent: Vec<(f64, f64)> =
            attempts.iter().filter_map(|attempt| Some((seconds(attempt.due), seconds(attempt.times?.0)))).collect();
        let count = sent.len() as f64;
        let mean = |of: fn(&(f64, f64)) -> f64| sent.iter().map(of).sum::<f64>() / count;
        let (mean_due, mean_sent) = (mean(|(due, _)| *due), mean(|(_, sent)| *sent));
        let spread: f64 = sent.iter().map(|(due, _)| (due - mean_due).powi(2)).sum();
        let slope = sent.iter().map(|(due, sent)| (due - mean_due) * (sent - mean_sent)).sum::<f64>() / spread;
        let late = attempts.iter().filter_map(|attempt| Some(attempt.times?.0.since(attempt.due)));
        let first = attempts.iter().filter_map(|attempt| Some(attempt.times?.0)).min()?;
        let last = attempts.iter().filter_map(|attempt| Some(attempt.times?.1)).max()?;
        // A slope of 1 keeps to the plan; a longer time for the same bytes is a lower rate.
        slope.is_finite().then(|| Self {
            begun: sent.len(),
            error: (1.0 / slope - 1.0).abs(),
            furthest_behind: late.max().unwrap_or_default(),
            took: last.since(first),
        })
    }
}

fn seconds(tick: Tick) -> f64 {
    tick.since(Tick(0)).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn attempts(sent_ms: impl Iterator<Item = (u32, u32)>) -> Vec<Attempt> {
        let at = |ms: u32| Tick(0).after(MS * ms);
        sent_ms
            .zip(0..)
            .map(|((due, sent), batch)| Attempt {
                batch,
                due: at(due),
                times: Some((at(sent), at(sent + 5))),
                status: Some(204),
                outcome: PushOutcome::Acked,
            })
            .collect()
    }

    #[test]
    fn a_rate_is_known_by_all_pushes() {
        let exact = Pacing::of(&attempts((0..3000).map(|number| (20 * number, 20 * number)))).unwrap();
        assert!(exact.error < 1e-9 && exact.furthest_behind.is_zero());
        assert_eq!((exact.begun, exact.took), (3000, MS * (20 * 2999 + 5)));
        // Always a second behind is late, and at the full rate.
        let behind = Pacing::of(&attempts((0..3000).map(|number| (20 * number, 20 * number + 1000)))).unwrap();
        assert!(behind.error < 1e-9);
        assert_eq!(behind.furthest_behind, Duration::from_secs(1));
        // One push in a hundred less than was due, for each waits for the one before.
        let slow = Pacing::of(&attempts((0..3000).map(|number| (100 * number, 101 * number)))).unwrap();
        assert!((slow.error - 1.0 / 101.0).abs() < 1e-6, "{slow:?}");
    }

    #[test]
    fn of_one_push_there_is_no_rate() {
        assert_eq!(Pacing::of(&attempts([(0, 0)].into_iter())), None);
        assert_eq!(Pacing::of(&[]), None);
    }

    proptest! {
        #[test]
        fn what_is_caught_up_with_changes_the_rate_little(late in prop::collection::vec(0_u32..20, 3000)) {
            let pacing = Pacing::of(&attempts((0..).zip(&late).map(|(number, late)| (20 * number, 20 * number + late)))).unwrap();
            prop_assert!(pacing.error < 0.001, "{:?}", pacing);
        }
    }
}
