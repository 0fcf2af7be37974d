//! The client's side: an arm in another process.

use std::{
    path::Path,
    sync::{Arc, Mutex, MutexGuard},
};

use wire::{Clock, Timestamp, geometry::Pose};

use super::{
    line::{Line, unexpected},
    lock,
    message::{ArmRequest, DeviceReply, DeviceState},
};
use crate::{
    GuardedArm, Stamped,
    arm::{ArmError, ArmState, StopKind},
    gate::{Command, Executed, GateCounts, GateReport, Trip},
};

/// Looks at an arm in another process, and may stop it.
#[derive(Debug)]
pub struct Watcher(Line);

/// Commands an arm in another process, through the gate there. One client at a time may. When the
/// device was away the next call connects again.
pub struct RemoteGate {
    watcher: Mutex<Watcher>,
    clock: Arc<dyn Clock>,
    /// As the device last said.
    counts: Mutex<GateCounts>,
}

impl Watcher {
    pub fn connect(path: &Path) -> Result<Self, ArmError> {
        let mut line = Line::to(path);
        line.open()?;
        Ok(Self(line))
    }

    pub fn state(&mut self) -> Result<DeviceState, ArmError> {
        match self.0.ask_arm(ArmRequest::State)? {
            DeviceReply::State(state) => Ok(*state),
            other => Err(unexpected(&other)),
        }
    }

    pub fn stop(&mut self, how: StopKind) -> Result<(), ArmError> {
        self.0.tell_arm(ArmRequest::Stop(how))
    }

    /// Stops the arm until an operator has recovered it and cleared the latch.
    pub fn emergency_stop(&mut self, why: &str) -> Result<(), ArmError> {
        self.0.tell_arm(ArmRequest::EmergencyStop(why.into()))
    }
}

impl RemoteGate {
    /// Asks for the command of the arm; refused while another client has it. Times are given by
    /// `clock`, and leases begin when the device has the command.
    pub fn connect(path: &Path, clock: Arc<dyn Clock>) -> Result<Self, ArmError> {
        let mut line = Line::to(path).commanding();
        line.open()?;
        Ok(Self { watcher: Mutex::new(Watcher(line)), clock, counts: Mutex::default() })
    }

    fn watcher(&self) -> MutexGuard<'_, Watcher> {
        lock(&self.watcher)
    }

    fn tell(&self, request: ArmRequest) -> Result<(), ArmError> {
        self.watcher().0.tell_arm(request)
    }

    fn look(&self) -> Result<DeviceState, ArmError> {
        let state = self.watcher().state()?;
        *lock(&self.counts) = state.counts;
        Ok(state)
    }
}

impl std::fmt::Debug for RemoteGate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RemoteGate").field("watcher", &self.watcher).finish_non_exhaustive()
    }
}

impl GuardedArm for RemoteGate {
    fn state(&self) -> Result<Stamped<ArmState>, ArmError> {
        let seen = self.look()?;
        Ok(Stamped { at: self.clock.now().before(seen.age), value: seen.state })
    }

    fn skeleton(&self) -> Vec<[f64; 3]> {
        match self.watcher().0.ask_arm(ArmRequest::Skeleton) {
            Ok(DeviceReply::Skeleton(skeleton)) => skeleton,
            _ => Vec::new(),
        }
    }

    fn counts(&self) -> GateCounts {
        self.look().map_or(*lock(&self.counts), |seen| seen.counts)
    }

    fn target(&self, _: Timestamp) -> Option<Pose> {
        self.look().ok()?.target
    }

    fn command(&mut self, _: Timestamp, command: &Command) -> Result<GateReport, ArmError> {
        match self.watcher().0.ask_arm(ArmRequest::Command(*command))? {
            DeviceReply::Report(report) => Ok(report),
            other => Err(unexpected(&other)),
        }
    }

    fn settle(&mut self) -> Result<Executed, ArmError> {
        match self.watcher().0.ask_arm(ArmRequest::Settle)? {
            DeviceReply::Executed(executed) => Ok(executed),
            other => Err(unexpected(&other)),
        }
    }

    /// When this does not get through, the next connection begins with a hand-over.
    fn hand_over(&mut self) {
        _ = self.tell(ArmRequest::HandOver);
    }

    /// When this does not get through, the arm is stopped at the end of its lease.
    fn expect_pause(&mut self) {
        _ = self.tell(ArmRequest::ExpectPause);
    }

    fn stop(&mut self, how: StopKind) -> Result<(), ArmError> {
        self.watcher().stop(how)
    }

    fn emergency_stop(&mut self, why: &str) -> Result<(), ArmError> {
        self.watcher().emergency_stop(why)
    }

    fn recover(&mut self) -> Result<(), ArmError> {
        self.tell(ArmRequest::Recover)
    }

    fn clear_emergency(&mut self) -> Result<(), ArmError> {
        self.tell(ArmRequest::ClearEmergency)
    }

    fn refusal(&self) -> Option<Trip> {
        self.look().ok()?.refusal
    }
}
