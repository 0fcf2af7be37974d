//! How the scripted person inserts the stick: grasp it in its holder, lift, over the port, down, let go;
//! up again to aim anew when stuck. Knows where everything is, but for an eye that is off by a little.

use drivers::TeleopSample;
use nalgebra::{UnitQuaternion, Vector3};
use wire::GripperCommand;

use super::{Concern, Skill, stroke::Stroke};
use crate::{
    config::OperatorConfig,
    scene::{self, usb},
    world::World,
};

/// Height of the TCP over the place where it grips from which it goes down (m).
const ABOVE_M: f64 = 0.04;
/// Near enough to go down about the handle, and to grip (m).
const AIMED_GRIP_M: f64 = 0.003;
const ABOUT_M: f64 = 0.004;
/// So long the hand waits for the jaws.
const CLOSE_STEPS: u32 = 4;
const WIDE: f64 = 0.9;
/// A gripper that is further open holds nothing, and so does one that is so far from the handle.
const HELD: f64 = 0.3;
const AWAY_M: f64 = 0.015;
/// Height of the plug's end at which it is carried (m, base frame).
const CARRY_M: f64 = 0.05;
/// Near enough to the port to go down to where the hand aims, and that height over it (m).
const NEAR_M: f64 = 0.01;
const HOVER_M: f64 = 0.008;
/// Near enough to go down.
const AIMED_M: f64 = 0.0015;
const AIMED_RAD: f64 = 0.03;
const LOST_M: f64 = 0.004;
/// Going down means a millimetre deeper within so many steps, else the plug is stuck.
const PROGRESS_M: f64 = 0.0007;
const STUCK_STEPS: u32 = 6;
const LIFT_STEPS: u32 = 3;
const CLOSER_LOOK: f64 = 0.5;
/// From this force on the person pushes no further (N).
const PUSH_MAX_N: f64 = 8.0;
/// What is left of the way when the stick is not even held, and when it is not let go (m).
const UNHELD_M: f64 = 0.25;
const UNRELEASED_M: f64 = 0.02;

#[derive(Clone, Copy, Debug)]
struct Sight {
    /// From the TCP to where the handle is to be gripped (m, base frame).
    to_grip: Vector3<f64>,
    /// The plug's end in the port's frame (m), and in the base frame its height.
    tip: Vector3<f64>,
    height: f64,
    port_rotation: UnitQuaternion<f64>,
    /// The turns that would put the tool upright along the stick, and the stick along the port (rad, base
    /// frame).
    tool_off: Vector3<f64>,
    stick_off: Vector3<f64>,
    opening: f64,
    force_n: f64,
    seated: bool,
}

impl Sight {
    fn of(world: &World) -> Self {
        let tcp = world.tcp_pose();
        let (stick, port) = (world.piece_pose().unwrap_or(tcp), world.socket_pose());
        let handle = stick * nalgebra::Point3::new(0.0, 0.0, usb::GRIP_HEIGHT_M);
        Self {
            to_grip: handle.coords - tcp.translation.vector,
            tip: world.relative_pose().translation.vector,
            height: stick.translation.z,
            port_rotation: port.rotation,
            tool_off: (scene::tool_down() * tcp.rotation.inverse()).scaled_axis(),
            stick_off: (port.rotation * stick.rotation.inverse()).scaled_axis(),
            opening: world.opening().unwrap_or_default(),
            force_n: world.wrench().force.norm(),
            seated: world.is_seated(),
        }
    }

    fn holds(&self) -> bool {
        self.opening < HELD && self.to_grip.norm() < AWAY_M
    }

    fn concern(&self) -> Concern {
        let mut to_seat = self.tip;
        to_seat.z += usb::SEATED_DEPTH_M;
        let distance_m = match (self.seated, self.holds()) {
            (true, true) => UNRELEASED_M,
            (true, false) => 0.0,
            (false, true) => to_seat.norm() + UNRELEASED_M,
            (false, false) => self.to_grip.norm() + UNHELD_M,
        };
        Concern { distance_m, presses: false }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    Reach,
    Enclose,
    Close { left: u32 },
    Carry,
    Insert { deepest: f64, idle: u32 },
    Lift { left: u32 },
    Release,
}

#[derive(Debug)]
pub(super) struct GraspAndInsert {
    stroke: Stroke,
    phase: Phase,
    /// How far from the port's middle the person believes it to be (m, port frame).
    aim_error: Vector3<f64>,
    aim_error_sd: f64,
}

impl GraspAndInsert {
    pub fn new(config: &OperatorConfig, stroke: Stroke) -> Self {
        let mut hand = Self {
            stroke,
            phase: Phase::Reach,
            aim_error: Vector3::zeros(),
            aim_error_sd: config.aim_error_m,
        };
        hand.look();
        hand
    }

    fn look(&mut self) {
        let (stroke, sd) = (&mut self.stroke, self.aim_error_sd);
        self.aim_error = Vector3::new(stroke.noise(sd), stroke.noise(sd), 0.0);
    }

    /// From the plug's end to where the person believes the port's middle to be, in its frame.
    fn off_port(&self, sight: &Sight) -> Vector3<f64> {
        self.aim_error - sight.tip
    }

    fn next_phase(&mut self, sight: &Sight) -> Phase {
        let lateral = self.off_port(sight).xy().norm();
        let height = sight.tip.z;
        let has_gripped =
            !matches!(self.phase, Phase::Reach | Phase::Enclose | Phase::Close { .. });
        if has_gripped && sight.seated {
            return Phase::Release;
        }
        if has_gripped && !sight.holds() {
            return Phase::Reach;
        }
        match self.phase {
            Phase::Reach => {
                let over = sight.to_grip.xy().norm() < AIMED_GRIP_M;
                let upright = sight.tool_off.norm() < AIMED_RAD;
                if over && upright && sight.opening > WIDE { Phase::Enclose } else { Phase::Reach }
            }
            Phase::Enclose if sight.to_grip.xy().norm() > 2.0 * AIMED_GRIP_M => Phase::Reach,
            Phase::Enclose if sight.to_grip.z.abs() < ABOUT_M => Phase::Close { left: CLOSE_STEPS },
            Phase::Enclose => Phase::Enclose,
            Phase::Close { left: 0 } => Phase::Carry,
            Phase::Close { left } => Phase::Close { left: left - 1 },
            Phase::Carry | Phase::Release => {
                let aimed = lateral < AIMED_M && sight.stick_off.norm() < AIMED_RAD;
                if aimed && height < 1.5 * HOVER_M {
                    Phase::Insert { deepest: height, idle: 0 }
                } else {
                    Phase::Carry
                }
            }
            Phase::Insert { .. } if lateral > LOST_M && height > -PROGRESS_M => Phase::Carry,
            Phase::Insert { deepest, .. } if height < deepest - PROGRESS_M => {
                Phase::Insert { deepest: height, idle: 0 }
            }
            Phase::Insert { idle, .. } if idle >= STUCK_STEPS => {
                self.aim_error_sd *= CLOSER_LOOK;
                self.look();
                Phase::Lift { left: LIFT_STEPS }
            }
            Phase::Insert { deepest, idle } => Phase::Insert { deepest, idle: idle + 1 },
            Phase::Lift { left: 0 } => Phase::Carry,
            Phase::Lift { left } => Phase::Lift { left: left - 1 },
        }
    }

    /// The wanted move and turn (m, rad, base frame).
    fn wanted(&self, sight: &Sight) -> [Vector3<f64>; 2] {
        let (grip, up) = (sight.to_grip, Vector3::z());
        let linear = match self.phase {
            // Up first where the way leads through the handle or a block.
            Phase::Reach if grip.xy().norm() > 0.02 && grip.z > -ABOVE_M => up * (grip.z + ABOVE_M),
            Phase::Reach => Vector3::new(grip.x, grip.y, grip.z + ABOVE_M),
            Phase::Enclose => grip,
            Phase::Close { .. } | Phase::Release => Vector3::zeros(),
            Phase::Carry => {
                let mut off = self.off_port(sight);
                let lateral = off.xy().norm();
                off.z = if lateral > NEAR_M { 0.0 } else { HOVER_M - sight.tip.z };
                let mut way = sight.port_rotation * off;
                if lateral > NEAR_M {
                    way.z = CARRY_M - sight.height;
                    if sight.height < 0.8 * CARRY_M {
                        way.x = 0.0;
                        way.y = 0.0;
                    }
                }
                way
            }
            Phase::Insert { .. } => {
                let mut off = self.off_port(sight);
                let pushes = sight.force_n < PUSH_MAX_N;
                let down = -usb::SEATED_DEPTH_M - sight.tip.z - self.stroke.scale().linear_m;
                off.z = if pushes { down } else { 0.0 };
                sight.port_rotation * off
            }
            Phase::Lift { .. } => up * (2.0 * self.stroke.scale().linear_m),
        };
        let angular = match self.phase {
            Phase::Reach | Phase::Enclose | Phase::Close { .. } => sight.tool_off,
            Phase::Carry | Phase::Insert { .. } | Phase::Lift { .. } => sight.stick_off,
            Phase::Release => Vector3::zeros(),
        };
        [linear, angular]
    }

    fn button(&self, opening: f64) -> GripperCommand {
        match self.phase {
            Phase::Reach | Phase::Enclose if opening < WIDE => GripperCommand::Open,
            Phase::Release => GripperCommand::Open,
            Phase::Close { .. } => GripperCommand::Close,
            _ => GripperCommand::Stay,
        }
    }
}

impl Skill for GraspAndInsert {
    /// Whether the stick is held is seen at once.
    fn take(&mut self) {
        self.phase = Phase::Carry;
        self.stroke.take();
    }

    fn drive(&mut self, world: &World) -> TeleopSample {
        let sight = Sight::of(world);
        let pauses = self.stroke.pauses();
        self.phase = self.next_phase(&sight);
        let gripper = self.button(sight.opening);
        let twist = if pauses {
            [0.0; 6]
        } else {
            let [linear, angular] = self.wanted(&sight);
            self.stroke.towards(&linear, &angular)
        };
        TeleopSample { twist, gripper, engaged: true }
    }

    fn concern(&self, world: &World) -> Concern {
        Sight::of(world).concern()
    }
}
