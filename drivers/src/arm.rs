//! What an arm can be asked. It takes only targets that the gate has made.

#[cfg(all(test, any(feature = "so101", feature = "ur", feature = "xarm")))]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod bench;
#[cfg(feature = "franka")]
pub mod franka;
#[cfg(all(test, any(feature = "franka", feature = "so101", feature = "ur", feature = "xarm")))]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod peer;
#[cfg(any(feature = "franka", feature = "so101", feature = "ur", feature = "xarm"))]
mod shared;
#[cfg(feature = "so101")]
pub mod so101;
#[cfg(all(test, feature = "ur", feature = "xarm"))]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod two;
#[cfg(feature = "ur")]
pub mod ur;
#[cfg(feature = "xarm")]
pub mod xarm;

use nalgebra::Matrix6xX;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use wire::geometry::{Pose, Twist, Wrench};

use crate::{
    Compliance, Stamped,
    gate::{SafeTarget, Trip},
};

/// TCP twist [v; w] per joint velocity, base frame: one column per joint.
pub type Jacobian = Matrix6xX<f64>;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ArmMode {
    /// No target yet.
    Idle,
    /// Following a target whose lease is valid.
    Running,
    /// The lease ran out: the arm keeps the pose it had.
    Holding,
    Stopped,
    /// The arm stopped by itself, for example on contact; only `recover` ends this.
    Reflex,
    /// Somebody pressed a stop, or asked for one; only an operator ends this.
    EmergencyStop,
    Disconnected,
}

/// What an arm measures. Base frame, SI units.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ArmState {
    pub mode: ArmMode,
    pub tcp_pose: Pose,
    pub twist: Twist,
    pub joints: Vec<f64>,
    pub joint_velocities: Vec<f64>,
    /// What the environment exerts on the tool, where the arm can tell.
    pub wrench: Option<Wrench>,
    /// How far the gripper at the tool is open: 0 closed, 1 wide open. The gate fills it in where the
    /// cell has a gripper and its state is fresh.
    pub gripper: Option<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StopKind {
    /// Keep the pose, stay under control.
    Hold,
    /// Brake and accept nothing until `recover`.
    Controlled,
}

#[derive(Clone, Debug, PartialEq, Error, Serialize, Deserialize)]
pub enum ArmError {
    #[error("the arm has no fresh state")]
    NoState,
    #[error("the arm stopped by itself and must be recovered by the operator: {0}")]
    NeedsOperator(String),
    #[error("the arm is gone: {0}")]
    Gone(String),
    #[error("another client commands the arm, or none has asked to")]
    NotInCommand,
    #[error("its gripper: {0}")]
    Gripper(String),
    #[error("the gate holds the arm back: {0}")]
    Refused(Trip),
    #[error("the arm cannot do that: {0}")]
    Unsupported(String),
}

pub trait Arm: Send {
    /// The latest snapshot; never waits for the wire.
    fn state(&self) -> Result<Stamped<ArmState>, ArmError>;

    /// Returns when the target is accepted, not when it is reached. The arm holds by itself when
    /// the target's lease runs out.
    fn command(&mut self, target: SafeTarget) -> Result<(), ArmError>;

    fn stop(&mut self, how: StopKind) -> Result<(), ArmError>;

    /// Ends a reflex or a stop. Explicit, never implied by a command.
    fn recover(&mut self) -> Result<(), ArmError>;

    /// How stiff its controller is from now on. A parameter that it does not have is an error.
    fn set_compliance(&mut self, _compliance: &Compliance) -> Result<(), ArmError> {
        Err(ArmError::Unsupported("its compliance cannot be set".into()))
    }

    /// Origins of base, joints and TCP (m, base frame), for people to look at; empty if unknown.
    fn skeleton(&self) -> Vec<[f64; 3]> {
        Vec::new()
    }

    /// Lower and upper end of each joint (rad); empty if unknown.
    fn joint_ends(&self) -> &[[f64; 2]] {
        &[]
    }

    /// Where the arm is now; `None` if unknown.
    fn jacobian(&self) -> Option<Jacobian> {
        None
    }
}

impl<A: Arm + ?Sized> Arm for Box<A> {
    fn state(&self) -> Result<Stamped<ArmState>, ArmError> {
        (**self).state()
    }
    fn command(&mut self, target: SafeTarget) -> Result<(), ArmError> {
        (**self).command(target)
    }
    fn stop(&mut self, how: StopKind) -> Result<(), ArmError> {
        (**self).stop(how)
    }
    fn recover(&mut self) -> Result<(), ArmError> {
        (**self).recover()
    }
    fn set_compliance(&mut self, compliance: &Compliance) -> Result<(), ArmError> {
        (**self).set_compliance(compliance)
    }
    fn skeleton(&self) -> Vec<[f64; 3]> {
        (**self).skeleton()
    }
    fn joint_ends(&self) -> &[[f64; 2]] {
        (**self).joint_ends()
    }
    fn jacobian(&self) -> Option<Jacobian> {
        (**self).jacobian()
    }
}
