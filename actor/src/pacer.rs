//! When the next step begins: absolute deadlines, one period apart. A missed deadline is counted,
//! never caught up. Reads no clock and never sleeps.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use wire::Timestamp;

/// How punctual the steps were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Punctuality {
    pub steps: u64,
    /// Periods that passed without a step.
    pub missed: u64,
    /// How far the latest step began behind its deadline.
    pub jitter: Duration,
    pub jitter_max: Duration,
    jitter_sum: Duration,
}

impl Punctuality {
    pub fn jitter_mean(&self) -> Duration {
        u32::try_from(self.steps)
            .map_or(Duration::ZERO, |n| self.jitter_sum.checked_div(n).unwrap_or(Duration::ZERO))
    }
}

#[derive(Clone, Debug)]
pub struct Pacer {
    period: Duration,
    deadline: Timestamp,
    punctuality: Punctuality,
}

impl Pacer {
    /// The first step begins at `now`. Panics when `period` is zero.
    pub fn new(period: Duration, now: Timestamp) -> Self {
        assert!(!period.is_zero(), "a step lasts longer than nothing");
        Self { period, deadline: now, punctuality: Punctuality::default() }
    }

    pub fn period(&self) -> Duration {
        self.period
    }

    pub fn punctuality(&self) -> Punctuality {
        self.punctuality
    }

    /// Starts counting anew at `now`: after a reset or a wait that is not the steps' fault.
    pub fn restart(&mut self, now: Timestamp) {
        self.deadline = now;
    }

    /// A step is computed at `now`; when the next one begins. Deadlines that have passed already
    /// are missed and skipped, so that the steps keep their grid.
    pub fn next_deadline(&mut self, now: Timestamp) -> Timestamp {
        self.deadline = self.deadline + self.period;
        if now > self.deadline {
            let late = now.since(self.deadline).as_nanos();
            let behind = late.div_ceil(self.period.as_nanos());
            let behind = u64::try_from(behind).unwrap_or(u64::MAX);
            self.punctuality.missed += behind;
            let period = u64::try_from(self.period.as_nanos()).unwrap_or(u64::MAX);
            self.deadline.0 = self.deadline.0.saturating_add(behind.saturating_mul(period));
        }
        self.deadline
    }

    /// The next step begins at `now`, at best at its deadline.
    pub fn began(&mut self, now: Timestamp) {
        let jitter = now.since(self.deadline);
        let seen = &mut self.punctuality;
        seen.steps += 1;
        seen.jitter = jitter;
        seen.jitter_max = seen.jitter_max.max(jitter);
        seen.jitter_sum = seen.jitter_sum.saturating_add(jitter);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Steps of 10 ns that are computed at these moments: the deadlines, and how many were missed.
    fn check(computed_at: &[u64], deadlines: &[u64], missed: u64) {
        let mut pacer = Pacer::new(Duration::from_nanos(10), Timestamp(0));
        let got: Vec<u64> =
            computed_at.iter().map(|now| pacer.next_deadline(Timestamp(*now)).0).collect();
        assert_eq!(got, deadlines);
        assert_eq!(pacer.punctuality().missed, missed);
    }

    #[test]
    fn deadlines_are_absolute() {
        check(&[3, 19, 20], &[10, 20, 30], 0);
    }

    #[test]
    fn a_step_that_ends_on_its_deadline_misses_nothing() {
        check(&[10, 20], &[10, 20], 0);
    }

    #[test]
    fn a_late_step_is_counted_and_the_grid_is_kept() {
        check(&[11, 21], &[20, 30], 1);
    }

    #[test]
    fn missed_deadlines_are_never_caught_up() {
        check(&[47, 51], &[50, 60], 4);
    }

    #[test]
    fn a_restart_misses_nothing() {
        let mut pacer = Pacer::new(Duration::from_nanos(10), Timestamp(0));
        pacer.restart(Timestamp(1000));
        assert_eq!(pacer.next_deadline(Timestamp(1003)), Timestamp(1010));
        assert_eq!(pacer.punctuality().missed, 0);
    }

    #[test]
    fn jitter_is_the_time_behind_the_deadline() {
        let mut pacer = Pacer::new(Duration::from_nanos(10), Timestamp(0));
        for began in [10, 24, 32] {
            pacer.next_deadline(Timestamp(began - 5));
            pacer.began(Timestamp(began));
        }
        let seen = pacer.punctuality();
        assert_eq!((seen.jitter.as_nanos(), seen.jitter_max.as_nanos()), (2, 4));
        assert_eq!(seen.jitter_mean().as_nanos(), 2);
    }
}
