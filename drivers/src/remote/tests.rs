//! Client and device over a socket, in one process. Processes that are paused and killed are the
//! system tests' matter.

use std::{io::Cursor, path::Path, sync::Arc, thread, time::Duration};

use nalgebra::{Isometry3, UnitQuaternion, Vector3};
use wire::{Frame, GripperCommand, Mark, SystemClock, Timestamp, geometry::Twist};

use super::{
    frame,
    message::{ArmRequest, DeviceReply, DeviceRequest},
    *,
};
use crate::{
    Camera, CameraError, CameraInfo, EpisodeBrief, Fixture, FixtureError, Gripper, GripperError,
    GripperState, GuardedArm, Stamped, SuccessSensor, Teleop, TeleopError, TeleopSample,
    arm::{Arm, ArmError, ArmMode, ArmState, StopKind},
    gate::{Command, Gate, GateLimits, GripperLimits, SafeGrip, SafeTarget, WorkspaceBox},
};

/// Stands still and says so.
struct Statue(Arc<SystemClock>);

impl Arm for Statue {
    fn state(&self) -> Result<Stamped<ArmState>, ArmError> {
        let value = ArmState {
            mode: ArmMode::Running,
            tcp_pose: Isometry3::translation(0.5, 0.0, 0.1),
            twist: Twist::default(),
            joints: Vec::new(),
            joint_velocities: Vec::new(),
            wrench: None,
            gripper: None,
        };
        Ok(Stamped { at: wire::Clock::now(&*self.0), value })
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

/// What the hand says.
const PUSH: TeleopSample =
    TeleopSample { twist: [0.5; 6], gripper: GripperCommand::Close, engaged: true };

/// A gripper that does at once what it is told.
struct Jaws(Arc<SystemClock>, f64);

impl Gripper for Jaws {
    fn state(&self) -> Result<Stamped<GripperState>, GripperError> {
        Ok(Stamped { at: wire::Clock::now(&*self.0), value: GripperState { opening: self.1 } })
    }
    fn command(&mut self, grip: SafeGrip) -> Result<(), GripperError> {
        self.1 = if grip.opens() { 1.0 } else { 0.0 };
        Ok(())
    }
}

/// The rest of a cell: one camera, a hand that pushes, and a fixture that refuses odd episodes.
struct Props {
    info: CameraInfo,
    clock: Arc<SystemClock>,
}

impl Props {
    fn new(clock: Arc<SystemClock>) -> Box<Self> {
        Box::new(Self {
            info: CameraInfo { name: "wrist".into(), width: 2, height: 1, noiseless: true },
            clock,
        })
    }
}

impl Camera for Props {
    fn info(&self) -> &CameraInfo {
        &self.info
    }
    fn latest(&mut self, age_max: Duration) -> Result<Stamped<Frame>, CameraError> {
        if age_max.is_zero() {
            return Err(CameraError::Stale { camera: "wrist".into(), age: Duration::from_secs(3) });
        }
        let value = Frame::new(2, 1, vec![1, 2, 3, 4, 5, 6]).unwrap();
        Ok(Stamped { at: wire::Clock::now(&*self.clock), value })
    }
}

impl Teleop for Props {
    fn sample(&mut self) -> Result<Stamped<TeleopSample>, TeleopError> {
        Ok(Stamped { at: wire::Clock::now(&*self.clock).before(AGE), value: PUSH })
    }

    fn mark(&mut self) -> Option<Mark> {
        Some(Mark::Failure)
    }
}

impl Fixture for Props {
    fn prepare(&mut self, brief: &EpisodeBrief) -> Result<(), FixtureError> {
        match brief.seed {
            0 => Ok(()),
            _ => Err(FixtureError::Failed("the part is missing".into())),
        }
    }
}

impl SuccessSensor for Props {
    fn succeeded(&mut self) -> bool {
        true
    }
    fn lost(&mut self) -> bool {
        true
    }
}

/// Of what the hand says.
const AGE: Duration = Duration::from_millis(70);

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
    let jaws = GripperLimits { force_n: 20.0, speed_mps: 0.1, change_min: Duration::ZERO };
    let gate = gate.with_gripper(Box::new(Jaws(clock.clone(), 0.5)), jaws);
    gate.run_in_real_time(clock.clone()).unwrap();
    let served = Served {
        gate: Box::new(gate),
        cameras: vec![Props::new(clock.clone())],
        teleop: Some(Props::new(clock.clone())),
        fixture: Props::new(clock.clone()),
        success: Props::new(clock.clone()),
        clock,
        paced: false,
        commanded: false,
    };
    thread::Builder::new().name("device".into()).spawn(move || server.serve(served)).unwrap();
    (folder, path)
}

fn connect(path: &Path) -> Result<RemoteGate, ArmError> {
    RemoteGate::connect(path, Arc::new(SystemClock::new()))
}

/// The device's clock is what counts.
fn now() -> Timestamp {
    Timestamp::default()
}

fn command(x: f64) -> Command {
    Command::every(Duration::from_millis(100), Isometry3::translation(x, 0.0, 0.1))
}

#[test]
fn commands_go_through_the_gate_on_the_devices_side() {
    let (_folder, path) = device();
    let mut client = connect(&path).unwrap();
    let report = client.command(now(), &command(0.9)).unwrap();
    assert!(report.goal.translation.x <= 0.55 + 1e-9, "{report:?}");
    assert!(!report.events.is_empty());
    assert!(client.counts().named().count() > 0);
}

#[test]
fn a_gripper_is_told_by_the_devices_loop_and_says_how_far_it_is_open() {
    let (_folder, path) = device();
    let mut client = connect(&path).unwrap();
    let opening = |client: &RemoteGate| client.state().unwrap().value.gripper;
    assert_eq!(opening(&client), Some(0.5));
    client.command(now(), &command(0.5).gripping(GripperCommand::Open)).unwrap();
    while opening(&client) != Some(1.0) {
        thread::yield_now();
    }
    assert_eq!(client.settle().unwrap().gripper, GripperCommand::Open);
    assert_eq!(client.settle().unwrap().gripper, GripperCommand::Stay, "it was sent once");
}

#[test]
fn one_client_commands_and_others_watch() {
    let (_folder, path) = device();
    let mut client = connect(&path).unwrap();
    let second = connect(&path).unwrap_err();
    assert!(second.to_string().contains("another client"), "{second}");
    let mut watcher = Watcher::connect(&path).unwrap();
    client.command(now(), &command(0.51)).unwrap();
    while watcher.state().unwrap().target.is_none() {
        thread::yield_now();
    }
    drop(client);
    // Its place is free as soon as the device has noticed.
    while connect(&path).is_err() {
        thread::yield_now();
    }
}

#[test]
fn anybody_may_stop_the_arm_and_only_the_commander_recovers_it() {
    let (_folder, path) = device();
    let mut client = connect(&path).unwrap();
    Watcher::connect(&path).unwrap().emergency_stop("smoke").unwrap();
    let refused = client.command(now(), &command(0.5)).unwrap_err();
    assert!(refused.to_string().contains("smoke"), "{refused}");
    client.clear_emergency().unwrap_err();
    client.recover().unwrap();
    client.clear_emergency().unwrap();
    client.command(now(), &command(0.5)).unwrap();
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
    frame::send(&mut bytes, &DeviceRequest::Arm(ArmRequest::Command(command(0.5)))).unwrap();
    let read: DeviceRequest = frame::receive(&mut Cursor::new(&bytes)).unwrap();
    assert_eq!(read, DeviceRequest::Arm(ArmRequest::Command(command(0.5))));
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
    assert!(overlong.to_string().contains("4194304 are allowed"), "{overlong}");
}

#[test]
fn the_rest_of_the_cell_is_served_too() {
    let (_folder, path) = device();
    let clock = Arc::new(SystemClock::new());
    wire::Clock::sleep_until(&*clock, Timestamp::default() + AGE * 2);
    let picture =
        |info: CameraInfo, age_max| RemoteCamera::at(&path, info, clock.clone()).latest(age_max);
    let info = CameraInfo { name: "wrist".into(), width: 2, height: 1, noiseless: true };
    let seen = picture(info.clone(), AGE).unwrap().value;
    assert_eq!(&*seen.pixels, &[1, 2, 3, 4, 5, 6]);
    let stale = picture(info.clone(), Duration::ZERO).unwrap_err();
    assert_eq!(stale, CameraError::Stale { camera: "wrist".into(), age: Duration::from_secs(3) });
    let other = picture(CameraInfo { width: 3, ..info.clone() }, AGE).unwrap_err();
    assert!(other.to_string().contains("2x1, and the cell file says 3x1"), "{other}");
    let unknown = picture(CameraInfo { name: "side".into(), ..info }, AGE).unwrap_err();
    assert!(unknown.to_string().contains("no such camera"), "{unknown}");

    let hand = RemoteTeleop::at(&path, clock.clone()).sample().unwrap();
    let age = wire::Clock::now(&*clock).since(hand.at);
    assert!(age >= AGE, "the sample became younger on its way: {age:?}");
    assert_eq!(hand.value, PUSH);
    assert_eq!(RemoteTeleop::at(&path, clock.clone()).mark(), Some(Mark::Failure));
    let gone = path.with_extension("gone");
    assert_eq!(RemoteTeleop::at(&gone, clock.clone()).mark(), None);

    let brief = |seed| EpisodeBrief {
        episode: wire::EpisodeId(0),
        kind: wire::EpisodeKind::Training,
        seed,
    };
    let mut fixture = RemoteFixture::at(&path);
    fixture.prepare(&brief(0)).unwrap();
    let refused = fixture.prepare(&brief(1)).unwrap_err();
    assert!(refused.to_string().contains("the part is missing"), "{refused}");
    let mut success = RemoteSuccess::at(&path);
    assert!(success.succeeded() && success.lost());
    let mut gone = RemoteSuccess::at(&path.with_extension("gone"));
    assert!(!gone.succeeded() && !gone.lost());
}
