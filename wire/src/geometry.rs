//! Poses, twists and wrenches. SI units. Base frame unless a name says otherwise.

use nalgebra::{Isometry3, Vector3};
use serde::{Deserialize, Serialize};

/// Base frame → tool centre point: metres and a unit quaternion.
pub type Pose = Isometry3<f64>;

/// Velocity of the TCP. `linear` in m/s, `angular` in rad/s, both expressed in the base frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Twist {
    pub linear: Vector3<f64>,
    pub angular: Vector3<f64>,
}

/// Force (N) and torque (Nm) that the environment exerts on the tool, at the TCP, base frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Wrench {
    pub force: Vector3<f64>,
    pub torque: Vector3<f64>,
}

/// A displacement of the TCP: metres and a rotation vector (rad), both expressed in one frame.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PoseDelta {
    pub linear: Vector3<f64>,
    pub angular: Vector3<f64>,
}
