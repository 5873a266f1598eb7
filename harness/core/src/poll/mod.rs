//! Waiting for something to become true, and doing things at their times, over a [`Clock`]: the only place that sleeps. Must not know
//! what is waited for or done.

mod pace;

pub use pace::{Pace, pace};

use std::{future::Future, pin::pin, time::Duration};

use futures::future::{Either, select};

use crate::ports::{Clock, Tick};

/// When to look next. The gap between looks grows with the time already waited, so that a latency is known to the same
/// *relative* error whether it is short or long, and a bound of minutes costs few looks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Schedule {
    /// Gap before the second look, and the smallest gap.
    pub first: Duration,
    /// Gap as a share of the time waited so far.
    pub share: f64,
}

impl Default for Schedule {
    /// A quarter of a second, then a fifth of the time waited: 5 minutes cost at most 37 looks.
    fn default() -> Self {
        Self { first: Duration::from_millis(250), share: 0.2 }
    }
}

impl Schedule {
    /// When to look after a look at `last`, having begun to wait at `begun`: never later than `deadline`, until that has come.
    pub fn next(&self, begun: Tick, last: Tick, deadline: Tick) -> Tick {
        let gap = last.since(begun).mul_f64(self.share).max(self.first);
        let next = last.after(gap);
        if last < deadline { next.min(deadline) } else { next }
    }
}

/// What one look tells the wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step<T> {
    /// It is true.
    Ready(T),
    /// Not yet; the text says what was seen instead.
    NotYet(String),
    /// It can never become true.
    Never(String),
}

/// How a wait ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended<T> {
    /// It became true.
    Ready(T),
    /// A look sent at the deadline or later still said no; the text is the last status.
    TimedOut(String),
    /// It can never become true.
    Never(String),
}

/// Looks until a look says that it is true, that it can never be, or one *sent at or after* `deadline` still says no: only such a
/// no proves that the deadline was missed. At least one look is always taken.
pub async fn until<T, F, Fut>(clock: &dyn Clock, schedule: Schedule, deadline: Tick, mut look: F) -> Ended<T>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Step<T>>,
{
    let begun = clock.now();
    loop {
        let sent = clock.now();
        match look().await {
            Step::Ready(value) => return Ended::Ready(value),
            Step::Never(reason) => return Ended::Never(reason),
            Step::NotYet(status) if sent >= deadline => return Ended::TimedOut(status),
            Step::NotYet(_) => clock.sleep_until(schedule.next(begun, sent, deadline).max(clock.now())).await,
        }
    }
}

/// Looks until `end` has passed and demands that every look says yes: for absence and stability. Returns the first status that
/// was not a yes, `None` if the window held.
pub async fn hold<T, F, Fut>(clock: &dyn Clock, schedule: Schedule, end: Tick, mut look: F) -> Option<String>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Step<T>>,
{
    let begun = clock.now();
    loop {
        let sent = clock.now();
        match look().await {
            Step::Ready(_) if sent >= end => return None,
            Step::Ready(_) => clock.sleep_until(schedule.next(begun, sent, end).max(clock.now())).await,
            Step::NotYet(status) | Step::Never(status) => return Some(status),
        }
    }
}

/// What `work` comes to, or `None` where `deadline` comes first; it is dropped then.
pub async fn within<T>(clock: &dyn Clock, deadline: Tick, work: impl Future<Output = T>) -> Option<T> {
    match select(pin!(work), clock.sleep_until(deadline)).await {
        Either::Left((value, _)) => Some(value),
        Either::Right(_) => None,
    }
}

#[cfg(test)]
pub(crate) mod virtual_clock {
    //! Clocks on which sleeping takes no time.

    use std::{
        collections::BTreeMap,
        future::poll_fn,
        sync::{
            Mutex, PoisonError,
            atomic::{AtomicU64, Ordering},
        },
        task::{Context, Poll, Waker},
    };

    use async_trait::async_trait;

    use crate::ports::{Clock, Tick};

    /// Time in which several things can be under way: it passes only when all of them wait, and then to the first that ends.
    #[derive(Default)]
    pub(crate) struct Simulation {
        now: AtomicU64,
        sleepers: Mutex<BTreeMap<u64, Vec<Waker>>>,
    }

    impl Simulation {
        /// Drives `future` to its end.
        pub(crate) fn run<T>(&self, future: impl Future<Output = T>) -> T {
            let mut future = std::pin::pin!(future);
            loop {
                if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                    return value;
                }
                let first = self.sleepers.lock().unwrap_or_else(PoisonError::into_inner).pop_first();
                let (until, wakers) = first.expect("something waits for what never comes");
                self.now.fetch_max(until, Ordering::SeqCst);
                wakers.into_iter().for_each(Waker::wake);
            }
        }
    }

    #[async_trait]
    impl Clock for Simulation {
        fn now(&self) -> Tick {
            Tick(self.now.load(Ordering::SeqCst))
        }

        fn unix_ns(&self) -> i64 {
            1_700_000_000_000_000_000 + i64::try_from(self.now.load(Ordering::SeqCst)).unwrap_or(i64::MAX)
        }

        async fn sleep_until(&self, until: Tick) {
            poll_fn(|context| {
                if self.now() >= until {
                    return Poll::Ready(());
                }
                let mut sleepers = self.sleepers.lock().unwrap_or_else(PoisonError::into_inner);
                sleepers.entry(until.0).or_default().push(context.waker().clone());
                Poll::Pending
            })
            .await;
        }
    }

    /// Time passes only by sleeping.
    #[derive(Default)]
    pub(crate) struct VirtualClock(AtomicU64);

    #[async_trait]
    impl Clock for VirtualClock {
        fn now(&self) -> Tick {
            Tick(self.0.load(Ordering::SeqCst))
        }

        fn unix_ns(&self) -> i64 {
            1_700_000_000_000_000_000 + i64::try_from(self.0.load(Ordering::SeqCst)).unwrap_or(i64::MAX)
        }

        async fn sleep_until(&self, until: Tick) {
            self.0.fetch_max(until.0, Ordering::SeqCst);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use futures::executor::block_on;
    use proptest::prelude::*;

    use super::{virtual_clock::VirtualClock, *};

    fn seconds(seconds: u64) -> Tick {
        Tick(seconds * 1_000_000_000)
    }

    fn looks_until(true_from: Tick, deadline: Tick) -> (Ended<Tick>, u32) {
        let clock = VirtualClock::default();
        let looks = Cell::new(0);
        let ended = block_on(until(&clock, Schedule::default(), deadline, || {
            looks.set(looks.get() + 1);
            let now = clock.now();
            async move { if now >= true_from { Step::Ready(now) } else { Step::NotYet(format!("at {now}")) } }
        }));
        (ended, looks.get())
    }

    #[test]
    fn a_bound_of_five_minutes_costs_fewer_than_fifty_looks() {
        let (ended, looks) = looks_until(seconds(10_000), seconds(300));
        assert_eq!(ended, Ended::TimedOut("at +300.000s".into()));
        assert!(looks < 50, "{looks} looks");
    }

    #[test]
    fn the_last_no_is_sent_at_the_deadline() {
        let (ended, _) = looks_until(Tick(seconds(300).0 + 1), seconds(300));
        assert_eq!(ended, Ended::TimedOut("at +300.000s".into()));
    }

    #[test]
    fn one_look_is_taken_after_a_deadline_in_the_past() {
        assert_eq!(looks_until(seconds(0), seconds(0)), (Ended::Ready(seconds(0)), 1));
    }

    #[test]
    fn hold_reports_the_first_break() {
        let clock = VirtualClock::default();
        let broken = block_on(hold(&clock, Schedule::default(), seconds(60), || {
            let now = clock.now();
            async move { if now < seconds(30) { Step::Ready(()) } else { Step::NotYet(format!("broke at {now}")) } }
        }));
        assert!(broken.is_some_and(|status| status.starts_with("broke at")));
        let held = block_on(hold(&clock, Schedule::default(), seconds(120), || async { Step::Ready(()) }));
        assert_eq!(held, None);
    }

    proptest! {
        #[test]
        fn what_becomes_true_before_the_deadline_is_found_within_a_fifth(true_from_ms in 0_u64..299_000) {
            let true_from = Tick(true_from_ms * 1_000_000);
            let (ended, _) = looks_until(true_from, seconds(300));
            let Ended::Ready(found) = ended else { panic!("{ended:?}") };
            prop_assert!(found >= true_from);
            prop_assert!(found.since(true_from) <= Duration::from_millis(250).max(Duration::from_nanos(true_from.0 / 5)));
        }
    }
}
