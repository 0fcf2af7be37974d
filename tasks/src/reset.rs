//! How the arm gets back to a start pose: straight up, wait for the fixture, over at a safe
//! height, down. Gives one waypoint per step; the gate's limits apply to each.

use std::fmt;

use nalgebra::{Translation3, UnitQuaternion, Vector3};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use thiserror::Error;
use wire::geometry::Pose;

use crate::{
    frame::{distance, towards},
    task::{ResetConfig, TaskConfig},
};

/// Keeps the draws of the reset apart from others that use the episode's seed.
const STREAM: u64 = u64::from_le_bytes(*b"reset   ");

/// How many steps of travel the waypoint may be ahead of the arm.
const LEAD_STEPS: f64 = 2.0;

/// What to do in this step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ResetStep {
    /// Send this target through the gate; base frame.
    Move(Pose),
    /// The arm is out of the way: prepare the work-piece, then ask again.
    PrepareFixture,
    /// The arm is at its start pose, which the last waypoint was.
    Done(Pose),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResetPhase {
    Lift,
    Prepare,
    Over,
    Down,
}

impl fmt::Display for ResetPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lift => "lifting",
            Self::Prepare => "waiting for the fixture",
            Self::Over => "going over to the start pose",
            Self::Down => "going down to the start pose",
        })
    }
}

#[derive(Clone, Debug, Error, PartialEq)]
pub enum ResetError {
    #[error(
        "the reset was given up after {steps} steps while {phase}, {off_mm:.1} mm and \
         {off_rad:.3} rad away: see that nothing holds the arm and that the poses of [reset] are \
         inside the cell's workspace, or raise reset.timeout_steps"
    )]
    TimedOut { phase: ResetPhase, steps: u32, off_mm: f64, off_rad: f64 },
}

/// The reset of one episode.
#[derive(Clone, Debug)]
pub struct ResetPlan {
    config: ResetConfig,
    reach_m: f64,
    reach_rad: f64,
    start: Pose,
    phase: ResetPhase,
    /// Goal of the lift, known from the first measurement on.
    lifted: Option<Pose>,
    waypoint: Option<Pose>,
    steps: u32,
}

impl ResetPlan {
    /// `seed` is the episode's.
    pub fn new(task: &TaskConfig, seed: u64) -> Self {
        Self {
            config: task.reset.clone(),
            reach_m: task.reset.speed_mps / task.step_rate_hz,
            reach_rad: task.reset.speed_radps / task.step_rate_hz,
            start: start_pose(&task.reset, seed),
            phase: ResetPhase::Lift,
            lifted: None,
            waypoint: None,
            steps: 0,
        }
    }

    /// Where the episode is to begin.
    pub fn start_pose(&self) -> Pose {
        self.start
    }

    pub fn phase(&self) -> ResetPhase {
        self.phase
    }

    /// Called once per step with the measured pose, until it says `Done`.
    pub fn next_target(&mut self, measured: &Pose) -> Result<ResetStep, ResetError> {
        loop {
            let goal = self.goal(measured);
            let (off_m, off_rad) = distance(measured, &goal);
            let reached = off_m <= self.config.tolerance_m && off_rad <= self.config.tolerance_rad;
            match self.phase {
                ResetPhase::Lift if reached => {
                    self.phase = ResetPhase::Prepare;
                    return Ok(ResetStep::PrepareFixture);
                }
                ResetPhase::Prepare => {
                    self.phase = ResetPhase::Over;
                    // The lease ran out while the fixture was prepared.
                    self.waypoint = None;
                }
                ResetPhase::Over if reached => self.phase = ResetPhase::Down,
                ResetPhase::Down if reached => return Ok(ResetStep::Done(self.start)),
                phase if self.steps >= self.config.timeout_steps => {
                    let (steps, off_mm) = (self.steps, off_m * 1e3);
                    return Err(ResetError::TimedOut { phase, steps, off_mm, off_rad });
                }
                _ => return Ok(ResetStep::Move(self.advance(measured, &goal))),
            }
        }
    }

    fn goal(&mut self, measured: &Pose) -> Pose {
        let height = self.config.travel_z_m;
        let lifted = *self.lifted.get_or_insert_with(|| {
            let mut pose = *measured;
            pose.translation.z = pose.translation.z.max(height);
            pose
        });
        match self.phase {
            ResetPhase::Lift | ResetPhase::Prepare => lifted,
            ResetPhase::Over => {
                let mut pose = self.start;
                pose.translation.z = lifted.translation.z;
                pose
            }
            ResetPhase::Down => self.start,
        }
    }

    fn advance(&mut self, measured: &Pose, goal: &Pose) -> Pose {
        self.steps += 1;
        let from = self.waypoint.unwrap_or(*measured);
        let wanted = towards(&from, goal, self.reach_m, self.reach_rad);
        let (lead_m, lead_rad) = (LEAD_STEPS * self.reach_m, LEAD_STEPS * self.reach_rad);
        let waypoint = towards(measured, &wanted, lead_m, lead_rad);
        self.waypoint = Some(waypoint);
        waypoint
    }
}

fn start_pose(config: &ResetConfig, seed: u64) -> Pose {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(STREAM);
    let mut within = |spread: f64| rng.random_range(-1.0..=1.0) * spread;
    let offset = Vector3::from(config.random_m).map(&mut within);
    let yaw = within(config.random_yaw_rad);
    let turn = UnitQuaternion::from_axis_angle(&Vector3::z_axis(), yaw);
    let position = Vector3::from(config.position_m) + offset;
    Pose::from_parts(Translation3::from(position), config.orientation() * turn)
}

#[cfg(test)]
mod tests;
