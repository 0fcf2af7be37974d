//! The frame functions beside the numbers of HIL-SERL (commit 5d02aed), recorded in float64.

use nalgebra::{
    Isometry3, Matrix4, Matrix6, Quaternion, Translation3, UnitQuaternion, Vector3, Vector6,
};
use safetensors::SafeTensors;
use tasks::frame::{adjoint, adjoint_inverse, from_euler_xyz, homogeneous, relative, to_euler_xyz};

const GOLDEN: &[u8] = include_bytes!("golden/g5_frames.safetensors");
const TOLERANCE: f64 = 1e-12;

/// The rows of a float64 tensor.
fn rows(name: &str) -> Vec<Vec<f64>> {
    let file = SafeTensors::deserialize(GOLDEN).expect("golden file");
    let tensor = file.tensor(&format!("f64/{name}")).expect(name);
    let (chunks, _) = tensor.data().as_chunks::<8>();
    let values: Vec<f64> = chunks.iter().map(|chunk| f64::from_le_bytes(*chunk)).collect();
    values.chunks(tensor.shape()[1..].iter().product()).map(<[f64]>::to_vec).collect()
}

/// Position, then a quaternion in the order xyzw.
fn pose(row: &[f64]) -> Isometry3<f64> {
    let rotation = UnitQuaternion::new_normalize(Quaternion::new(row[6], row[3], row[4], row[5]));
    Isometry3::from_parts(Translation3::new(row[0], row[1], row[2]), rotation)
}

fn near(name: &str, got: &[f64], expected: &[f64]) {
    assert_eq!(got.len(), expected.len(), "{name}");
    let worst = got.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(worst < TOLERANCE, "{name}: off by {worst:e}\n{got:?}\n{expected:?}");
}

#[test]
fn adjoint_and_homogeneous_matrices() {
    let poses = rows("pose");
    let (adjoints, matrices) = (rows("adjoint"), rows("homogeneous"));
    for (i, row) in poses.iter().enumerate() {
        let pose = pose(row);
        let expected = Matrix6::from_row_slice(&adjoints[i]);
        near("adjoint", adjoint(&pose).as_slice(), expected.as_slice());
        let inverse = expected.try_inverse().expect("an adjoint can be inverted");
        near("inverse of the adjoint", adjoint_inverse(&pose).as_slice(), inverse.as_slice());
        let expected = Matrix4::from_row_slice(&matrices[i]);
        near("homogeneous", homogeneous(&pose).as_slice(), expected.as_slice());
    }
}

#[test]
fn poses_given_by_euler_angles() {
    let (adjoints, matrices) = (rows("adjoint_from_euler"), rows("homogeneous_from_euler"));
    for (i, row) in rows("pose_euler_xyz").iter().enumerate() {
        let rotation = from_euler_xyz(&Vector3::new(row[3], row[4], row[5]));
        let pose = Isometry3::from_parts(Translation3::new(row[0], row[1], row[2]), rotation);
        let expected = Matrix6::from_row_slice(&adjoints[i]);
        near("adjoint", adjoint(&pose).as_slice(), expected.as_slice());
        let expected = Matrix4::from_row_slice(&matrices[i]);
        near("homogeneous", homogeneous(&pose).as_slice(), expected.as_slice());
    }
}

#[test]
fn euler_angles_of_quaternions() {
    for (row, expected) in rows("pose").iter().zip(rows("quat_2_euler")) {
        near("euler", to_euler_xyz(&pose(row).rotation).as_slice(), &expected);
    }
}

/// One arm of an episode. `columns` are where its six motion values stand in an action.
fn check_episode(name: &str, arm: &str, first: usize) {
    let read = |what: &str| rows(&format!("{name}/{what}"));
    let (poses, twists) = (read(&format!("in/{arm}tcp_pose")), read(&format!("in/{arm}tcp_vel")));
    let (out_poses, out_twists) =
        (read(&format!("out/{arm}tcp_pose")), read(&format!("out/{arm}tcp_vel")));
    let reset = pose(&poses[0]);
    for i in 0..poses.len() {
        let now = pose(&poses[i]);
        let (got, expected) = (relative(&reset, &now), pose(&out_poses[i]));
        near("position", got.translation.vector.as_slice(), expected.translation.vector.as_slice());
        let (got, expected) = (got.to_homogeneous(), expected.to_homogeneous());
        near("orientation", got.as_slice(), expected.as_slice());
        let got = adjoint_inverse(&now) * Vector6::from_row_slice(&twists[i]);
        near("velocity", got.as_slice(), &out_twists[i]);
    }
    let six = |row: &[f64]| Vector6::from_row_slice(&row[first..first + 6]);
    let (policy, base) = (read("action_policy_frame"), read("action_base_frame"));
    let (human, human_policy) = (read("intervene_base_frame"), read("intervene_policy_frame"));
    let mut interventions = 0;
    for i in 0..policy.len() {
        // Both directions use the pose before the step.
        let before = pose(&poses[i]);
        near("action", (adjoint(&before) * six(&policy[i])).as_slice(), six(&base[i]).as_slice());
        if human[i].iter().all(|x| x.is_finite()) {
            let got = adjoint_inverse(&before) * six(&human[i]);
            near("intervention", got.as_slice(), six(&human_policy[i]).as_slice());
            interventions += 1;
        }
    }
    assert!(interventions > 0);
}

#[test]
fn an_episode_with_a_gripper() {
    check_episode("single", "", 0);
}

#[test]
fn an_episode_of_six_dimensions() {
    check_episode("single6", "", 0);
}

#[test]
fn an_episode_of_two_arms_with_grippers() {
    check_episode("dual", "left/", 0);
    check_episode("dual", "right/", 7);
}

#[test]
fn an_episode_of_two_arms() {
    check_episode("dual12", "left/", 0);
    check_episode("dual12", "right/", 6);
}
