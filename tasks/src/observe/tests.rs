use proptest::prelude::*;
use wire::geometry::Pose;

use super::*;

const TASK: &str = r#"
name = "task"
cameras = []
[reset]
position_m = [0.5, 0.0, 0.07]
travel_z_m = 0.1
"#;

fn task(extra: &str) -> TaskConfig {
    TaskConfig::from_toml(&format!("{extra}{TASK}"), "task").expect("a valid task")
}

/// The tool points down: its z is the base's -z, its y the base's -y.
fn down(x: f64, y: f64, z: f64) -> Pose {
    let rotation = UnitQuaternion::from_euler_angles(std::f64::consts::PI, 0.0, 0.0);
    Pose::from_parts(nalgebra::Translation3::new(x, y, z), rotation)
}

fn at_rest(tcp_pose: Pose) -> Measured {
    Measured { tcp_pose, twist: Twist::default(), wrench: None, gripper: None }
}

/// What a vector of one key holds, with the reset pose straight down at (0.5, 0, 0.07).
fn check(key: &str, measured: Measured, target: Option<Pose>, expected: &[f32]) {
    let mut observer = Observer::new(&task(&format!("observation.proprio = [\"{key}\"]\n")));
    observer.reset(down(0.5, 0.0, 0.07));
    let got = observer.proprio(&measured, target.as_ref());
    let near = |(a, b): (&f32, &f32)| (a - b).abs() < 1e-5;
    assert!(got.len() == expected.len() && got.iter().zip(expected).all(near), "{key}: {got:?}");
}

#[test]
fn position_is_in_the_tool_frame_of_the_reset() {
    check("position", at_rest(down(0.53, 0.03, 0.04)), None, &[1.0, -1.0, 1.0]);
}

#[test]
fn rotation_is_a_rotation_vector() {
    let mut pose = down(0.5, 0.0, 0.07);
    pose.rotation *= UnitQuaternion::from_scaled_axis(Vector3::new(0.0, 0.0, 0.1));
    check("rotation", at_rest(pose), None, &[0.0, 0.0, 0.5]);
}

#[test]
fn velocities_are_turned_each_for_itself() {
    let mut measured = at_rest(down(0.5, 0.0, 0.07));
    measured.twist.linear = Vector3::new(0.1, 0.0, -0.2);
    measured.twist.angular = Vector3::new(0.5, 0.5, 0.0);
    check("linear-velocity", measured, None, &[1.0, 0.0, 2.0]);
    check("angular-velocity", measured, None, &[1.0, -1.0, 0.0]);
}

#[test]
fn wrenches_are_clipped_after_scaling() {
    let mut measured = at_rest(down(0.5, 0.0, 0.07));
    let wrench =
        Wrench { force: Vector3::new(0.0, 5.0, 90.0), torque: Vector3::new(0.5, 0.0, -9.0) };
    measured.wrench = Some(wrench);
    check("force", measured, None, &[0.0, -0.5, -3.0]);
    check("torque", measured, None, &[1.0, 0.0, 3.0]);
    check("force", at_rest(down(0.5, 0.0, 0.07)), None, &[0.0; 3]);
}

#[test]
fn the_lag_is_from_the_measured_pose_to_the_target() {
    let mut target = down(0.51, 0.0, 0.06);
    target.rotation *= UnitQuaternion::from_scaled_axis(Vector3::new(0.05, 0.0, 0.0));
    check("position-lag", at_rest(down(0.5, 0.0, 0.07)), Some(target), &[1.0, 0.0, 1.0]);
    check("rotation-lag", at_rest(down(0.5, 0.0, 0.07)), Some(target), &[1.0, 0.0, 0.0]);
    check("position-lag", at_rest(down(0.5, 0.0, 0.07)), None, &[0.0; 3]);
}

#[test]
fn a_gripper_says_how_far_it_is_open() {
    let measured = Measured { gripper: Some(0.25), ..at_rest(down(0.5, 0.0, 0.07)) };
    check("gripper", measured, None, &[0.25]);
    check("gripper", at_rest(down(0.5, 0.0, 0.07)), None, &[0.0]);
}

/// The vector has the length that the specification promises.
fn check_length(extra: &str, expected: usize) {
    let task = task(extra);
    let values = Observer::new(&task).proprio(&at_rest(down(0.5, 0.0, 0.07)), None);
    assert_eq!((values.len(), task.observation_spec().proprio_dim), (expected, expected));
}

#[test]
fn the_vector_is_as_long_as_the_specification_says() {
    check_length("", 24);
    check_length("action.dims = \"xyz\"\n", 18);
    check_length("action.dims = \"xyz\"\nobservation.proprio = [\"rotation\", \"torque\"]\n", 4);
    check_length("observation.frame = \"hil-serl-adjoint\"\n", 24);
}

#[test]
fn the_reference_frame_leaves_wrenches_and_leaks_linear_into_angular_velocity() {
    let mut observer = Observer::new(&task(
        "observation.frame = \"hil-serl-adjoint\"\nobservation.proprio = [\"angular-velocity\", \"force\"]\n",
    ));
    observer.reset(down(0.5, 0.0, 0.07));
    let mut measured = at_rest(down(0.5, 0.0, 0.07));
    measured.twist.linear = Vector3::new(0.0, 1.0, 0.0);
    measured.wrench = Some(Wrench { force: Vector3::new(0.0, 10.0, 0.0), ..Wrench::default() });
    let got = observer.proprio(&measured, None);
    // -Rᵀ [p]× v with p = (0.5, 0, 0.07), v = e_y: [p]× v = (-0.07, 0, 0.5).
    let expected = [0.14, 0.0, 1.0, 0.0, 1.0, 0.0];
    assert!(got.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-5), "{got:?}");
}

proptest! {
    /// Moving the whole scene, reset pose included, changes nothing that the policy sees.
    #[test]
    fn the_vector_does_not_know_where_the_scene_stands(
        shift in prop::array::uniform3(-1.0..1.0), turn in prop::array::uniform3(-1.0..1.0),
        place in prop::array::uniform3(-0.03..0.03), tilt in prop::array::uniform3(-0.3..0.3),
        velocity in prop::array::uniform3(-0.2..0.2), force in prop::array::uniform3(-20.0..20.0),
    ) {
        let rotation = UnitQuaternion::from_scaled_axis(Vector3::from(turn));
        let scene = Pose::from_parts(Vector3::from(shift).into(), rotation);
        let reset = down(0.5, 0.0, 0.07);
        let tilt = UnitQuaternion::from_scaled_axis(Vector3::from(tilt));
        let pose = reset * Pose::from_parts(Vector3::from(place).into(), tilt);
        let target = pose * Pose::from_parts(Vector3::from(place).into(), tilt);
        let (linear, force) = (Vector3::from(velocity), Vector3::from(force));
        let measured = |scene: Pose| Measured {
            tcp_pose: scene * pose,
            twist: Twist { linear: scene * linear, angular: scene * force },
            wrench: Some(Wrench { force: scene * force, torque: scene * linear }),
            gripper: None,
        };
        let mut observer = Observer::new(&task(""));
        observer.reset(reset);
        let here = observer.proprio(&measured(Pose::identity()), Some(&target));
        observer.reset(scene * reset);
        let there = observer.proprio(&measured(scene), Some(&(scene * target)));
        for (a, b) in here.iter().zip(&there) {
            prop_assert!((a - b).abs() < 1e-4, "{here:?} {there:?}");
        }
    }
}
