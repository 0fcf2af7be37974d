use nalgebra::Isometry3;
use proptest::{collection::vec, prelude::*};

use super::*;
use crate::arm::ArmMode;
use wire::geometry::Twist;

const MS: u64 = 1_000_000;
const PERIOD_NS: u64 = 100 * MS;

/// Goes at once where it is told.
#[derive(Debug)]
struct Obedient {
    state: Stamped<ArmState>,
    got: Vec<SafeTarget>,
}

impl Arm for Obedient {
    fn state(&self) -> Result<Stamped<ArmState>, ArmError> {
        Ok(self.state.clone())
    }

    fn command(&mut self, target: SafeTarget) -> Result<(), ArmError> {
        self.state.value.tcp_pose = *target.pose();
        self.got.push(target);
        Ok(())
    }

    fn stop(&mut self, _: StopKind) -> Result<(), ArmError> {
        Ok(())
    }

    fn recover(&mut self) -> Result<(), ArmError> {
        Ok(())
    }
}

fn limits() -> GateLimits {
    GateLimits {
        workspace: WorkspaceBox {
            min: Vector3::new(-0.1, -0.1, 0.0),
            max: Vector3::new(0.1, 0.1, 0.2),
            orientation: UnitQuaternion::identity(),
            tilt_max_rad: 0.3,
            yaw_max_rad: 0.5,
        },
        step_max_m: 0.02,
        step_max_rad: 0.1,
        speed_max_mps: 0.15,
        speed_max_radps: 0.8,
        lead_max_m: 0.03,
        lead_max_rad: 0.2,
        state_age_max: Duration::from_millis(100),
        lease: Duration::from_millis(250),
    }
}

fn pose(x: f64, y: f64, z: f64) -> Pose {
    Isometry3::translation(x, y, z)
}

fn gate_at(tcp_pose: Pose) -> Gate<Obedient> {
    let value = ArmState {
        mode: ArmMode::Idle,
        tcp_pose,
        twist: Twist::default(),
        joints: Vec::new(),
        joint_velocities: Vec::new(),
        wrench: None,
    };
    Gate::new(Obedient { state: Stamped { at: Timestamp(0), value }, got: Vec::new() }, limits())
}

/// What the gate makes of `wanted` for an arm that stands in the middle of the workspace.
fn check(wanted: Pose, expected: Pose, events: GateEvents) {
    let mut gate = gate_at(pose(0.0, 0.0, 0.1));
    let report = gate.command(Timestamp(0), &wanted).unwrap();
    assert_eq!(report.events, events, "{:?}", report.events.names().collect::<Vec<_>>());
    let off = report.target.translation.vector - expected.translation.vector;
    let turn = report.target.rotation.angle_to(&expected.rotation);
    assert!(off.norm() < 1e-9 && turn < 1e-6, "{} is not {expected}", report.target);
    assert_eq!(gate.arm.got[0].pose(), &report.target, "the arm gets what is reported");
}

#[test]
fn a_small_move_inside_passes_as_it_is() {
    let wanted = pose(0.01, 0.0, 0.1);
    check(wanted, wanted, GateEvents::default());
}

#[test]
fn a_large_move_is_cut_to_one_step() {
    check(pose(0.05, 0.0, 0.1), pose(0.02, 0.0, 0.1), GateEvents::STEP);
}

#[test]
fn a_large_turn_is_cut_to_one_step() {
    let turned = |angle| {
        let mut turned = pose(0.0, 0.0, 0.1);
        turned.rotation = UnitQuaternion::from_scaled_axis(Vector3::new(0.0, 0.0, angle));
        turned
    };
    check(turned(0.4), turned(0.1), GateEvents::STEP);
}

#[test]
fn a_command_that_is_not_finite_becomes_the_pose_that_the_arm_has() {
    let here = pose(0.0, 0.0, 0.1);
    check(pose(f64::NAN, 0.0, 0.1), here, GateEvents::NOT_FINITE);
    check(pose(0.0, f64::INFINITY, 0.1), here, GateEvents::NOT_FINITE);
    let mut broken = here;
    broken.rotation = UnitQuaternion::new_unchecked(Quaternion::new(f64::NAN, 0.0, 0.0, 0.0));
    check(broken, here, GateEvents::NOT_FINITE);
    broken.rotation = UnitQuaternion::new_unchecked(Quaternion::new(0.0, 0.0, 0.0, 0.0));
    check(broken, here, GateEvents::NOT_FINITE);
}

#[test]
fn a_stale_state_gives_no_reason_to_move() {
    let mut gate = gate_at(pose(0.0, 0.0, 0.1));
    let late = Timestamp(101 * MS);
    let report = gate.command(late, &pose(0.01, 0.0, 0.1)).unwrap();
    assert_eq!(report.events, GateEvents::STALE_STATE);
    assert_eq!(report.target, pose(0.0, 0.0, 0.1));
}

#[test]
fn an_arm_that_does_not_know_its_pose_gets_nothing() {
    let mut gate = gate_at(pose(f64::NAN, 0.0, 0.1));
    let refused = gate.command(Timestamp(0), &pose(0.0, 0.0, 0.1));
    assert!(matches!(refused, Err(ArmError::NoState)), "{refused:?}");
    assert!(gate.arm.got.is_empty());
}

#[test]
fn a_lease_ends_and_the_target_with_it() {
    let mut gate = gate_at(pose(0.0, 0.0, 0.1));
    gate.command(Timestamp(0), &pose(0.01, 0.0, 0.1)).unwrap();
    assert_eq!(gate.arm.got[0].valid_until(), Timestamp(250 * MS));
    assert!(gate.target(Timestamp(249 * MS)).is_some());
    assert_eq!(gate.target(Timestamp(250 * MS)), None);
}

#[test]
fn after_a_takeover_the_target_starts_from_the_arm() {
    let mut gate = gate_at(pose(0.0, 0.0, 0.1));
    gate.command(Timestamp(0), &pose(0.01, 0.0, 0.1)).unwrap();
    gate.forget_target();
    assert_eq!(gate.target(Timestamp(1)), None);
}

#[test]
fn a_pause_is_no_leave_to_jump() {
    let mut gate = gate_at(pose(0.0, 0.0, 0.1));
    gate.command(Timestamp(0), &pose(0.0, 0.0, 0.1)).unwrap();
    let later = Timestamp(10_000 * MS);
    gate.arm.state.at = later;
    let report = gate.command(later, &pose(0.1, 0.0, 0.1)).unwrap();
    assert!(report.target.translation.vector.x <= limits().step_max_m + 1e-12);
}

/// Anything at all: coordinates near and far, infinite and no numbers, every turn.
fn any_pose() -> impl Strategy<Value = Pose> {
    let number = prop_oneof![
        8 => -0.3..0.3,
        2 => -1e6..1e6,
        1 => Just(f64::NAN),
        1 => Just(f64::INFINITY),
    ];
    let place = [number.clone(), number.clone(), number];
    let turn = [-3.0..3.0, -3.0..3.0, -3.0..3.0];
    (place, turn).prop_map(|(place, turn)| {
        let turn = UnitQuaternion::from_scaled_axis(Vector3::from(turn));
        Isometry3::from_parts(Translation3::from(Vector3::from(place)), turn)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..Default::default() })]

    /// Whatever is asked for, one thing after another: what reaches the arm is in the workspace,
    /// a step at most from the last target, and no faster than the limit.
    #[test]
    fn nothing_outside_the_limits_reaches_the_arm(wanted in vec(any_pose(), 1..60)) {
        let limits = limits();
        let mut gate = gate_at(pose(0.0, 0.0, 0.1));
        let mut last = pose(0.0, 0.0, 0.1);
        for (at, wanted) in wanted.iter().enumerate() {
            let now = Timestamp(at as u64 * PERIOD_NS);
            gate.arm.state.at = now;
            gate.command(now, wanted).unwrap();
            let target = *gate.arm.got.last().unwrap().pose();
            let place = target.translation.vector;
            let (min, max) = (limits.workspace.min, limits.workspace.max);
            prop_assert!((0..3).all(|i| (min[i]..=max[i]).contains(&place[i])), "{place} is outside");
            let (tilt, yaw) = tilt_yaw(&target.rotation);
            prop_assert!(tilt.angle() <= limits.workspace.tilt_max_rad + 1e-9);
            prop_assert!(yaw.angle() <= limits.workspace.yaw_max_rad + 1e-9);
            let step = (place - last.translation.vector).norm();
            prop_assert!(step <= limits.step_max_m + 1e-9, "a step of {step} m");
            let seconds = if at == 0 { 0.25 } else { 0.1 };
            prop_assert!(step <= limits.speed_max_mps * seconds + 1e-9, "{step} m in {seconds} s");
            last = target;
        }
    }
}
