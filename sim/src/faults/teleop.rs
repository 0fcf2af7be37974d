//! A teleop device that is late, gets stuck or goes away. The person behind it goes on as before.

use std::{sync::Arc, time::Duration};

use drivers::{EpisodeBrief, Stamped, Teleop, TeleopError, TeleopSample};
use wire::{Clock, Mark, Timestamp};

use super::{FaultKind, Faults, Late, Latency, TeleopFailure, Timeline, history::History};

pub struct FaultyTeleop {
    inner: Box<dyn Teleop>,
    clock: Arc<dyn Clock>,
    latency: Latency,
    stuck: Vec<(TeleopFailure, Timeline)>,
    history: History<TeleopSample>,
    /// What the device says while it is stuck.
    stuck_at: Option<Stamped<TeleopSample>>,
}

impl FaultyTeleop {
    pub fn new(inner: Box<dyn Teleop>, faults: &Faults, clock: Arc<dyn Clock>) -> Self {
        let stuck = faults.timelines(|kind| match kind {
            FaultKind::TeleopStuck(how) => Some(*how),
            _ => None,
        });
        let latency = Latency::of(faults, |of| *of == Late::Teleop);
        Self { inner, clock, latency, stuck, history: History::default(), stuck_at: None }
    }

    fn failure(&mut self, now: Timestamp) -> Option<TeleopFailure> {
        let stuck = &mut self.stuck;
        stuck.iter_mut().find_map(|(how, timeline)| timeline.look(now).is_active().then_some(*how))
    }
}

impl Teleop for FaultyTeleop {
    fn sample(&mut self) -> Result<Stamped<TeleopSample>, TeleopError> {
        let before = self.history.last();
        let taken = self.inner.sample()?;
        self.history.push(taken.clone());
        let now = self.clock.now();
        let late = self.latency.at(now);
        let Some(how) = self.failure(now) else {
            self.stuck_at = None;
            let at = Timestamp(now.0.saturating_sub(late.as_nanos() as u64));
            let sample = if late.is_zero() { None } else { self.history.as_of(at) };
            return Ok(sample.unwrap_or(taken));
        };
        let last = self.stuck_at.get_or_insert_with(|| before.unwrap_or(taken)).clone();
        match how {
            TeleopFailure::Fresh => Ok(Stamped { at: now, ..last }),
            TeleopFailure::Silent => Ok(last),
            TeleopFailure::Gone => Err(TeleopError::Gone("its cable was pulled".into())),
        }
    }

    /// Nobody hears a button of a device that is stuck.
    fn mark(&mut self) -> Option<Mark> {
        let mark = self.inner.mark();
        if self.stuck_at.is_some() { None } else { mark }
    }

    fn announce(&mut self, brief: &EpisodeBrief) {
        self.inner.announce(brief);
    }

    fn dead_man(&self) -> Option<Duration> {
        self.inner.dead_man()
    }
}
