//! A clock whose wall time jumps. Its monotonic time never does.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use wire::{Clock, Timestamp, UnixNanos};

use super::{FaultKind, Faults, Timeline};

pub struct FaultyClock {
    inner: Arc<dyn Clock>,
    jumps: Mutex<Vec<(f64, Timeline)>>,
}

impl fmt::Debug for FaultyClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a clock that jumps")
    }
}

impl FaultyClock {
    pub fn new(inner: Arc<dyn Clock>, faults: &Faults) -> Self {
        let jumps = faults.timelines(|kind| match kind {
            FaultKind::ClockJump { by_s } => Some(*by_s),
            _ => None,
        });
        Self { inner, jumps: Mutex::new(jumps) }
    }
}

impl Clock for FaultyClock {
    fn now(&self) -> Timestamp {
        self.inner.now()
    }

    fn sleep_until(&self, deadline: Timestamp) {
        self.inner.sleep_until(deadline);
    }

    fn wall_now(&self) -> UnixNanos {
        let now = self.now();
        let mut jumps = self.jumps.lock().unwrap_or_else(PoisonError::into_inner);
        let ahead_s: f64 = jumps
            .iter_mut()
            .map(|(by_s, timeline)| *by_s * f64::from(timeline.look(now).begun))
            .sum();
        let ahead_ns = (ahead_s * 1e9) as i64;
        UnixNanos(self.inner.wall_now().0.saturating_add_signed(ahead_ns))
    }
}
