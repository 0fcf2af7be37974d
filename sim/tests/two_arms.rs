//! Two simulated arms at once, each by another driver: one in this process, one behind HIL-SERL's robot
//! server. What stops one stops the other within one pass of the device loops.

use std::{sync::Arc, time::Duration};

use drivers::{
    Arm, ArmMode, Command, Gate, GateLimits, GuardedArm, SharedArm, StopKind, WorkspaceBox,
    gate::{TICK, Trip, pair},
    serl_http::{
        SerlArm, SerlHttp, SerlHttpConfig,
        server::{SerlServer, Settings},
    },
};
use nalgebra::Vector3;
use sim::{
    ClockMode, Preset, SimCell, SimConfig, Truth,
    faults::{Fault, FaultKind, Faults, FaultyArm, When},
};
use wire::Clock;

use crate::{config, rehearsal::tool_down};

const LEASE: Duration = Duration::from_millis(500);
/// A fault of the arm of this process, after the pair has begun to move.
const REFLEX_AFTER: Duration = Duration::from_secs(2);

struct Pair {
    here: Gate<Box<dyn Arm>>,
    there: Gate<SerlArm>,
    /// Whoever sleeps on it makes both device loops run.
    clock: Arc<dyn Clock>,
    truths: [Truth; 2],
    /// Of the second arm; without it that arm's link is lost.
    server: Option<SerlServer>,
}

fn limits() -> GateLimits {
    GateLimits::new(WorkspaceBox {
        min: Vector3::new(0.3, -0.2, 0.0),
        max: Vector3::new(0.7, 0.2, 0.4),
        orientation: tool_down(),
        tilt_max_rad: 0.3,
        yaw_max_rad: 0.3,
    })
}

fn cell() -> SimCell {
    let config = SimConfig { clock: ClockMode::Real, ..config(Preset::Default) };
    SimCell::start(config).unwrap()
}

impl Pair {
    fn new(faults: Vec<FaultKind>) -> Self {
        let (first, second) = (cell(), cell());
        let served = Gate::new(second.arm, limits());
        served.run_in_real_time(second.clock.clone()).unwrap();
        let server = SerlServer::start(Settings {
            listen: ([127, 0, 0, 1], 0).into(),
            arm: SharedArm::new(Box::new(served)),
            clock: second.clock,
            lease: LEASE,
        })
        .unwrap();
        // A simulated arm at rest is still to the last bit.
        let url = format!("http://{}", server.address());
        let config = SerlHttpConfig { stuck_after: None, ..SerlHttpConfig::new(url) };
        let link = SerlHttp::connect(config, first.clock.clone()).unwrap();
        let at = first.clock.now() + REFLEX_AFTER;
        let faults = faults.into_iter().map(|kind| Fault {
            kind,
            when: When::At(at),
            lasts: Duration::ZERO,
        });
        let faults = Faults::new(0, faults.collect());
        let arm = FaultyArm::new(Box::new(first.arm), &faults, first.clock.clone());
        let here = Gate::new(Box::new(arm) as Box<dyn Arm>, limits());
        let there = Gate::new(link.arm(), limits());
        pair(&here, &there);
        let clock = here.ticked(there.ticked(first.clock));
        let truths = [first.truth, second.truth];
        let mut pair = Self { here, there, clock, truths, server: Some(server) };
        pair.set_going();
        pair
    }

    /// One pass of each arm's device loop.
    fn tick(&self) {
        self.clock.sleep_until(self.clock.now() + TICK);
    }

    /// A little to the side and back, as long as this is called; true when an arm takes it no more.
    fn go_on(&mut self, seconds: f64) -> bool {
        let mut refused = false;
        for gate in [&mut self.here as &mut dyn GuardedArm, &mut self.there] {
            let mut pose =
                wire::geometry::Pose::from_parts(Vector3::new(0.5, 0.0, 0.15).into(), tool_down());
            pose.translation.y += 0.05 * (3.0 * seconds).sin();
            let command = Command::every(Duration::from_millis(100), pose);
            refused |= gate.command(self.clock.now(), &command).is_err();
        }
        refused
    }

    /// Drives until one of the gates refuses, at most for so long.
    fn drive(&mut self, most: Duration) {
        let start = self.clock.now();
        loop {
            let elapsed = self.clock.now().since(start);
            if elapsed > most || self.go_on(elapsed.as_secs_f64()) {
                return;
            }
            for _ in 0..20 {
                self.tick();
            }
        }
    }

    /// Both arms really move: on their way, since the sine may bring them back to where they began.
    #[track_caller]
    fn set_going(&mut self) {
        let before = self.places();
        let mut furthest = [0.0_f64; 2];
        let start = self.clock.now();
        loop {
            let elapsed = self.clock.now().since(start);
            if elapsed > Duration::from_millis(800) || self.go_on(elapsed.as_secs_f64()) {
                break;
            }
            for _ in 0..20 {
                self.tick();
            }
            for (furthest, (before, now)) in
                furthest.iter_mut().zip(before.iter().zip(self.places()))
            {
                *furthest = furthest.max((now - before).norm());
            }
        }
        assert!(furthest.iter().all(|way| *way > 0.005), "they moved by {furthest:?} m");
    }

    fn places(&self) -> [Vector3<f64>; 2] {
        self.truths.each_ref().map(|truth| truth.tcp_pose().translation.vector)
    }

    /// Whether each stands still, after it has had the time to brake.
    #[track_caller]
    fn check_at_rest(&self) {
        let wait =
            |seconds| self.clock.sleep_until(self.clock.now() + Duration::from_secs(seconds));
        wait(2);
        let then = self.places();
        wait(1);
        for (then, now) in then.iter().zip(self.places()) {
            assert!((now - then).norm() < 5e-4, "an arm still moves: {then} to {now}");
        }
    }
}

fn mode(gate: &impl GuardedArm) -> Option<ArmMode> {
    gate.state().ok().map(|state| state.value.mode)
}

#[test]
fn a_reflex_of_the_arm_here_stops_the_arm_behind_the_server() {
    let mut pair = Pair::new(vec![FaultKind::ArmReflex]);
    pair.drive(2 * REFLEX_AFTER);
    assert_eq!(mode(&pair.here), Some(ArmMode::Reflex));
    pair.tick();
    assert_eq!(pair.there.refusal(), Some(Trip::Partner));
    pair.check_at_rest();
    // Both go on when both were asked to, first the one that stopped by itself.
    pair.here.recover().unwrap();
    pair.there.recover().unwrap();
    pair.set_going();
}

#[test]
fn a_server_that_is_gone_stops_the_arm_here() {
    let mut pair = Pair::new(Vec::new());
    drop(pair.server.take());
    let start = pair.clock.now();
    while !matches!(mode(&pair.there), None | Some(ArmMode::Disconnected)) {
        let waited = pair.clock.now().since(start);
        assert!(waited < Duration::from_secs(5), "the second arm is {:?}", mode(&pair.there));
        pair.go_on(waited.as_secs_f64());
        pair.tick();
    }
    pair.tick();
    assert_eq!(pair.here.refusal(), Some(Trip::Partner));
    pair.check_at_rest();
}

#[test]
fn a_stop_of_one_is_a_stop_of_both() {
    let mut pair = Pair::new(Vec::new());
    pair.there.stop(StopKind::Controlled).unwrap();
    pair.tick();
    assert_eq!(pair.here.refusal(), Some(Trip::Partner));
    pair.check_at_rest();
}
