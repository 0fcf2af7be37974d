//! Drives a cell as the actor does, with the person at the device and no policy: prepare, go to
//! the start, then one command per step through the gate.

#![allow(clippy::unwrap_used, reason = "for tests and measurements")]

use std::time::Duration;

use drivers::{
    Command, EpisodeBrief, Fixture, Gate, GateLimits, GuardedArm, SuccessSensor, Teleop,
    WorkspaceBox,
    gate::{ForceLimits, MotionLimits},
};
use nalgebra::{Translation3, UnitQuaternion, Vector3};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sim::{
    ActionScale, ScriptedOperator, SimArm, SimCamera, SimCell, SimFixture, SimSuccess, Truth,
};
use std::sync::Arc;
use wire::{Clock, EpisodeId, EpisodeKind, geometry::Pose};

pub const STEP: Duration = Duration::from_millis(100);
pub const STEP_LIMIT: u32 = 100;
const LEASH_M: f64 = 0.015;
const LEASH_RAD: f64 = 0.08;

/// A cell with the gate before its arm; limits and reset as in `configs`.
pub struct Rehearsal {
    pub clock: Arc<dyn Clock>,
    pub gate: Gate<SimArm>,
    pub cameras: Vec<SimCamera>,
    pub teleop: ScriptedOperator,
    pub fixture: SimFixture,
    pub success: SimSuccess,
    pub truth: Truth,
    /// Where the person does not drive: random moves out of this, or none.
    pub policy: Option<ChaCha8Rng>,
}

/// How an episode went.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Outcome {
    pub success: bool,
    pub steps: u32,
    pub human_steps: u32,
    pub penetration_m: f64,
    pub force_n: f64,
}

pub fn tool_down() -> UnitQuaternion<f64> {
    UnitQuaternion::from_axis_angle(&Vector3::x_axis(), std::f64::consts::PI)
}

pub fn limits() -> GateLimits {
    GateLimits {
        // A Panda's own limits, and room for an insertion.
        linear: MotionLimits { speed_max: 0.25, acceleration_max: 13.0, jerk_max: 6500.0 },
        angular: MotionLimits { speed_max: 1.0, acceleration_max: 25.0, jerk_max: 12_500.0 },
        force: ForceLimits { force_max_n: 60.0, ..ForceLimits::default() },
        ..GateLimits::new(WorkspaceBox {
            min: Vector3::new(0.44, -0.06, 0.002),
            max: Vector3::new(0.56, 0.06, 0.12),
            orientation: tool_down(),
            tilt_max_rad: 0.35,
            yaw_max_rad: std::f64::consts::PI,
        })
    }
}

impl Rehearsal {
    pub fn new(cell: SimCell) -> Self {
        let gate = Gate::new(cell.arm, limits());
        Self {
            clock: gate.ticked(cell.clock),
            gate,
            cameras: cell.cameras,
            teleop: cell.teleop,
            fixture: cell.fixture,
            success: cell.success,
            truth: cell.truth,
            policy: None,
        }
    }

    pub fn tcp(&self) -> Pose {
        self.gate.state().unwrap().value.tcp_pose
    }

    /// One step with the target `wanted`.
    pub fn step(&mut self, wanted: &Pose) {
        let now = self.clock.now();
        self.gate.command(now, &Command::every(STEP, *wanted)).unwrap();
        self.clock.sleep_until(now + STEP);
    }

    /// Goes to `goal` in a straight line.
    fn go_to(&mut self, goal: &Pose) {
        for _ in 0..60 {
            let from = self.gate.target(self.clock.now()).unwrap_or(self.tcp());
            let way = goal.translation.vector - from.translation.vector;
            let reach = (0.015 / way.norm()).min(1.0);
            self.step(&from.lerp_slerp(goal, reach));
            let left = (goal.translation.vector - self.tcp().translation.vector).norm();
            if reach >= 1.0 && left < 0.001 {
                break;
            }
        }
    }

    /// Lifts, prepares the socket, and goes to the start that the seed says.
    pub fn reset(&mut self, brief: &EpisodeBrief) {
        let lift = 0.1 - self.tcp().translation.z;
        let lifted = Translation3::new(0.0, 0.0, lift.max(0.0)) * self.tcp();
        self.go_to(&lifted);
        self.fixture.prepare(brief).unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(brief.seed ^ 0x5eed);
        let mut within = |range: f64| rng.random_range(-range..=range);
        let at = Vector3::new(0.5 + within(0.03), within(0.03), 0.025 + 0.045 + within(0.015));
        let yaw = UnitQuaternion::from_axis_angle(&Vector3::z_axis(), within(0.15));
        self.go_to(&Pose::from_parts(at.into(), yaw * tool_down()));
        self.teleop.announce(brief);
        self.gate.hand_over();
    }

    /// The person's command as a target: the previous target moved on, within the leash.
    fn target(&self, twist: &[f64; 6]) -> Pose {
        let scale = ActionScale::default();
        let measured = self.tcp();
        let from = self.gate.target(self.clock.now()).unwrap_or(measured);
        let linear = Vector3::from_column_slice(&twist[..3]) * scale.linear_m;
        let angular = Vector3::from_column_slice(&twist[3..]) * scale.angular_rad;
        let lead = from.translation.vector + linear - measured.translation.vector;
        let leash = (LEASH_M / lead.norm()).min(1.0);
        let turn =
            UnitQuaternion::from_scaled_axis(angular) * from.rotation * measured.rotation.inverse();
        let held = turn.scaled_axis();
        let held = held * (LEASH_RAD / held.norm().max(1e-9)).min(1.0);
        Pose::from_parts(
            (measured.translation.vector + lead * leash).into(),
            UnitQuaternion::from_scaled_axis(held) * measured.rotation,
        )
    }

    fn policy_twist(&mut self) -> [f64; 6] {
        let Some(rng) = &mut self.policy else {
            return [0.0; 6];
        };
        // Mostly downwards, so that it gets into trouble.
        std::array::from_fn(|axis| rng.random_range(-1.0..=1.0) - if axis == 2 { 0.2 } else { 0.0 })
    }

    /// A whole episode.
    pub fn episode(
        &mut self,
        kind: EpisodeKind,
        number: u32,
        mut watch: impl FnMut(&mut Self, u32),
    ) -> Outcome {
        let brief = EpisodeBrief { episode: EpisodeId(number), kind, seed: u64::from(number) };
        self.reset(&brief);
        let mut outcome = Outcome::default();
        watch(self, 0);
        while outcome.steps < STEP_LIMIT && (!outcome.success || kind == EpisodeKind::Labelling) {
            let sample = self.teleop.sample().unwrap().value;
            let twist = if sample.engaged { sample.twist } else { self.policy_twist() };
            let target = self.target(&twist);
            self.step(&target);
            outcome.steps += 1;
            outcome.human_steps += u32::from(sample.engaged);
            outcome.success = self.success.succeeded();
            outcome.penetration_m = outcome.penetration_m.max(self.truth.penetration_m());
            let wrench = self.gate.state().unwrap().value.wrench.unwrap();
            outcome.force_n = outcome.force_n.max(wrench.force.norm());
            watch(self, outcome.steps);
        }
        outcome
    }
}
