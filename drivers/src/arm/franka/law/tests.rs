//! The law beside numbers that were found without it: by hand where the Jacobian is simple, and from the
//! formulas of the module's text in another language (numpy, with the pseudo-inverse by its singular
//! values) where it is not.

use nalgebra::{RowSVector, UnitQuaternion};

use super::*;

fn pose(at: [f64; 3], turn: [f64; 3]) -> Pose {
    let turn = UnitQuaternion::from_scaled_axis(Vector3::from(turn));
    Pose::from_parts(Vector3::from(at).into(), turn)
}

/// Joints 1 to 6 move and turn the TCP along the axes, joint 7 does nothing.
fn plain(tcp_pose: Pose) -> Motion {
    Motion {
        joints: Joints::zeros(),
        joint_velocities: Joints::zeros(),
        jacobian: Jacobian::identity(),
        tcp_pose,
        coriolis: Joints::zeros(),
        commanded: Joints::zeros(),
    }
}

/// Of the spring alone.
fn spring_only() -> Parameters {
    set(&[("nullspace_stiffness", 0.0), ("joint1_nullspace_stiffness", 0.0)])
}

fn set(values: &[(&str, f64)]) -> Parameters {
    let mut parameters = Parameters::default();
    let values = values.iter().map(|(name, value)| ((*name).to_owned(), *value));
    parameters.set(&Compliance::new(values).unwrap()).unwrap();
    parameters
}

/// What the torques become when the arm stays as it is.
fn settled(law: &mut Law, mut motion: Motion) -> Joints {
    for _ in 0..200 {
        motion.commanded = law.step(&motion);
    }
    motion.commanded
}

#[track_caller]
fn assert_near(got: &Joints, wanted: [f64; JOINTS], off: f64) {
    let far = (got - Joints::from(wanted)).amax();
    assert!(far < off, "{got:?} is not {wanted:?}");
}

/// The torques (here force and torque on the TCP) where the TCP is so far from the spring's anchor.
#[track_caller]
fn check_spring(parameters: Parameters, away: [[f64; 3]; 2], wanted: [f64; 6]) {
    let anchor = pose([0.5, 0.1, 0.2], [3.0, 0.1, 0.0]);
    let mut law = Law::new(parameters, &plain(anchor));
    let [at, turn] = away;
    let turn = UnitQuaternion::from_scaled_axis(Vector3::from(turn));
    let at = anchor.translation.vector + Vector3::from(at);
    let tcp = Pose::from_parts(at.into(), turn * anchor.rotation);
    let [x, y, z, a, b, c] = wanted;
    // Following a rotation that is the same rounds at 1e-8.
    assert_near(&settled(&mut law, plain(tcp)), [x, y, z, a, b, c, 0.0], 1e-6);
}

#[test]
fn the_spring_pulls_back() {
    let none = [0.0; 3];
    check_spring(spring_only(), [[0.001, 0.0, -0.002], none], [-2.0, 0.0, 4.0, 0.0, 0.0, 0.0]);
    let turned = 150.0 * 0.02_f64.sin();
    check_spring(spring_only(), [none, [0.0, 0.04, 0.0]], [0.0, 0.0, 0.0, 0.0, -turned, 0.0]);
}

#[test]
fn a_turn_is_undone_the_short_way() {
    let almost_round = [0.0, 0.0, std::f64::consts::TAU - 0.04];
    let back = 150.0 * 0.02_f64.sin();
    check_spring(spring_only(), [[0.0; 3], almost_round], [0.0, 0.0, 0.0, 0.0, 0.0, back]);
}

#[test]
fn the_clip_bounds_the_force_for_each_axis_and_way() {
    let far = [[3.0, -3.0, 0.0], [2.0, 0.0, 0.0]];
    check_spring(spring_only(), far, [-20.0, 20.0, 0.0, -7.5, 0.0, 0.0]);
    let uneven = Parameters {
        clip: [Vector3::new(0.002, 0.003, 0.004), Vector3::new(0.01, 0.02, 0.03)],
        clip_neg: [Vector3::new(0.005, 0.006, 0.007), Vector3::new(0.04, 0.05, 0.06)],
        ..spring_only()
    };
    check_spring(uneven, far, [-4.0, 12.0, 0.0, -1.5, 0.0, 0.0]);
}

#[test]
fn what_moves_is_braked() {
    let at = pose([0.5, 0.0, 0.2], [0.0; 3]);
    let mut law = Law::new(spring_only(), &plain(at));
    let joint_velocities = Joints::from([0.1, 0.0, -0.05, 0.0, 0.2, 0.0, 5.0]);
    let moving = Motion { joint_velocities, ..plain(at) };
    let wanted = [-8.9, 0.0, 4.45, 0.0, -1.4, 0.0, 0.0];
    assert_near(&settled(&mut law, moving), wanted, 1e-9);
}

#[test]
fn the_elbow_is_pulled_back_where_the_tcp_does_not_feel_it() {
    let mut jacobian = Jacobian::zeros();
    jacobian.fixed_view_mut::<6, 6>(0, 1).fill_with_identity();
    let start = Motion { jacobian, ..plain(Pose::identity()) };
    let mut law = Law::new(Parameters::default(), &start);
    let (joints, joint_velocities) = (
        Joints::from([0.02, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]),
        Joints::from([0.3, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]),
    );
    let torques = settled(&mut law, Motion { joints, joint_velocities, ..start });
    // k_n = 0.2, and for joint 1 also k_j1 = 100.
    let wanted = -0.02 * 100.0 * 0.2 - 0.3 * 20.0 * 2.0 * 0.2_f64.sqrt();
    assert_near(&torques, [wanted, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], 1e-9);

    // Joints 2 to 7 move the TCP: of a pull on them it feels 0.2^2 / (1 + 0.2^2).
    let joints = Joints::from([0.0, 0.1, 0.0, 0.0, 0.0, 0.0, 0.0]);
    let torques = settled(&mut law, Motion { joints, ..start });
    assert_near(&torques, [0.0, -0.02 * 0.04 / 1.04, 0.0, 0.0, 0.0, 0.0, 0.0], 1e-9);
}

/// All terms at once, both clips, and quaternions of opposite sign.
#[test]
fn an_arm_in_the_middle_of_its_way_gets_the_torques_of_the_formula() {
    let rows = [
        [-0.10, 0.29, -0.08, 0.31, 0.02, 0.09, 0.00],
        [0.55, 0.04, 0.43, 0.03, -0.05, 0.01, 0.00],
        [0.00, -0.54, 0.05, 0.36, -0.02, 0.21, 0.00],
        [0.00, -0.05, 0.42, 0.06, -0.71, 0.03, 0.12],
        [0.00, 1.00, 0.03, -0.99, 0.04, -0.98, -0.05],
        [1.00, 0.00, 0.91, 0.02, -0.70, 0.07, -0.99],
    ];
    let jacobian = Jacobian::from_rows(&rows.map(RowSVector::from));
    let anchor = pose([0.504, 0.05, 0.1925], [-3.1, -0.15, 0.22]);
    let posture = Joints::from([0.06, -0.45, 0.25, -1.9, -0.1, 1.8, 0.8]);
    let mut law = Law::new(Parameters::default(), &Motion { joints: posture, ..plain(anchor) });
    let torques = settled(
        &mut law,
        Motion {
            joints: Joints::from([0.1, -0.4, 0.2, -2.1, 0.05, 1.9, 0.7]),
            joint_velocities: Joints::from([0.02, -0.05, 0.03, 0.04, -0.06, 0.01, 0.08]),
            jacobian,
            tcp_pose: pose([0.5, 0.03, 0.2], [3.0, 0.1, -0.2]),
            coriolis: Joints::from([0.01, -0.2, 0.05, 0.15, -0.02, 0.03, 0.0]),
            commanded: Joints::zeros(),
        },
    );
    let wanted =
        [9.7785318, 14.91530408, 10.59416794, -5.01767323, -5.96794537, -4.56823161, -0.69371907];
    assert_near(&torques, wanted, 1e-7);
}

#[test]
fn torques_change_by_a_newton_metre_per_cycle_and_stay_within_what_joints_give() {
    let at = pose([0.0; 3], [0.0; 3]);
    let mut law = Law::new(set(&[("translational_stiffness", 6000.0)]), &plain(at));
    law.parameters.clip_neg[0] = Vector3::repeat(0.1);
    law.gains = law.parameters.gains;
    let mut motion = plain(pose([-1.0, 0.0, 0.0], [0.0; 3]));
    motion.commanded = law.step(&motion);
    assert_near(&motion.commanded, [0.999, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], 1e-9);
    motion.commanded = law.step(&motion);
    assert_near(&motion.commanded, [1.998, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], 1e-9);
    // The robot has not heard of the last one yet, and says so: near both.
    let late = Motion { commanded: Joints::from([0.999, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]), ..motion };
    assert_near(&law.clone().step(&late), [1.998, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], 1e-9);
    // It has missed many: near its own word.
    let lost = Motion { commanded: Joints::from([-5.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]), ..motion };
    assert_near(&law.clone().step(&lost), [-4.001, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], 1e-9);
    let most = settled(&mut law, motion);
    assert!((most[0] - 87.0).abs() < 1e-9, "{most:?}");
}

#[test]
fn targets_and_gains_are_approached_and_clips_and_holds_are_not() {
    let at = pose([0.5, 0.0, 0.2], [0.0; 3]);
    let mut law = Law::new(spring_only(), &plain(at));
    law.aim(&pose([0.6, 0.0, 0.2], [0.0, 0.0, 0.5]));
    law.parameters.gains.stiffness[0] = 1000.0;
    for _ in 0..138 {
        law.step(&plain(at));
    }
    // 1 - 0.995^138 is half the way, to a thousandth.
    assert!((law.anchor.translation.x - 0.55).abs() < 1e-4, "{}", law.anchor);
    assert!((law.anchor.rotation.angle() - 0.25).abs() < 5e-4, "{}", law.anchor);
    assert!((law.gains.stiffness[0] - 1500.0).abs() < 1.0, "{:?}", law.gains);

    law.parameters.clip_neg[0] = Vector3::repeat(0.001);
    let pulled = settled(&mut law.clone(), plain(at));
    assert!(pulled[0] < 0.001 * 1500.0 && pulled[0] > 0.001 * 1000.0, "{pulled:?}");
    law.hold(&at);
    assert_near(&settled(&mut law, plain(at)), [0.0; JOINTS], 1e-9);
}

#[test]
fn the_sum_of_errors_is_bounded_and_forgotten_with_a_new_target() {
    let at = pose([0.5, 0.0, 0.2], [0.0; 3]);
    let parameters = Parameters {
        gains: Gains { stiffness: [0.0; 2], integral: [100.0, 0.0], ..spring_only().gains },
        ..spring_only()
    };
    let mut law = Law::new(parameters, &plain(at));
    let away = plain(pose([0.498, 0.0, 0.2], [0.0; 3]));
    let first = law.step(&away);
    assert_near(&first, [0.2, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], 1e-9);
    assert_near(&settled(&mut law, away), [10.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], 1e-9);
    law.aim(&at);
    assert!(law.integral[0] < 0.0, "the same target is no new one");
    law.aim(&pose([0.501, 0.0, 0.2], [0.0; 3]));
    assert_eq!(law.integral, Vector6::zeros());
}

#[test]
fn each_parameter_of_the_controller_is_one_of_the_law() {
    for (name, most) in crate::compliance::PARAMETERS {
        let mut changed = set(&[(name, most / 2.0)]);
        assert_eq!(*changed.named(name).unwrap(), most / 2.0, "{name}");
        assert_ne!(set(&[(name, most / 4.0)]), changed, "{name}");
    }
}
