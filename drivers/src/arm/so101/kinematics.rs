//! Where the tool of an SO-101 is, and which joints bring it where it should be. Pure.
//!
//! The lengths are those of the arm's published model (`so101_new_calib.urdf` of TheRobotStudio); base
//! frame: x ahead, z up, under the first joint's axis 39 mm behind it. The TCP is between the jaws' tips,
//! its z axis out of the gripper. Five joints reach every place within the arm's length, but of the tool's
//! orientations only a part: the place comes first.

use nalgebra::{
    Matrix3, Matrix3x5, Matrix5, Matrix5x3, SVector, Translation3, UnitQuaternion, Vector3,
};
use wire::geometry::Pose;

pub(crate) const JOINTS: usize = 5;
pub(crate) type Joints = SVector<f64, JOINTS>;

const PI: f64 = std::f64::consts::PI;
/// From each joint to the next: metres, and roll, pitch, yaw. Each turns about its z axis.
const ORIGINS: [([f64; 3], [f64; 3]); JOINTS] = [
    ([0.038_835_3, 0.0, 0.0624], [PI, 0.0, -PI]),
    ([-0.030_399_2, -0.018_277_8, -0.0542], [-PI / 2.0, -PI / 2.0, 0.0]),
    ([-0.112_57, -0.028, 0.0], [0.0, 0.0, PI / 2.0]),
    ([-0.1349, 0.0052, 0.0], [0.0, 0.0, -PI / 2.0]),
    ([0.0, -0.0611, 0.0181], [PI / 2.0, 0.0, PI]),
];
const TOOL: ([f64; 3], [f64; 3]) = ([-0.0079, -0.000_218_121, -0.098_127_4], [PI, 0.0, 0.0]);
/// How far the model's joints go.
pub(crate) const ENDS: [[f64; 2]; JOINTS] = [
    [-1.919_86, 1.919_86],
    [-1.745_33, 1.745_33],
    [-1.69, 1.69],
    [-1.658_06, 1.658_06],
    [-2.792_53, 2.792_53],
];

const ITERATIONS_MAX: u32 = 80;
/// No joint goes further in one iteration (rad).
const STEP_MAX: f64 = 0.2;
/// It has converged when no joint moves more (rad).
const STEP_MIN: f64 = 1e-6;
/// Keep steps finite near singular postures (m, rad).
const DAMPING_M: f64 = 4e-3;
const DAMPING_RAD: f64 = 2e-2;
/// Keeps the projection finite that turns the tool without moving it (m).
const DAMPING_LEFT_M: f64 = 1e-5;
/// What is further away than this is out of reach (m).
const OFF_MAX: f64 = 1e-3;

/// No posture within the joints' ends brings the tool nearer than this (m).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct OutOfReach(pub f64);

#[derive(Clone, Debug)]
pub(crate) struct Kinematics {
    origins: [Pose; JOINTS],
    tool: Pose,
}

impl Kinematics {
    pub fn new() -> Self {
        Self { origins: ORIGINS.map(pose), tool: pose(TOOL) }
    }

    pub fn forward(&self, joints: &Joints) -> Pose {
        self.frames(joints)[JOINTS - 1] * self.tool
    }

    /// Behind each joint.
    pub fn frames(&self, joints: &Joints) -> [Pose; JOINTS] {
        let mut at = Pose::identity();
        std::array::from_fn(|i| {
            at = at * self.origins[i] * turn(joints[i]);
            at
        })
    }

    /// Of the TCP: linear and angular velocity per joint velocity.
    pub fn jacobian(&self, joints: &Joints) -> [Matrix3x5<f64>; 2] {
        let frames = self.frames(joints);
        let tool = (frames[JOINTS - 1] * self.tool).translation.vector;
        let mut both = [Matrix3x5::zeros(); 2];
        for (i, frame) in frames.iter().enumerate() {
            let axis = frame.rotation * Vector3::z();
            both[0].set_column(i, &axis.cross(&(tool - frame.translation.vector)));
            both[1].set_column(i, &axis);
        }
        both
    }

    /// The joints near `from` that bring the tool to the place of `target`, and as near to its orientation
    /// as they can within their ends.
    pub fn solve(
        &self,
        target: &Pose,
        from: &Joints,
        ends: &[[f64; 2]; JOINTS],
    ) -> Result<Joints, OutOfReach> {
        let within =
            |joints: Joints| Joints::from_fn(|i, _| joints[i].clamp(ends[i][0], ends[i][1]));
        let mut joints = within(*from);
        for _ in 0..ITERATIONS_MAX {
            let step = self.step(target, &joints, ends);
            let next = within(joints + step);
            let moved = (next - joints).amax();
            joints = next;
            if moved < STEP_MIN {
                break;
            }
        }
        let off = (target.translation.vector - self.forward(&joints).translation.vector).norm();
        if off <= OFF_MAX { Ok(joints) } else { Err(OutOfReach(off)) }
    }

    /// One damped least-squares step: first for the place, then for the orientation in what is left of the
    /// joints. Joints at an end take part only in a step that leads away from it.
    fn step(&self, target: &Pose, joints: &Joints, ends: &[[f64; 2]; JOINTS]) -> Joints {
        let here = self.forward(joints);
        let way = target.translation.vector - here.translation.vector;
        let turn = (target.rotation * here.rotation.inverse()).scaled_axis();
        let [mut linear, mut angular] = self.jacobian(joints);
        loop {
            let step = prioritised(&linear, &angular, &way, &turn);
            let pushes = |i: usize| {
                let [low, high] = ends[i];
                joints[i] <= low && step[i] < -STEP_MIN || joints[i] >= high && step[i] > STEP_MIN
            };
            let Some(stuck) = (0..JOINTS).find(|i| pushes(*i)) else {
                let fastest = step.amax();
                return if fastest > STEP_MAX { step * (STEP_MAX / fastest) } else { step };
            };
            linear.set_column(stuck, &Vector3::zeros());
            angular.set_column(stuck, &Vector3::zeros());
        }
    }
}

/// `J1+ e1 + N1 (J2 N1)+ (e2 - J2 J1+ e1)`, `N1 = I - J1+ J1` (Nakamura, Hanafusa, Yoshikawa, 1987).
fn prioritised(
    linear: &Matrix3x5<f64>,
    angular: &Matrix3x5<f64>,
    way: &Vector3<f64>,
    turn: &Vector3<f64>,
) -> Joints {
    let first = damped_inverse(linear, DAMPING_M) * way;
    let left = Matrix5::identity() - damped_inverse(linear, DAMPING_LEFT_M) * linear;
    let second = damped_inverse(&(angular * left), DAMPING_RAD) * (turn - angular * first);
    first + left * second
}

/// `J^T (J J^T + d^2 I)^-1`
fn damped_inverse(jacobian: &Matrix3x5<f64>, damping: f64) -> Matrix5x3<f64> {
    let square = jacobian * jacobian.transpose() + Matrix3::identity() * (damping * damping);
    let inverse = square.try_inverse().unwrap_or_else(Matrix3::zeros);
    jacobian.transpose() * inverse
}

fn pose(([x, y, z], [roll, pitch, yaw]): ([f64; 3], [f64; 3])) -> Pose {
    let rotation = UnitQuaternion::from_euler_angles(roll, pitch, yaw);
    Pose::from_parts(Translation3::new(x, y, z), rotation)
}

fn turn(angle: f64) -> Pose {
    let rotation = UnitQuaternion::from_axis_angle(&Vector3::z_axis(), angle);
    Pose::from_parts(Translation3::identity(), rotation)
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn postures(count: usize) -> impl Iterator<Item = Joints> {
        let mut chance = ChaCha8Rng::seed_from_u64(5);
        (0..count).map(move |_| {
            Joints::from_fn(|i, _| chance.random_range(0.9 * ENDS[i][0]..0.9 * ENDS[i][1]))
        })
    }

    fn near(joints: &Joints) -> Joints {
        Joints::from_fn(|i, _| (joints[i] + 0.05 * (i as f64 - 2.0)).clamp(ENDS[i][0], ENDS[i][1]))
    }

    /// From the model's file by another program: place, z axis and x axis of the tool.
    #[test]
    fn the_tool_is_where_the_published_model_has_it() {
        for (joints, place, z, x) in [
            ([0.0; 5], [0.391_362, -0.000_396, 0.226_47], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]),
            (
                [0.3, -0.6, 0.8, 1.1, -0.4],
                [0.191_236, -0.044_319, 0.048_22],
                [0.255_551, -0.079_051, -0.963_558],
                [0.732_776, -0.634_299, 0.246_383],
            ),
            (
                [-1.0, 0.4, -0.5, 1.5, 1.2],
                [0.184_74, 0.213_13, 0.070_659],
                [0.091_834, 0.143_022, -0.985_45],
                [-0.591_35, 0.804_06, 0.061_589],
            ),
        ] {
            let tool = Kinematics::new().forward(&joints.into());
            assert!((tool.translation.vector - Vector3::from(place)).norm() < 2e-6, "{tool}");
            assert!((tool.rotation * Vector3::z() - Vector3::from(z)).norm() < 2e-6, "{tool}");
            assert!((tool.rotation * Vector3::x() - Vector3::from(x)).norm() < 2e-6, "{tool}");
        }
    }

    #[test]
    fn the_jacobian_is_how_the_tool_moves() {
        let arm = Kinematics::new();
        for joints in postures(20) {
            let [linear, angular] = arm.jacobian(&joints);
            let here = arm.forward(&joints);
            for i in 0..JOINTS {
                let mut moved = joints;
                moved[i] += 1e-6;
                let there = arm.forward(&moved);
                let way = (there.translation.vector - here.translation.vector) / 1e-6;
                let turn = (there.rotation * here.rotation.inverse()).scaled_axis() / 1e-6;
                assert!((linear.column(i) - way).norm() < 1e-5);
                assert!((angular.column(i) - turn).norm() < 1e-5);
            }
        }
    }

    #[test]
    fn a_pose_that_a_posture_has_is_found_from_one_beside_it() {
        let arm = Kinematics::new();
        let mut missed = 0;
        for joints in postures(300) {
            let target = arm.forward(&joints);
            match arm.solve(&target, &near(&joints), &ENDS) {
                Ok(found) => {
                    let there = arm.forward(&found);
                    let off = (there.translation.vector - target.translation.vector).norm();
                    assert!(off < 1e-5, "{off} m at {joints}");
                    let turned = there.rotation.angle_to(&target.rotation);
                    assert!(turned < 1e-3, "{turned} rad at {joints}");
                }
                Err(_) => missed += 1,
            }
        }
        assert_eq!(missed, 0);
    }

    #[test]
    fn the_place_comes_before_an_orientation_that_five_joints_cannot_have() {
        let arm = Kinematics::new();
        let joints = Joints::from([0.1, -0.6, 0.8, 1.3, 0.0]);
        let mut target = arm.forward(&joints);
        let here = target;
        // A tilt to the side, which no joint can make where the tool points down.
        target.rotation = UnitQuaternion::from_scaled_axis(Vector3::x() * 0.3) * target.rotation;
        target.translation.vector.z += 0.02;
        let found = arm.solve(&target, &joints, &ENDS).unwrap();
        let there = arm.forward(&found);
        assert!((there.translation.vector - target.translation.vector).norm() < 1e-5);
        assert!((found - joints).amax() < 0.4, "no other posture: {found}");
        // A turn about the tool's own axis is one that they can have.
        let mut turned = here;
        turned.rotation *= UnitQuaternion::from_scaled_axis(Vector3::z() * 0.3);
        let found = arm.solve(&turned, &joints, &ENDS).unwrap();
        assert!(arm.forward(&found).rotation.angle_to(&turned.rotation) < 0.02);
    }

    #[test]
    fn a_place_out_of_reach_is_refused_with_how_far_it_is() {
        let arm = Kinematics::new();
        let joints = Joints::from([0.0, 0.1, 0.1, 0.1, 0.0]);
        let mut target = arm.forward(&joints);
        target.translation.vector.x += 0.2;
        let OutOfReach(off) = arm.solve(&target, &joints, &ENDS).unwrap_err();
        assert!((0.1..0.25).contains(&off), "{off}");
    }

    #[test]
    fn no_joint_goes_beyond_its_end_and_the_others_make_up_for_it() {
        let arm = Kinematics::new();
        let joints = Joints::from([0.1, -0.6, 0.8, 1.3, 0.0]);
        let mut ends = ENDS;
        ends[3] = [-1.0, 1.32];
        let mut target = arm.forward(&joints);
        // Further up, and still pointing down: the wrist would have to bend more.
        target.translation.vector += Vector3::new(0.02, 0.0, 0.03);
        let free = arm.solve(&target, &joints, &ENDS).unwrap();
        assert!(free[3] > 1.34, "{free}");
        let found = arm.solve(&target, &joints, &ends).unwrap();
        assert!(found[3] <= 1.32, "{found}");
        let off = arm.forward(&found).translation.vector - target.translation.vector;
        assert!(off.norm() < 1e-4, "{off}");
    }

    #[test]
    fn small_ways_are_small_turns_of_the_joints() {
        let arm = Kinematics::new();
        let mut joints = Joints::from([0.1, -0.6, 0.8, 1.3, 0.0]);
        let start = arm.forward(&joints);
        for i in 1..=100 {
            let mut target = start;
            target.translation.vector += Vector3::new(0.001, 0.0005, 0.0006) * f64::from(i);
            let next = arm.solve(&target, &joints, &ENDS).unwrap();
            assert!((next - joints).amax() < 0.05, "{i}: from {joints} to {next}");
            joints = next;
        }
    }
}
