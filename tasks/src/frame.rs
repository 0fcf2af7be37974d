//! Changes of frame. Poses are base frame → TCP; twists are ordered (linear, angular).
//!
//! Two ways from the base frame to the end-effector frame: [`turned_back`] turns both parts, which
//! is right for a twist taken at the TCP; [`adjoint`] is what HIL-SERL (commit 5d02aed) does. Its
//! block layout belongs to (angular, linear) order, so linear commands leak into rotation by
//! `[p]× R v`; it is here for parity with the reference alone.

use nalgebra::{Isometry3, Matrix3, Matrix4, Matrix6, UnitQuaternion, Vector3, Vector6};
use wire::geometry::{Pose, Twist};

/// Extrinsic xyz angles: the rotation is Rz(c) Ry(b) Rx(a).
pub fn from_euler_xyz(angles: &Vector3<f64>) -> UnitQuaternion<f64> {
    UnitQuaternion::from_euler_angles(angles.x, angles.y, angles.z)
}

/// The inverse of [`from_euler_xyz`]; the middle angle is in [-π/2, π/2].
pub fn to_euler_xyz(rotation: &UnitQuaternion<f64>) -> Vector3<f64> {
    let (roll, pitch, yaw) = rotation.euler_angles();
    Vector3::new(roll, pitch, yaw)
}

/// `pose` as seen from `reset`: inverse(reset) · pose.
pub fn relative(reset: &Pose, pose: &Pose) -> Pose {
    reset.inv_mul(pose)
}

/// 4x4 matrix of a pose.
pub fn homogeneous(pose: &Pose) -> Matrix4<f64> {
    pose.to_homogeneous()
}

/// A twist of the base frame in the frame of `rotation`.
pub fn turned_back(rotation: &UnitQuaternion<f64>, twist: &Twist) -> Twist {
    Twist {
        linear: rotation.inverse_transform_vector(&twist.linear),
        angular: rotation.inverse_transform_vector(&twist.angular),
    }
}

/// `[[R, 0], [[p]× R, R]]` of a pose, for (linear, angular) vectors. See the module on its defect.
pub fn adjoint(pose: &Pose) -> Matrix6<f64> {
    let rotation = pose.rotation.to_rotation_matrix().into_inner();
    blocks(rotation, pose.translation.vector.cross_matrix() * rotation)
}

/// The inverse of [`adjoint`] in closed form: `[[Rᵀ, 0], [-Rᵀ [p]×, Rᵀ]]`.
pub fn adjoint_inverse(pose: &Pose) -> Matrix6<f64> {
    let turned_back = pose.rotation.to_rotation_matrix().into_inner().transpose();
    blocks(turned_back, -turned_back * pose.translation.vector.cross_matrix())
}

fn blocks(diagonal: Matrix3<f64>, lower: Matrix3<f64>) -> Matrix6<f64> {
    let mut matrix = Matrix6::zeros();
    matrix.fixed_view_mut::<3, 3>(0, 0).copy_from(&diagonal);
    matrix.fixed_view_mut::<3, 3>(3, 3).copy_from(&diagonal);
    matrix.fixed_view_mut::<3, 3>(3, 0).copy_from(&lower);
    matrix
}

pub fn to_vector6(linear: &Vector3<f64>, angular: &Vector3<f64>) -> Vector6<f64> {
    Vector6::new(linear.x, linear.y, linear.z, angular.x, angular.y, angular.z)
}

pub fn from_vector6(vector: &Vector6<f64>) -> (Vector3<f64>, Vector3<f64>) {
    (vector.fixed_rows::<3>(0).into_owned(), vector.fixed_rows::<3>(3).into_owned())
}

/// `from`, moved towards `to` by at most so much.
pub(crate) fn towards(from: &Pose, to: &Pose, reach_m: f64, reach_rad: f64) -> Pose {
    let offset = to.translation.vector - from.translation.vector;
    let distance = offset.norm();
    let share = if distance > reach_m { reach_m / distance } else { 1.0 };
    let turn = (to.rotation * from.rotation.inverse()).scaled_axis();
    let angle = turn.norm();
    let rotation = if angle > reach_rad {
        UnitQuaternion::from_scaled_axis(turn * (reach_rad / angle)) * from.rotation
    } else {
        to.rotation
    };
    Isometry3::from_parts((from.translation.vector + offset * share).into(), rotation)
}

/// Distance (m) and angle (rad) between two poses.
pub(crate) fn distance(a: &Pose, b: &Pose) -> (f64, f64) {
    ((a.translation.vector - b.translation.vector).norm(), a.rotation.angle_to(&b.rotation))
}
