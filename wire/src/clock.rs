//! Time comes in by argument: whoever needs it holds a [`Clock`].
//!
//! The simulated cell has a clock of its own (sleeping there steps the physics), so a control loop
//! written against this trait runs the same in real and in simulated time.

use std::{
    ops::{Add, Sub},
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};

/// Monotonic nanoseconds since the clock's own start.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// Time since `earlier`; zero when `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// So much earlier, or the clock's start where that is later.
    pub fn before(self, age: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(age.as_nanos()).unwrap_or(u64::MAX)))
    }

    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 * 1e-9
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, rhs: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(rhs.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl Sub for Timestamp {
    type Output = Duration;

    fn sub(self, rhs: Self) -> Duration {
        self.since(rhs)
    }
}

/// Wall-clock nanoseconds since 1970, for people who look at a run later. Never used for control.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct UnixNanos(pub u64);

/// A source of time. Implementations: [`SystemClock`], [`ManualClock`], and the simulated cell's.
pub trait Clock: Send + Sync {
    fn now(&self) -> Timestamp;

    /// Returns at `deadline`, or at once when it has passed.
    fn sleep_until(&self, deadline: Timestamp);

    fn wall_now(&self) -> UnixNanos;
}

/// The machine's monotonic clock, counted from when this value was made.
#[derive(Debug)]
pub struct SystemClock {
    epoch: Instant,
}

impl SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
    pub fn new() -> Self {
        Self { epoch: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp(u64::try_from(self.epoch.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    fn sleep_until(&self, deadline: Timestamp) {
        let left = deadline.since(self.now());
        if !left.is_zero() {
            thread::sleep(left);
        }
    }

    fn wall_now(&self) -> UnixNanos {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        UnixNanos(u64::try_from(since_epoch.as_nanos()).unwrap_or(u64::MAX))
    }
}

/// A clock that a test moves by hand; sleeping jumps to the deadline.
#[derive(Debug, Default)]
pub struct ManualClock(AtomicU64);

impl ManualClock {
    pub fn advance(&self, by: Duration) {
        self.sleep_until(self.now() + by);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }

    fn sleep_until(&self, deadline: Timestamp) {
        self.0.fetch_max(deadline.0, Ordering::SeqCst);
    }

    fn wall_now(&self) -> UnixNanos {
        UnixNanos(self.now().0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_jumps_to_the_deadline_and_never_back() {
        let clock = ManualClock::default();
        clock.sleep_until(Timestamp(5));
        clock.sleep_until(Timestamp(3));
        assert_eq!(clock.now(), Timestamp(5));
    }

    #[test]
    fn time_since_a_later_moment_is_zero() {
        assert_eq!(Timestamp(3).since(Timestamp(5)), Duration::ZERO);
    }
}
