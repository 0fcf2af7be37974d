//! Our own server, driven by our own client. What foreign code makes of it: the system tests.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Mutex,
};

use nalgebra::{UnitQuaternion, Vector3};
use wire::geometry::{Twist, Wrench};

use super::{server::*, *};
use crate::{ArmState, Jacobian, SafeTarget, SharedArm, Stamped, StopKind};

/// Is at once where it is told to be.
struct Nimble {
    clock: Arc<SystemClock>,
    pose: Arc<Mutex<Pose>>,
}

impl Arm for Nimble {
    fn state(&self) -> Result<Stamped<ArmState>, ArmError> {
        let value = ArmState {
            mode: ArmMode::Running,
            tcp_pose: *self.pose.lock().unwrap(),
            twist: Twist { linear: Vector3::new(0.1, 0.2, 0.3), angular: Vector3::zeros() },
            joints: (0..7).map(f64::from).collect(),
            joint_velocities: vec![0.5; 7],
            wrench: Some(Wrench {
                force: Vector3::new(1.0, 2.0, 3.0),
                torque: Vector3::new(0.1, 0.2, 0.3),
            }),
            gripper: None,
        };
        Ok(Stamped { at: self.clock.now(), value })
    }
    fn command(&mut self, target: SafeTarget) -> Result<(), ArmError> {
        *self.pose.lock().unwrap() = *target.pose();
        Ok(())
    }
    fn stop(&mut self, _: StopKind) -> Result<(), ArmError> {
        Ok(())
    }
    fn recover(&mut self) -> Result<(), ArmError> {
        Ok(())
    }
    fn jacobian(&self) -> Option<Jacobian> {
        let entry = |row: usize, column: usize| (row * 10 + column) as f64 * 1e-3;
        Some(Jacobian::from_fn(7, |row, column| {
            f64::from(u8::from(row == column)) + entry(row, column)
        }))
    }
}

struct Cell {
    server: SerlServer,
    arm: SharedArm,
    pose: Arc<Mutex<Pose>>,
}

fn cell() -> Cell {
    let clock = Arc::new(SystemClock::new());
    let turn = UnitQuaternion::from_euler_angles(0.3, -0.2, 0.1);
    let home = Pose::from_parts(Vector3::new(0.5, 0.0, 0.2).into(), turn);
    let pose = Arc::new(Mutex::new(home));
    let limits = GateLimits::new(WorkspaceBox {
        min: home.translation.vector.add_scalar(-0.1),
        max: home.translation.vector.add_scalar(0.1),
        orientation: turn,
        tilt_max_rad: 0.3,
        yaw_max_rad: 0.3,
    });
    let gate = Gate::new(Nimble { clock: clock.clone(), pose: pose.clone() }, limits);
    gate.run_in_real_time(clock.clone()).unwrap();
    let arm = SharedArm::new(Box::new(gate));
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let lease = Duration::from_millis(250);
    let settings = Settings { listen, arm: arm.clone(), clock, lease };
    Cell { server: SerlServer::start(settings).unwrap(), arm, pose }
}

impl Cell {
    fn url(&self) -> String {
        format!("http://{}", self.server.address())
    }
}

#[test]
fn what_the_arm_measures_comes_through_server_and_client_unchanged() {
    let cell = cell();
    let mut config = SerlHttpConfig::new(cell.url());
    config.stuck_after = None;
    let server = SerlHttp::connect(config, Arc::new(SystemClock::new())).unwrap();
    let (there, here) = (cell.arm.state().unwrap().value, server.arm().state().unwrap().value);
    assert!((there.tcp_pose.translation.vector - here.tcp_pose.translation.vector).norm() < 1e-12);
    assert!(there.tcp_pose.rotation.angle_to(&here.tcp_pose.rotation) < 1e-7);
    assert_eq!((&there.joints, &there.twist), (&here.joints, &here.twist));
    assert_eq!(there.joint_velocities, here.joint_velocities);
    let (there, here) = (there.wrench.unwrap(), here.wrench.unwrap());
    assert!((there.force - here.force).norm() < 1e-12, "{here:?}");
    assert!((there.torque - here.torque).norm() < 1e-12, "{here:?}");
    let (there, here) = (cell.arm.jacobian().unwrap(), server.arm().jacobian().unwrap());
    assert!((there - &here).norm() < 1e-12, "{here}");
}

#[test]
fn a_pose_is_followed_as_far_as_the_gate_lets_it_and_a_stopped_arm_is_cleared_on_request() {
    let mut cell = cell();
    let caller = call::Caller::new(&cell.url(), Duration::from_secs(5));
    let home = *cell.pose.lock().unwrap();
    let turn = home.rotation.coords;
    let pose = |x: f64| serde_json::json!({ "arr": [x, 0.0, 0.2, turn.x, turn.y, turn.z, turn.w] });
    assert_eq!(caller.post(routes::POSE, Some(&pose(9.0))).unwrap(), "Moved");
    thread::sleep(Duration::from_millis(600));
    let reached = cell.pose.lock().unwrap().translation.x;
    assert!(reached > 0.505 && reached <= 0.551, "one command leads 50 mm at most: {reached}");
    assert_eq!(cell.arm.refusal(), None, "silence is a hold and no stop");

    cell.arm.stop(StopKind::Controlled).unwrap();
    let refused = caller.post(routes::POSE, Some(&pose(0.5))).unwrap_err().to_string();
    assert!(refused.contains("error 500") && refused.contains("it was stopped"), "{refused}");
    thread::sleep(Duration::from_millis(300));
    assert_eq!(cell.pose.lock().unwrap().translation.x, reached, "a stopped arm stands");
    assert_eq!(caller.post::<()>(routes::CLEAR_ERROR, None).unwrap(), "Clear");
    assert_eq!(caller.post::<()>(routes::JOINT_RESET, None).unwrap(), "Reset Joint");
    let off = (cell.pose.lock().unwrap().translation.vector - home.translation.vector).norm();
    assert!(off < 0.003, "it is {off} m from home");
}

#[test]
fn what_cannot_be_done_is_an_error_and_a_page_may_do_nothing() {
    let cell = cell();
    let caller = call::Caller::new(&cell.url(), Duration::from_secs(5));
    for (route, body, status) in [
        (routes::POSE, serde_json::json!({ "arr": [1.0] }), 500),
        (routes::POSE, serde_json::json!({}), 500),
        (routes::UPDATE_PARAM, serde_json::json!({ "stiffness": 1.0 }), 500),
        (routes::SET_LOAD, serde_json::json!({}), 500),
        (routes::OPEN_GRIPPER, serde_json::json!({}), 500),
        ("/nothing", serde_json::json!({}), 404),
    ] {
        let error = caller.post(route, Some(&body)).unwrap_err();
        let got = matches!(error, CallError::Status { status: got, .. } if got == status);
        assert!(got, "{route}: {error}");
    }
    assert_eq!(call::status_from_page(&format!("{}/clearerr", cell.url())), 403);
}
