//! The person's hand: a SpaceMouse, a gamepad, or a scripted operator.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use wire::GripperCommand;

use wire::Mark;

use crate::{EpisodeBrief, Stamped};

#[cfg(target_os = "linux")]
mod buttons;
#[cfg(target_os = "linux")]
pub mod gamepad;
#[cfg(all(target_os = "linux", feature = "so101"))]
pub mod leader;
#[cfg(target_os = "linux")]
mod newest;
#[cfg(target_os = "linux")]
pub mod spacemouse;

#[cfg(target_os = "linux")]
pub use buttons::ButtonRole;

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

    /// What the person says of what is seen now, by a button that is held or was pressed since this
    /// was last asked.
    fn mark(&mut self) -> Option<Mark> {
        None
    }

    /// Tells the person what comes next (a demonstration, a training episode ...).
    fn announce(&mut self, _brief: &EpisodeBrief) {}

    /// For a device whose newest sample proves by its age that the hand is still there, a key that is
    /// held down for example: how long that sample moves the arm at most. Its push may stay the same
    /// for ever. `None` for all others: a hand trembles, and a push that stays the same is a device
    /// that is stuck.
    fn dead_man(&self) -> Option<Duration> {
        None
    }
}
