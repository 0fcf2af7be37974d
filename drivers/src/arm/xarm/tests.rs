//! The driver against a control box of its own protocol, over loopback.

mod peer;

use std::{sync::Arc, time::Duration};

use nalgebra::Vector3;
use wire::{Clock, SystemClock, geometry::Pose};

use super::{mock::MockXarm, report::pose_of, *};
use crate::{
    arm::bench::{self, PATIENCE},
    conformance::{self, Stand},
};

/// So slow that a way takes its time.
fn config(mock: &MockXarm) -> XarmConfig {
    XarmConfig {
        command_port: mock.commands.port(),
        report_port: mock.reports.port(),
        speed_max_mps: 0.15,
        ..XarmConfig::at("127.0.0.1")
    }
}

type Bench = bench::Bench<XarmArm, MockXarm>;

impl Bench {
    fn new() -> Self {
        Self::of(MockXarm::start(), 1e-5, |mock, clock| {
            XarmArm::connect(config(mock), clock).unwrap()
        })
    }
}

#[test]
fn the_state_is_what_the_control_box_reports_in_our_conventions() {
    let bench = Bench::new();
    bench.mock.set(|inside| inside.pose = [310.0, -40.0, 100.0, 0.0, 0.0, 1.5]);
    bench.wait_within(PATIENCE, "the new pose", |bench| bench.pose().translation.z < 0.11);
    let state = bench.arm.state().unwrap();
    let at = state.value.tcp_pose.translation.vector;
    assert!((at - Vector3::new(0.31, -0.04, 0.1)).norm() < 1e-6, "{at}");
    assert!((state.value.tcp_pose.rotation.angle() - 1.5).abs() < 1e-6);
    assert_eq!((state.value.joints.len(), state.value.mode), (6, ArmMode::Idle));
    assert!(bench.clock.now().since(state.at) < Duration::from_millis(100));
}

#[test]
fn it_is_made_ready_when_it_is_connected_and_goes_where_it_is_told() {
    let mut bench = Bench::new();
    assert_eq!(bench.mock.inside().written, [16, 17, 11, 19, 12]);
    let mut goal = bench.above(0.03);
    goal.rotation *= nalgebra::UnitQuaternion::from_scaled_axis(Vector3::new(0.02, -0.03, 0.05));
    bench.go_to(goal);
    assert_eq!(bench.mode(), ArmMode::Running);
    bench.wait_within(PATIENCE, "the turn", |bench| {
        bench.pose().rotation.angle_to(&goal.rotation) < 1e-5
    });
}

#[test]
fn it_measures_how_fast_it_goes() {
    let mut bench = Bench::new();
    let goal = bench.above(0.5);
    bench.command(goal).unwrap();
    bench.wait_within(PATIENCE, "speed", |bench| {
        let up = bench.arm.state().unwrap().value.twist.linear.z;
        (0.05..0.3).contains(&up)
    });
}

#[test]
fn a_target_far_away_is_approached_in_setpoints_that_the_control_box_follows() {
    let mut bench = Bench::new();
    let goal = bench.above(0.5);
    bench.command(goal).unwrap();
    bench.wait_for_mode(ArmMode::Holding);
    let rests = bench.pose();
    assert_eq!(bench.mock.inside().error, 0, "no setpoint was too far away");
    assert!(bench.mock.inside().setpoints > 3);
    assert!((rests.translation.z - goal.translation.z).abs() > 0.3);
}

#[test]
fn an_error_is_a_reflex_with_its_number_and_only_recovery_clears_it() {
    let mut bench = Bench::new();
    let goal = bench.above(0.5);
    bench.command(goal).unwrap();
    bench.mock.fail(31);
    bench.wait_for_mode(ArmMode::Reflex);
    bench.wait_within(PATIENCE, "its number", |bench| {
        bench.arm.shared.lock().reason().unwrap().contains("a collision")
    });
    bench.needs_operator("a collision");
    assert_eq!(bench.mock.inside().error, 31);
    bench.arm.recover().unwrap();
    bench.wait_for_mode(ArmMode::Idle);
    assert_eq!(bench.mock.inside().error, 0);
    let next = bench.above(0.01);
    bench.go_to(next);
}

#[test]
fn an_emergency_stop_is_one_until_its_button_is_released_and_recovery_is_asked_for() {
    let mut bench = Bench::new();
    bench.mock.set(|inside| inside.cause = 1);
    bench.mock.fail(1);
    bench.wait_for_mode(ArmMode::EmergencyStop);
    let refused = bench.arm.recover().unwrap_err().to_string();
    assert!(refused.contains("the button on the control box"), "{refused}");
    assert_eq!(bench.mode(), ArmMode::EmergencyStop);
    bench.mock.set(|inside| (inside.cause, inside.error) = (0, 0));
    thread::sleep(Duration::from_millis(300)); // It has looked again by then.
    assert_eq!(bench.mode(), ArmMode::EmergencyStop, "a released button alone ends nothing");
    bench.arm.recover().unwrap();
    bench.wait_for_mode(ArmMode::Idle);
}

#[test]
fn one_that_somebody_else_stops_or_takes_over_is_interrupted() {
    for (state, mode) in [(4, 1), (3, 1), (2, 0)] {
        let mut bench = Bench::new();
        bench.mock.set(|inside| (inside.state, inside.mode) = (state, mode));
        bench.wait_for_mode(ArmMode::Reflex);
        bench.needs_operator("somebody else");
        bench.arm.recover().unwrap();
        let next = bench.above(0.005);
        bench.go_to(next);
    }
}

#[test]
fn one_that_falls_silent_is_a_lost_link_within_a_second() {
    let mut bench = Bench::new();
    bench.mock.set(|inside| inside.frozen = true);
    let second = Duration::from_secs(1);
    bench.wait_within(second, "Disconnected", |bench| bench.mode() == ArmMode::Disconnected);
    assert!(matches!(bench.arm.recover(), Err(ArmError::Gone(_))));
    bench.mock.set(|inside| inside.frozen = false);
    bench.wait_for_mode(ArmMode::Reflex);
    bench.needs_operator("link");
}

#[test]
fn one_with_an_error_is_refused_and_stays_as_it_is() {
    let mock = MockXarm::start();
    mock.fail(22);
    let clock = Arc::new(SystemClock::new());
    let Err(XarmError::NotReady { source, .. }) = XarmArm::connect(config(&mock), clock) else {
        panic!("it connected")
    };
    assert!(source.to_string().contains("error 22"), "{source}");
    assert_eq!(mock.inside().written, [0; 0], "nothing is cleared unasked");
}

#[test]
fn a_stopped_and_a_dropped_arm_is_told_to_stop() {
    let mut bench = Bench::new();
    bench.arm.stop(StopKind::Controlled).unwrap();
    bench.wait_within(PATIENCE, "state 4", |bench| bench.mock.inside().state == 4);
    assert_eq!(bench.mode(), ArmMode::Stopped);
    bench.arm.recover().unwrap();
    assert_eq!(bench.mock.inside().state, 2);
    let Bench { mock, arm, .. } = bench;
    drop(arm);
    assert_eq!(mock.inside().state, 4);
}

/// A control box whose arm is connected to once.
struct OnLoopback {
    mock: MockXarm,
    clock: Arc<SystemClock>,
}

impl Stand for OnLoopback {
    type Arm = XarmArm;

    fn connect(&mut self) -> XarmArm {
        XarmArm::connect(config(&self.mock), self.clock.clone()).unwrap()
    }

    fn clock(&self) -> Arc<dyn Clock> {
        self.clock.clone()
    }

    fn tcp_pose(&mut self) -> Pose {
        pose_of(&self.mock.inside().pose)
    }

    fn cut(&mut self) -> bool {
        self.mock.set(|inside| inside.cut = true);
        true
    }

    fn mend(&mut self) {
        self.mock.set(|inside| inside.cut = false);
    }

    fn reflex(&mut self) -> bool {
        self.mock.fail(31);
        true
    }
}

#[test]
fn it_keeps_the_rules_for_arms() {
    conformance::check(|| OnLoopback {
        mock: MockXarm::start(),
        clock: Arc::new(SystemClock::new()),
    });
}
