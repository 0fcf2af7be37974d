use GripperCommand::{Close, Open, Stay};
use proptest::prelude::*;

use super::*;
use crate::frame::distance;

fn map(extra: &str) -> ActionMap {
    let text = format!(
        "{extra}\nname = \"task\"\ncameras = [\"a\"]\nreset = {{ position_m = [0, 0, 0], travel_z_m = 1 }}\n"
    );
    ActionMap::new(&TaskConfig::from_toml(&text, "task").expect("a valid task"))
}

fn pose(position: [f64; 3], rotation: [f64; 3]) -> Pose {
    let rotation = UnitQuaternion::from_scaled_axis(Vector3::from(rotation));
    Pose::from_parts(Translation3::from(Vector3::from(position)), rotation)
}

const DOWN: [f64; 3] = [std::f64::consts::PI, 0.0, 0.0];

/// The action of `text`, on an arm that points down at (0.5, 0, 0.1) and has the target
/// (0.5, 0.01, 0.1).
fn check_target(text: &str, action: &[f32], expected: Pose) {
    let measured = pose([0.5, 0.0, 0.1], DOWN);
    let last = pose([0.5, 0.01, 0.1], DOWN);
    let got = map(text).target(&Action::from_slice(action), &measured, Some(&last));
    let (off_m, off_rad) = distance(&got, &expected);
    assert!(off_m < 1e-8 && off_rad < 1e-7, "{got} is not {expected}");
}

#[test]
fn a_move_is_in_the_tool_frame_and_starts_at_the_last_target() {
    check_target("action.dims = \"xyz\"", &[1.0, 1.0, 1.0], pose([0.51, 0.0, 0.09], DOWN));
}

#[test]
fn a_move_may_start_at_the_measured_pose() {
    let text = "action = { dims = \"xyz\", delta_from = \"measured\" }";
    check_target(text, &[0.5, 0.0, 0.0], pose([0.505, 0.0, 0.1], DOWN));
}

#[test]
fn a_turn_about_the_tools_axis_is_composed_in_the_base_frame() {
    let mut expected = pose([0.5, 0.01, 0.1], DOWN);
    expected.rotation =
        UnitQuaternion::from_scaled_axis(Vector3::new(0.0, 0.0, -0.05)) * expected.rotation;
    check_target("", &[0.0, 0.0, 0.0, 0.0, 0.0, 1.0], expected);
}

#[test]
fn a_turn_is_about_the_tools_axis_alone_and_takes_back_a_tilt() {
    let mut map = map("action.dims = \"xyz+yaw\"");
    let start = pose([0.0; 3], [3.0, 0.2, 0.0]);
    map.reset(&start);
    let turned = |rad: f64| start.rotation * UnitQuaternion::from_scaled_axis(Vector3::z() * rad);
    let tilt = UnitQuaternion::from_scaled_axis(Vector3::new(0.02, 0.0, 0.0));
    let measured = Pose::from_parts(Translation3::identity(), turned(0.3) * tilt);
    // 0.05 rad for an entry of 1.
    let got = map.target(&Action::from_slice(&[0.0, 0.0, 0.0, -0.5]), &measured, None);
    assert!(got.rotation.angle_to(&turned(0.275)) < 1e-3, "{got}");
    let axis = |rotation: UnitQuaternion<f64>| rotation * Vector3::z();
    assert!((axis(got.rotation) - axis(start.rotation)).norm() < 1e-12, "{got}");
}

#[test]
fn without_rotation_the_tool_keeps_the_orientation_of_the_start_pose() {
    let mut map = map("action.dims = \"xyz\"");
    let start = pose([0.0; 3], [3.0, 0.2, 0.0]);
    map.reset(&start);
    let measured = pose([0.0; 3], DOWN);
    let got = map.target(&Action::zeros(3), &measured, None);
    assert!(got.rotation.angle_to(&start.rotation) < 1e-12);
}

/// A hand's twist in the base frame, on an arm that points down.
fn check_teleop(text: &str, twist: [f64; 6], expected: &[f32]) {
    let got = map(text).from_teleop(&twist, Stay, &pose([0.0; 3], DOWN).rotation);
    let near = got.as_slice().iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6);
    assert!(near && got.dim() == expected.len(), "{got:?}");
}

#[test]
fn a_hand_that_pushes_down_moves_the_tool_along_its_z() {
    check_teleop("action.dims = \"xyz\"", [0.5, 0.5, -1.0, 0.3, 0.3, 0.3], &[0.5, -0.5, 1.0]);
    let turning = "action.dims = \"xyz+yaw\"";
    check_teleop(turning, [0.5, 0.5, -1.0, 0.3, 0.3, 0.3], &[0.5, -0.5, 1.0, -0.3]);
    check_teleop("", [0.0, 0.0, 0.0, 0.0, 0.0, 1.0], &[0.0, 0.0, 0.0, 0.0, 0.0, -1.0]);
}

#[test]
fn a_command_beyond_the_action_space_keeps_its_direction() {
    let turned =
        UnitQuaternion::from_scaled_axis(Vector3::new(0.0, 0.0, std::f64::consts::FRAC_PI_4));
    let got =
        map("action.dims = \"xyz\"").from_teleop(&[1.0, 1.0, 0.5, 0.0, 0.0, 0.0], Stay, &turned);
    let expected = [1.0, 0.0, 0.5 / 2f32.sqrt()];
    assert!(got.as_slice().iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{got:?}");
}

#[test]
fn the_grippers_entry_moves_nothing_else_and_comes_back() {
    let map = map("action = { dims = \"xyz\", gripper = \"discrete\" }");
    let here = pose([0.5, 0.0, 0.1], DOWN);
    for gripper in [Close, Stay, Open] {
        let action = Action::from_slice(&[1.0, 0.0, 0.0, gripper.entry()]);
        assert_eq!(map.gripper(&action), gripper);
        let target = map.target(&action, &here, None);
        let (off_m, off_rad) = distance(&target, &pose([0.51, 0.0, 0.1], DOWN));
        assert!(off_m < 1e-9 && off_rad < 1e-9, "{target}");
        let stored = map.action(&target, gripper, &here, None);
        assert_eq!((stored.dim(), map.gripper(&stored)), (4, gripper));
        let hand = map.from_teleop(&[0.1; 6], gripper, &here.rotation);
        assert_eq!((hand.dim(), map.gripper(&hand)), (4, gripper));
    }
}

#[test]
fn a_task_without_a_gripper_tells_it_nothing() {
    let action = Action::from_slice(&[0.0, 0.0, 1.0]);
    assert_eq!(map("action.dims = \"xyz\"").gripper(&action), Stay);
}

fn any_pose() -> impl Strategy<Value = Pose> {
    (prop::array::uniform3(-1.0..1.0), prop::array::uniform3(-3.0..3.0))
        .prop_map(|(p, r)| pose(p, r))
}

proptest! {
    /// What is stored leads to the very target that was executed.
    #[test]
    fn the_action_of_a_target_has_that_target(
        entries in prop::array::uniform6(-1.5..1.5), measured in any_pose(), last in any_pose(),
        has_last in any::<bool>(), from_measured in any::<bool>(),
    ) {
        let from = if from_measured { "measured" } else { "target" };
        let map = map(&format!("action.delta_from = \"{from}\""));
        let last = has_last.then_some(&last);
        let executed = map.target_of(&Vector6::from(entries), &measured, last);
        let back = map.entries_of(&executed, &measured, last);
        let again = map.target_of(&back, &measured, last);
        let (off_m, _) = distance(&executed, &again);
        let off = (executed.rotation.to_rotation_matrix().matrix()
            - again.rotation.to_rotation_matrix().matrix()).amax();
        prop_assert!(off_m < 1e-9 && off < 1e-9, "{off_m:e} m, {off:e}");
        prop_assert!((back - Vector6::from(entries)).amax() < 1e-9, "{back} {entries:?}");

        // Stored as f32 it is exact to the rounding of the entries.
        let stored = map.action(&executed, Stay, &measured, last);
        let (off_m, _) = distance(&executed, &map.target(&stored, &measured, last));
        prop_assert!(off_m < 2e-9, "{off_m:e} m");
    }

    /// The same for a tool that only turns about its own axis.
    #[test]
    fn the_action_of_a_turn_has_that_target(
        entries in prop::array::uniform4(-1.0_f32..1.0), measured in any_pose(), last in any_pose(),
        has_last in any::<bool>(), from_measured in any::<bool>(),
    ) {
        let from = if from_measured { "measured" } else { "target" };
        let map = map(&format!("action = {{ dims = \"xyz+yaw\", delta_from = \"{from}\" }}"));
        let last = has_last.then_some(&last);
        let executed = map.target(&Action::from_slice(&entries), &measured, last);
        let back = map.action(&executed, Stay, &measured, last);
        let near = back.as_slice().iter().zip(&entries).all(|(a, b)| (a - b).abs() < 1e-5);
        prop_assert!(near && back.dim() == 4, "{back:?} {entries:?}");
    }

    /// The same in the frame of the reference, where nothing was clipped.
    #[test]
    fn the_action_of_a_target_in_the_reference_frame(
        entries in prop::array::uniform6(-0.3..0.3), measured in any_pose(),
    ) {
        let map = map("action.delta_from = \"measured\"\nobservation.frame = \"hil-serl-adjoint\"");
        let base = adjoint(&measured) * Vector6::from(entries);
        prop_assume!(base.amax() <= 1.0);
        let executed = map.target_of(&Vector6::from(entries), &measured, None);
        let back = map.entries_of(&executed, &measured, None);
        prop_assert!((back - Vector6::from(entries)).amax() < 1e-9, "{back} {entries:?}");
    }

    #[test]
    fn a_hand_never_leaves_the_action_space(twist in prop::array::uniform6(-1.0..=1.0), measured in any_pose()) {
        let action = map("").from_teleop(&twist, Stay, &measured.rotation);
        prop_assert_eq!(&action.clipped(), &action);
    }
}
