//! Where the arm must be for the classifier to be believed: pictures can deceive, joints do not.

use nalgebra::Vector3;
use serde::{Deserialize, Serialize};
use wire::geometry::Pose;

use crate::frame::from_euler_xyz;

/// Bounds on the pose of the TCP about the task's target; base frame.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PoseGate {
    pub position_m: [f64; 3],
    pub rpy_rad: [f64; 3],
    /// In each direction of the base frame.
    pub tolerance_m: [f64; 3],
    pub tolerance_rad: f64,
}

impl PoseGate {
    pub fn is_open(&self, tcp_pose: &Pose) -> bool {
        let offset = tcp_pose.translation.vector - Vector3::from(self.position_m);
        let near = offset.iter().zip(&self.tolerance_m).all(|(off, most)| off.abs() <= *most);
        let target = from_euler_xyz(&Vector3::from(self.rpy_rad));
        near && target.angle_to(&tcp_pose.rotation) <= self.tolerance_rad
    }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::PI;

    use nalgebra::{Translation3, UnitQuaternion};

    use super::*;

    /// The target is at (0.5, 0, 0.005), straight down; offsets in mm, turn about z in rad.
    #[track_caller]
    fn check(offset_mm: [f64; 3], turn: f64, open: bool) {
        let gate = PoseGate {
            position_m: [0.5, 0.0, 0.005],
            rpy_rad: [PI, 0.0, 0.0],
            tolerance_m: [0.03, 0.03, 0.005],
            tolerance_rad: 0.3,
        };
        let at = Vector3::new(0.5, 0.0, 0.005) + Vector3::from(offset_mm) * 1e-3;
        let rotation = UnitQuaternion::from_euler_angles(PI, 0.0, turn);
        assert_eq!(gate.is_open(&Pose::from_parts(Translation3::from(at), rotation)), open);
    }

    #[test]
    fn it_is_open_about_the_target() {
        check([0.0, 0.0, 0.0], 0.0, true);
        check([29.0, -29.0, 4.9], 0.29, true);
    }

    #[test]
    fn it_is_shut_beyond_any_of_its_bounds() {
        check([31.0, 0.0, 0.0], 0.0, false);
        check([0.0, -31.0, 0.0], 0.0, false);
        check([0.0, 0.0, 5.1], 0.0, false);
        check([0.0, 0.0, -5.1], 0.0, false);
        check([0.0, 0.0, 0.0], 0.31, false);
    }
}
