//! The arm in a process of its own, and a client that is paused or killed: nobody has to tell the
//! device.

use std::{
    process::{Child, Command, Stdio},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use drivers::{
    ArmMode, GuardedArm,
    remote::{RemoteGate, Watcher},
};
use wire::{Clock, SystemClock, geometry::Pose};

use crate::support::{Process, Workplace};

/// Tells a test process that it is to be the client of the device on this socket.
const CLIENT_OF: &str = "REINS_TEST_CLIENT_OF";
const PATIENCE: Duration = Duration::from_secs(60);
const PERIOD: Duration = Duration::from_millis(100);
/// From the last command to the hold: the lease and a tick.
const LEASE: Duration = Duration::from_millis(250);
const STOP_AFTER: Duration = Duration::from_secs(2);
/// How late a loaded machine may see something. To the tick it is shown in simulated time.
const SLACK: Duration = Duration::from_millis(1500);

/// Not a test by itself: what the client's process runs until it is killed. It commands ten times
/// a second, as an actor does.
#[test]
fn client_process() {
    let Some(socket) = std::env::var_os(CLIENT_OF) else { return };
    let clock = Arc::new(SystemClock::new());
    let mut arm = RemoteGate::connect(socket.as_ref(), clock.clone()).unwrap();
    let home = arm.state().unwrap().value.tcp_pose;
    for step in 0_u32.. {
        let way = if step / 10 % 2 == 0 { 0.03 } else { -0.03 };
        let target = Pose::from_parts(
            (home.translation.vector + nalgebra::Vector3::new(way, 0.0, 0.0)).into(),
            home.rotation,
        );
        arm.command(clock.now(), &drivers::Command::every(PERIOD, target)).unwrap();
        thread::sleep(PERIOD);
    }
}

fn client(workplace: &Workplace) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "device::client_process", "--nocapture"])
        .env(CLIENT_OF, workplace.path("arm"))
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

#[expect(clippy::disallowed_methods, reason = "real processes, real time")]
fn now() -> Instant {
    Instant::now()
}

/// Polls until it is so; when that was.
fn await_mode(watcher: &mut Watcher, mode: ArmMode) -> Instant {
    let began = now();
    while watcher.state().unwrap().state.mode != mode {
        assert!(began.elapsed() < PATIENCE, "the arm is not {mode:?} after {PATIENCE:?}");
        thread::sleep(Duration::from_millis(2));
    }
    now()
}

fn await_device(workplace: &Workplace) -> Watcher {
    let began = now();
    loop {
        match Watcher::connect(&workplace.path("arm")) {
            Ok(watcher) => return watcher,
            Err(error) => assert!(began.elapsed() < PATIENCE, "{error}"),
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// The client gets this signal in the middle of its work.
fn check(signal: &str) {
    let workplace = Workplace::new();
    let device = ["device", "--cell", "cell.toml", "--task", "task.toml", "--socket", "arm"];
    let _device = Process::start(workplace.reins(&device));
    let mut watcher = await_device(&workplace);
    let mut client = client(&workplace);
    await_mode(&mut watcher, ArmMode::Running);
    thread::sleep(PERIOD * 5);
    let before = watcher.state().unwrap().state.tcp_pose;
    let sent = Command::new("kill").args([signal, &client.id().to_string()]).status().unwrap();
    assert!(sent.success());
    let silent_since = now();
    let held = await_mode(&mut watcher, ArmMode::Holding);
    let held_at = watcher.state().unwrap().state.tcp_pose;
    let stopped = await_mode(&mut watcher, ArmMode::Stopped);
    let stopped_at = watcher.state().unwrap().state.tcp_pose;
    let (to_hold, to_stop) = (held - silent_since, stopped - held);
    println!("{signal}: held after {to_hold:?}, stopped {to_stop:?} later");
    client.kill().unwrap();
    client.wait().unwrap();
    assert!(to_hold < LEASE + SLACK, "it held after {to_hold:?}");
    assert!(
        to_stop > STOP_AFTER - SLACK && to_stop < STOP_AFTER + SLACK,
        "stopped {to_stop:?} later"
    );
    let moved = |a: &Pose, b: &Pose| (a.translation.vector - b.translation.vector).norm();
    assert!(moved(&held_at, &stopped_at) < 2e-3, "it went on moving while it held");
    assert!(moved(&before, &held_at) < 0.1);
    assert!(watcher.state().unwrap().refusal.is_some(), "a stopped arm takes no command");
}

#[test]
fn the_arm_of_a_paused_client_holds_and_then_stops() {
    check("-STOP");
}

#[test]
fn the_arm_of_a_killed_client_holds_and_then_stops() {
    check("-KILL");
}
