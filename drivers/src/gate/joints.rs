//! Keeps an arm away from the ends of its joints and from singular poses, where it says where these
//! are.

use std::ops::AddAssign;

use nalgebra::{DVector, Matrix6, Vector6};

use super::limits::JointLimits;
use crate::arm::Jacobian;

/// Joint speeds below this are no motion (rad/s).
const STANDSTILL_RADPS: f64 = 1e-3;
/// Keeps the inverse finite near a singularity.
const DAMPING: f64 = 0.05;
/// How fast an arm comes away from a singular pose, as a share of its speed.
const LEAVING_PACE: f64 = 0.2;
/// How far the fastest joint is thought to move on (rad).
const AHEAD_RAD: f64 = 1e-3;

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

/// Share of the speed that is left to the TCP's motion along `twist`: all up to `condition_slow`,
/// nothing from `condition_stop` on, but for a motion that leads away from the singular pose.
pub(super) fn pace(jacobian: &Jacobian, twist: &Vector6<f64>, limits: &JointLimits) -> f64 {
    let JointLimits { condition_slow, condition_stop, .. } = *limits;
    let here = condition(jacobian);
    let left = (condition_stop - here) / (condition_stop - condition_slow);
    let left = if left.is_nan() { 0.0 } else { left.clamp(0.0, 1.0) };
    let leaves = left < LEAVING_PACE && condition(&ahead(jacobian, twist)) < here;
    if leaves { LEAVING_PACE } else { left }
}

/// The Jacobian a little further along `twist`, to first order in the joints' motion.
///
/// `dJ_i/dq_j = [w_j x v_i; w_j x w_i]` for a joint `j` before `i`, `[w_i x v_j; 0]` otherwise:
/// the manipulator Hessian in the columns of the Jacobian (Haviland and Corke, 2023, part II).
fn ahead(jacobian: &Jacobian, twist: &Vector6<f64>) -> Jacobian {
    let speeds = joint_speeds(jacobian, twist);
    let fastest = speeds.amax();
    let mut ahead = jacobian.clone();
    if fastest < STANDSTILL_RADPS {
        return ahead;
    }
    let linear = |i: usize| jacobian.fixed_view::<3, 1>(0, i).into_owned();
    let angular = |i: usize| jacobian.fixed_view::<3, 1>(3, i).into_owned();
    for i in 0..jacobian.ncols() {
        for j in 0..jacobian.ncols() {
            let moved = speeds[j] * AHEAD_RAD / fastest;
            let (first, last) = (i.min(j), i.max(j));
            let turn = angular(first).cross(&linear(last)) * moved;
            ahead.fixed_view_mut::<3, 1>(0, i).add_assign(turn);
            if j < i {
                let turn = angular(j).cross(&angular(i)) * moved;
                ahead.fixed_view_mut::<3, 1>(3, i).add_assign(turn);
            }
        }
    }
    ahead
}
