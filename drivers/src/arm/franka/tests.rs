//! What the driver makes of what the robot says, without a robot; and against a simulator of one.

mod peer;

use franka::{ControlException, Errors, FrankaError as Said, MoveStatus, RobotMode};
use nalgebra::{UnitQuaternion, Vector3};
use wire::{Timestamp, geometry::Pose};

use super::{
    control::{least_jerk, pose, reset_lasts, wrench},
    law::{Jacobian, Joints},
    *,
};
use crate::arm::shared::Recovery;

fn errors(names: &[&str]) -> Errors {
    let mut errors = Errors::default();
    for name in names {
        errors.0[Errors::index_of(name).unwrap()] = true;
    }
    errors
}

fn seen(mode: RobotMode, errors: Errors) -> Seen {
    Seen {
        tcp_pose: Pose::identity(),
        twist: wire::geometry::Twist::default(),
        joints: [0.0; 7],
        joint_velocities: [0.0; 7],
        wrench: wire::geometry::Wrench::default(),
        jacobian: Jacobian::zeros(),
        mode,
        errors,
        in_error: errors.any(),
    }
}

const NOW: Timestamp = Timestamp(1_000_000_000);

fn linked() -> Status {
    let mut status = Status { linked: true, ..Status::default() };
    status.see(NOW, seen(RobotMode::Move, Errors::default()));
    status
}

fn ended(status: MoveStatus, names: &[&str]) -> FrankaFault {
    let mut ended = ControlException::new("libfranka: it ended");
    (ended.move_status, ended.last_motion_errors) = (Some(status), errors(names));
    FrankaFault::of(&Said::Control(ended))
}

#[test]
fn what_ended_a_motion_has_a_type() {
    let reflex = |names: &[&str]| ended(MoveStatus::ReflexAborted, names);
    assert_eq!(reflex(&["cartesian_reflex"]), FrankaFault::Reflex(vec!["cartesian_reflex"]));
    assert_eq!(reflex(&["communication_constraints_violation"]), FrankaFault::Communication);
    assert_eq!(ended(MoveStatus::EmergencyAborted, &[]), FrankaFault::UserStop);
    assert!(matches!(ended(MoveStatus::Preempted, &[]), FrankaFault::Interrupted(_)));
    assert_eq!(FrankaFault::of(&Said::Network("gone".into())), FrankaFault::LinkLost);
    let rejected = FrankaFault::of(&Said::Command("not possible in \"Guiding\"".into()));
    assert!(rejected.to_string().contains("Guiding"), "{rejected}");
    assert!(FrankaFault::Communication.to_string().contains("real-time"));
}

#[test]
fn a_robot_that_falls_silent_is_disconnected_whatever_else_it_is() {
    let mut status = linked();
    assert_eq!(status.mode(NOW), ArmMode::Idle);
    let later = NOW + Duration::from_millis(301);
    assert_eq!(status.mode(later), ArmMode::Disconnected);
    assert!(matches!(status.refusal(later), Some(ArmError::Gone(_))));
    status.fail(FrankaFault::Communication);
    assert_eq!((status.mode(NOW), status.mode(later)), (ArmMode::Reflex, ArmMode::Disconnected));
}

#[test]
fn a_lease_ends_by_the_clock() {
    let mut status = linked();
    let until = NOW + Duration::from_millis(100);
    status.follow(Pose::identity(), until);
    let just_before = Timestamp(until.0 - 1);
    assert_eq!(
        (status.mode(just_before), status.mode(until)),
        (ArmMode::Running, ArmMode::Holding)
    );
}

#[test]
fn the_first_fault_stays_until_recovery_has_sent_torques() {
    let mut status = linked();
    status.fail(FrankaFault::Reflex(Vec::new()));
    status.see(NOW, seen(RobotMode::Reflex, errors(&["joint_reflex"])));
    assert_eq!(status.fault, Some(FrankaFault::Reflex(vec!["joint_reflex"])), "it says more");
    status.fail(FrankaFault::LinkLost);
    assert_eq!(status.fault, Some(FrankaFault::Reflex(vec!["joint_reflex"])));
    // The robot alone ends nothing, and neither do torques that nobody asked for.
    status.see(NOW, seen(RobotMode::Idle, Errors::default()));
    status.under_control();
    assert_eq!(status.mode(NOW), ArmMode::Reflex);
    status.recovery = Recovery::UnderWay;
    status.see(NOW, seen(RobotMode::Reflex, errors(&["joint_reflex"])));
    status.under_control();
    assert_eq!(status.mode(NOW), ArmMode::Idle);
    assert!(matches!(status.recovery, Recovery::Done(Ok(()))));
}

#[test]
fn a_user_stop_is_an_emergency_stop_and_covers_a_reflex() {
    let mut status = linked();
    status.see(NOW, seen(RobotMode::Reflex, errors(&["cartesian_reflex"])));
    status.see(NOW, seen(RobotMode::UserStopped, Errors::default()));
    assert_eq!(status.mode(NOW), ArmMode::EmergencyStop);
    status.see(NOW, seen(RobotMode::Idle, Errors::default()));
    assert_eq!(status.mode(NOW), ArmMode::EmergencyStop, "a released button alone ends nothing");
}

#[test]
fn a_stop_ends_a_recovery_and_a_joint_reset_that_are_under_way() {
    let mut status = linked();
    status.recovery = Recovery::UnderWay;
    status.reset = Some([0.0; 7]);
    status.stop();
    assert!(matches!(status.recovery, Recovery::Done(Err(_))));
    assert!(matches!(status.reset_outcome, Some(Err(_))) && status.reset.is_none());
    status.under_control();
    assert_eq!(status.mode(NOW), ArmMode::Stopped);
    assert!(status.orders().stopped);
}

#[test]
fn a_pose_is_read_column_by_column() {
    // A quarter turn about z: x of the tool is y of the base.
    let columns = [0.0, 1.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.3, 0.2, 0.1, 1.0];
    let read = pose(&columns);
    assert_eq!(read.translation.vector, Vector3::new(0.3, 0.2, 0.1));
    let turned = read.rotation * Vector3::x();
    assert!((turned - Vector3::y()).norm() < 1e-12, "{turned}");
}

#[test]
fn the_wrench_is_what_is_exerted_on_the_tool_at_the_tcp() {
    let identity = franka::robot_state::IDENTITY_TRANSFORM;
    let tcp = Pose::from_parts(
        Vector3::new(0.5, 0.0, 0.2).into(),
        UnitQuaternion::from_scaled_axis(Vector3::x() * std::f64::consts::PI),
    );
    // The tool presses down on a table: the table presses it up.
    let felt = wrench(&[0.0, 0.0, -5.0, 0.5, 0.0, 0.0], &tcp, &identity);
    assert_eq!(felt.force, Vector3::new(0.0, 0.0, 5.0));
    assert_eq!(felt.torque, Vector3::new(-0.5, 0.0, 0.0));
    // Told at 0.1 m along the tool's y, which is -y of the base: 5 N up there turn about -x.
    let mut stiffness = identity;
    stiffness[13] = 0.1;
    let felt = wrench(&[0.0, 0.0, -5.0, 0.0, 0.0, 0.0], &tcp, &stiffness);
    assert!((felt.torque - Vector3::new(-0.5, 0.0, 0.0)).norm() < 1e-12, "{felt:?}");
}

#[test]
fn a_joint_reset_keeps_its_speed_and_begins_and_ends_at_rest() {
    let way = Joints::from([0.0, 1.0, 0.0, 0.0, 0.0, -2.0, 0.0]);
    let lasts = reset_lasts(&way, 0.5);
    assert_eq!(reset_lasts(&(way * 0.001), 0.5), 1.0);
    assert_eq!((least_jerk(-1.0), least_jerk(0.5), least_jerk(2.0)), (0.0, 0.5, 1.0));
    let step = 1e-4;
    let speed = |t: f64| 2.0 * (least_jerk(t + step) - least_jerk(t - step)) / (2.0 * step) / lasts;
    let most = (1..1000).map(|i| speed(f64::from(i) / 1000.0)).fold(0.0, f64::max);
    assert!((most - 0.5).abs() < 1e-3, "{most}");
    assert!(speed(0.001) < 1e-3 && speed(0.999) < 1e-3);
}

/// An address of this machine where no robot is.
const NOBODY: &str = "127.77.0.9";

#[test]
fn a_robot_that_is_not_there_is_told_with_what_to_look_at() {
    let config = FrankaConfig { real_time: false, ..FrankaConfig::at(NOBODY) };
    let Err(error) = FrankaArm::connect(config, Arc::new(wire::SystemClock::new())) else {
        panic!("it connected to nobody")
    };
    assert!(matches!(error, FrankaError::Reach { .. }), "{error}");
    assert!(error.to_string().contains(NOBODY) && error.to_string().contains("FCI"), "{error}");
}

#[test]
fn a_machine_that_may_be_late_is_refused_before_the_robot_is_asked() {
    if franka::realtime::has_realtime_kernel() {
        println!("this machine is made for it: nothing to refuse");
        return;
    }
    let config = FrankaConfig::at(NOBODY);
    let Err(error) = FrankaArm::connect(config, Arc::new(wire::SystemClock::new())) else {
        panic!("it connected to nobody")
    };
    assert!(matches!(error, FrankaError::RealTime(_)), "{error}");
    assert!(error.to_string().contains("PREEMPT_RT"), "{error}");
}
