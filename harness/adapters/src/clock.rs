use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use harness_core::ports::{Clock, Tick};

/// The machine's clocks. The only place that reads them and sleeps.
#[derive(Debug, Clone)]
pub struct SystemClock {
    began: Instant,
}

impl SystemClock {
    /// A clock whose [`Tick`] zero is now.
    #[expect(clippy::disallowed_methods, reason = "this is the clock that everything else reads")]
    pub fn start() -> Self {
        Self { began: Instant::now() }
    }
}

#[async_trait]
impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock that everything else reads")]
    fn now(&self) -> Tick {
        Tick(0).after(Instant::now().saturating_duration_since(self.began))
    }

    #[expect(clippy::disallowed_methods, reason = "this is the clock that everything else reads")]
    fn unix_ns(&self) -> i64 {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        i64::try_from(since_epoch.as_nanos()).unwrap_or(i64::MAX)
    }

    #[expect(clippy::disallowed_methods, reason = "this is the clock that everything else waits on")]
    async fn sleep_until(&self, until: Tick) {
        tokio::time::sleep(until.since(self.now())).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_begin_at_zero_and_never_go_back() {
        let clock = SystemClock::start();
        let first = clock.now();
        let second = clock.now();
        assert!(first <= second);
        assert!(first.since(Tick(0)) < Duration::from_secs(60));
    }

    #[tokio::test]
    async fn a_point_in_the_past_is_reached_at_once() {
        let clock = SystemClock::start();
        clock.sleep_until(Tick(0)).await;
        assert!(clock.now() >= Tick(0));
    }
}
