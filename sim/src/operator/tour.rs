//! How the scripted person shows a reward classifier what there is to see: the peg seated, and what
//! looks like it and is not. Beside the slot, over it, half inserted, down beside the block.

use drivers::TeleopSample;
use nalgebra::Vector3;
use rand::{Rng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use std::f64::consts::TAU;

use super::{
    Skill,
    insertion::{HOVER_M, Insertion, PUSH_MAX_N, Sight},
};
use crate::world::World;

/// From here on the tip counts as there (m).
const NEAR_M: f64 = 0.0025;
/// Below this the tip must rise before it goes sideways (m, socket frame).
const CLEAR_M: f64 = 0.002;
/// A step tries to rise by this (m).
const RISE_M: f64 = 0.02;
/// What has not been reached after so many steps is given up.
const STEPS_MAX: u32 = 30;
/// Seated is deeper than this (m, socket frame).
const SEATED_M: f64 = -0.015;
/// How far the middle of the block's long side is from the slot, and the peg's half thickness (m).
const BESIDE_BLOCK_M: f64 = 0.030 + 0.004 + 0.004;
const BESIDE_BLOCK_CHANCE: f64 = 0.25;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    /// The tip there (m, socket frame), outside of the slot.
    At(Vector3<f64>),
    /// In the slot, not seated: the tip at this height.
    Half(f64),
    Seat,
}

#[derive(Clone, Copy, Debug)]
struct Stop {
    place: Place,
    hold: u32,
}

#[derive(Debug)]
pub(super) struct Tour {
    hand: Insertion,
    rng: ChaCha8Rng,
    /// The next one last.
    stops: Vec<Stop>,
    steps: u32,
    held: u32,
}

impl Tour {
    pub fn new(hand: Insertion, mut rng: ChaCha8Rng) -> Self {
        let stops = itinerary(&mut rng);
        Self { hand, rng, stops, steps: 0, held: 0 }
    }

    /// The command of this step, as a hand gives it.
    pub fn drive(&mut self, world: &World) -> TeleopSample {
        let twist = self.twist(&Sight::of(world));
        TeleopSample { twist, engaged: true, ..TeleopSample::default() }
    }

    fn twist(&mut self, sight: &Sight) -> [f64; 6] {
        if self.stops.is_empty() {
            self.stops = itinerary(&mut self.rng);
        }
        let stop = self.stops[self.stops.len() - 1];
        self.steps += 1;
        self.held += u32::from(stop.place.is_reached(sight));
        if self.held > stop.hold || self.steps > STEPS_MAX + stop.hold {
            self.stops.pop();
            (self.steps, self.held) = (0, 0);
            self.hand.take();
        }
        match stop.place {
            Place::Seat => self.hand.twist(sight),
            // From above the hand finds its way in.
            Place::Half(height) if sight.tip.z > height + NEAR_M => self.hand.twist(sight),
            Place::Half(height) => {
                let tip = sight.tip;
                self.hand.twist_by(sight, Vector3::new(-tip.x, -tip.y, height - tip.z))
            }
            Place::At(target) => self.hand.twist_by(sight, towards(&target, sight)),
        }
    }
}

impl Place {
    fn is_reached(self, sight: &Sight) -> bool {
        match self {
            Self::Seat => sight.tip.z <= SEATED_M,
            Self::Half(height) => (sight.tip.z - height).abs() < NEAR_M,
            Self::At(target) => {
                let beside = (target - sight.tip).xy().norm();
                let pressed = sight.force_n > PUSH_MAX_N && target.z < sight.tip.z;
                beside < NEAR_M && (pressed || (target.z - sight.tip.z).abs() < NEAR_M)
            }
        }
    }
}

/// Up, across, down.
fn towards(target: &Vector3<f64>, sight: &Sight) -> Vector3<f64> {
    let mut wanted = target - sight.tip;
    let across = wanted.xy().norm() > NEAR_M;
    if across && sight.tip.z < CLEAR_M {
        return Vector3::new(0.0, 0.0, RISE_M);
    }
    if across {
        wanted.z = target.z.max(HOVER_M / 2.0) - sight.tip.z;
    } else if wanted.z < 0.0 && sight.force_n > PUSH_MAX_N {
        wanted.z = 0.0;
    }
    wanted
}

/// Two of what is not success, then the peg seated, half out and seated again; the first one last.
fn itinerary(rng: &mut ChaCha8Rng) -> Vec<Stop> {
    let stop = |place, hold: std::ops::Range<u32>, rng: &mut ChaCha8Rng| Stop {
        place,
        hold: rng.random_range(hold),
    };
    // On the block, as near as the peg just does not go in.
    let (angle, far) = (rng.random_range(0.0..TAU), rng.random_range(0.004..0.014));
    let on_block = Vector3::new(far * angle.cos(), far * angle.sin(), -0.001);
    let over_slot = Vector3::new(
        rng.random_range(-0.002..0.002),
        rng.random_range(-0.002..0.002),
        rng.random_range(0.001..0.008),
    );
    let half = rng.random_range(-0.012..-0.003);
    let mut misses = vec![
        stop(Place::At(on_block), 2..5, rng),
        stop(Place::At(over_slot), 1..4, rng),
        stop(Place::Half(half), 2..5, rng),
    ];
    misses.shuffle(rng);
    misses.truncate(2);
    if rng.random_bool(BESIDE_BLOCK_CHANCE) {
        let side = if rng.random_bool(0.5) { 1.0 } else { -1.0 };
        let along = rng.random_range(-0.01..0.01);
        let beside = Vector3::new(along, side * BESIDE_BLOCK_M, -0.018);
        misses = vec![stop(Place::At(beside), 2..4, rng)];
    }
    let half_out = rng.random_range(-0.012..-0.003);
    misses.extend([
        stop(Place::Seat, 5..10, rng),
        stop(Place::Half(half_out), 2..5, rng),
        stop(Place::Seat, 5..10, rng),
    ]);
    misses.reverse();
    misses
}
