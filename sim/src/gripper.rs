//! The simulated gripper behind the `Gripper` trait.

use drivers::{Gripper, GripperError, GripperState, SafeGrip, Stamped};

use crate::world::SharedWorld;

/// A parallel gripper with a stroke of 85 mm.
#[derive(Debug)]
pub struct SimGripper {
    pub(crate) world: SharedWorld,
}

impl Gripper for SimGripper {
    fn state(&self) -> Result<Stamped<GripperState>, GripperError> {
        let world = self.world.lock();
        match world.opening() {
            Some(opening) => Ok(Stamped { at: world.now(), value: GripperState { opening } }),
            None => Err(GripperError::Gone("the scene has none".into())),
        }
    }

    fn command(&mut self, grip: SafeGrip) -> Result<(), GripperError> {
        self.world.lock().grip(&grip);
        Ok(())
    }
}
