//! Devices of a robot cell behind traits, and the gate that stands before every arm and gripper.
//!
//! No driver call may block longer than its deadline; each driver owns its threads.

pub mod arm;
pub mod camera;
pub mod cell;
pub mod compliance;
pub mod conformance;
#[cfg(feature = "so101")]
mod feetech;
pub mod gate;
pub mod gripper;
pub mod guarded;
#[cfg(all(test, any(feature = "robotiq", feature = "so101")))]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod pty;
pub mod remote;
pub mod serl_http;
pub mod teleop;

pub use arm::{Arm, ArmError, ArmMode, ArmState, Jacobian, StopKind};
pub use camera::{Camera, CameraError, CameraInfo, Crop, Cropped};
pub use cell::{EpisodeBrief, Fixture, FixtureError, NoSensor, SuccessSensor};
pub use compliance::{Compliance, ComplianceError};
pub use gate::{
    Command, Gate, GateCounts, GateLimits, GateReport, GripperLimits, SafeGrip, SafeTarget,
    WorkspaceBox,
};
pub use gripper::{Gripper, GripperError, GripperState};
pub use guarded::{GuardedArm, SharedArm};
pub use teleop::{Teleop, TeleopError, TeleopSample};

use wire::Timestamp;

/// A reading and when it was taken, by the cell's clock.
#[derive(Clone, Debug, PartialEq)]
pub struct Stamped<T> {
    pub at: Timestamp,
    pub value: T,
}
