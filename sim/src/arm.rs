//! The simulated arm behind the `Arm` trait.

use drivers::{Arm, ArmError, ArmMode, ArmState, SafeTarget, Stamped, StopKind};

use crate::{truth_log::Happening, world::SharedWorld};

/// A Panda-like arm. The tool centre point lies at the peg's tip, z along the tool.
#[derive(Debug)]
pub struct SimArm {
    pub(crate) world: SharedWorld,
}

impl Arm for SimArm {
    fn state(&self) -> Result<Stamped<ArmState>, ArmError> {
        self.world.lock().arm_state()
    }

    fn command(&mut self, target: SafeTarget) -> Result<(), ArmError> {
        self.world.lock().command(&target)
    }

    fn stop(&mut self, how: StopKind) -> Result<(), ArmError> {
        let mut world = self.world.lock();
        let at = world.now();
        world.log(|| Happening::Stopped { at });
        match how {
            StopKind::Controlled => world.hold(ArmMode::Stopped),
            // A stop is only ended by `recover`, not by a milder one.
            StopKind::Hold if world.is_stopped() => {}
            StopKind::Hold => world.hold(ArmMode::Holding),
        }
        Ok(())
    }

    fn recover(&mut self) -> Result<(), ArmError> {
        self.world.lock().recover();
        Ok(())
    }

    fn skeleton(&self) -> Vec<[f64; 3]> {
        self.world.lock().skeleton()
    }
}
