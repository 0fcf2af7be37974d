//! An arm behind `reins device` that nobody commands any more.

use std::{
    path::Path,
    thread,
    time::{Duration, Instant},
};

use drivers::{ArmMode, remote::Watcher};

const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(2);
/// From the last command to the hold: the lease and a tick.
const LEASE: Duration = Duration::from_millis(250);
const STOP_AFTER: Duration = Duration::from_secs(2);
/// How late a loaded machine may see something. To the tick it is shown in simulated time.
const SLACK: Duration = Duration::from_millis(1500);

#[expect(clippy::disallowed_methods, reason = "real processes, real time")]
fn now() -> Instant {
    Instant::now()
}

/// Waits until a device answers on `socket`.
pub fn await_device(socket: &Path) -> Watcher {
    let began = now();
    loop {
        match Watcher::connect(socket).and_then(|mut w| w.state().map(|_| w)) {
            Ok(watcher) => return watcher,
            Err(error) => assert!(began.elapsed() < PATIENCE, "{error}"),
        }
        thread::sleep(POLL * 10);
    }
}

/// Polls until it is so; when that was.
pub fn await_mode(watcher: &mut Watcher, mode: ArmMode) -> Instant {
    let began = now();
    while watcher.state().unwrap().state.mode != mode {
        assert!(began.elapsed() < PATIENCE, "the arm is not {mode:?} after {PATIENCE:?}");
        thread::sleep(POLL);
    }
    now()
}

/// From here on nobody commands the arm: it holds where it is, and is then stopped.
pub fn expect_hold_then_stop(what: &str, watcher: &mut Watcher) {
    let at = |watcher: &mut Watcher| watcher.state().unwrap().state.tcp_pose.translation.vector;
    let silent_since = now();
    let held = await_mode(watcher, ArmMode::Holding);
    let held_at = at(watcher);
    let stopped = await_mode(watcher, ArmMode::Stopped);
    let moved = (at(watcher) - held_at).norm();
    let (to_hold, to_stop) = (held - silent_since, stopped - held);
    println!("{what}: held after {to_hold:?}, stopped {to_stop:?} later");
    assert!(to_hold < LEASE + SLACK, "{what}: it held after {to_hold:?}");
    assert!(to_stop + SLACK > STOP_AFTER && to_stop < STOP_AFTER + SLACK, "{what}: {to_stop:?}");
    assert!(moved < 2e-3, "{what}: it went on by {moved} m while it held");
    assert!(watcher.state().unwrap().refusal.is_some(), "a stopped arm takes no command");
}
