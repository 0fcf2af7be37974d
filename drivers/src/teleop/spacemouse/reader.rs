//! The thread that owns a SpaceMouse: reads it, tells the newest, and looks for it when it is gone.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use wire::{Clock, Timestamp};

use super::{Opened, SpaceMouseError, cap::Cap, report::REPORT_MAX};
use crate::teleop::{
    buttons::{ButtonRole, RoleSet},
    newest::Shared,
};

/// Longest wait for a report: so often the device proves that it lives.
const TURN: Duration = Duration::from_millis(10);
/// Reports that are taken in before the newest is told.
const REPORTS_MAX: u32 = 64;
/// How often a device that is gone is looked for.
const SEARCH_PERIOD: Duration = Duration::from_secs(1);

/// Finds the device and opens it.
pub(super) type Opener = Box<dyn FnMut() -> Result<Opened, SpaceMouseError> + Send>;

pub(super) struct Reader {
    pub opener: Opener,
    pub device: Device,
    pub cap: Cap,
    /// What each button does, the first first.
    pub roles: Vec<ButtonRole>,
    pub newest: Shared,
    pub host: Arc<dyn Clock>,
    /// Reports that no SpaceMouse sends.
    pub odd_reports: u64,
}

pub(super) enum Device {
    There(Opened),
    Gone { why: String, searched_at: Timestamp },
}

impl Reader {
    pub fn run(mut self, ending: &AtomicBool) {
        while !ending.load(Ordering::SeqCst) {
            self.turn(TURN);
            if let Device::Gone { .. } = self.device {
                self.host.sleep_until(self.host.now() + TURN);
            }
        }
    }

    /// Takes in what has come, waits for something at most `wait`, and tells the newest.
    pub fn turn(&mut self, wait: Duration) {
        if let Device::Gone { searched_at, .. } = self.device {
            self.search(searched_at);
        }
        if let Err(why) = self.listen(wait) {
            tracing::warn!("the SpaceMouse is gone: {why}; it is looked for");
            let now = self.host.now();
            self.cap.reset(now);
            self.device = Device::Gone { why, searched_at: now };
        }
        self.tell();
    }

    fn search(&mut self, searched_at: Timestamp) {
        let now = self.host.now();
        if now.since(searched_at) < SEARCH_PERIOD {
            return;
        }
        self.device = match (self.opener)() {
            Ok(opened) => {
                tracing::info!("the SpaceMouse is back: {}", opened.name);
                self.cap.reset(now);
                Device::There(opened)
            }
            Err(why) => Device::Gone { why: why.to_string(), searched_at: now },
        };
    }

    fn listen(&mut self, mut wait: Duration) -> Result<(), String> {
        let Device::There(Opened { source, decode, .. }) = &mut self.device else { return Ok(()) };
        let mut buffer = [0; REPORT_MAX];
        for _ in 0..REPORTS_MAX {
            let received = source.receive(&mut buffer, wait).map_err(|error| error.to_string())?;
            let Some(length) = received else { return Ok(()) };
            match decode(&buffer[..length]) {
                Some(event) => self.cap.hear(self.host.now(), event),
                None => {
                    self.odd_reports += 1;
                    if self.odd_reports == 1 {
                        let report = &buffer[..length];
                        tracing::warn!(?report, "the SpaceMouse sends what is not understood");
                    }
                }
            }
            wait = Duration::ZERO;
        }
        Ok(())
    }

    fn tell(&mut self) {
        let now = self.host.now();
        let touch = match &self.device {
            Device::There(opened) => {
                self.cap.touch(now).map_err(|why| format!("{}: {why}", opened.name))
            }
            Device::Gone { why, .. } => Err(why.clone()),
        };
        let bits = self.cap.buttons();
        let down = self.roles.iter().enumerate().filter(|(i, _)| *i < 64 && bits >> i & 1 == 1);
        let held: RoleSet = down.map(|(_, role)| *role).collect();
        let mut newest = self.newest.lock();
        match touch {
            Ok(touch) => {
                newest.gone = None;
                newest.alive_at = touch.alive_at;
                newest.twist = touch.push;
                newest.engaged = touch.engaged;
                newest.buttons.hear(now, held);
            }
            Err(why) => {
                newest.gone = Some(why);
                newest.twist = [0.0; 6];
                newest.engaged = false;
                newest.buttons.let_go();
            }
        }
    }
}
