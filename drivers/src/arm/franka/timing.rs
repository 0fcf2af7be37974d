//! How long the law's cycles take. Counted without a lock by the thread that runs them.

use std::{
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
    time::Duration,
};

/// Bins of the histogram; the last one holds what is longer.
const BINS: usize = 1024;
const BIN: Duration = Duration::from_micros(2);

/// Of the cycles since the robot was connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CycleTimes {
    pub cycles: u64,
    /// From a state's arrival to its torques' departure; two milliseconds where it is longer.
    pub p99: Duration,
    pub worst: Duration,
    /// States of the robot that were never answered.
    pub missed: u64,
}

pub(super) struct Timing {
    bins: [AtomicU32; BINS],
    worst_ns: AtomicU64,
    missed: AtomicU64,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            bins: [const { AtomicU32::new(0) }; BINS],
            worst_ns: AtomicU64::new(0),
            missed: AtomicU64::new(0),
        }
    }
}

impl Timing {
    pub fn count(&self, took: Duration, missed: u64) {
        let bin = (took.as_nanos() / BIN.as_nanos()).min(BINS as u128 - 1) as usize;
        self.bins[bin].fetch_add(1, Ordering::Relaxed);
        self.worst_ns.fetch_max(took.as_nanos() as u64, Ordering::Relaxed);
        self.missed.fetch_add(missed, Ordering::Relaxed);
    }

    pub fn read(&self) -> CycleTimes {
        let bins = self.bins.each_ref().map(|bin| u64::from(bin.load(Ordering::Relaxed)));
        let cycles: u64 = bins.iter().sum();
        let mut left = cycles.div_ceil(100);
        // From the long end: the bin in which the longest hundredth begins.
        let mut above = BINS;
        while above > 0 && left > 0 {
            above -= 1;
            left = left.saturating_sub(bins[above]);
        }
        let p99 = if cycles == 0 { Duration::ZERO } else { BIN * (above as u32 + 1) };
        CycleTimes {
            cycles,
            p99,
            worst: Duration::from_nanos(self.worst_ns.load(Ordering::Relaxed)),
            missed: self.missed.load(Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hundredth_longest_of_a_hundred_is_told_from_the_worst() {
        let timing = Timing::default();
        assert_eq!(timing.read().p99, Duration::ZERO);
        for _ in 0..990 {
            timing.count(Duration::from_micros(10), 0);
        }
        for _ in 0..10 {
            timing.count(Duration::from_micros(300), 1);
        }
        timing.count(Duration::from_millis(9), 0);
        let times = timing.read();
        assert_eq!((times.cycles, times.missed), (1001, 10));
        assert_eq!(times.p99, Duration::from_micros(302));
        assert_eq!(times.worst, Duration::from_millis(9));
    }
}
