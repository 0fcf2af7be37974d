//! What a gripper can be asked. It takes only what the gate has made.

#[cfg(feature = "franka")]
pub mod franka;
#[cfg(feature = "robotiq")]
pub mod robotiq;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{Stamped, gate::SafeGrip};

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct GripperState {
    /// How far it is open: 0 closed, 1 wide open.
    pub opening: f64,
}

#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
pub enum GripperError {
    #[error("the gripper is gone: {0}")]
    Gone(String),
}

/// Called by the gate's device loop: no call waits for the wire or for the jaws.
pub trait Gripper: Send {
    /// The latest snapshot.
    fn state(&self) -> Result<Stamped<GripperState>, GripperError>;

    /// Returns when the command is accepted. The same command again changes nothing. A gripper that
    /// is told nothing more keeps its grip.
    fn command(&mut self, grip: SafeGrip) -> Result<(), GripperError>;
}
