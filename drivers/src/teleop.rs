//! The person's hand: a SpaceMouse, a gamepad, or a scripted operator.

use serde::{Deserialize, Serialize};
use thiserror::Error;
use wire::GripperCommand;

use crate::{EpisodeBrief, Stamped};

/// What the hand does at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TeleopSample {
    /// Linear and angular command in [-1, 1], operator frame = base frame: [vx vy vz wx wy wz].
    pub twist: [f64; 6],
    /// Which of the gripper's buttons is pressed.
    pub gripper: GripperCommand,
    /// The hand is on the device and wants to drive.
    pub engaged: bool,
}

#[derive(Clone, Debug, PartialEq, Error, Serialize, Deserialize)]
pub enum TeleopError {
    #[error("the teleop device is gone: {0}")]
    Gone(String),
}

pub trait Teleop: Send {
    fn sample(&mut self) -> Result<Stamped<TeleopSample>, TeleopError>;

    /// Tells the person what comes next (a demonstration, a training episode ...).
    fn announce(&mut self, _brief: &EpisodeBrief) {}
}
