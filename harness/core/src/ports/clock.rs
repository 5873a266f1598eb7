use std::{fmt, time::Duration};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

/// A point on the run's one monotonic clock: nanoseconds since the run began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
pub struct Tick(pub u64);

impl Tick {
    /// How long after `earlier` this is; zero if it is before.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// The point `later` after this one.
    pub fn after(self, later: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(later.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl fmt::Display for Tick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "+{:.3}s", Duration::from_nanos(self.0).as_secs_f64())
    }
}

/// Time. Intervals are taken from [`Clock::now`] alone, so a step of the wall clock changes none.
#[async_trait]
pub trait Clock: Send + Sync {
    /// Now, on the monotonic clock.
    fn now(&self) -> Tick;

    /// Now on the wall clock, nanoseconds since the Unix epoch: for timestamps of records and for people.
    fn unix_ns(&self) -> i64;

    /// Returns at `until` or later. Only `poll` calls this.
    async fn sleep_until(&self, until: Tick);
}
