//! The gate: the only maker of the targets that an arm accepts.
//!
//! Every motion passes here, resets included. A command says where to go; a device loop of its own,
//! 100 times a second, sends the arm there in targets that are inside the workspace, bounded in
//! speed, acceleration and jerk, near the arm, and on a lease that must be renewed. So whoever
//! commands may stall or die: the arm holds and is then stopped. What the gate changes it reports,
//! and the report travels in the step. This protects the robot, the work-piece and the data; it is
//! not a safety function. The rules one by one: `docs/safety.md`.

mod core;
mod counts;
mod force;
mod goal;
mod grip;
mod joints;
mod limits;
mod pair;
mod profile;
mod refusal;
mod target;
mod ticker;
mod workspace;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use wire::{GateEvents, GripperCommand, Timestamp, geometry::Pose};

use self::{
    core::{Core, Order, Seen},
    grip::Grip,
};
pub use self::{
    counts::GateCounts,
    grip::{GripperLimits, SafeGrip},
    limits::{ForceLimits, GateLimits, JointLimits, MotionLimits, TICK},
    pair::pair,
    refusal::Trip,
    target::{Command, Executed, GateReport, SafeTarget},
    ticker::TickerError,
    workspace::WorkspaceBox,
};
use crate::{
    Compliance, Gripper, GuardedArm, Stamped,
    arm::{Arm, ArmError, ArmMode, ArmState, Jacobian, StopKind},
};

/// Stands before an arm. Owns it, so that nobody else can command it, and stops it when dropped.
///
/// A command takes effect with the next pass of the device loop: see [`Gate::ticked`] and
/// [`Gate::run_in_real_time`]. All times are those of the clock that the loop runs on.
pub struct Gate<A: Arm>(Arc<Mutex<Device<A>>>);

/// What the commanding thread and the device loop share. The lock is held for one exchange with the
/// arm, which never waits for the wire.
struct Device<A> {
    arm: A,
    core: Core,
    gripper: Option<Jaws>,
    /// Why the arm or the gripper did not take what it was sent; told to whoever commands next.
    failure: Option<ArmError>,
    /// The other arm of a pair.
    partner: Option<Weak<dyn pair::Partner>>,
}

/// The gripper at the arm's tool.
struct Jaws {
    gripper: Box<dyn Gripper>,
    grip: Grip,
}

impl std::fmt::Debug for Jaws {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Jaws").field("grip", &self.grip).finish_non_exhaustive()
    }
}

impl<A: Arm> std::fmt::Debug for Gate<A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gate").field("core", &self.device().core).finish_non_exhaustive()
    }
}

impl<A: Arm> Drop for Gate<A> {
    fn drop(&mut self) {
        if let Err(error) = self.stop(StopKind::Controlled) {
            tracing::error!("the arm did not take the stop: {error}");
        }
    }
}

impl<A: Arm> Gate<A> {
    pub fn new(arm: A, limits: GateLimits) -> Self {
        let core = Core::new(limits);
        Self(Arc::new(Mutex::new(Device {
            arm,
            core,
            gripper: None,
            failure: None,
            partner: None,
        })))
    }

    /// With a gripper at the tool, whose commands are posted with the arm's.
    #[must_use]
    pub fn with_gripper(self, gripper: Box<dyn Gripper>, limits: GripperLimits) -> Self {
        self.device().gripper = Some(Jaws { gripper, grip: Grip::new(limits) });
        self
    }

    fn device(&self) -> MutexGuard<'_, Device<A>> {
        lock(&self.0)
    }

    pub fn limits(&self) -> GateLimits {
        self.device().core.limits().clone()
    }

    /// One pass of the device loop.
    #[cfg(test)]
    fn tick(&mut self, now: Timestamp) {
        pair::pass(&self.0, now);
    }
}

impl<A: Arm> GuardedArm for Gate<A> {
    fn state(&self) -> Result<Stamped<ArmState>, ArmError> {
        let mut device = self.device();
        let mut state = device.look()?;
        state.value.mode = device.core.mode(state.value.mode);
        state.value.gripper = device.opening(state.at);
        Ok(state)
    }

    fn skeleton(&self) -> Vec<[f64; 3]> {
        self.device().arm.skeleton()
    }

    fn jacobian(&self) -> Option<Jacobian> {
        self.device().arm.jacobian()
    }

    fn set_compliance(&mut self, compliance: &Compliance) -> Result<(), ArmError> {
        self.device().arm.set_compliance(compliance)
    }

    fn counts(&self) -> GateCounts {
        *self.device().core.counts()
    }

    fn target(&self, now: Timestamp) -> Option<Pose> {
        self.device().core.target(now)
    }

    fn command(&mut self, now: Timestamp, command: &Command) -> Result<GateReport, ArmError> {
        let mut device = self.device();
        if let Some(failure) = device.failure.take() {
            return Err(failure);
        }
        let state = device.look()?;
        if state.value.mode == ArmMode::Disconnected {
            return Err(ArmError::Gone("its link is lost".into()));
        }
        if !core::is_usable(&state) {
            return Err(ArmError::NoState);
        }
        let report = device.core.command(now, &state, command).map_err(ArmError::Refused)?;
        device.post(now, command)?;
        Ok(report)
    }

    fn settle(&mut self) -> Result<Executed, ArmError> {
        let mut device = self.device();
        let measured = device.look()?.value.tcp_pose;
        let gripper = match &mut device.gripper {
            Some(jaws) => jaws.grip.settle(),
            None => GripperCommand::Stay,
        };
        Ok(Executed { gripper, ..device.core.settle(&measured) })
    }

    fn hand_over(&mut self) {
        self.device().core.hand_over();
    }

    fn expect_pause(&mut self) {
        self.device().core.expect_pause();
    }

    fn stop(&mut self, how: StopKind) -> Result<(), ArmError> {
        let mut device = self.device();
        let here = device.look().ok().map(|state| state.value.tcp_pose);
        let order = device.core.stopped(how, here);
        device.carry_out(order)
    }

    fn emergency_stop(&mut self, why: &str) -> Result<(), ArmError> {
        let mut device = self.device();
        let order = device.core.emergency(why);
        device.carry_out(order)
    }

    fn recover(&mut self) -> Result<(), ArmError> {
        let mut device = self.device();
        device.arm.recover()?;
        device.failure = None;
        device.core.recovered();
        Ok(())
    }

    fn clear_emergency(&mut self) -> Result<(), ArmError> {
        self.device().core.clear_emergency().map_err(ArmError::Refused)
    }

    fn refusal(&self) -> Option<Trip> {
        self.device().core.refusal().trip().cloned()
    }
}

impl<A: Arm> Device<A> {
    /// Every look at the arm notices its own emergency stop, before another stop can cover it.
    fn look(&mut self) -> Result<Stamped<ArmState>, ArmError> {
        let state = self.arm.state()?;
        let order = self.core.notice(state.value.mode);
        self.carry_out(order)?;
        Ok(state)
    }

    fn tick(&mut self, now: Timestamp) {
        let state = self.look().ok().filter(core::is_usable);
        let jacobian = self.arm.jacobian();
        let seen = Seen {
            state: state.as_ref(),
            joint_ends: self.arm.joint_ends(),
            jacobian: jacobian.as_ref(),
        };
        let order = self.core.tick(now, &seen);
        if let Err(failure) = self.carry_out(order) {
            self.core.arm_failed();
            self.failure = Some(failure);
        }
        self.send_grip(now);
    }

    /// Leaves the gripper's part of a command to the device loop.
    fn post(&mut self, now: Timestamp, command: &Command) -> Result<(), ArmError> {
        let until = now + command.valid_for.min(self.core.limits().lease);
        match (&mut self.gripper, command.gripper) {
            (None, GripperCommand::Stay) => {}
            (None, _) => return Err(ArmError::Gripper("the cell has none".into())),
            (Some(jaws), gripper) => {
                if !jaws.grip.post(now, gripper, until) {
                    self.core.note(GateEvents::GRIPPER);
                }
            }
        }
        Ok(())
    }

    fn send_grip(&mut self, now: Timestamp) {
        let follows = self.core.follows();
        let Some(jaws) = &mut self.gripper else { return };
        if let Some(grip) = jaws.grip.tick(now, follows)
            && let Err(error) = jaws.gripper.command(grip)
        {
            self.failure = Some(ArmError::Gripper(error.to_string()));
        }
    }

    /// How far the gripper is open, if it has said so lately, seen from `now`.
    fn opening(&self, now: Timestamp) -> Option<f64> {
        let state = self.gripper.as_ref()?.gripper.state().ok()?;
        let fresh = now.since(state.at) <= self.core.limits().state_age_max;
        (fresh && state.value.opening.is_finite()).then(|| state.value.opening.clamp(0.0, 1.0))
    }

    fn carry_out(&mut self, order: Order) -> Result<(), ArmError> {
        match order {
            Order::Nothing => Ok(()),
            Order::Move(target) => self.arm.command(target),
            Order::Stop(how) => self.arm.stop(how),
        }
    }
}

fn lock<A>(device: &Mutex<Device<A>>) -> MutexGuard<'_, Device<A>> {
    device.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
