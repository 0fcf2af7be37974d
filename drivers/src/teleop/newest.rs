//! What a device's reader thread leaves for whoever asks: the newest word of the hand and when the
//! device was last known to live. Locks are held for a copy.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use wire::{Clock, GripperCommand, Mark, Timestamp};

use super::{
    TeleopError, TeleopSample,
    buttons::{ButtonRole, Buttons},
};
use crate::Stamped;

/// The hand as the device said last.
#[derive(Clone, Debug)]
pub(super) struct Newest {
    /// When the device was last known to live, by the host's clock.
    pub alive_at: Timestamp,
    /// Why nothing can be heard.
    pub gone: Option<String>,
    pub twist: [f64; 6],
    /// The hand is on the device.
    pub engaged: bool,
    pub buttons: Buttons,
    /// The person drives only while `ButtonRole::Intervene` is down.
    pub needs_button: bool,
}

impl Newest {
    pub fn at_rest(now: Timestamp, needs_button: bool) -> Self {
        Self {
            alive_at: now,
            gone: None,
            twist: [0.0; 6],
            engaged: false,
            buttons: Buttons::default(),
            needs_button,
        }
    }

    /// A button of the gripper alone is a hand on the device as well.
    fn sample(&mut self, now: Timestamp) -> TeleopSample {
        let gripper = self.buttons.take_grip(now);
        let allowed = !self.needs_button || self.buttons.holds(ButtonRole::Intervene);
        let pressed = gripper != GripperCommand::Stay;
        let by_button = self.needs_button || pressed;
        if allowed && (self.engaged || by_button) {
            let twist = if self.engaged { self.twist } else { [0.0; 6] };
            TeleopSample { twist, gripper, engaged: true }
        } else {
            TeleopSample::default()
        }
    }
}

/// The reader's thread and its owner look at the same.
#[derive(Clone, Debug)]
pub(super) struct Shared(Arc<Mutex<Newest>>);

impl Shared {
    pub fn new(newest: Newest) -> Self {
        Self(Arc::new(Mutex::new(newest)))
    }

    pub fn lock(&self) -> MutexGuard<'_, Newest> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A device that a thread reads, as the actor asks it.
pub(super) struct Watched {
    newest: Shared,
    /// Of the reader.
    host: Arc<dyn Clock>,
    /// Of the cell, in which samples are stamped.
    clock: Arc<dyn Clock>,
    pub dead_man: Duration,
    ending: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Watched {
    /// `thread` ends soon after `ending` is set.
    pub fn new(
        newest: Shared,
        [host, clock]: [Arc<dyn Clock>; 2],
        dead_man: Duration,
        ending: Arc<AtomicBool>,
        thread: Option<JoinHandle<()>>,
    ) -> Self {
        Self { newest, host, clock, dead_man, ending, thread }
    }

    pub fn sample(&mut self) -> Result<Stamped<TeleopSample>, TeleopError> {
        let mut newest = self.newest.lock();
        let now = self.host.now();
        if let Some(why) = &newest.gone {
            return Err(TeleopError::Gone(why.clone()));
        }
        let value = newest.sample(now);
        Ok(Stamped { at: self.clock.now().before(now.since(newest.alive_at)), value })
    }

    pub fn mark(&mut self) -> Option<Mark> {
        self.newest.lock().buttons.take_mark(self.host.now())
    }

    pub fn announce(&mut self) {
        self.newest.lock().buttons.forget_presses();
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.ending.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            // A reader that panicked has said so itself.
            _ = thread.join();
        }
    }
}
