//! Keeps an arm away from the ends of its joints and from singular poses, where it says where these
//! are.

use nalgebra::{DVector, Matrix6, Vector6};

use super::limits::JointLimits;
use crate::arm::Jacobian;

/// Joint speeds below this are no motion (rad/s).
const STANDSTILL_RADPS: f64 = 1e-3;
/// Keeps the inverse finite near a singularity.
const DAMPING: f64 = 0.05;

/// Which joint, if any, the TCP's `twist` would drive on towards an end that is near already.
pub(super) fn too_near(
    joints: &[f64],
    ends: &[[f64; 2]],
    jacobian: &Jacobian,
    twist: &Vector6<f64>,
    limits: &JointLimits,
) -> Option<usize> {
    if ends.len() != joints.len() || jacobian.ncols() != joints.len() {
        return None;
    }
    let speeds = joint_speeds(jacobian, twist);
    (0..joints.len()).find(|&i| {
        let [low, high] = ends[i];
        let down = joints[i] < low + limits.margin_rad && speeds[i] < -STANDSTILL_RADPS;
        let up = joints[i] > high - limits.margin_rad && speeds[i] > STANDSTILL_RADPS;
        up || down
    })
}

/// `J^T (J J^T + d^2 I)^-1 twist`
fn joint_speeds(jacobian: &Jacobian, twist: &Vector6<f64>) -> DVector<f64> {
    let square = gram(jacobian) + Matrix6::identity() * (DAMPING * DAMPING);
    let factor = square.cholesky();
    let weights = factor.map_or_else(Vector6::zeros, |factor| factor.solve(twist));
    jacobian.tr_mul(&weights)
}

/// Ratio of the largest to the smallest singular value; infinite where the arm cannot move in
/// every direction.
pub(super) fn condition(jacobian: &Jacobian) -> f64 {
    let squares = gram(jacobian).symmetric_eigenvalues();
    let (least, most) = (squares.min(), squares.max());
    if least > 0.0 { (most / least).sqrt() } else { f64::INFINITY }
}

fn gram(jacobian: &Jacobian) -> Matrix6<f64> {
    jacobian * jacobian.transpose()
}

/// Share of the speed that is left at this condition number: all up to `condition_slow`, nothing
/// from `condition_stop` on.
pub(super) fn pace(condition: f64, limits: &JointLimits) -> f64 {
    let JointLimits { condition_slow, condition_stop, .. } = *limits;
    let left = (condition_stop - condition) / (condition_stop - condition_slow);
    if left.is_nan() { 0.0 } else { left.clamp(0.0, 1.0) }
}
