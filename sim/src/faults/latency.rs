//! How late something is at a moment: the sum of all latencies that are under way.

use std::time::Duration;

use wire::Timestamp;

use super::{FaultKind, Faults, Late, Timeline};

#[derive(Debug)]
pub struct Latency(Vec<((Duration, Duration), Timeline)>);

impl Latency {
    /// Those that are of what `hit` says.
    pub fn of(faults: &Faults, hit: impl Fn(&Late) -> bool) -> Self {
        Self(faults.timelines(|kind| match kind {
            FaultKind::Latency { of, delay, jitter } => hit(of).then_some((*delay, *jitter)),
            _ => None,
        }))
    }

    /// Of a reading that is taken `now`.
    pub fn at(&mut self, now: Timestamp) -> Duration {
        let mut sum = Duration::ZERO;
        for ((delay, jitter), timeline) in &mut self.0 {
            if timeline.look(now).is_active() {
                sum += *delay + jitter.mul_f64(timeline.draw());
            }
        }
        sum
    }
}
