//! When one fault is under way: a function of the script, the seed and the time that it is asked
//! for, and of the count of steps where that is what begins it.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Exp};
use wire::Timestamp;

use super::{Fault, When};

/// What is to be said about a fault at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// How often it has begun so far.
    pub begun: u32,
    /// When the one that is under way ends.
    pub until: Option<Timestamp>,
}

impl Moment {
    pub fn is_active(self) -> bool {
        self.until.is_some()
    }
}

#[derive(Debug)]
pub struct Timeline {
    when: When,
    lasts: Duration,
    begun: u32,
    /// When the last one began.
    last: Option<Timestamp>,
    next: Option<Timestamp>,
    step_reached: Arc<OnceLock<Timestamp>>,
    moments: ChaCha8Rng,
    readings: ChaCha8Rng,
}

impl Timeline {
    pub(super) fn new(
        fault: &Fault,
        seed: u64,
        index: u64,
        step_reached: Arc<OnceLock<Timestamp>>,
    ) -> Self {
        let rng = |stream| {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream(stream);
            rng
        };
        let mut timeline = Self {
            when: fault.when,
            lasts: fault.lasts,
            begun: 0,
            last: None,
            next: None,
            step_reached,
            moments: rng(2 * index),
            readings: rng(2 * index + 1),
        };
        timeline.next = match timeline.when {
            When::At(at) => Some(at),
            When::AtStep(_) => None,
            When::Every(_) | When::PerMinute(_) => timeline.following(Timestamp(0)),
        };
        timeline
    }

    /// How things stand at `now`, which must not go backwards.
    pub fn look(&mut self, now: Timestamp) -> Moment {
        if matches!(self.when, When::AtStep(_)) && self.begun == 0 {
            self.next = self.step_reached.get().copied();
        }
        while let Some(begin) = self.next.filter(|begin| *begin <= now) {
            self.begun += 1;
            self.last = Some(begin);
            self.next = self.following(begin);
        }
        let until = self.last.map(|last| last + self.lasts).filter(|end| now < *end);
        Moment { begun: self.begun, until }
    }

    /// Evenly from 0 to 1, of this fault's own.
    pub fn draw(&mut self) -> f64 {
        self.readings.random()
    }

    /// The beginning after the one at `begin`.
    fn following(&mut self, begin: Timestamp) -> Option<Timestamp> {
        match self.when {
            When::At(_) | When::AtStep(_) => None,
            When::Every(period) => Some(begin + period),
            When::PerMinute(rate) => {
                let pauses = Exp::new(rate / 60.0).expect("a checked rate is positive");
                let pause = Duration::from_secs_f64(pauses.sample(&mut self.moments));
                let over = if self.begun == 0 { begin } else { begin + self.lasts };
                Some(over + pause)
            }
        }
    }
}
