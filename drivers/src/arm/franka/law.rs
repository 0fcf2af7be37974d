//! The Cartesian impedance law of SERL's Franka controller. Pure arithmetic on fixed sizes: it reads no
//! clock, holds no model, and allocates nothing.
//!
//! From `serl_franka_controllers`, `cartesian_impedance_controller.cpp` (Luo et al. 2024, "SERL: A
//! Software Suite for Sample-Efficient Robotic Reinforcement Learning"). Each cycle of 1 ms:
//!
//! ```text
//! e      = [clip(p - p_d); clip(-vec(o_d o^-1))]           per axis, -clip_neg to clip
//! tau    = J^T (-K e - D J dq - Ki sum(e))
//!          + (I - J^T pinv(J^T)) (k_n qe - 2 sqrt(k_n) dqe) + coriolis
//! qe     = q_null - q, dqe = dq; of joint 1 times k_j1 and 2 sqrt(k_j1)
//! sent   = tau, within 1 Nm of the last one
//! ```
//!
//! and p_d, o_d and the gains go 0.005 of the way to what they were told. The clip bounds the spring's
//! force by K times clip, however far the target is.

use nalgebra::{SMatrix, SVector, Vector3, Vector6};
use wire::geometry::Pose;

use crate::{arm::ArmError, compliance::Compliance};

pub(super) const JOINTS: usize = 7;
pub(super) type Joints = SVector<f64, JOINTS>;
/// TCP twist [v; w] per joint velocity, base frame.
pub(super) type Jacobian = SMatrix<f64, 6, JOINTS>;

/// Of the way to a new target or gain, per cycle.
const FILTER: f64 = 0.005;
/// Sums of the error stay inside these (m, vector part of a quaternion).
const INTEGRAL_MAX: [f64; 2] = [0.1, 0.3];
/// The robot refuses torques that change faster than 1000 Nm/s; libfranka keeps a thousandth away from that.
const TORQUE_STEP_MAX_NM: f64 = 0.999;
/// What the joints can give.
const TORQUE_MAX_NM: [f64; JOINTS] = [87.0, 87.0, 87.0, 87.0, 12.0, 12.0, 12.0];
/// Of the pseudo-inverse.
const SINGULAR_DAMPING: f64 = 0.2;

/// What is filtered when it changes. Pairs are of translation and of rotation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Gains {
    /// N/m; Nm per unit of the quaternion's vector part.
    stiffness: [f64; 2],
    /// Ns/m, Nms/rad
    damping: [f64; 2],
    integral: [f64; 2],
    nullspace: f64,
    nullspace_joint1: f64,
}

impl Gains {
    /// Some of the way to others.
    fn approach(&mut self, to: &Self) {
        let near = |x: &mut f64, to: f64| *x += FILTER * (to - *x);
        for i in 0..2 {
            near(&mut self.stiffness[i], to.stiffness[i]);
            near(&mut self.damping[i], to.damping[i]);
            near(&mut self.integral[i], to.integral[i]);
        }
        near(&mut self.nullspace, to.nullspace);
        near(&mut self.nullspace_joint1, to.nullspace_joint1);
    }
}

/// What can be set while the law is at work. The defaults are SERL's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Parameters {
    gains: Gains,
    /// Largest error that the spring sees (m, vector part of a quaternion), and the same against the
    /// axis. Not filtered.
    clip: [Vector3<f64>; 2],
    clip_neg: [Vector3<f64>; 2],
}

impl Default for Parameters {
    fn default() -> Self {
        let clip = [Vector3::repeat(0.01), Vector3::repeat(0.05)];
        Self {
            gains: Gains {
                stiffness: [2000.0, 150.0],
                damping: [89.0, 7.0],
                integral: [0.0, 0.0],
                nullspace: 0.2,
                nullspace_joint1: 100.0,
            },
            clip,
            clip_neg: clip,
        }
    }
}

impl Parameters {
    pub fn set(&mut self, compliance: &Compliance) -> Result<(), ArmError> {
        for (name, value) in compliance.iter() {
            let place = self.named(name);
            *place
                .ok_or_else(|| ArmError::Unsupported(format!("its controller has no {name}")))? =
                value;
        }
        Ok(())
    }

    fn named(&mut self, name: &str) -> Option<&mut f64> {
        let Self { gains, clip: [clip, turn], clip_neg: [clip_neg, turn_neg] } = self;
        Some(match name {
            "translational_stiffness" => &mut gains.stiffness[0],
            "rotational_stiffness" => &mut gains.stiffness[1],
            "translational_damping" => &mut gains.damping[0],
            "rotational_damping" => &mut gains.damping[1],
            "translational_Ki" => &mut gains.integral[0],
            "rotational_Ki" => &mut gains.integral[1],
            "nullspace_stiffness" => &mut gains.nullspace,
            "joint1_nullspace_stiffness" => &mut gains.nullspace_joint1,
            "translational_clip_x" => &mut clip.x,
            "translational_clip_y" => &mut clip.y,
            "translational_clip_z" => &mut clip.z,
            "translational_clip_neg_x" => &mut clip_neg.x,
            "translational_clip_neg_y" => &mut clip_neg.y,
            "translational_clip_neg_z" => &mut clip_neg.z,
            "rotational_clip_x" => &mut turn.x,
            "rotational_clip_y" => &mut turn.y,
            "rotational_clip_z" => &mut turn.z,
            "rotational_clip_neg_x" => &mut turn_neg.x,
            "rotational_clip_neg_y" => &mut turn_neg.y,
            "rotational_clip_neg_z" => &mut turn_neg.z,
            _ => return None,
        })
    }
}

/// What the law looks at in one cycle.
#[derive(Clone, Copy, Debug)]
pub(super) struct Motion {
    pub joints: Joints,
    pub joint_velocities: Joints,
    pub jacobian: Jacobian,
    pub tcp_pose: Pose,
    pub coriolis: Joints,
    /// The torques that the robot says it was commanded last.
    pub commanded: Joints,
}

#[derive(Clone, Debug)]
pub(super) struct Law {
    pub parameters: Parameters,
    /// Follow those of the parameters.
    gains: Gains,
    target: Pose,
    /// Follows the target; the spring pulls here.
    anchor: Pose,
    /// Where the elbow is pulled to.
    posture: Joints,
    integral: Vector6<f64>,
    /// The torques of the last cycle.
    sent: Option<Joints>,
}

impl Law {
    /// Holds the arm as it stands.
    pub fn new(parameters: Parameters, now: &Motion) -> Self {
        Self {
            parameters,
            gains: parameters.gains,
            target: now.tcp_pose,
            anchor: now.tcp_pose,
            posture: now.joints,
            integral: Vector6::zeros(),
            sent: None,
        }
    }

    pub fn aim(&mut self, target: &Pose) {
        if self.target != *target {
            self.target = *target;
            self.integral = Vector6::zeros();
        }
    }

    /// From now on the spring pulls to this pose, without a way to it.
    pub fn hold(&mut self, at: &Pose) {
        self.aim(at);
        self.anchor = *at;
    }

    /// The torques of this cycle, without gravity.
    pub fn step(&mut self, now: &Motion) -> Joints {
        let error = self.error(&now.tcp_pose);
        self.integrate(&error);
        let Gains { stiffness, damping, integral, nullspace, nullspace_joint1 } = self.gains;
        let twist = now.jacobian * now.joint_velocities;
        let wrench = -pair(stiffness).component_mul(&error)
            - pair(damping).component_mul(&twist)
            - pair(integral).component_mul(&self.integral);

        let mut away = self.posture - now.joints;
        away[0] *= nullspace_joint1;
        let mut velocities = now.joint_velocities;
        velocities[0] *= 2.0 * nullspace_joint1.sqrt();
        let posture = away * nullspace - velocities * (2.0 * nullspace.sqrt());

        let torques = now.jacobian.tr_mul(&wrench) + unfelt(&now.jacobian, &posture) + now.coriolis;
        let most = Joints::from(TORQUE_MAX_NM);
        let sent = self.near_the_last(&torques.sup(&-most).inf(&most), &now.commanded);
        self.sent = Some(sent);

        self.gains.approach(&self.parameters.gains);
        self.approach();
        sent
    }

    /// Within a step of what the robot says that it was commanded, and of what was sent: a command that came
    /// late may have been taken after the robot said so. Where both cannot be, the robot's word counts.
    fn near_the_last(&self, torques: &Joints, commanded: &Joints) -> Joints {
        let sent = self.sent.unwrap_or(*commanded);
        let step = Joints::repeat(TORQUE_STEP_MAX_NM);
        let least = commanded.sup(&sent) - step;
        let most = commanded.inf(&sent) + step;
        let near = torques.sup(&least).inf(&most);
        near.sup(&(commanded - step)).inf(&(commanded + step))
    }

    /// From the anchor to the TCP, clipped.
    fn error(&self, tcp: &Pose) -> Vector6<f64> {
        let linear = tcp.translation.vector - self.anchor.translation.vector;
        let turn = self.anchor.rotation * tcp.rotation.inverse();
        // The short way round.
        let angular = turn.imag() * if turn.w < 0.0 { 1.0 } else { -1.0 };
        let Parameters { clip, clip_neg, .. } = &self.parameters;
        let linear = linear.sup(&-clip_neg[0]).inf(&clip[0]);
        let angular = angular.sup(&-clip_neg[1]).inf(&clip[1]);
        Vector6::new(linear.x, linear.y, linear.z, angular.x, angular.y, angular.z)
    }

    fn integrate(&mut self, error: &Vector6<f64>) {
        let most = pair(INTEGRAL_MAX);
        self.integral = (self.integral + error).sup(&-most).inf(&most);
    }

    fn approach(&mut self) {
        let (from, to) = (&self.anchor, &self.target);
        let at = from.translation.vector.lerp(&to.translation.vector, FILTER);
        // Where they are the same, or opposite, there is no way between them.
        let turned = from.rotation.try_slerp(&to.rotation, FILTER, 1e-9).unwrap_or(to.rotation);
        self.anchor = Pose::from_parts(at.into(), turned);
    }
}

/// One value for the three axes of translation, one for those of rotation.
fn pair([linear, angular]: [f64; 2]) -> Vector6<f64> {
    Vector6::new(linear, linear, linear, angular, angular, angular)
}

/// The part of `torques` that the TCP does not feel. The pseudo-inverse has `s / (s^2 + 0.2^2)` for each
/// singular value s, which for J^T equals `(J J^T + 0.2^2 I)^-1 J`.
fn unfelt(jacobian: &Jacobian, torques: &Joints) -> Joints {
    let square = jacobian * jacobian.transpose()
        + SMatrix::<f64, 6, 6>::identity() * (SINGULAR_DAMPING * SINGULAR_DAMPING);
    // A Gram matrix plus a positive diagonal; only what is not finite has no factor.
    let Some(factor) = square.cholesky() else { return Joints::zeros() };
    torques - jacobian.tr_mul(&factor.solve(&(jacobian * torques)))
}

#[cfg(test)]
mod tests;
