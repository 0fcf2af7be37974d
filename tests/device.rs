//! The arm in a process of its own, and a client that is paused or killed: nobody has to tell the
//! device.

use std::{
    process::{Child, Command, Stdio},
    sync::Arc,
    thread,
    time::Duration,
};

use drivers::{
    ArmMode, GuardedArm,
    remote::{RemoteGate, Watcher},
};
use wire::{Clock, SystemClock, geometry::Pose};

use crate::support::{
    Process, Workplace,
    held_arm::{await_device, await_mode, expect_hold_then_stop},
};

/// Tells a test process that it is to be the client of the device on this socket.
const CLIENT_OF: &str = "REINS_TEST_CLIENT_OF";
const PERIOD: Duration = Duration::from_millis(100);
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

/// The client gets this signal in the middle of its work.
fn check(signal: &str) {
    let workplace = Workplace::new();
    let device = ["device", "--cell", "cell.toml", "--task", "task.toml", "--socket", "arm"];
    let _device = Process::start(workplace.reins(&device));
    let mut watcher = await_device(&workplace.path("arm"));
    let mut client = client(&workplace);
    await_mode(&mut watcher, ArmMode::Running);
    thread::sleep(PERIOD * 5);
    let at = |watcher: &mut Watcher| watcher.state().unwrap().state.tcp_pose.translation.vector;
    let before = at(&mut watcher);
    let sent = Command::new("kill").args([signal, &client.id().to_string()]).status().unwrap();
    assert!(sent.success());
    expect_hold_then_stop(signal, &mut watcher);
    client.kill().unwrap();
    client.wait().unwrap();
    assert!((at(&mut watcher) - before).norm() < 0.1);
}

#[test]
fn the_arm_of_a_paused_client_holds_and_then_stops() {
    check("-STOP");
}

#[test]
fn the_arm_of_a_killed_client_holds_and_then_stops() {
    check("-KILL");
}
