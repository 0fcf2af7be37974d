//! What makes the device loop run: time itself in a simulated cell, a thread on a real one.

use std::{
    sync::{Arc, Mutex, Weak},
    thread,
};

use thiserror::Error;
use wire::{Clock, Timestamp, UnixNanos};

use super::{Device, Gate, limits::TICK, pair::pass};
use crate::arm::Arm;

#[derive(Debug, Error)]
#[error("the device loop's thread could not be started")]
pub struct TickerError(#[from] std::io::Error);

impl<A: Arm + 'static> Gate<A> {
    /// The same clock, with the device loop in it: whoever sleeps on it makes the loop run as time
    /// passes. For cells in which sleeping is what moves time; the same run gives the same ticks.
    pub fn ticked(&self, clock: Arc<dyn Clock>) -> Arc<dyn Clock> {
        let next = Mutex::new(clock.now());
        Arc::new(TickedClock { inner: clock, device: Arc::downgrade(&self.0), next })
    }

    /// Runs the device loop on a thread of its own until the gate is gone. A thread that was held
    /// up skips what it missed: the targets come later, never faster.
    pub fn run_in_real_time(&self, clock: Arc<dyn Clock>) -> Result<(), TickerError> {
        let device = Arc::downgrade(&self.0);
        let run = move || {
            let mut deadline = clock.now();
            while let Some(device) = device.upgrade() {
                pass(&device, clock.now());
                drop(device);
                deadline = (deadline + TICK).max(clock.now());
                clock.sleep_until(deadline);
            }
        };
        thread::Builder::new().name("gate".into()).spawn(run)?;
        Ok(())
    }
}

struct TickedClock<A: Arm> {
    inner: Arc<dyn Clock>,
    device: Weak<Mutex<Device<A>>>,
    /// When the next tick is due.
    next: Mutex<Timestamp>,
}

impl<A: Arm> Clock for TickedClock<A> {
    fn now(&self) -> Timestamp {
        self.inner.now()
    }

    /// A tick that is due at `deadline` itself waits for the next sleep, and so for the command
    /// that is given in between.
    fn sleep_until(&self, deadline: Timestamp) {
        let mut next = self.next.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        loop {
            let now = self.inner.now();
            if now >= deadline {
                return;
            }
            if *next <= now {
                if let Some(device) = self.device.upgrade() {
                    pass(&device, now);
                }
                *next = now + TICK;
            }
            self.inner.sleep_until(deadline.min(*next));
        }
    }

    fn wall_now(&self) -> UnixNanos {
        self.inner.wall_now()
    }
}
