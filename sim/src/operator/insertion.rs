//! How the scripted person inserts the peg: over the slot, down, and up again to aim anew when stuck.
//! Knows exactly where peg and socket are, but for an eye that is off by a little.

use drivers::TeleopSample;
use nalgebra::{UnitQuaternion, Vector3};
use wire::GripperCommand;

use super::{Concern, Skill, stroke::Stroke};
use crate::{config::OperatorConfig, scene, world::World};

/// Height over the socket at which the hand aims (m).
pub(super) const HOVER_M: f64 = 0.010;
/// Where the hand pushes to: the slot's floor.
const BOTTOM_M: f64 = -0.020;
/// Near enough to go down.
const AIMED_M: f64 = 0.002;
const AIMED_RAD: f64 = 0.03;
/// Too far off to keep going down.
const LOST_M: f64 = 0.004;
/// Going down means a millimetre deeper within so many steps, else the peg is stuck.
const PROGRESS_M: f64 = 0.001;
const STUCK_STEPS: u32 = 6;
const LIFT_STEPS: u32 = 4;
/// After each failed try the person looks closer: the error of the eye shrinks by this.
const CLOSER_LOOK: f64 = 0.5;
/// From this force on the person pushes no further (N).
pub(super) const PUSH_MAX_N: f64 = 10.0;
/// A peg that has slipped in this far while it was to be lifted is pushed on (m).
const SLIPPED_IN_M: f64 = -0.003;

/// Pressing harder than this on the socket's surface looks like trouble.
const PRESS_N: f64 = 8.0;
/// The tip stands on the surface, not in the slot (m, socket frame).
const SURFACE_M: std::ops::Range<f64> = -0.002..0.003;
/// The seated tip, from which the distance counts (m, socket frame).
const SEAT_DEPTH_M: f64 = 0.018;

/// What the operator sees at one moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sight {
    /// The tip in the socket frame (m): x, y along the top, z up from it.
    pub tip: Vector3<f64>,
    /// The turn that would align the tool with the slot, as a rotation vector (rad, base frame).
    misalignment: Vector3<f64>,
    /// Socket frame → base frame.
    socket_rotation: UnitQuaternion<f64>,
    /// What the socket presses against the tool with (N).
    pub force_n: f64,
}

impl Sight {
    pub fn of(world: &World) -> Self {
        let (relative, socket) = (world.relative_pose(), world.socket_pose());
        let misalignment =
            socket.rotation * scene::tool_down() * world.tcp_pose().rotation.inverse();
        Self {
            tip: relative.translation.vector,
            misalignment: misalignment.scaled_axis(),
            socket_rotation: socket.rotation,
            force_n: world.wrench().force.norm(),
        }
    }

    fn concern(&self) -> Concern {
        let mut to_seat = self.tip;
        to_seat.z += SEAT_DEPTH_M;
        let presses = self.force_n > PRESS_N && SURFACE_M.contains(&self.tip.z);
        Concern { distance_m: to_seat.norm(), presses }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    Aim,
    Descend { deepest: f64, idle: u32 },
    Lift { left: u32 },
}

#[derive(Debug)]
pub(super) struct Insertion {
    stroke: Stroke,
    phase: Phase,
    /// How far from the slot's middle the person believes it to be (m, socket frame).
    aim_error: Vector3<f64>,
    aim_error_sd: f64,
}

impl Insertion {
    pub fn new(config: &OperatorConfig, stroke: Stroke) -> Self {
        let mut hand = Self {
            stroke,
            phase: Phase::Aim,
            aim_error: Vector3::zeros(),
            aim_error_sd: config.aim_error_m,
        };
        hand.look();
        hand
    }

    /// The command of this step on the way into the socket, base frame, each axis in [-1, 1] units of
    /// the action scale.
    pub fn twist(&mut self, sight: &Sight) -> [f64; 6] {
        self.moved(sight, Self::wanted_move)
    }

    /// The same for a move of the tip by `wanted` (m, socket frame).
    pub fn twist_by(&mut self, sight: &Sight, wanted: Vector3<f64>) -> [f64; 6] {
        self.moved(sight, |_, _| wanted)
    }

    fn moved(
        &mut self,
        sight: &Sight,
        wanted: impl FnOnce(&mut Self, &Sight) -> Vector3<f64>,
    ) -> [f64; 6] {
        if self.stroke.pauses() {
            return [0.0; 6];
        }
        let linear = sight.socket_rotation * wanted(self, sight);
        self.stroke.towards(&linear, &sight.misalignment)
    }

    /// Where the tip should go from here (m, socket frame).
    fn wanted_move(&mut self, sight: &Sight) -> Vector3<f64> {
        let lateral = (self.aim_error - sight.tip).xy();
        let mut wanted = Vector3::new(lateral.x, lateral.y, 0.0);
        self.phase = self.next_phase(lateral.norm(), sight);
        let beside = lateral.norm() > LOST_M && sight.tip.z < HOVER_M / 2.0;
        if self.phase == Phase::Aim && beside {
            // Up first: the way over the slot leads through the block, or scrapes along it.
            wanted = Vector3::zeros();
        }
        wanted.z = match self.phase {
            Phase::Aim => HOVER_M - sight.tip.z,
            Phase::Descend { .. } if sight.force_n > PUSH_MAX_N => 0.0,
            // Pushing on at full speed, not slowing towards the floor.
            Phase::Descend { .. } => (BOTTOM_M - sight.tip.z) - self.stroke.scale().linear_m,
            Phase::Lift { .. } => 2.0 * self.stroke.scale().linear_m,
        };
        wanted
    }

    fn next_phase(&mut self, lateral: f64, sight: &Sight) -> Phase {
        let height = sight.tip.z;
        match self.phase {
            Phase::Aim => {
                let aimed = lateral < AIMED_M && sight.misalignment.norm() < AIMED_RAD;
                if aimed && height < 1.5 * HOVER_M {
                    Phase::Descend { deepest: height, idle: 0 }
                } else {
                    Phase::Aim
                }
            }
            Phase::Descend { .. } if lateral > LOST_M && height > -PROGRESS_M => Phase::Aim,
            Phase::Descend { deepest, .. } if height < deepest - PROGRESS_M => {
                Phase::Descend { deepest: height, idle: 0 }
            }
            Phase::Descend { idle, .. } if idle >= STUCK_STEPS => {
                self.aim_error_sd *= CLOSER_LOOK;
                self.look();
                Phase::Lift { left: LIFT_STEPS }
            }
            Phase::Descend { deepest, idle } => Phase::Descend { deepest, idle: idle + 1 },
            Phase::Lift { .. } if height < SLIPPED_IN_M => {
                Phase::Descend { deepest: height, idle: 0 }
            }
            Phase::Lift { left: 0 } => Phase::Aim,
            Phase::Lift { left } => Phase::Lift { left: left - 1 },
        }
    }

    /// Draws where the person now believes the slot to be.
    fn look(&mut self) {
        let (stroke, sd) = (&mut self.stroke, self.aim_error_sd);
        self.aim_error = Vector3::new(stroke.noise(sd), stroke.noise(sd), 0.0);
    }
}

impl Skill for Insertion {
    fn take(&mut self) {
        self.phase = Phase::Aim;
        self.stroke.take();
    }

    fn drive(&mut self, world: &World) -> TeleopSample {
        let sight = Sight::of(world);
        let twist = self.twist(&sight);
        TeleopSample { twist, gripper: GripperCommand::Stay, engaged: true }
    }

    fn concern(&self, world: &World) -> Concern {
        Sight::of(world).concern()
    }
}
