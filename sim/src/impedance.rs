//! The Cartesian impedance law that turns a target pose into joint torques. Pure arithmetic: it
//! holds no model and no clock, and adds no gravity or Coriolis terms (the caller does).
//!
//! The law is the one of SERL's Franka controller (Luo et al. 2024, "SERL: A Software Suite for
//! Sample-Efficient Robotic Reinforcement Learning", section on the impedance controller): the
//! error of the spring is clipped, so that its force is bounded however far the target is.

use nalgebra::{SMatrix, SVector, UnitQuaternion, Vector3, Vector6};
use serde::Deserialize;
use wire::geometry::Pose;

pub const JOINTS: usize = 7;

/// One value per joint.
pub type Joints = SVector<f64, JOINTS>;
/// TCP twist [v; w] per joint velocity, base frame.
pub type Jacobian = SMatrix<f64, 6, JOINTS>;

/// Largest torques of a Panda (Nm).
pub const TORQUE_MAX_NM: [f64; JOINTS] = [87.0, 87.0, 87.0, 87.0, 12.0, 12.0, 12.0];

/// The spring, the damper, and what keeps the elbow in place.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ImpedanceConfig {
    /// N/m
    pub stiffness_linear: f64,
    /// Ns/m
    pub damping_linear: f64,
    /// Nm per unit of the quaternion's vector part, that is about 75 Nm/rad for 150.
    pub stiffness_angular: f64,
    /// Nms/rad
    pub damping_angular: f64,
    /// Largest error that the spring sees, per axis (m).
    pub clip_linear: f64,
    /// Largest error that the spring sees, per axis (vector part of a quaternion: 0.05 is 0.1 rad).
    pub clip_angular: f64,
    /// Pull of the joints to the home pose where that does not move the TCP (Nm/rad).
    pub nullspace_stiffness: f64,
    /// Share of the way to a new target that the followed pose goes in each tick of 2 ms; 1 is no
    /// filter. SERL's real controller has 0.01 at this rate.
    pub target_filter: f64,
}

impl Default for ImpedanceConfig {
    fn default() -> Self {
        Self {
            stiffness_linear: 2000.0,
            damping_linear: 89.4,
            stiffness_angular: 150.0,
            damping_angular: 8.57,
            clip_linear: 0.01,
            clip_angular: 0.05,
            nullspace_stiffness: 0.5,
            target_filter: 1.0,
        }
    }
}

/// What the law looks at in one tick.
#[derive(Clone, Debug)]
pub struct ArmMotion {
    pub joints: Joints,
    pub joint_velocities: Joints,
    pub jacobian: Jacobian,
    pub tcp_pose: Pose,
}

/// Force and torque of the spring on the TCP, [f; m] in the base frame:
/// `K clip(p_d - p)` and `K_r clip(vec(o_d o^-1))`.
pub fn spring_wrench(config: &ImpedanceConfig, tcp: &Pose, target: &Pose) -> Vector6<f64> {
    let linear = target.translation.vector - tcp.translation.vector;
    let angular = rotation_error(&tcp.rotation, &target.rotation);
    let force = clip(linear, config.clip_linear) * config.stiffness_linear;
    let torque = clip(angular, config.clip_angular) * config.stiffness_angular;
    Vector6::new(force.x, force.y, force.z, torque.x, torque.y, torque.z)
}

/// Joint torques without gravity and Coriolis compensation, not yet limited (Nm):
///
/// `tau = J^T (spring - D J dq) + (I - J^T pinv(J^T)) (k (q_home - q) - 2 sqrt(k) dq)`
pub fn torques(config: &ImpedanceConfig, home: &Joints, now: &ArmMotion, target: &Pose) -> Joints {
    let twist = now.jacobian * now.joint_velocities;
    let (d, r) = (config.damping_linear, config.damping_angular);
    let damping = Vector6::new(d, d, d, r, r, r);
    let wrench = spring_wrench(config, &now.tcp_pose, target) - damping.component_mul(&twist);

    let k = config.nullspace_stiffness;
    let posture = (home - now.joints) * k - now.joint_velocities * (2.0 * k.sqrt());
    now.jacobian.tr_mul(&wrench) + nullspace(&now.jacobian, &posture)
}

/// The part of `torque` that does not push at the TCP. The pseudo-inverse is damped with
/// `sigma / (sigma^2 + 0.2^2)`, which for `J^T` equals `(J J^T + 0.2^2 I)^-1 J`.
fn nullspace(jacobian: &Jacobian, torque: &Joints) -> Joints {
    const DAMPING: f64 = 0.2;
    let square =
        jacobian * jacobian.transpose() + SMatrix::<f64, 6, 6>::identity() * (DAMPING * DAMPING);
    let factor = square.cholesky().expect("a Gram matrix plus a positive diagonal is definite");
    torque - jacobian.tr_mul(&factor.solve(&(jacobian * torque)))
}

/// The vector part of the rotation from `from` to `to`, the short way, base frame.
fn rotation_error(from: &UnitQuaternion<f64>, to: &UnitQuaternion<f64>) -> Vector3<f64> {
    let turn = to * from.inverse();
    turn.imag() * if turn.w < 0.0 { -1.0 } else { 1.0 }
}

fn clip(error: Vector3<f64>, limit: f64) -> Vector3<f64> {
    error.map(|x| x.clamp(-limit, limit))
}

/// `torques` brought inside what a Panda's joints can give.
pub fn limited(torques: &Joints) -> Joints {
    let limits = Joints::from(TORQUE_MAX_NM);
    torques.sup(&-limits).inf(&limits)
}

/// One tick of the target filter: `share` of the way from `from` to `to`.
pub fn filtered(from: &Pose, to: &Pose, share: f64) -> Pose {
    if share >= 1.0 {
        return *to;
    }
    // Opposite orientations have no shortest way between them; then the target itself is taken.
    from.try_lerp_slerp(to, share, 1e-9).unwrap_or(*to)
}

#[cfg(test)]
mod tests {
    use nalgebra::Translation3;

    use super::*;

    fn pose(x: f64, y: f64, z: f64, turn: Vector3<f64>) -> Pose {
        Pose::from_parts(Translation3::new(x, y, z), UnitQuaternion::from_scaled_axis(turn))
    }

    /// The spring's wrench at `error` from the target, in N and Nm.
    fn check_spring(error: Pose, expected: [f64; 6]) {
        let tcp = pose(0.5, 0.1, 0.2, Vector3::new(3.0, 0.1, 0.0));
        let target = Pose::from_parts(
            (tcp.translation.vector + error.translation.vector).into(),
            error.rotation * tcp.rotation,
        );
        let wrench = spring_wrench(&ImpedanceConfig::default(), &tcp, &target);
        let off = (wrench - Vector6::from(expected)).amax();
        assert!(off < 1e-9, "{wrench} is not {expected:?}");
    }

    #[test]
    fn the_spring_pulls_towards_the_target() {
        check_spring(pose(0.001, 0.0, -0.002, Vector3::zeros()), [2.0, 0.0, -4.0, 0.0, 0.0, 0.0]);
        let small = 150.0 * (0.04_f64 / 2.0).sin();
        check_spring(pose(0.0, 0.0, 0.0, Vector3::z() * 0.04), [0.0, 0.0, 0.0, 0.0, 0.0, small]);
    }

    #[test]
    fn the_spring_is_bounded_by_stiffness_times_clip() {
        check_spring(pose(3.0, -3.0, 0.0, Vector3::zeros()), [20.0, -20.0, 0.0, 0.0, 0.0, 0.0]);
        check_spring(pose(0.0, 0.0, 0.0, Vector3::x() * 2.0), [0.0, 0.0, 0.0, 7.5, 0.0, 0.0]);
    }

    #[test]
    fn a_turn_goes_the_short_way() {
        let far = Vector3::y() * (std::f64::consts::TAU - 0.02);
        let small = 150.0 * 0.01_f64.sin();
        check_spring(pose(0.0, 0.0, 0.0, far), [0.0, 0.0, 0.0, 0.0, -small, 0.0]);
    }

    #[test]
    fn damping_opposes_the_motion_and_the_posture_hardly_pushes_at_the_tcp() {
        let mut jacobian = Jacobian::identity();
        jacobian.set_column(6, &Vector6::repeat(0.5));
        let at_rest = ArmMotion {
            joints: Joints::repeat(0.3),
            joint_velocities: Joints::zeros(),
            jacobian,
            tcp_pose: Pose::identity(),
        };
        let config = ImpedanceConfig { nullspace_stiffness: 10.0, ..ImpedanceConfig::default() };
        let tau = torques(&config, &Joints::zeros(), &at_rest, &Pose::identity());
        let pushed = (jacobian * tau).norm() / (jacobian * Joints::repeat(-3.0)).norm();
        assert!(tau.norm() > 0.1 && pushed < 0.1, "the TCP gets {pushed} of the posture torque");

        let velocity = Joints::from_fn(|i, _| 0.1 * i as f64);
        let moving = ArmMotion { joints: Joints::zeros(), joint_velocities: velocity, ..at_rest };
        let tau = torques(&config, &Joints::zeros(), &moving, &Pose::identity());
        assert!(tau.dot(&velocity) < 0.0, "damping must take power out");
    }

    #[test]
    fn torques_stay_inside_what_the_joints_can_give() {
        let tau = limited(&Joints::repeat(-100.0));
        assert_eq!((tau[0], tau[6]), (-87.0, -12.0));
    }

    #[test]
    fn the_target_filter_goes_its_share_of_the_way() {
        let (from, to) = (Pose::identity(), pose(1.0, 0.0, 0.0, Vector3::z()));
        let quarter = filtered(&from, &to, 0.25);
        assert!((quarter.translation.x - 0.25).abs() < 1e-12);
        assert!((quarter.rotation.angle() - 0.25).abs() < 1e-12);
        assert_eq!(filtered(&from, &to, 1.0), to);
    }
}
