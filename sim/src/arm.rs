//! The simulated arm behind the `Arm` trait.

use drivers::{Arm, ArmError, ArmMode, ArmState, Jacobian, SafeTarget, Stamped, StopKind};

use crate::{impedance::JOINTS, truth_log::Happening, world::SharedWorld};

/// Where the joints of a Panda end (rad).
const JOINT_ENDS_RAD: [[f64; 2]; JOINTS] = [
    [-2.8973, 2.8973],
    [-1.7628, 1.7628],
    [-2.8973, 2.8973],
    [-3.0718, -0.0698],
    [-2.8973, 2.8973],
    [-0.0175, 3.7525],
    [-2.8973, 2.8973],
];

/// A Panda-like arm. The tool centre point lies at the peg's tip, z along the tool.
#[derive(Debug)]
pub struct SimArm {
    pub(crate) world: SharedWorld,
}

/// Whatever its lease says.
impl Drop for SimArm {
    fn drop(&mut self) {
        let mut world = self.world.lock();
        if !world.is_stopped() {
            world.hold(ArmMode::Holding);
        }
    }
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

    fn joint_ends(&self) -> &[[f64; 2]] {
        &JOINT_ENDS_RAD
    }

    fn jacobian(&self) -> Option<Jacobian> {
        Some(Jacobian::from_iterator(JOINTS, self.world.lock().jacobian().iter().copied()))
    }
}
