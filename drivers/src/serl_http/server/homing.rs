//! Back to where the arm stood at first, through the gate: up, across, and down.

use std::time::Duration;

use wire::{Clock, geometry::Pose};

use crate::{ArmError, Command, GuardedArm};

/// As long as the original waits.
const PATIENCE: Duration = Duration::from_secs(30);
const PERIOD: Duration = Duration::from_millis(50);
/// Nearer than this it has arrived (m, rad).
const ARRIVED: (f64, f64) = (0.003, 0.03);

/// Waits until the arm is there.
pub fn go_home(arm: &mut dyn GuardedArm, clock: &dyn Clock, home: &Pose) -> Result<(), ArmError> {
    let here = arm.state()?.value.tcp_pose;
    let height = here.translation.z.max(home.translation.z);
    let at_height = |pose: &Pose| {
        let mut pose = *pose;
        pose.translation.z = height;
        pose
    };
    let deadline = clock.now() + PATIENCE;
    for goal in [at_height(&here), at_height(home), *home] {
        while !is_at(&arm.state()?.value.tcp_pose, &goal) {
            let now = clock.now();
            if now >= deadline {
                arm.expect_pause();
                return Err(ArmError::NeedsOperator("it did not get home".into()));
            }
            arm.command(now, &Command::every(PERIOD, goal))?;
            clock.sleep_until(now + PERIOD);
        }
    }
    arm.expect_pause();
    Ok(())
}

fn is_at(pose: &Pose, goal: &Pose) -> bool {
    let metres = (pose.translation.vector - goal.translation.vector).norm();
    metres < ARRIVED.0 && pose.rotation.angle_to(&goal.rotation) < ARRIVED.1
}
