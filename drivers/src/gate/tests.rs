//! What the gate does, rule by rule, with an arm that goes at once where it is told.

mod adversary;
mod gripper;
mod pair;
mod rules;

use std::time::Duration;

use nalgebra::{Isometry3, UnitQuaternion, Vector3};
use wire::{GateEvents, geometry::Twist};

use super::*;
use crate::arm::{ArmMode, Jacobian};

const MS: u64 = 1_000_000;
const PERIOD: Duration = Duration::from_millis(100);

/// Goes at once where it is told.
#[derive(Debug)]
struct Obedient {
    state: Stamped<ArmState>,
    got: Vec<SafeTarget>,
    stops: Vec<StopKind>,
    recoveries: u32,
    ends: Vec<[f64; 2]>,
    jacobian: Option<Jacobian>,
}

impl Arm for Obedient {
    fn state(&self) -> Result<Stamped<ArmState>, ArmError> {
        Ok(self.state.clone())
    }

    fn command(&mut self, target: SafeTarget) -> Result<(), ArmError> {
        self.state.value.tcp_pose = *target.pose();
        self.state.value.mode = ArmMode::Running;
        self.got.push(target);
        Ok(())
    }

    fn stop(&mut self, how: StopKind) -> Result<(), ArmError> {
        self.stops.push(how);
        Ok(())
    }

    fn recover(&mut self) -> Result<(), ArmError> {
        self.recoveries += 1;
        Ok(())
    }

    fn joint_ends(&self) -> &[[f64; 2]] {
        &self.ends
    }

    fn jacobian(&self) -> Option<Jacobian> {
        self.jacobian.clone()
    }
}

fn obedient(tcp_pose: Pose) -> Obedient {
    let value = ArmState {
        mode: ArmMode::Idle,
        tcp_pose,
        twist: Twist::default(),
        joints: Vec::new(),
        joint_velocities: Vec::new(),
        wrench: None,
        gripper: None,
    };
    Obedient {
        state: Stamped { at: Timestamp(0), value },
        got: Vec::new(),
        stops: Vec::new(),
        recoveries: 0,
        ends: Vec::new(),
        jacobian: None,
    }
}

/// A workspace of 0.2 m about (0, 0, 0.1), and motion as fast as a vendor allows.
fn limits() -> GateLimits {
    GateLimits {
        step_max_m: 0.02,
        step_max_rad: 0.1,
        lead_max_m: 0.03,
        lead_max_rad: 0.2,
        linear: MotionLimits { speed_max: 0.4, acceleration_max: 13.0, jerk_max: 6500.0 },
        angular: MotionLimits { speed_max: 2.0, acceleration_max: 50.0, jerk_max: 12_500.0 },
        ..GateLimits::new(WorkspaceBox {
            min: Vector3::new(-0.1, -0.1, 0.0),
            max: Vector3::new(0.1, 0.1, 0.2),
            orientation: UnitQuaternion::identity(),
            tilt_max_rad: 0.3,
            yaw_max_rad: 0.5,
        })
    }
}

fn pose(x: f64, y: f64, z: f64) -> Pose {
    Isometry3::translation(x, y, z)
}

fn middle() -> Pose {
    pose(0.0, 0.0, 0.1)
}

/// A gate and its arm, whose state is fresh unless a test says otherwise.
struct Bench {
    gate: Gate<Obedient>,
    now: Timestamp,
    fresh: bool,
}

impl Bench {
    fn new(tcp_pose: Pose, limits: GateLimits) -> Self {
        Self { gate: Gate::new(obedient(tcp_pose), limits), now: Timestamp(0), fresh: true }
    }

    fn in_the_middle() -> Self {
        Self::new(middle(), limits())
    }

    fn arm<T>(&mut self, change: impl FnOnce(&mut Obedient) -> T) -> T {
        change(&mut self.gate.device().arm)
    }

    fn command(&mut self, pose: Pose) -> Result<GateReport, ArmError> {
        self.gate.command(self.now, &Command::every(PERIOD, pose))
    }

    /// Lets the device loop run for `ticks` ticks.
    fn ticks(&mut self, ticks: u32) {
        for _ in 0..ticks {
            if self.fresh {
                let now = self.now;
                self.arm(|arm| arm.state.at = now);
            }
            self.gate.tick(self.now);
            self.now = self.now + TICK;
        }
    }

    /// One step of a control loop.
    fn step(&mut self, pose: Pose) -> Executed {
        self.command(pose).unwrap();
        self.ticks(10);
        self.gate.settle().unwrap()
    }

    fn sent(&mut self) -> Pose {
        self.arm(|arm| *arm.got.last().expect("a target").pose())
    }

    fn stops(&mut self) -> Vec<StopKind> {
        self.arm(|arm| arm.stops.clone())
    }

    fn mode(&self) -> ArmMode {
        self.gate.state().unwrap().value.mode
    }

    fn refusal(&mut self) -> Trip {
        match self.command(middle()) {
            Err(ArmError::Refused(trip)) => trip,
            other => panic!("{other:?} and no refusal"),
        }
    }
}

#[track_caller]
fn assert_near(got: &Pose, expected: &Pose) {
    let off = (got.translation.vector - expected.translation.vector).norm();
    let turn = got.rotation.angle_to(&expected.rotation);
    assert!(off < 1e-9 && turn < 1e-6, "{got} is not {expected}");
}

#[track_caller]
fn assert_events(got: GateEvents, expected: GateEvents) {
    let names = |events: GateEvents| events.names().collect::<Vec<_>>();
    assert_eq!(names(got), names(expected));
}
