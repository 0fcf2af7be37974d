//! What becomes of an intended move in a person's arm: it is slow, trembles, is smoothed and rests now
//! and then. Pure but for its own generator.

use nalgebra::Vector3;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Normal};

use crate::config::{ActionScale, OperatorConfig};

/// Share of the remaining way that one step tries to go.
const GAIN: f64 = 0.5;
/// A hand that moves trembles more than one that holds: at rest this share of the tremor is left.
const STEADY: f64 = 0.4;

#[derive(Debug)]
pub(super) struct Stroke {
    config: OperatorConfig,
    scale: ActionScale,
    rng: ChaCha8Rng,
    pause_left: u32,
    last: [f64; 6],
}

impl Stroke {
    pub fn new(config: &OperatorConfig, scale: ActionScale, rng: ChaCha8Rng) -> Self {
        Self { config: config.clone(), scale, rng, pause_left: 0, last: [0.0; 6] }
    }

    pub fn scale(&self) -> ActionScale {
        self.scale
    }

    /// The hand takes the device: it starts from rest.
    pub fn take(&mut self) {
        self.pause_left = 0;
        self.last = [0.0; 6];
    }

    /// Whether the hand rests in this step; asked once per step.
    pub fn pauses(&mut self) -> bool {
        if self.pause_left == 0 && self.rng.random_bool(self.config.pause_chance) {
            self.pause_left = self.rng.random_range(1..=3);
        }
        let pauses = self.pause_left > 0;
        self.pause_left = self.pause_left.saturating_sub(1);
        if pauses {
            self.last = [0.0; 6];
        }
        pauses
    }

    /// The command of this step towards a move and a turn (m, rad, base frame), each axis in [-1, 1]
    /// units of the action scale.
    pub fn towards(&mut self, linear: &Vector3<f64>, angular: &Vector3<f64>) -> [f64; 6] {
        let linear = linear * (GAIN / self.scale.linear_m);
        let angular = angular * (GAIN / self.scale.angular_rad);
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

    /// One draw of this standard deviation.
    pub fn noise(&mut self, sd: f64) -> f64 {
        Normal::new(0.0, sd).expect("deviations are checked to be finite").sample(&mut self.rng)
    }
}
