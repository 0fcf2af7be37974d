use super::*;

fn task(extra: &str) -> TaskConfig {
    let text = format!(
        "{extra}\nname = \"task\"\ncameras = [\"a\"]\n[reset]\nposition_m = [0.5, 0.0, 0.07]\n\
         random_m = [0.03, 0.03, 0.015]\nrandom_yaw_rad = 0.15\ntravel_z_m = 0.1\ntimeout_steps = 60\n"
    );
    TaskConfig::from_toml(&text, "task").expect("a valid task")
}

fn in_the_socket() -> Pose {
    let rotation = UnitQuaternion::from_euler_angles(3.0, 0.0, 0.0);
    Pose::from_parts(Translation3::new(0.52, 0.01, 0.008), rotation)
}

/// Runs a plan on an arm that goes `share` of the way to each target. Returns the path and the
/// step at which the fixture was asked for.
fn drive(
    plan: &mut ResetPlan,
    mut arm: Pose,
    share: f64,
) -> Result<(Vec<Pose>, usize), ResetError> {
    let (mut path, mut prepared) = (vec![arm], None);
    loop {
        match plan.next_target(&arm)? {
            ResetStep::Move(target) => {
                arm = arm.lerp_slerp(&target, share);
                path.push(arm);
            }
            ResetStep::PrepareFixture => {
                assert_eq!(prepared.replace(path.len() - 1), None, "asked twice");
            }
            ResetStep::Done(start) => {
                assert_eq!(start, plan.start_pose());
                return Ok((path, prepared.expect("the fixture was prepared")));
            }
        }
    }
}

#[test]
fn the_arm_goes_up_over_and_down() {
    let mut plan = ResetPlan::new(&task(""), 7);
    let first = in_the_socket();
    let (path, prepared) = drive(&mut plan, first, 0.7).expect("a free arm arrives");
    let lifted = &path[prepared];
    for pose in &path[..=prepared] {
        let sideways = (pose.translation.vector - first.translation.vector).xy().norm();
        assert!(sideways < 1e-12 && pose.rotation.angle_to(&first.rotation) < 1e-9, "{pose}");
    }
    assert!(lifted.translation.z > 0.1 - 0.002);
    let arrived = path.last().expect("the path is not empty");
    let (off_m, off_rad) = distance(arrived, &plan.start_pose());
    assert!(off_m <= 0.002 && off_rad <= 0.02);
    let lowest = path[prepared..].iter().map(|pose| pose.translation.z).fold(1.0, f64::min);
    assert!(lowest >= plan.start_pose().translation.z - 1e-9);
    for pair in path.windows(2) {
        let (step, turn) = distance(&pair[0], &pair[1]);
        assert!(step <= 0.021 && turn <= 0.11, "{step} m, {turn} rad in one step");
    }
}

#[test]
fn an_arm_that_is_held_gives_an_error_that_says_where() {
    let mut plan = ResetPlan::new(&task(""), 7);
    let error = drive(&mut plan, in_the_socket(), 0.0).expect_err("the arm does not move");
    let ResetError::TimedOut { phase, steps, off_mm, .. } = error;
    assert_eq!((phase, steps), (ResetPhase::Lift, 60));
    assert!((off_mm - 92.0).abs() < 1e-6);
}

#[test]
fn waypoints_do_not_run_away_from_an_arm_that_is_held() {
    let mut plan = ResetPlan::new(&task(""), 7);
    let arm = in_the_socket();
    for _ in 0..50 {
        let Ok(ResetStep::Move(target)) = plan.next_target(&arm) else { panic!("still lifting") };
        assert!(distance(&arm, &target).0 <= 0.02 + 1e-12);
    }
}

#[test]
fn the_same_seed_gives_the_same_start_pose() {
    let start = |seed| ResetPlan::new(&task(""), seed).start_pose();
    assert_eq!(start(1), start(1));
    assert_ne!(start(1), start(2));
}

#[test]
fn start_poses_fill_the_box_and_stay_inside() {
    let task = task("");
    let middle = task.reset.pose();
    let (mut low, mut high) = (Vector3::repeat(1.0), Vector3::repeat(-1.0));
    let mut yaws = (1.0f64, -1.0f64);
    for seed in 0..2000 {
        let pose = middle.inv_mul(&ResetPlan::new(&task, seed).start_pose());
        let offset = pose.translation.vector.component_div(&Vector3::from(task.reset.random_m));
        (low, high) = (low.inf(&offset), high.sup(&offset));
        let yaw = pose.rotation.scaled_axis().z / 0.15;
        yaws = (yaws.0.min(yaw), yaws.1.max(yaw));
    }
    assert!(low.min() >= -1.0 && high.max() <= 1.0 && low.max() < -0.98 && high.min() > 0.98);
    assert!(yaws.0 >= -1.0 - 1e-9 && yaws.1 <= 1.0 + 1e-9 && yaws.0 < -0.98 && yaws.1 > 0.98);
}
