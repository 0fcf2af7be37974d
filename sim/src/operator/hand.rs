//! How the scripted person moves: over the slot, down, and up again to aim anew when stuck.
//! Slow, trembling, and with an eye that is off by a little. Pure but for its own generator.

use nalgebra::Vector3;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Normal};

use super::Sight;
use crate::config::{ActionScale, OperatorConfig};

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
/// Share of the remaining way that one step tries to go.
const GAIN: f64 = 0.5;
/// A hand that moves trembles more than one that holds: at rest this share of the tremor is left.
const STEADY: f64 = 0.4;
/// From this force on the person pushes no further (N).
pub(super) const PUSH_MAX_N: f64 = 10.0;
/// A peg that has slipped in this far while it was to be lifted is pushed on (m).
const SLIPPED_IN_M: f64 = -0.003;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    Aim,
    Descend { deepest: f64, idle: u32 },
    Lift { left: u32 },
}

#[derive(Debug)]
pub(super) struct Hand {
    config: OperatorConfig,
    scale: ActionScale,
    rng: ChaCha8Rng,
    phase: Phase,
    /// How far from the slot's middle the person believes it to be (m, socket frame).
    aim_error: Vector3<f64>,
    aim_error_sd: f64,
    pause_left: u32,
    last: [f64; 6],
}

impl Hand {
    pub fn new(config: &OperatorConfig, scale: ActionScale, rng: ChaCha8Rng) -> Self {
        let mut hand = Self {
            config: config.clone(),
            scale,
            rng,
            phase: Phase::Aim,
            aim_error: Vector3::zeros(),
            aim_error_sd: config.aim_error_m,
            pause_left: 0,
            last: [0.0; 6],
        };
        hand.look();
        hand
    }

    /// The hand takes the device: it starts from rest and aims first.
    pub fn grasp(&mut self) {
        self.phase = Phase::Aim;
        self.pause_left = 0;
        self.last = [0.0; 6];
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
        if self.pauses() {
            self.last = [0.0; 6];
            return self.last;
        }
        let linear = sight.socket_rotation * wanted(self, sight) * (GAIN / self.scale.linear_m);
        let angular = sight.misalignment * (GAIN / self.scale.angular_rad);
        let limit = self.config.speed_max;
        let smoothing = self.config.smoothing;
        for (axis, wanted) in linear.iter().chain(angular.iter()).enumerate() {
            let wanted = wanted.clamp(-limit, limit);
            let tremor = self.config.tremor * (STEADY + (1.0 - STEADY) * wanted.abs() / limit);
            let command = wanted + self.noise(tremor);
            let smooth = smoothing * self.last[axis] + (1.0 - smoothing) * command;
            self.last[axis] = smooth.clamp(-1.0, 1.0);
        }
        self.last
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
            Phase::Descend { .. } => (BOTTOM_M - sight.tip.z) - self.scale.linear_m,
            Phase::Lift { .. } => 2.0 * self.scale.linear_m,
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
        let sd = self.aim_error_sd;
        self.aim_error = Vector3::new(self.noise(sd), self.noise(sd), 0.0);
    }

    fn pauses(&mut self) -> bool {
        if self.pause_left == 0 && self.rng.random_bool(self.config.pause_chance) {
            self.pause_left = self.rng.random_range(1..=3);
        }
        let pauses = self.pause_left > 0;
        self.pause_left = self.pause_left.saturating_sub(1);
        pauses
    }

    fn noise(&mut self, sd: f64) -> f64 {
        Normal::new(0.0, sd).expect("deviations are checked to be finite").sample(&mut self.rng)
    }
}
