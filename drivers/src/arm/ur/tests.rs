//! The driver against a controller of its own protocol, over loopback.

mod peer;

use std::{sync::Arc, time::Duration};

use nalgebra::Vector3;
use wire::{Clock, SystemClock, geometry::Pose};

use super::{
    mock::{MockUr, World},
    snapshot::pose_of,
    *,
};
use crate::{
    arm::bench::{self, PATIENCE},
    conformance::{self, Stand},
};

type Bench = bench::Bench<UrArm, MockUr>;

fn config(mock: &MockUr) -> UrConfig {
    UrConfig {
        rtde_port: mock.rtde.port(),
        dashboard_port: mock.dashboard.port(),
        script_port: mock.scripts.port(),
        reverse_port: 0,
        ..UrConfig::at("127.0.0.1")
    }
}

impl Bench {
    fn new() -> Self {
        Self::at(MockUr::start(), config)
    }

    fn at(mock: MockUr, config: impl FnOnce(&MockUr) -> UrConfig) -> Self {
        Self::of(mock, 1e-5, |mock, clock| UrArm::connect(config(mock), clock).unwrap())
    }
}

#[track_caller]
fn connect_fails(prepare: impl FnOnce(&mut World), says: &str) {
    let mock = MockUr::start();
    mock.set(prepare);
    let clock = Arc::new(SystemClock::new());
    let Err(error) = UrArm::connect(config(&mock), clock) else { panic!("it connected") };
    let words = match &error {
        UrError::NotReady { source, .. } => format!("{error}: {source}"),
        _ => error.to_string(),
    };
    assert!(words.contains(says), "{words}");
}

#[test]
fn the_state_is_what_the_controller_says_in_our_conventions() {
    let bench = Bench::new();
    bench.mock.set(|world| {
        world.pose = [0.3, -0.2, 0.1, 0.0, 0.0, std::f64::consts::FRAC_PI_2];
        world.force = [1.0, 2.0, -30.0, 0.1, 0.2, 0.3];
    });
    bench.wait_for("the new pose", |bench| bench.pose().translation.x == 0.3);
    let state = bench.arm.state().unwrap();
    let age = bench.clock.now().since(state.at);
    assert!(age < Duration::from_millis(100), "{age:?}");
    let turned = state.value.tcp_pose.rotation * Vector3::x();
    assert!((turned - Vector3::y()).norm() < 1e-9);
    let wrench = state.value.wrench.unwrap();
    assert_eq!((wrench.force.z, wrench.torque.y), (-30.0, 0.2));
    assert_eq!(state.value.twist.linear, Vector3::new(0.01, 0.02, 0.03));
    assert_eq!(state.value.joints.len(), 6);
    assert_eq!(state.value.mode, ArmMode::Idle);
}

#[test]
fn it_goes_where_it_is_told_and_every_message_has_a_time_limit() {
    let mut bench = Bench::new();
    let goal = bench.above(0.03);
    bench.go_to(goal);
    assert_eq!(bench.mode(), ArmMode::Running);
    assert!(bench.pose().rotation.angle_to(&goal.rotation) < 1e-5);
    let messages = bench.mock.world().messages.clone();
    assert!(messages.iter().any(|(_, mode)| *mode == 5));
    assert!(messages.iter().all(|(limit, mode)| match mode {
        5 => (1..=200).contains(limit),
        _ => *limit >= 1,
    }));
}

#[test]
fn when_the_lease_ends_it_holds_where_it_is_and_its_program_goes_on() {
    let mut bench = Bench::new();
    let goal = bench.above(0.5);
    bench.command(goal).unwrap();
    assert_eq!(bench.mode(), ArmMode::Running);
    bench.wait_for_mode(ArmMode::Holding);
    bench.wait_for("the controller stands", |bench| bench.mock.world().target.is_none());
    assert!((bench.pose().translation.z - goal.translation.z).abs() > 0.1, "it was on its way");
    assert_eq!(bench.mock.world().runtime_state, 2);
    let next = bench.above(0.01);
    bench.go_to(next);
}

#[test]
fn a_stop_holds_at_once_and_a_controlled_one_until_recovery() {
    let mut bench = Bench::new();
    let goal = bench.above(0.5);
    bench.command(goal).unwrap();
    bench.wait_for("motion", |bench| bench.mock.world().target.is_some());
    for _ in 0..2 {
        bench.arm.stop(StopKind::Hold).unwrap();
        assert_eq!(bench.mode(), ArmMode::Holding);
    }
    bench.wait_for("the controller stands", |bench| bench.mock.world().target.is_none());
    bench.command(goal).unwrap();
    for _ in 0..2 {
        bench.arm.stop(StopKind::Controlled).unwrap();
        assert_eq!(bench.mode(), ArmMode::Stopped);
    }
    bench.needs_operator("recover");
    bench.arm.stop(StopKind::Hold).unwrap();
    assert_eq!(bench.mode(), ArmMode::Stopped, "a milder stop ends nothing");
    bench.wait_for("the controller stands", |bench| bench.mock.world().target.is_none());
    bench.arm.recover().unwrap();
    let next = bench.above(0.01);
    bench.go_to(next);
    assert_eq!(bench.mock.world().programs.len(), 1, "the same program all along");
}

#[test]
fn a_lost_link_is_told_within_a_second_and_must_be_recovered_from() {
    let mut bench = Bench::new();
    let goal = bench.above(0.5);
    bench.command(goal).unwrap();
    bench.mock.set(|world| world.cut = true);
    let second = Duration::from_secs(1);
    bench.wait_within(second, "Disconnected", |bench| bench.mode() == ArmMode::Disconnected);
    assert!(matches!(bench.command(goal), Err(ArmError::Gone(_))));
    assert!(matches!(bench.arm.recover(), Err(ArmError::Gone(_))));
    bench.mock.set(|world| world.cut = false);
    bench.wait_for_mode(ArmMode::Reflex);
    bench.needs_operator("link");
    bench.arm.recover().unwrap();
    bench.wait_for_mode(ArmMode::Idle);
    let next = bench.above(0.01);
    bench.go_to(next);
}

#[test]
fn a_controller_that_falls_silent_is_a_lost_link_and_its_program_ends() {
    let mut bench = Bench::new();
    let goal = bench.above(0.5);
    bench.command(goal).unwrap();
    bench.mock.set(|world| world.frozen = true);
    let second = Duration::from_secs(1);
    bench.wait_within(second, "Disconnected", |bench| bench.mode() == ArmMode::Disconnected);
    bench.wait_for("the program's end", |bench| bench.mock.world().runtime_state == 1);
    assert_eq!(bench.mock.world().target, None);
}

#[test]
fn a_protective_stop_is_a_reflex_that_nothing_but_recovery_ends() {
    let mut bench = Bench::new();
    let goal = bench.above(0.5);
    bench.command(goal).unwrap();
    bench.mock.protective_stop();
    bench.wait_for_mode(ArmMode::Reflex);
    bench.needs_operator("protective stop");
    assert!(!bench.mock.world().asked.iter().any(|line| line.contains("unlock")));
    // Somebody unlocks it on the pendant: the program must not go on by itself.
    bench.mock.set(|world| {
        world.safety_mode = 1;
        world.runtime_state = 2;
    });
    bench.wait_for("the program's end", |bench| bench.mock.world().runtime_state == 1);
    bench.needs_operator("protective stop");
    bench.arm.recover().unwrap();
    bench.wait_for_mode(ArmMode::Idle);
    assert_eq!(bench.mock.world().programs.len(), 2, "started again");
    let next = bench.above(0.01);
    bench.go_to(next);
}

#[test]
fn recovery_unlocks_a_protective_stop_and_says_why_it_cannot() {
    let mut bench = Bench::new();
    bench.mock.protective_stop();
    bench.mock.set(|world| world.unlocks = false);
    bench.wait_for_mode(ArmMode::Reflex);
    let refused = bench.arm.recover().unwrap_err().to_string();
    assert!(refused.contains("Cannot unlock protective stop until 5s"), "{refused}");
    bench.needs_operator("Cannot unlock");
    bench.mock.set(|world| world.unlocks = true);
    bench.arm.recover().unwrap();
    bench.wait_for_mode(ArmMode::Idle);
    let next = bench.above(0.01);
    bench.go_to(next);
}

#[test]
fn an_emergency_stop_needs_a_person_at_the_arm_first() {
    let mut bench = Bench::new();
    bench.mock.emergency_stop();
    bench.wait_for_mode(ArmMode::EmergencyStop);
    let refused = bench.arm.recover().unwrap_err().to_string();
    assert!(refused.contains("release the button"), "{refused}");
    assert_eq!(bench.mode(), ArmMode::EmergencyStop);
    bench.mock.person_makes_ready();
    bench.wait_for("the controller says so", |bench| {
        let status = bench.arm.shared.lock();
        status.snapshot.as_ref().is_some_and(|seen| seen.value.robot_mode == 7)
    });
    assert_eq!(bench.mode(), ArmMode::EmergencyStop, "a released button alone ends nothing");
    bench.arm.recover().unwrap();
    bench.wait_for_mode(ArmMode::Idle);
    assert!(!bench.mock.world().asked.iter().any(|line| line.contains("power")));
}

#[test]
fn a_driver_that_is_held_up_lets_the_program_stop_the_arm() {
    let mut bench = Bench::new();
    let goal = bench.above(0.5);
    bench.command(goal).unwrap();
    bench.wait_for("motion", |bench| bench.mock.world().target.is_some());
    let held_up = bench.arm.shared.lock();
    let until = bench.clock.now() + PATIENCE;
    while bench.mock.world().runtime_state != 1 {
        assert!(bench.clock.now() < until, "the program goes on without messages");
        thread::sleep(Duration::from_millis(2));
    }
    assert_eq!(bench.mock.world().target, None);
    drop(held_up);
    bench.wait_for_mode(ArmMode::Reflex);
    bench.wait_for("its reason", |bench| {
        let words = bench.arm.shared.lock().reason().unwrap();
        words.contains("no message in time")
    });
    bench.arm.recover().unwrap();
    bench.wait_for_mode(ArmMode::Idle);
}

#[test]
fn a_slow_slider_is_told_with_its_remedy() {
    let mut bench = Bench::new();
    bench.mock.set(|world| world.speed_fraction = 0.4);
    bench.wait_for("the slider", |bench| {
        let status = bench.arm.shared.lock();
        status.snapshot.as_ref().is_some_and(|seen| seen.value.speed_fraction < 0.5)
    });
    bench.needs_operator("set the slider to 100 %");
    bench.mock.set(|world| world.speed_fraction = 1.0);
    let next = bench.above(0.01);
    bench.wait_for("the slider", |bench| {
        let status = bench.arm.shared.lock();
        status.snapshot.as_ref().is_some_and(|seen| seen.value.speed_fraction == 1.0)
    });
    bench.go_to(next);
}

#[test]
fn an_arm_that_is_dropped_stops() {
    let mut bench = Bench::new();
    let goal = bench.above(0.5);
    bench.command(goal).unwrap();
    bench.wait_for("motion", |bench| bench.mock.world().target.is_some());
    let Bench { mock, arm, clock, .. } = bench;
    drop(arm);
    let until = clock.now() + PATIENCE;
    while mock.world().target.is_some() || mock.world().output_register != 2 {
        assert!(clock.now() < until, "{:?}", mock.world());
        thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn a_controller_in_local_control_is_refused_with_the_remedy() {
    connect_fails(|world| world.remote_control = false, "choose Remote Control");
}

#[test]
fn an_arm_that_is_not_ready_is_refused_with_the_remedy() {
    connect_fails(|world| world.robot_mode = 5, "release its brakes");
    connect_fails(|world| world.safety_mode = 7, "release the button");
}

#[test]
fn a_program_that_cannot_dial_back_names_both_keys() {
    connect_fails(|world| world.dial_fails = true, "ur.reverse_host");
}

#[test]
fn a_second_driver_of_the_same_arm_is_refused() {
    let bench = Bench::new();
    let clock = Arc::new(SystemClock::new());
    let Err(error) = UrArm::connect(config(&bench.mock), clock) else { panic!("it connected") };
    assert!(error.to_string().contains("stop the other driver"), "{error}");
    assert_eq!(bench.mock.world().programs.len(), 1, "and starts no program");
}

/// A controller whose arm is connected to once.
struct OnLoopback {
    mock: MockUr,
    clock: Arc<SystemClock>,
}

impl Stand for OnLoopback {
    type Arm = UrArm;

    fn connect(&mut self) -> UrArm {
        UrArm::connect(config(&self.mock), self.clock.clone()).unwrap()
    }

    fn clock(&self) -> Arc<dyn Clock> {
        self.clock.clone()
    }

    fn tcp_pose(&mut self) -> Pose {
        pose_of(&self.mock.world().pose)
    }

    fn cut(&mut self) -> bool {
        self.mock.set(|world| world.cut = true);
        true
    }

    fn mend(&mut self) {
        self.mock.set(|world| world.cut = false);
    }

    fn reflex(&mut self) -> bool {
        self.mock.protective_stop();
        true
    }
}

#[test]
fn it_keeps_the_rules_for_arms() {
    conformance::check(|| OnLoopback {
        mock: MockUr::start(),
        clock: Arc::new(SystemClock::new()),
    });
}
