//! Client and device over a socket, in one process. Processes that are paused and killed are the
//! system tests' matter.

use std::{io::Cursor, sync::Arc, thread};

use nalgebra::{Isometry3, UnitQuaternion, Vector3};
use wire::{SystemClock, geometry::Twist};

use super::{
    frame,
    message::{DeviceReply, DeviceRequest},
    *,
};
use crate::{
    arm::{Arm, ArmError, ArmMode, ArmState, StopKind},
    gate::{Command, Gate, GateLimits, SafeTarget, WorkspaceBox},
};

/// Stands still and says so.
struct Statue(Arc<SystemClock>);

impl Arm for Statue {
    fn state(&self) -> Result<crate::Stamped<ArmState>, ArmError> {
        let value = ArmState {
            mode: ArmMode::Running,
            tcp_pose: Isometry3::translation(0.5, 0.0, 0.1),
            twist: Twist::default(),
            joints: Vec::new(),
            joint_velocities: Vec::new(),
            wrench: None,
        };
        Ok(crate::Stamped { at: wire::Clock::now(&*self.0), value })
    }
    fn command(&mut self, _: SafeTarget) -> Result<(), ArmError> {
        Ok(())
    }
    fn stop(&mut self, _: StopKind) -> Result<(), ArmError> {
        Ok(())
    }
    fn recover(&mut self) -> Result<(), ArmError> {
        Ok(())
    }
}

/// A device on a socket of its own; its thread ends with the test's process.
fn device() -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("arm");
    let server = DeviceServer::bind(&path).unwrap();
    let clock = Arc::new(SystemClock::new());
    let gate = Gate::new(
        Statue(clock.clone()),
        GateLimits::new(WorkspaceBox {
            min: Vector3::new(0.4, -0.1, 0.0),
            max: Vector3::new(0.6, 0.1, 0.2),
            orientation: UnitQuaternion::identity(),
            tilt_max_rad: 0.3,
            yaw_max_rad: 0.5,
        }),
    );
    thread::Builder::new().name("device".into()).spawn(move || server.serve(gate, clock)).unwrap();
    (folder, path)
}

fn command(x: f64) -> Command {
    Command {
        pose: Isometry3::translation(x, 0.0, 0.1),
        valid_for: std::time::Duration::from_millis(250),
    }
}

#[test]
fn commands_go_through_the_gate_on_the_devices_side() {
    let (_folder, path) = device();
    let mut client = GateClient::connect(&path).unwrap();
    let report = client.command(&command(0.9)).unwrap();
    assert!(report.goal.translation.x <= 0.55 + 1e-9, "{report:?}");
    assert!(!report.events.is_empty());
    assert!(client.state().unwrap().counts.named().count() > 0);
}

#[test]
fn one_client_commands_and_others_watch() {
    let (_folder, path) = device();
    let mut client = GateClient::connect(&path).unwrap();
    let second = GateClient::connect(&path).unwrap_err();
    assert!(second.to_string().contains("another client"), "{second}");
    let mut watcher = Watcher::connect(&path).unwrap();
    client.command(&command(0.51)).unwrap();
    while watcher.state().unwrap().target.is_none() {
        thread::yield_now();
    }
    drop(client);
    // Its place is free as soon as the device has noticed.
    while GateClient::connect(&path).is_err() {
        thread::yield_now();
    }
}

#[test]
fn anybody_may_stop_the_arm_and_only_the_commander_recovers_it() {
    let (_folder, path) = device();
    let mut client = GateClient::connect(&path).unwrap();
    Watcher::connect(&path).unwrap().emergency_stop("smoke").unwrap();
    let refused = client.command(&command(0.5)).unwrap_err();
    assert!(refused.to_string().contains("smoke"), "{refused}");
    client.clear_emergency().unwrap_err();
    client.recover().unwrap();
    client.clear_emergency().unwrap();
    client.command(&command(0.5)).unwrap();
}

#[test]
fn a_second_device_on_the_same_socket_is_refused_and_a_dead_ones_place_is_taken() {
    let (folder, path) = device();
    assert!(matches!(DeviceServer::bind(&path), Err(ServerError::InUse { .. })));
    let dead = folder.path().join("dead");
    drop(std::os::unix::net::UnixListener::bind(&dead).unwrap());
    assert!(dead.exists());
    DeviceServer::bind(&dead).unwrap();
}

#[test]
fn a_message_is_read_whole_and_a_cut_or_overlong_one_is_refused() {
    let mut bytes = Vec::new();
    frame::send(&mut bytes, &DeviceRequest::Command(command(0.5))).unwrap();
    let read: DeviceRequest = frame::receive(&mut Cursor::new(&bytes)).unwrap();
    assert_eq!(read, DeviceRequest::Command(command(0.5)));
    for cut in 0..bytes.len() {
        let cut = frame::receive::<DeviceRequest>(&mut Cursor::new(&bytes[..cut]));
        assert!(cut.is_err());
    }
    assert!(
        frame::receive::<DeviceReply>(&mut Cursor::new(&bytes)).is_err(),
        "a request is no reply"
    );
    bytes[8..12].copy_from_slice(&u32::MAX.to_le_bytes());
    let overlong = frame::receive::<DeviceRequest>(&mut Cursor::new(&bytes)).unwrap_err();
    assert!(overlong.to_string().contains("65536 are allowed"), "{overlong}");
}
