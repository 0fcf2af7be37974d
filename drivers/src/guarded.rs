//! An arm behind its gate, whichever process the gate is in.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wire::{Timestamp, geometry::Pose};

use crate::{
    Compliance, Stamped,
    arm::{ArmError, ArmState, Jacobian, StopKind},
    gate::{Command, Executed, GateCounts, GateReport, Trip},
};

/// What whoever commands may ask of an arm: all of it goes through the gate.
///
/// No call waits longer than one exchange with the gate. Times are those of the cell's clock.
pub trait GuardedArm: Send {
    /// What the arm measures. Its mode says also why the gate would refuse a command.
    fn state(&self) -> Result<Stamped<ArmState>, ArmError>;

    /// Origins of base, joints and TCP (m, base frame), for people to look at; empty if unknown.
    fn skeleton(&self) -> Vec<[f64; 3]>;

    /// Where the arm is now; `None` if unknown here.
    fn jacobian(&self) -> Option<Jacobian> {
        None
    }

    /// How stiff the arm's controller is from now on. It moves nothing.
    fn set_compliance(&mut self, _compliance: &Compliance) -> Result<(), ArmError> {
        Err(ArmError::Unsupported("its compliance cannot be set from here".into()))
    }

    /// What the gate has done so far, as far as is known here.
    fn counts(&self) -> GateCounts;

    /// The last target, while its lease is valid.
    fn target(&self, now: Timestamp) -> Option<Pose>;

    /// Brings a command inside the limits; the device loop goes there from its next tick on. A
    /// command that is not finite, or that would be given on a stale state, becomes the pose that
    /// the arm has. An arm that does not know its pose gets nothing.
    fn command(&mut self, now: Timestamp, command: &Command) -> Result<GateReport, ArmError>;

    /// Where the last command has brought the arm's target, and what the gate has done since this
    /// was asked last. At the end of a step this is what the step executed.
    fn settle(&mut self) -> Result<Executed, ArmError>;

    /// Another hand takes over: the next command starts from the measured pose and its speed grows
    /// from nothing, so that the switch is bumpless.
    fn hand_over(&mut self);

    /// Whoever commands is about to wait: when the lease ends the arm holds, and is not stopped.
    fn expect_pause(&mut self);

    fn stop(&mut self, how: StopKind) -> Result<(), ArmError>;

    /// Stops the arm and refuses everything until an operator has recovered the arm and cleared the
    /// latch. No new episode and no other stop ends this.
    fn emergency_stop(&mut self, why: &str) -> Result<(), ArmError>;

    /// Ends a stop. An emergency stop stays latched.
    fn recover(&mut self) -> Result<(), ArmError>;

    /// Ends an emergency stop, after `recover`. Only an operator's word may lead here.
    fn clear_emergency(&mut self) -> Result<(), ArmError>;

    /// Why a command would be refused.
    fn refusal(&self) -> Option<Trip>;
}

/// One arm for several who command it, each call by itself.
#[derive(Clone)]
pub struct SharedArm(Arc<Mutex<Box<dyn GuardedArm>>>);

impl SharedArm {
    pub fn new(arm: Box<dyn GuardedArm>) -> Self {
        Self(Arc::new(Mutex::new(arm)))
    }

    fn arm(&self) -> MutexGuard<'_, Box<dyn GuardedArm>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for SharedArm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SharedArm")
    }
}

impl GuardedArm for SharedArm {
    fn state(&self) -> Result<Stamped<ArmState>, ArmError> {
        self.arm().state()
    }
    fn skeleton(&self) -> Vec<[f64; 3]> {
        self.arm().skeleton()
    }
    fn jacobian(&self) -> Option<Jacobian> {
        self.arm().jacobian()
    }
    fn set_compliance(&mut self, compliance: &Compliance) -> Result<(), ArmError> {
        self.arm().set_compliance(compliance)
    }
    fn counts(&self) -> GateCounts {
        self.arm().counts()
    }
    fn target(&self, now: Timestamp) -> Option<Pose> {
        self.arm().target(now)
    }
    fn command(&mut self, now: Timestamp, command: &Command) -> Result<GateReport, ArmError> {
        self.arm().command(now, command)
    }
    fn settle(&mut self) -> Result<Executed, ArmError> {
        self.arm().settle()
    }
    fn hand_over(&mut self) {
        self.arm().hand_over();
    }
    fn expect_pause(&mut self) {
        self.arm().expect_pause();
    }
    fn stop(&mut self, how: StopKind) -> Result<(), ArmError> {
        self.arm().stop(how)
    }
    fn emergency_stop(&mut self, why: &str) -> Result<(), ArmError> {
        self.arm().emergency_stop(why)
    }
    fn recover(&mut self) -> Result<(), ArmError> {
        self.arm().recover()
    }
    fn clear_emergency(&mut self) -> Result<(), ArmError> {
        self.arm().clear_emergency()
    }
    fn refusal(&self) -> Option<Trip> {
        self.arm().refusal()
    }
}
