//! Devices of a robot cell behind four traits, and the gate that stands before every arm.
//!
//! No driver call may block longer than its deadline; each driver owns its threads.

pub mod arm;
pub mod camera;
pub mod cell;
pub mod gate;
pub mod guarded;
pub mod remote;
pub mod teleop;

pub use arm::{Arm, ArmError, ArmMode, ArmState, Jacobian, StopKind};
pub use camera::{Camera, CameraError, CameraInfo, Crop, Cropped};
pub use cell::{EpisodeBrief, Fixture, FixtureError, SuccessSensor};
pub use gate::{Command, Gate, GateCounts, GateLimits, GateReport, SafeTarget, WorkspaceBox};
pub use guarded::GuardedArm;
pub use teleop::{Teleop, TeleopError, TeleopSample};

use wire::Timestamp;

/// A reading and when it was taken, by the cell's clock.
#[derive(Clone, Debug, PartialEq)]
pub struct Stamped<T> {
    pub at: Timestamp,
    pub value: T,
}
