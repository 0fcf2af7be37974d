//! The time of a device that passes only as a client lets it: that of a simulated cell.

use std::{
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use wire::{Clock, Timestamp, UnixNanos};

use super::{
    line::{Line, unexpected},
    lock,
    message::{DeviceReply, DeviceRequest, DeviceTime},
};
use crate::ArmError;

/// How long a device may take to let its time pass.
const PATIENCE: Duration = Duration::from_secs(10);

/// Sleeping on it makes the device's time pass. One client may have it.
#[derive(Debug)]
pub struct RemoteClock {
    line: Mutex<Line>,
    now: AtomicU64,
    /// Of the wall clock, at time 0.
    began: UnixNanos,
}

impl RemoteClock {
    pub fn connect(path: &Path) -> Result<Self, ArmError> {
        let mut line = Line::to(path).patient(PATIENCE);
        let time = ask(&mut line, &DeviceRequest::Time)?;
        if !time.paced {
            return Err(ArmError::Gone(
                "its time passes by itself: set device.clock = \"real\", or start it with --paced"
                    .into(),
            ));
        }
        let began = UnixNanos(time.wall_now.0.saturating_sub(time.now.0));
        Ok(Self { line: Mutex::new(line), now: AtomicU64::new(time.now.0), began })
    }
}

fn ask(line: &mut Line, request: &DeviceRequest) -> Result<DeviceTime, ArmError> {
    match line.ask(request)? {
        DeviceReply::Time(time) => Ok(time),
        other => Err(unexpected(&other)),
    }
}

impl Clock for RemoteClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.now.load(Ordering::SeqCst))
    }

    /// A device that is gone keeps nobody: time passes, and its arm says that it is gone.
    fn sleep_until(&self, deadline: Timestamp) {
        let mut line = lock(&self.line);
        if self.now() >= deadline {
            return;
        }
        let reached = match ask(&mut line, &DeviceRequest::Advance(deadline)) {
            Ok(time) => time.now.max(deadline),
            Err(error) => {
                tracing::error!("the device's time stands still: {error}");
                deadline
            }
        };
        self.now.fetch_max(reached.0, Ordering::SeqCst);
    }

    fn wall_now(&self) -> UnixNanos {
        UnixNanos(self.began.0 + self.now().0)
    }
}
