//! A pair of arms of two makers, each behind its gate, its driver and a controller of its protocol.

use std::{sync::Arc, time::Duration};

use nalgebra::Vector3;
use wire::{Clock, SystemClock};

use super::{
    Arm, ArmMode, StopKind,
    ur::{UrArm, UrConfig, mock::MockUr},
    xarm::{XarmArm, XarmConfig, mock::MockXarm},
};
use crate::{
    Command, Gate, GateLimits, GuardedArm, WorkspaceBox,
    gate::{TICK, Trip, pair},
};

struct Cell {
    ur: MockUr,
    xarm: MockXarm,
    gates: (Gate<UrArm>, Gate<XarmArm>),
    /// Whoever sleeps on it makes both device loops run.
    clock: Arc<dyn Clock>,
}

fn gated<A: Arm + 'static>(arm: A) -> Gate<A> {
    let at = arm.state().unwrap().value.tcp_pose;
    let workspace = WorkspaceBox {
        min: at.translation.vector - Vector3::repeat(0.3),
        max: at.translation.vector + Vector3::repeat(0.3),
        orientation: at.rotation,
        tilt_max_rad: 0.3,
        yaw_max_rad: 0.3,
    };
    Gate::new(arm, GateLimits::new(workspace))
}

/// A little up.
fn command(gate: &mut impl GuardedArm, clock: &dyn Clock) {
    let mut pose = gate.state().unwrap().value.tcp_pose;
    pose.translation.vector.z += 0.03;
    let command = Command::every(Duration::from_millis(100), pose);
    gate.command(clock.now(), &command).unwrap();
}

impl Cell {
    fn new() -> Self {
        let (ur, xarm) = (MockUr::start(), MockXarm::start());
        let clock = Arc::new(SystemClock::new());
        let ur_config = UrConfig {
            rtde_port: ur.rtde.port(),
            dashboard_port: ur.dashboard.port(),
            script_port: ur.scripts.port(),
            reverse_port: 0,
            ..UrConfig::at("127.0.0.1")
        };
        let xarm_config = XarmConfig {
            command_port: xarm.commands.port(),
            report_port: xarm.reports.port(),
            ..XarmConfig::at("127.0.0.1")
        };
        let left = gated(UrArm::connect(ur_config, clock.clone()).unwrap());
        let right = gated(XarmArm::connect(xarm_config, clock.clone()).unwrap());
        pair(&left, &right);
        let clock = left.ticked(right.ticked(clock));
        let mut cell = Self { ur, xarm, gates: (left, right), clock };
        cell.command_both();
        cell.wait("motion", |cell| {
            cell.ur.world().target.is_some() && cell.xarm.inside().setpoints > 0
        });
        cell
    }

    fn command_both(&mut self) {
        command(&mut self.gates.0, &*self.clock);
        command(&mut self.gates.1, &*self.clock);
    }

    #[track_caller]
    fn wait(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let start = self.clock.now();
        while !is_so(self) {
            let waited = self.clock.now().since(start);
            assert!(waited < Duration::from_secs(5), "never: {what}");
            self.tick();
        }
    }

    /// One pass of each arm's device loop.
    fn tick(&self) {
        self.clock.sleep_until(self.clock.now() + TICK);
    }
}

#[test]
fn a_protective_stop_of_one_stops_the_other_makers_arm_within_a_tick() {
    let cell = Cell::new();
    cell.ur.protective_stop();
    cell.wait("the UR's driver says so", |cell| {
        cell.gates.0.state().unwrap().value.mode == ArmMode::Reflex
    });
    cell.tick();
    assert_eq!(cell.gates.1.refusal(), Some(Trip::Partner), "the xArm");
    cell.wait("its control box hears of it", |cell| cell.xarm.inside().state == 4);
}

#[test]
fn an_error_of_the_other_stops_the_first_and_both_go_on_after_recovery() {
    let mut cell = Cell::new();
    cell.xarm.fail(31);
    cell.wait("the xArm's driver says so", |cell| {
        cell.gates.1.state().unwrap().value.mode == ArmMode::Reflex
    });
    cell.tick();
    assert_eq!(cell.gates.0.refusal(), Some(Trip::Partner), "the UR");
    cell.wait("its program stands", |cell| cell.ur.world().target.is_none());
    cell.gates.1.recover().unwrap();
    cell.wait("the xArm is ready", |cell| {
        cell.gates.1.state().unwrap().value.mode == ArmMode::Idle
    });
    cell.gates.0.recover().unwrap();
    cell.command_both();
    cell.wait("motion", |cell| cell.ur.world().target.is_some());
}

#[test]
fn a_stop_by_hand_is_one_of_both() {
    let mut cell = Cell::new();
    cell.gates.0.stop(StopKind::Controlled).unwrap();
    cell.tick();
    assert_eq!(cell.gates.1.refusal(), Some(Trip::Partner), "the xArm");
}
