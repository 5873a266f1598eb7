use std::{
    future::{Future, pending},
    ops::ControlFlow,
    pin::pin,
    time::Duration,
};

use futures::{
    FutureExt, StreamExt,
    future::{Either, select},
    stream::FuturesUnordered,
};

use crate::ports::{Clock, Tick};

/// When things are begun that do not wait for each other: an open model, as many users are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// When the first is due.
    pub begun: Tick,
    /// From one to the next.
    pub gap: Duration,
    /// How many there are.
    pub count: u32,
    /// How long after it was due one is given up.
    pub give_up: Duration,
}

impl Pace {
    /// When number `number`, from 0, is due.
    pub fn due(&self, number: u32) -> Tick {
        self.begun.after(self.gap.saturating_mul(number))
    }
}

/// Begins each when it is due, whatever became of those before, and hands it to `ended` with its number as soon as it has ended;
/// `None` is one that was given up. Returns when all have, or when `ended` breaks: what is under way then is dropped.
pub async fn pace<T: Send, Fut>(
    clock: &dyn Clock,
    pace: Pace,
    mut begin: impl FnMut(u32) -> Fut,
    mut ended: impl FnMut(u32, Option<T>) -> ControlFlow<()>,
) where
    Fut: Future<Output = T> + Send,
{
    let mut under_way = FuturesUnordered::new();
    let mut next = 0;
    loop {
        while next < pace.count && clock.now() >= pace.due(next) {
            under_way.push(until_given_up(clock, next, begin(next), pace.due(next).after(pace.give_up)));
            next += 1;
        }
        if next == pace.count && under_way.is_empty() {
            return;
        }
        let mut due = if next < pace.count { clock.sleep_until(pace.due(next)) } else { pending().boxed() }.fuse();
        // While nothing is under way there is no end to wait for.
        let mut end = under_way.select_next_some();
        futures::select_biased! {
            (number, value) = end => {
                if ended(number, value).is_break() {
                    return;
                }
            }
            () = due => {}
        }
    }
}

async fn until_given_up<T>(
    clock: &dyn Clock,
    number: u32,
    doing: impl Future<Output = T>,
    given_up: Tick,
) -> (u32, Option<T>) {
    let (doing, given_up) = (pin!(doing), clock.sleep_until(given_up));
    match select(doing, given_up).await {
        Either::Left((value, _)) => (number, Some(value)),
        Either::Right(((), _)) => (number, None),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::poll::virtual_clock::Simulation;

    const MS: Duration = Duration::from_millis(1);

    /// Number, when it was begun, and when it ended, of things that take so many milliseconds each.
    fn paced(gap_ms: u32, take_ms: &[u32], give_up: Duration, most: usize) -> Vec<(u32, Option<Tick>, Tick)> {
        let clock = Simulation::default();
        let count = u32::try_from(take_ms.len()).unwrap();
        let plan = Pace { begun: Tick(0).after(5 * MS), gap: gap_ms * MS, count, give_up };
        let mut ends = Vec::new();
        let begin = |number: u32| {
            let (clock, take) = (&clock, take_ms[number as usize] * MS);
            async move {
                let begun = clock.now();
                clock.sleep_until(begun.after(take)).await;
                begun
            }
        };
        clock.run(pace(&clock, plan, begin, |number, begun| {
            ends.push((number, begun, clock.now()));
            if ends.len() == most { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        }));
        ends
    }

    #[test]
    fn nobody_waits_for_those_before() {
        let ends = paced(10, &[1000, 1, 1], Duration::from_secs(60), usize::MAX);
        let at = |ms: u32| Tick(0).after(ms * MS);
        assert_eq!(ends, [(1, Some(at(15)), at(16)), (2, Some(at(25)), at(26)), (0, Some(at(5)), at(1005))]);
    }

    #[test]
    fn what_takes_too_long_is_given_up() {
        let ends = paced(10, &[1000, 1], 100 * MS, usize::MAX);
        assert_eq!(ends[1], (0, None, Tick(0).after(105 * MS)));
    }

    #[test]
    fn it_ends_when_it_is_decided() {
        assert_eq!(paced(10, &[1; 50], Duration::from_secs(60), 3).len(), 3);
        assert_eq!(paced(10, &[], Duration::from_secs(60), 3).len(), 0);
    }

    proptest! {
        #[test]
        fn each_is_begun_when_it_is_due_and_ends_once(gap_ms in 0_u32..50, take_ms in prop::collection::vec(0_u32..500, 0..40)) {
            let mut ends = paced(gap_ms, &take_ms, Duration::from_secs(60), usize::MAX);
            prop_assert!(ends.is_sorted_by_key(|(_, _, ended)| *ended));
            ends.sort_unstable();
            for ((number, begun, ended), take) in ends.iter().zip(&take_ms) {
                let due = Tick(0).after((5 + gap_ms * number) * MS);
                prop_assert_eq!((*begun, *ended), (Some(due), due.after(*take * MS)));
            }
            prop_assert_eq!(ends.len(), take_ms.len());
        }
    }
}
