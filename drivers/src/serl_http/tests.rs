//! The client against a server of the contract.

mod robot;
mod served;

use std::{sync::Arc, time::Duration};

use wire::{Clock, GripperCommand, SystemClock, geometry::Pose};

use self::robot::{Quirks, Robot};
use super::*;
use crate::{
    Arm, ArmMode, Command, Gate, GateLimits, Gripper, GripperLimits, GuardedArm, WorkspaceBox,
    conformance::{self, Stand},
};

struct Contract {
    robot: Robot,
    clock: Arc<SystemClock>,
}

impl Contract {
    fn new() -> Self {
        Self { robot: Robot::new(Quirks::default()), clock: Arc::new(SystemClock::new()) }
    }
}

impl Stand for Contract {
    type Arm = SerlArm;

    fn connect(&mut self) -> SerlArm {
        let config = SerlHttpConfig::new(self.robot.url());
        SerlHttp::connect(config, self.clock.clone()).unwrap().arm()
    }

    fn clock(&self) -> Arc<dyn Clock> {
        self.clock.clone()
    }

    fn tcp_pose(&mut self) -> Pose {
        self.robot.world().pose
    }

    fn cut(&mut self) -> bool {
        self.robot.world().silent = true;
        true
    }

    fn mend(&mut self) {
        self.robot.world().silent = false;
    }

    /// As a port of the contract says it.
    fn reflex(&mut self) -> bool {
        let mut world = self.robot.world();
        world.reflex = true;
        world.hold();
        true
    }
}

#[test]
fn the_servers_arm_keeps_the_rules_for_arms() {
    conformance::check(Contract::new);
}

/// A server with these quirks, and a client that has its first state.
fn connected(quirks: Quirks) -> (Robot, SerlHttp, Arc<SystemClock>) {
    connected_by(quirks, |_| ())
}

fn connected_by(
    quirks: Quirks,
    change: impl FnOnce(&mut SerlHttpConfig),
) -> (Robot, SerlHttp, Arc<SystemClock>) {
    let robot = Robot::new(quirks);
    let mut config = SerlHttpConfig::new(robot.url());
    change(&mut config);
    let clock = Arc::new(SystemClock::new());
    let server = SerlHttp::connect(config, clock.clone()).unwrap();
    (robot, server, clock)
}

/// Waits, for ten seconds at most.
#[track_caller]
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..1000 {
        if is_so() {
            return;
        }
        thread::sleep(Duration::from_millis(10));
    }
    panic!("{what} does not come");
}

#[test]
fn without_a_gripper_the_single_routes_are_asked() {
    let (_robot, server, _) = connected(Quirks { gripper: false, ..Quirks::default() });
    let state = server.arm().state().unwrap().value;
    assert_eq!(state.joints.len(), 7);
    assert!((state.tcp_pose.translation.z - 0.2).abs() < 1e-9);
    let force = state.wrench.unwrap().force;
    assert!((force - nalgebra::Vector3::new(0.0, 0.0, 1.5)).norm() < 1e-9, "{force}");
    assert!(server.arm().jacobian().is_some());
    server.gripper().state().unwrap_err();
}

#[test]
fn a_port_with_six_joints_that_lacks_what_is_optional_is_driven() {
    let missing = vec!["/getstate", "/getvel", "/getforce", "/gettorque", "/getjacobian"];
    let quirks = Quirks { joints: 6, gripper: false, missing, ..Quirks::default() };
    let (_robot, server, _) = connected(quirks);
    let arm = server.arm();
    let state = arm.state().unwrap().value;
    assert_eq!((state.joints.len(), state.wrench), (6, None));
    assert_eq!(arm.jacobian(), None);
}

#[test]
fn a_server_that_begins_later_is_waited_for() {
    let (robot, server, _) = connected(Quirks::default());
    drop(server);
    robot.world().quirks.failing = vec!["/getstate", "/getjacobian"];
    let (world, url) = (robot.world.clone(), robot.url());
    let later = thread::Builder::new().name("later".into()).spawn(move || {
        thread::sleep(Duration::from_millis(300));
        world.lock().unwrap().quirks.failing.clear();
    });
    let clock = Arc::new(SystemClock::new());
    SerlHttp::connect(SerlHttpConfig::new(url), clock).unwrap().gripper().state().unwrap();
    later.unwrap().join().unwrap();
}

#[test]
fn a_server_that_is_not_there_is_named_with_the_remedy() {
    let error =
        SerlHttp::connect(SerlHttpConfig::new("http://127.0.0.1:1"), Arc::new(SystemClock::new()));
    let error = error.unwrap_err().to_string();
    assert!(error.contains("http://127.0.0.1:1 gives no state"), "{error}");
    assert!(error.contains("check serl_http.url"), "{error}");
}

#[test]
fn joints_that_freeze_are_a_lost_arm_though_the_server_answers() {
    let (robot, server, _) = connected(Quirks::default());
    let mut arm = server.arm();
    robot.world().frozen = true;
    until("the loss", || arm.state().unwrap().value.mode == ArmMode::Disconnected);
    let error = arm.set_stale().unwrap_err().to_string();
    assert!(error.contains("do not change in the least bit"), "{error}");
    robot.world().frozen = false;
    until("the end of the loss", || arm.state().unwrap().value.mode != ArmMode::Disconnected);
    let trusting = connected_by(Quirks::default(), |config| config.stuck_after = None);
    trusting.0.world().frozen = true;
    thread::sleep(Duration::from_millis(1200));
    assert_eq!(trusting.1.arm().state().unwrap().value.mode, ArmMode::Idle);
}

impl SerlArm {
    /// A command where the arm stands.
    fn set_stale(&mut self) -> Result<(), ArmError> {
        let here = self.state()?.value.tcp_pose;
        self.command(crate::SafeTarget::under_test(here, wire::Timestamp(u64::MAX)))
    }
}

#[test]
fn the_compliance_is_set_first_and_an_error_is_cleared_only_on_request() {
    let (robot, server, _) = connected_by(Quirks::default(), |config| {
        let values = [("rotational_clip_x".to_owned(), 0.5)];
        config.compliance = Compliance::new(values).unwrap();
    });
    let told = robot.world().told.clone();
    assert_eq!(told, [("/update_param".into(), serde_json::json!({ "rotational_clip_x": 0.1 }))]);
    let mut arm = server.arm();
    arm.set_stale().unwrap();
    until("a pose", || robot.routes().contains(&"/pose".to_owned()));
    arm.stop(crate::StopKind::Controlled).unwrap();
    thread::sleep(Duration::from_millis(200));
    assert!(!robot.routes().contains(&"/clearerr".to_owned()), "{:?}", robot.routes());
    arm.recover().unwrap();
    let told = robot.routes();
    assert_eq!(told[told.len() - 2..], ["/pose", "/clearerr"], "it stays where it is");
}

#[test]
fn an_error_of_a_port_is_told_in_its_own_words() {
    let (robot, server, _) = connected(Quirks::default());
    robot.world().quirks.failing = vec!["/pose", "/clearerr"];
    let mut arm = server.arm();
    until("the error", || {
        arm.set_stale().is_err_and(|error| error.to_string().contains("500: not enabled"))
    });
    let error = arm.recover().unwrap_err().to_string();
    assert!(error.contains("not enabled"), "{error}");
}

/// A flat Jacobian is read when the arm has moved.
#[test]
fn a_flat_jacobian_is_understood_when_the_arm_moves() {
    let (_robot, server, clock) = connected(Quirks { flat_jacobian: true, ..Quirks::default() });
    let mut arm = server.arm();
    assert_eq!(arm.jacobian(), None);
    let mut goal = arm.state().unwrap().value.tcp_pose;
    goal.translation.x += 0.05;
    let until_then = clock.now() + Duration::from_secs(2);
    arm.command(crate::SafeTarget::under_test(goal, until_then)).unwrap();
    until("the Jacobian", || arm.jacobian().is_some());
    let jacobian = arm.jacobian().unwrap();
    assert_eq!((jacobian[(1, 1)], jacobian.ncols()), (1.0, 7));
}

/// The gripper is told through a gate.
fn gripped(quirks: Quirks, meaning: GripperMeaning) -> (Robot, SerlHttp, Gripped) {
    let (robot, server, clock) = connected_by(quirks, |config| config.gripper = meaning);
    let arm = server.arm();
    let home = arm.state().unwrap().value.tcp_pose;
    let limits = GateLimits::new(WorkspaceBox {
        min: home.translation.vector.add_scalar(-0.1),
        max: home.translation.vector.add_scalar(0.1),
        orientation: home.rotation,
        tilt_max_rad: 0.3,
        yaw_max_rad: 0.3,
    });
    let jaws = GripperLimits { force_n: 20.0, speed_mps: 0.1, change_min: Duration::ZERO };
    let gate = Gate::new(arm, limits).with_gripper(Box::new(server.gripper()), jaws);
    gate.run_in_real_time(clock.clone()).unwrap();
    (robot, server, Gripped { gate, clock, home })
}

struct Gripped {
    gate: Gate<SerlArm>,
    clock: Arc<SystemClock>,
    home: Pose,
}

impl Gripped {
    fn tell(&mut self, gripper: GripperCommand) {
        let command = Command::every(Duration::from_millis(100), self.home).gripping(gripper);
        self.gate.command(self.clock.now(), &command).unwrap();
    }

    fn opening(&self) -> Option<f64> {
        self.gate.state().unwrap().value.gripper
    }
}

#[test]
fn a_first_open_that_the_server_forgets_is_done_by_moving() {
    let (robot, _server, mut cell) = gripped(Quirks::default(), GripperMeaning::default());
    assert_eq!(cell.opening(), Some(0.4));
    until("an open gripper", || {
        cell.tell(GripperCommand::Open);
        cell.opening() == Some(1.0)
    });
    until("a closed gripper", || {
        cell.tell(GripperCommand::Close);
        cell.opening() == Some(0.0)
    });
    until("an open gripper", || {
        cell.tell(GripperCommand::Open);
        cell.opening() == Some(1.0)
    });
    let told: Vec<String> =
        robot.routes().into_iter().filter(|route| route.contains("gripper")).collect();
    assert_eq!(told, ["/open_gripper", "/move_gripper", "/close_gripper", "/open_gripper"]);
}

#[test]
fn a_gripper_is_read_by_what_its_server_says_of_open_jaws() {
    let meaning = GripperMeaning {
        open: 0.31,
        by: GripperRoutes::Move,
        open_target: 60,
        close_target: 5,
        ..GripperMeaning::default()
    };
    let (robot, _server, mut cell) = gripped(Quirks::default(), meaning);
    until("an open gripper", || {
        cell.tell(GripperCommand::Open);
        let moved = robot.routes().contains(&"/move_gripper".to_owned());
        moved && cell.opening().is_some_and(|opening| (0.9..1.0).contains(&opening))
    });
    cell.tell(GripperCommand::Close);
    until("a closed gripper", || cell.opening().is_some_and(|opening| opening < 0.1));
    let told = robot.world().told.clone();
    let moves = told.iter().filter(|(route, _)| route == "/move_gripper");
    let targets: Vec<_> = moves.map(|(_, body)| body["gripper_pos"].as_i64().unwrap()).collect();
    assert_eq!(targets, [60, 5]);
}

#[test]
fn a_joint_reset_is_asked_for_and_after_a_failed_one_the_controller_is_started() {
    let (robot, server, _) = connected(Quirks::default());
    server.joint_reset().unwrap();
    robot.world().quirks.failing = vec!["/jointreset"];
    let error = server.joint_reset().unwrap_err();
    assert!(matches!(error, ArmError::NeedsOperator(_)), "{error:?}");
    assert_eq!(robot.routes(), ["/jointreset", "/startimp"]);
}
