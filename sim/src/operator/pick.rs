//! How the scripted person picks up the cube: over it with open jaws, down, close, up; and once more
//! when it slips. Knows exactly where the cube is, but for an eye that is off by a little.

use drivers::TeleopSample;
use nalgebra::Vector3;
use wire::GripperCommand;

use super::{Concern, Skill, stroke::Stroke};
use crate::{
    config::OperatorConfig,
    scene::{self, pick_cube::LIFT_M},
    world::World,
};

/// Height of the TCP over the cube's middle at which the hand aims (m).
const HOVER_M: f64 = 0.05;
/// Near enough to go down, and too far off to keep going down (m).
const AIMED_M: f64 = 0.006;
const LOST_M: f64 = 0.012;
/// The pads are about the cube when the TCP is less than this above its middle (m).
const ABOUT_M: f64 = 0.006;
/// Steps without way down after which the hand grips where it is.
const STUCK_STEPS: u32 = 6;
/// So long the hand waits for the jaws.
const CLOSE_STEPS: u32 = 5;
/// The cube has stayed behind.
const SLIPPED_M: f64 = 0.02;
/// Wide enough to go down about the cube.
const OPEN: f64 = 0.9;
/// The lift goes on a little beyond what counts.
const OVERSHOOT_M: f64 = 0.03;

#[derive(Clone, Copy, Debug)]
struct Sight {
    /// From the TCP to the cube's middle (m, base frame).
    to_cube: Vector3<f64>,
    /// The turn that would put the tool upright (rad, base frame).
    misalignment: Vector3<f64>,
    /// How far the gripper is open.
    opening: f64,
    /// How high the cube is above the table (m).
    height: f64,
}

impl Sight {
    fn of(world: &World) -> Self {
        let tcp = world.tcp_pose();
        let cube = world.piece_pose().unwrap_or(tcp).translation.vector;
        Self {
            to_cube: cube - tcp.translation.vector,
            misalignment: (scene::tool_down() * tcp.rotation.inverse()).scaled_axis(),
            opening: world.opening().unwrap_or_default(),
            height: cube.z,
        }
    }

    /// The way to the cube, and the way up that is left.
    fn concern(&self) -> Concern {
        let left = (LIFT_M + OVERSHOOT_M - self.height).max(0.0);
        Concern { distance_m: self.to_cube.norm() + left, presses: false }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    Aim,
    Descend { deepest: f64, idle: u32 },
    Close { left: u32 },
    Lift,
}

#[derive(Debug)]
pub(super) struct Pick {
    stroke: Stroke,
    phase: Phase,
    /// How far from the cube's middle the person believes it to be (m).
    aim_error: Vector3<f64>,
}

impl Pick {
    pub fn new(config: &OperatorConfig, mut stroke: Stroke) -> Self {
        let sd = config.aim_error_m;
        let aim_error = Vector3::new(stroke.noise(sd), stroke.noise(sd), 0.0);
        Self { stroke, phase: Phase::Aim, aim_error }
    }

    fn next_phase(&self, way: &Vector3<f64>, opening: f64) -> Phase {
        let (lateral, above) = (way.xy().norm(), -way.z);
        match self.phase {
            Phase::Aim if lateral < AIMED_M && above < 1.5 * HOVER_M && opening > OPEN => {
                Phase::Descend { deepest: above, idle: 0 }
            }
            Phase::Aim => Phase::Aim,
            Phase::Descend { .. } if lateral > LOST_M && above > HOVER_M / 2.0 => Phase::Aim,
            Phase::Descend { .. } if above < ABOUT_M => Phase::Close { left: CLOSE_STEPS },
            Phase::Descend { idle, .. } if idle >= STUCK_STEPS => {
                Phase::Close { left: CLOSE_STEPS }
            }
            Phase::Descend { deepest, .. } if above < deepest - 0.001 => {
                Phase::Descend { deepest: above, idle: 0 }
            }
            Phase::Descend { deepest, idle } => Phase::Descend { deepest, idle: idle + 1 },
            Phase::Close { left: 0 } => Phase::Lift,
            Phase::Close { left } => Phase::Close { left: left - 1 },
            Phase::Lift if way.norm() > SLIPPED_M => Phase::Aim,
            Phase::Lift => Phase::Lift,
        }
    }

    /// The move that is wanted in this phase (m, base frame).
    fn wanted_move(&self, way: &Vector3<f64>, opening: f64) -> Vector3<f64> {
        let hover = way.z + HOVER_M;
        match self.phase {
            // Up first where the way over the cube would lead through it, or while the jaws open.
            Phase::Aim
                if -way.z < HOVER_M / 2.0 && (way.xy().norm() > LOST_M || opening < OPEN) =>
            {
                Vector3::z() * hover
            }
            Phase::Aim => Vector3::new(way.x, way.y, hover),
            Phase::Descend { .. } => *way,
            Phase::Close { .. } => Vector3::zeros(),
            Phase::Lift => Vector3::z() * (LIFT_M + OVERSHOOT_M),
        }
    }

    fn button(&self, opening: f64) -> GripperCommand {
        match self.phase {
            Phase::Aim | Phase::Descend { .. } if opening < OPEN => GripperCommand::Open,
            Phase::Close { .. } => GripperCommand::Close,
            Phase::Aim | Phase::Descend { .. } | Phase::Lift => GripperCommand::Stay,
        }
    }
}

impl Skill for Pick {
    fn take(&mut self) {
        self.phase = Phase::Aim;
        self.stroke.take();
    }

    fn drive(&mut self, world: &World) -> TeleopSample {
        let sight = Sight::of(world);
        let pauses = self.stroke.pauses();
        let way = sight.to_cube + self.aim_error;
        self.phase = self.next_phase(&way, sight.opening);
        let gripper = self.button(sight.opening);
        let twist = if pauses {
            [0.0; 6]
        } else {
            let wanted = self.wanted_move(&way, sight.opening);
            self.stroke.towards(&wanted, &sight.misalignment)
        };
        TeleopSample { twist, gripper, engaged: true }
    }

    fn concern(&self, world: &World) -> Concern {
        Sight::of(world).concern()
    }
}
