//! Joint angles of the pose in which the arm starts: the tool straight down over the workspace.
//! Found once at start from the model itself; not a planner.

use std::sync::Arc;

use mujoco_rs::prelude::{MjData, MjModel};
use nalgebra::{Matrix6, Translation3, Vector6};
use wire::geometry::Pose;

use crate::{
    impedance::{JOINTS, Joints},
    scene::{self, Home},
    world::measure,
};

/// Damped least squares from the guess to the home pose. Leaves `data` there.
pub(crate) fn solve(data: &mut MjData<Arc<MjModel>>, tcp_site: usize, home: &Home) -> Joints {
    const ROUNDS: usize = 100;
    let [x, y, z] = home.tcp_m;
    let goal = Pose::from_parts(Translation3::new(x, y, z), scene::tool_down());
    let mut joints = Joints::from(home.guess);
    for _ in 0..ROUNDS {
        data.qpos_mut()[..JOINTS].copy_from_slice(joints.as_slice());
        data.step1();
        let at = measure(data, tcp_site);
        let linear = goal.translation.vector - at.tcp_pose.translation.vector;
        let angular = (goal.rotation * at.tcp_pose.rotation.inverse()).scaled_axis();
        let error = Vector6::from_iterator(linear.iter().chain(angular.iter()).copied());
        let square = at.jacobian * at.jacobian.transpose() + Matrix6::identity() * 1e-4;
        let factor = square.cholesky().expect("a Gram matrix plus a diagonal is definite");
        joints += at.jacobian.tr_mul(&factor.solve(&error));
    }
    joints
}
